"""A pydantic model into the structural OpenAPI schema that a CRD needs.  Pure.

The API server takes less than JSON Schema offers: no references, no ``anyOf``
for an optional field, a type on everything.  What cannot be expressed is an
error here, not a surprise at installation, and nothing is left out silently.
"""

import inspect
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fairlead_operator.api.base import INT_OR_STRING, WORDS_OF_FORM, Rule, to_duration

Schema = dict[str, Any]

OF_ANY_TYPE: Final = "x-kubernetes-preserve-unknown-fields"

_KEPT: Final = (
    "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "maxItems", "minItems", "maxProperties", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
)  # fmt: skip
# Said in another way here, or already said by the models within.
_REPLACED: Final = frozenset(
    {"title", "description", "default", "const", "items", WORDS_OF_FORM}
    | {"properties", "required", "additionalProperties", INT_OR_STRING}
)
_INT32_MIN: Final = -(2**31)
_INT32_MAX: Final = 2**31 - 1


class NotStructuralError(TypeError):
    """A field that a CRD's schema cannot express; the message begins with its path."""


def structural_schema(model: type[BaseModel], *, path: str = "") -> Schema:
    """Build the schema of an object: its fields, defaults and cross-field rules.

    An object that a manifest leaves out stays out of what the API server keeps: every write
    costs it a walk over all that is kept, and ``kubectl get`` shows what somebody wrote.  So does
    a field of a list's object, because a tool that compares lists as a whole would find a
    difference for ever.  What reads either takes the default from the model, and a rule from an
    optional path.

    Raises:
        NotStructuralError: a field has no description, no bound, or a type of no use in a CRD.
    """
    return _object(model, path, (), listed=False)


def _object(
    model: type[BaseModel], path: str, above: tuple[type[BaseModel], ...], *, listed: bool
) -> Schema:
    if model in above:
        raise NotStructuralError(f"{path}: {model.__name__} contains itself")
    generated = model.model_json_schema(by_alias=True, mode="validation")
    # A model that contains itself is generated as a reference to its definition.
    definitions = generated.get("$defs", {})
    raw = generated.get("properties") or definitions.get(model.__name__, {}).get("properties", {})
    properties, required = {}, []
    for name, field in model.model_fields.items():
        alias = field.alias or name
        where = f"{path}.{alias}"
        node = _node(raw[alias], definitions, where)
        properties[alias] = _field(node, field, where, (*above, model), listed=listed)
        if field.is_required():
            required.append(alias)
    schema: Schema = {
        "type": "object",
        "description": _first_paragraph(model),
        "properties": properties,
    }
    if required:
        schema["required"] = required
    if rules := getattr(model, "rules", ()):
        schema["x-kubernetes-validations"] = [_validation(rule) for rule in rules]
    return schema


def _field(
    node: Schema,
    field: FieldInfo,
    where: str,
    above: tuple[type[BaseModel], ...],
    *,
    listed: bool,
) -> Schema:
    """Build one field of an object: the generated node with what only the field knows."""
    if not field.description:
        raise NotStructuralError(f"{where}: has no description")
    if nested := _model_of(field.annotation):
        is_list = node.get("type") == "array"
        inner = _object(nested, where, above, listed=listed or is_list)
        node = node | {"items": inner} if is_list else inner
    complete = node | {"description": field.description}
    if own := [rule for rule in field.metadata if isinstance(rule, Rule)]:
        complete["x-kubernetes-validations"] = _with_own(
            complete.get("x-kubernetes-validations", ()), own, where
        )
    has_default = not field.is_required() and node.get("type") != "object"
    if has_default and not listed and (default := _in_manifest(field.get_default())) is not None:
        complete["default"] = default
    return _ordered(complete)


def _in_manifest(value: Any) -> Any:
    """Write a default as it stands in a manifest; None where there is none."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, timedelta):
        return to_duration(value)
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_in_manifest(item) for item in value] or None
    if isinstance(value, Mapping):
        return dict(value) or None
    return value


def _node(raw: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    """Build one field, without references and without the null of an optional one."""
    node = _resolve(raw, definitions, where)
    if OF_ANY_TYPE in node and "enum" in node:  # the only one that lets a text and a number pass
        return {OF_ANY_TYPE: True, "enum": node["enum"]}
    if "type" not in node:
        raise NotStructuralError(f"{where}: has no single type")
    if unknown := sorted(node.keys() - _REPLACED - set(_KEPT)):
        raise NotStructuralError(f"{where}: a CRD has no {', '.join(unknown)}; write a rule")
    kept = {key: node[key] for key in _KEPT if node.get(key) is not None}
    if "const" in node:
        kept["enum"] = [node["const"]]
    match kept["type"]:
        case "integer":
            kept["format"] = _integer_format(kept)
        case "string":
            kept = _text(kept, node, where)
        case "array":
            kept["items"] = _items(node, definitions, where)
        case "object" if "properties" not in node:
            kept["additionalProperties"] = _values(node, definitions, where)
    return kept


def _text(kept: Schema, node: Schema, where: str) -> Schema:
    """Build a text, or what may be a whole number as well."""
    _require_bound(kept, where)
    if "pattern" in kept and kept.get("format") != "date-time":
        kept["x-kubernetes-validations"] = [_form(kept.pop("pattern"), node, where)]
    if INT_OR_STRING not in node:
        return kept
    return {INT_OR_STRING: True} | {key: value for key, value in kept.items() if key != "type"}


def _form(pattern: str, node: Schema, where: str) -> Schema:
    """Build the rule in place of a pattern, of which the API server would show only itself.

    It cannot take the place of a moment's: a rule has no text of that any more.
    """
    if WORDS_OF_FORM not in node:
        raise NotStructuralError(f"{where}: a pattern needs words with an example; use formed()")
    text = "string(self)" if INT_OR_STRING in node else "self"
    return _own_validation(Rule(f"{text}.matches(r'{pattern}')", node[WORDS_OF_FORM]), where)


def _items(node: Schema, definitions: Mapping[str, Any], where: str) -> Schema:
    if "maxItems" not in node:
        raise NotStructuralError(f"{where}: a list needs max_length")
    items = _node(node["items"], definitions, f"{where}[]")
    if items["type"] == "array":
        raise NotStructuralError(f"{where}: a list of lists")
    return items


def _values(node: Schema, definitions: Mapping[str, Any], where: str) -> Schema:
    """Build what a map holds; what its keys are is for a rule to say."""
    values = node.get("additionalProperties")
    if "maxProperties" not in node or not isinstance(values, Mapping):
        raise NotStructuralError(f"{where}: a map needs max_length, and values of one type")
    built = _node(values, definitions, f"{where}{{}}")
    if built["type"] in {"array", "object"}:
        raise NotStructuralError(f"{where}: a map of lists or objects; use a list of objects")
    return built


def _integer_format(node: Schema) -> str:
    fits = (
        node.get("minimum", -math.inf) >= _INT32_MIN and node.get("maximum", math.inf) <= _INT32_MAX
    )
    return "int32" if fits else "int64"


def _require_bound(node: Schema, where: str) -> None:
    """Require a longest length: the API server reckons the cost of a rule by it."""
    if not {"enum", "maxLength"} & node.keys() and node.get("format") != "date-time":
        raise NotStructuralError(f"{where}: a string needs max_length")


def _resolve(raw: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> Schema:
    node = dict(raw)
    if "anyOf" in node:
        choices = [choice for choice in node.pop("anyOf") if choice.get("type") != "null"]
        if len(choices) != 1:
            raise NotStructuralError(f"{where}: has several types")
        node = _resolve(choices[0], definitions, where) | node
    if "$ref" in node:
        reference = node.pop("$ref").rsplit("/", 1)[-1]
        node = _resolve(definitions[reference], definitions, where) | node
    return node


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation such as ``tuple[Step, ...]`` or ``Guard | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    parts = getattr(annotation, "__args__", ())
    return next((found for part in parts if (found := _model_of(part))), None)


def _validation(rule: Rule) -> Schema:
    path = {"fieldPath": rule.field_path} if rule.field_path else {}
    return {"rule": rule.rule, "message": rule.message} | path


def _own_validation(rule: Rule, where: str) -> Schema:
    """Build the rule of one field, whose message goes on after the field's name."""
    name = where.rpartition(".")[2].removesuffix("[]")
    return _validation(rule._replace(message=f"{name} {rule.message}"))


def _with_own(built: Sequence[Schema], own: Sequence[Rule], where: str) -> list[Schema]:
    """Add a field's own rules; one that reads a duration goes on after that of the form.

    Asked apart it would fail to read another text, and refuse it a second time without a reason.
    """
    rules = list(built)
    for rule in own:
        if built and "duration(self)" in rule.rule:
            form = rules.pop()
            rules.append(
                {
                    "rule": f"{form['rule']} && {rule.rule}",
                    "message": f"{form['message']}, and {rule.message}",
                }
            )
        else:
            rules.append(_own_validation(rule, where))
    return rules


def _first_paragraph(model: type[BaseModel]) -> str:
    """Return what a user reads of the class; what follows is for whoever changes it."""
    paragraph = inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _ordered(node: Schema) -> Schema:
    """Put first what a reader asks first."""
    first = ("description", "type", "default")
    return {key: node[key] for key in first if key in node} | {
        key: value for key, value in node.items() if key not in first
    }
