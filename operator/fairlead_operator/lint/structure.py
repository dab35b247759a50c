"""What the API server makes of an object's structure, and what it refuses there.

It follows the server in what nobody would guess: a number without a fraction is compared with a
bound without *its* fraction, and a value of the wrong type is still held against an enum.
"""

import dataclasses
import datetime
import difflib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fairlead_operator.api.base import INT_OR_STRING
from fairlead_operator.api.schema import OF_ANY_TYPE, Schema
from fairlead_operator.lint.problem import (
    NOWHERE,
    Problem,
    as_json,
    invalid,
    mistyped,
    quoted,
    required,
    shown,
)

_META: Final = frozenset({"apiVersion", "kind", "metadata"})
_QUOTES: Final = "write it in quotes, so that YAML takes it as text"
_OF_FORM: Final = re.compile(
    r"(self|string\(self\))\.matches\(r'"
)  # a rule, as api.schema writes it
_INT_BITS: Final = {"int32": 31, "int64": 63}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(r"[-0-9]+T[:0-9]+(\.[0-9]+)?(Z|[-+][:0-9]+)")
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})")


def fields_of(schema: Schema, value: Mapping[str, Any]) -> Mapping[str, Schema]:
    """Return the schema of each field of an object, or of each value of a map."""
    if "additionalProperties" in schema:
        values: Schema = schema["additionalProperties"]
        return dict.fromkeys(value, values)
    fields: Mapping[str, Schema] = schema.get("properties", {})
    return fields


def prune(schema: Schema, value: Any, path: str = "") -> tuple[Any, list[Problem]]:
    """Leave out the fields that are not in the schema; return what is left, and those fields."""
    if OF_ANY_TYPE in schema:
        return value, []
    unknown: list[Problem] = []
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        fields = fields_of(schema, value)
        for name, inner in value.items():
            where = f"{path}.{name}" if path else name
            if not path and name in _META:
                kept[name] = inner
            elif name in fields:
                kept[name], more = prune(fields[name], inner, where)
                unknown += more
            else:
                unknown.append(unknown_field(where, name, [*fields, *(() if path else _META)]))
        return kept, unknown
    if isinstance(value, list):
        pairs = [
            prune(schema.get("items", {}), inner, f"{path}[{index}]")
            for index, inner in enumerate(value)
        ]
        return [kept for kept, _ in pairs], [problem for _, more in pairs for problem in more]
    return value, []


def unknown_field(path: str, name: str, fields: Sequence[str]) -> Problem:
    """Say that a field is not known, and which one it may have been meant to be."""
    by_small = {field.lower(): field for field in fields}
    close = difflib.get_close_matches(name.lower(), by_small, n=1)
    meant = path.removesuffix(name) + by_small[close[0]] if close else ""
    return Problem(
        field=path,
        message=f"unknown field {quoted(path)}",
        hint=f"did you mean {quoted(meant)}?" if meant else "",
    )


def complete(schema: Schema, value: Any) -> Any:
    """Fill in the defaults, and leave out each null that has none."""
    if isinstance(value, Mapping):
        fields = fields_of(schema, value)
        defaults = {name: node["default"] for name, node in fields.items() if "default" in node}
        written = {
            name: inner for name, inner in value.items() if inner is not None or name not in fields
        }
        return {
            name: complete(fields.get(name, {}), inner)
            for name, inner in (defaults | written).items()
        }
    if isinstance(value, list):
        return [complete(schema.get("items", {}), inner) for inner in value]
    return value


def find_problems(schema: Schema, value: Any, path: str = "") -> Iterator[Problem]:
    """Yield what the API server refuses of a value, and of all within."""
    kind, wide = _kind_of(value)
    yield from _of_type(schema, kind, wide, path)
    match kind:
        case "string":
            yield from _of_text(schema, value, path)
        case "integer" | "number":
            yield from _of_number(schema, value, path)
        case "array":
            for index, inner in enumerate(value):
                yield from find_problems(schema.get("items", {}), inner, f"{path}[{index}]")
            yield from _of_length(schema, len(value), path)
        case "object":
            yield from _of_fields(schema, value, path)
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        choices = (one if isinstance(one, str) else as_json(one) for one in schema["enum"])
        yield Problem(
            field=path,
            message=f"Unsupported value: {shown(value)}: supported values: "
            + ", ".join(map(quoted, choices)),
            blocking=True,
        )


def _of_fields(schema: Schema, value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for name, node in fields_of(schema, value).items():
        if name in value:
            yield from find_problems(node, value[name], _below(path, name))
    if len(value) > schema.get("maxProperties", math.inf):
        yield _too_many(len(value), schema["maxProperties"], path)
    for name in schema.get("required", ()):
        if name not in value:
            yield required(_below(path, name))


def find_repeated(schema: Schema, value: Any, path: str = "") -> Iterator[Problem]:
    """Yield what is twice in a list that is a set, or a map by some of its fields."""
    if isinstance(value, Mapping):
        for name, node in fields_of(schema, value).items():
            if name in value:
                yield from find_repeated(node, value[name], _below(path, name))
    if not isinstance(value, list):
        return
    items = schema.get("items", {})
    match schema.get("x-kubernetes-list-type"):
        case "set":
            yield from _repeated(value, path)
        case "map":
            names = schema["x-kubernetes-list-map-keys"]
            if all(isinstance(inner, Mapping) for inner in value):
                keys = [{name: one[name] for name in names if name in one} for one in value]
                yield from _repeated(keys, path)
    for index, inner in enumerate(value):
        yield from find_repeated(items, inner, f"{path}[{index}]")


def _repeated(keys: Sequence[Any], path: str) -> Iterator[Problem]:
    """Yield the second of each that are the same."""
    times: Counter[str] = Counter()
    for index, key in enumerate(map(as_json, keys)):
        times[key] += 1
        if times[key] == 2:
            yield Problem(
                field=f"{path}[{index}]", message=f"Duplicate value: {shown(keys[index])}"
            )


def _of_type(schema: Schema, kind: str, wide: str, path: str) -> Iterator[Problem]:
    wanted, form = schema.get("type"), schema.get("format", "")
    if INT_OR_STRING in schema:
        if not (kind in {"integer", "string"} or wide == "whole"):
            hint = _as_text(schema) if kind == "number" else ""
            yield dataclasses.replace(mistyped(path, kind, "integer,string"), hint=hint)
        return
    if wanted is None:
        return
    fits = kind == wanted or (kind == "integer" and wanted == "number")
    fits = fits or (wide == "whole" and wanted == "integer")
    if fits:
        return
    if form and kind not in {"string", "array", "null"}:
        told = mistyped(path, {"integer": "int64", "number": "float64"}.get(kind, ""), form)
    else:
        told = mistyped(path, kind, wanted)
    # Of the column y, or of version 1.0, nobody sees why that is no text.
    unquoted = wanted == "string" and kind in {"boolean", "integer", "number"}
    yield dataclasses.replace(told, hint=_as_text(schema)) if unquoted else told


def _as_text(schema: Schema) -> str:
    """Say how a text is written, with the form that the field's rule asks for: 2 is no duration."""
    for rule in schema.get("x-kubernetes-validations", ()):
        message: str = rule["message"]
        # What only bars some characters, as the rule of a query does, asks for no form.
        if _OF_FORM.match(rule["rule"]) and " must be " in message:
            return f"{message}; {_QUOTES}"
    return _QUOTES


def _of_text(schema: Schema, text: str, path: str) -> Iterator[Problem]:
    longest, shortest = schema.get("maxLength", math.inf), schema.get("minLength", 0)
    pattern = schema.get("pattern")
    if len(text) > longest:
        unit = "byte" if longest == 1 else "bytes"
        yield Problem(
            field=path, message=f"Too long: may not be more than {longest} {unit}", blocking=True
        )
    elif len(text) < shortest:
        yield invalid(path, text, f"{path} in body should be at least {shortest} chars long")
    elif pattern and not re.search(pattern, text):
        yield invalid(path, text, f"{path} in body should match '{pattern}'")
    if schema.get("format") == "date-time":
        if not _is_moment(text):
            yield mistyped(path, text, "date-time")
        elif not _MOMENT.fullmatch(text):  # the structure takes it, and every rule stumbles over it
            yield invalid(path, text, f"Invalid date-time formatted string {text}")


def _is_moment(text: str) -> bool:
    """Tell whether the API server takes a text for a date and a time."""
    day, _, time = text.lower().partition("t")
    parts = _TIME.fullmatch(time)
    if not _DAY.fullmatch(day) or parts is None:
        return False
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        return False
    return parts[1] <= "23" and parts[2] <= "59" and parts[3] <= "59"


def _of_number(schema: Schema, number: float, path: str) -> Iterator[Problem]:
    bits = _INT_BITS.get(schema.get("format", "")) if schema.get("type") == "integer" else None
    if bits and not (number % 1 == 0 and -(2**bits) <= number < 2**bits):
        words = f"Checked value must be of type integer with format {schema['format']} in {path}"
        # What does not fit 64 bits no rule can take.
        beyond = not -(2**63) <= number < 2**63
        yield dataclasses.replace(invalid(NOWHERE, "", words), blocking=beyond)
    cut = int if isinstance(number, int) else float
    for name, sign, words in (
        ("maximum", 1, "should be less than or equal to"),
        ("minimum", -1, "should be greater than or equal to"),
    ):
        if name in schema and (number - cut(schema[name])) * sign > 0:
            yield invalid(path, number, f"{path} in body {words} {shown(cut(schema[name]))}")


def _of_length(schema: Schema, length: int, path: str) -> Iterator[Problem]:
    fewest, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    if length < fewest:
        yield invalid(path, length, f"{path} in body should have at least {fewest} items")
    if length > most:
        yield _too_many(length, most, path)


def _too_many(length: int, most: int, path: str) -> Problem:
    unit = "item" if most == 1 else "items"
    words = f"Too many: {length}: must have at most {most} {unit}"
    return Problem(field=path, message=words, blocking=True)


def _kind_of(value: Any) -> tuple[str, str]:
    """Return the name of a value's type, and ``whole`` for a fraction that is a whole number."""
    match value:
        case None:
            return "null", ""
        case bool():
            return "boolean", ""
        case int():
            return "integer", ""
        case float():
            return "number", "whole" if value.is_integer() else ""
        case str():
            return "string", ""
        case list():
            return "array", ""
    return "object", ""


def _same(value: Any, other: Any) -> bool:
    """Compare without taking true for one."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
