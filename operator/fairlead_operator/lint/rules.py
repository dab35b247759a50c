"""The CEL rules of a schema, evaluated as the API server does when an object is created.

The library is Google's own CEL.  Kubernetes adds amounts of resources, and the order and the sum
of a list.  Its errors are Go's, so what can go wrong in a rule of ours is said here in the same
words.
"""

import contextlib
import functools
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional
from google.protobuf.timestamp_pb2 import Timestamp

from fairlead_operator.api.base import INT_OR_STRING
from fairlead_operator.api.schema import Schema
from fairlead_operator.lint.problem import Problem, invalid
from fairlead_operator.lint.structure import fields_of

_TRANSITION: Final = re.compile(r"\boldSelf\b")  # holds of a new object
_GO_WORDS: Final[Mapping[str, str]] = {
    "String to Duration conversion failed": "type conversion error from 'string' to "
    "'google.protobuf.Duration'",
}
_OFFSET: Final = re.compile(r"([-+]?)([0-9]{1,2}):([0-9]{2})")
_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT: Final = re.compile(r"[eE]([-+]?[0-9]{1,3})")
_UNITS: Final[Mapping[str, Decimal]] = {
    **{unit: Decimal(10) ** power for unit, power in zip("num", (-9, -6, -3), strict=True)},
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def find_broken_rules(schema: Schema, value: Any, path: str = "") -> Iterator[Problem]:
    """Yield the rules that do not hold of a value and of all within it."""
    if value is None:
        return
    if rules := schema.get("x-kubernetes-validations"):
        seen = _as_cel(schema, value)
        for rule in rules:
            if not _TRANSITION.search(rule["rule"]):
                yield from _judge(rule, schema, value, seen, path)
    if isinstance(value, Mapping):
        for name, node in fields_of(schema, value).items():
            if name in value:
                yield from find_broken_rules(node, value[name], f"{path}.{name}" if path else name)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from find_broken_rules(schema.get("items", {}), item, f"{path}[{index}]")


def _judge(
    rule: Mapping[str, str], schema: Schema, value: Any, seen: Any, path: str
) -> Iterator[Problem]:
    answer = _compile(rule["rule"]).eval(data={"self": seen})
    if answer.type() == cel.Type.ERROR:
        words = f"{_in_words(answer.value())} evaluating rule: {rule['message']}"
        yield invalid(path, schema.get("type", ""), words)
    elif not answer.value():
        where = f"{path}{rule.get('fieldPath', '')}".removeprefix(".")
        message = rule["message"].strip()
        if schema.get("type", "") in {"object", "array"}:
            yield Problem(field=where, message=f"Invalid value: {message}")
        else:
            yield invalid(where, value, message)


def _in_words(error: str) -> str:
    """Return what went wrong, without the library's code before it."""
    words = error.partition(": ")[2]
    return _GO_WORDS.get(words, words)


def _as_cel(schema: Schema, value: Any) -> Any:
    """Give each value the type that the schema says, and leave out what has none."""
    match schema.get("type"):
        case "object":
            fields = fields_of(schema, value)
            return {
                name: _as_cel(fields[name], inner)
                for name, inner in value.items()
                if {"type", INT_OR_STRING} & fields.get(name, {}).keys() and inner is not None
            }
        case "array":
            return [_as_cel(schema["items"], item) for item in value]
        case "number":
            return float(value)
        case "integer":
            return int(value)
        case "string" if schema.get("format") == "date-time" and isinstance(value, str):
            moment = Timestamp()
            with contextlib.suppress(ValueError):  # of another form, which has been told
                moment.FromJsonString(value.upper())
            return moment
    return value


@functools.cache
def _compile(rule: str) -> cel.Expression:
    # The library's own knows the zones of this machine, and does not say which one is unknown.
    return _environment().compile(rule.replace(".getHours(", ".hoursIn("))


@functools.cache
def _environment() -> cel.Env:
    return cel.NewEnv(
        variables={"self": cel.Type.DYN},
        extensions=[ext_optional.ExtOptional()],
        functions=_kubernetes(),
    )


def _kubernetes() -> list[cel.FunctionDecl]:
    """Declare what Kubernetes adds to CEL, as far as our rules use it."""
    text, truth = cel.Type.STRING, cel.Type.BOOL
    return [
        _function("quantity", _require_quantity, [text], text),
        _function("isGreaterThan", _is_greater, [text, text], truth, is_member=True),
        _function("isSorted", _is_sorted, [cel.Type.LIST], truth, is_member=True),
        _function("sum", sum, [cel.Type.LIST], cel.Type.INT, is_member=True),
        _function("hoursIn", _hours, [cel.Type.TIMESTAMP, text], cel.Type.INT, is_member=True),
    ]


def _function(
    name: str,
    body: Callable[..., Any],
    taken: list[cel.Type],
    given: cel.Type,
    *,
    is_member: bool = False,
) -> cel.FunctionDecl:
    return cel.FunctionDecl(
        name, [cel.Overload(name, given, taken, is_member=is_member, impl=body)]
    )


def _hours(moment: datetime, zone: str) -> int:
    """Return the hour of a moment in a zone, by its name or as an offset."""
    if offset := _OFFSET.fullmatch(zone):
        east = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return (moment - east if offset[1] == "-" else moment + east).hour
    if ".." in zone or zone.startswith(("/", "\\")):
        raise ValueError("time: invalid location name")
    try:
        return moment.astimezone(zoneinfo.ZoneInfo(zone or "UTC")).hour
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"unknown time zone {zone}") from error


def _require_quantity(text: str) -> str:
    _amount(text)
    return text


def _is_greater(one: str, other: str) -> bool:
    return _amount(one) > _amount(other)


def _is_sorted(values: list[Any]) -> bool:
    return values == sorted(values)


def _amount(text: str) -> Decimal:
    """Read an amount of a resource: 500m, 1.5, 2Gi.

    Raises:
        ValueError: it is none, in Go's words.
    """
    parts = _QUANTITY.fullmatch(text)
    if parts is None:
        raise ValueError(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    if exponent := _EXPONENT.fullmatch(parts[2]):
        return Decimal(parts[1]).scaleb(int(exponent[1]))
    if parts[2] not in _UNITS:
        raise ValueError("unable to parse quantity's suffix")
    return Decimal(parts[1]) * _UNITS[parts[2]]
