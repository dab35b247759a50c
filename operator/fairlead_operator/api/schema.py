"""A pydantic model into the structural OpenAPI schema that a CRD needs.  Pure.

The API server takes less than JSON Schema offers: no references, no ``anyOf``
for an optional field, a type on everything.  What cannot be expressed is an
error here, not a surprise at installation.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel

from fairlead_operator.api.base import to_duration

_KEPT: Final = (
    "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "maxItems", "minItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
)  # fmt: skip


class NotStructuralError(TypeError):
    """A field that a CRD's schema cannot express; the message is its path."""


def structural_schema(model: type[BaseModel], *, path: str = "") -> dict[str, Any]:
    """Schema of an object: its fields, defaults and cross-field rules."""
    generated = model.model_json_schema(by_alias=True, mode="validation")
    schema: dict[str, Any] = {
        "type": "object",
        "description": " ".join((model.__doc__ or "").split()),
        "properties": {},
    }
    required = []
    for name, field in model.model_fields.items():
        alias = field.alias or name
        where = f"{path}.{alias}"
        node = _node(generated["properties"][alias], generated.get("$defs", {}), where)
        nested = _model_of(field.annotation)
        if nested is not None:
            inner = structural_schema(nested, path=where)
            if node.get("type") == "array":
                node["items"] = inner
            else:
                node = inner | {"description": field.description or inner["description"]}
        node["description"] = field.description or node.get("description", "")
        if not node["description"]:
            raise NotStructuralError(f"{where}: has no description")
        default = _default(model, name)
        if field.is_required():
            required.append(alias)
        elif default is not None:
            node["default"] = default
        schema["properties"][alias] = _ordered(node)
    if required:
        schema["required"] = required
    rules = [
        {"rule": rule.rule, "message": rule.message}
        | ({"fieldPath": rule.field_path} if rule.field_path else {})
        for rule in getattr(model, "rules", ())
    ]
    if rules:
        schema["x-kubernetes-validations"] = rules
    return schema


def _default(model: type[BaseModel], name: str) -> Any:
    """The default as it stands in a manifest; None where there is none.

    Written out in full: the API server holds a default against the rules as it is,
    before it fills in the defaults of the fields within.
    """
    field = model.model_fields[name]
    if field.is_required():
        return None
    return _in_manifest(field.get_default())


def _in_manifest(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, timedelta):
        return to_duration(value)
    if isinstance(value, tuple):
        return [_in_manifest(item) for item in value] or None
    return value


def _node(raw: Mapping[str, Any], defs: Mapping[str, Any], where: str) -> dict[str, Any]:
    """One field, without references and without the null of an optional one."""
    node = _resolve(raw, defs, where)
    kept = {key: node[key] for key in _KEPT if node.get(key) is not None}
    if "const" in node:
        kept["enum"] = [node["const"]]
    if "type" not in kept and "enum" in kept:
        kept["type"] = "string"
    if "type" not in kept:
        raise NotStructuralError(f"{where}: has no single type")
    if kept["type"] == "integer":
        kept["format"] = "int64"
    if kept["type"] == "array":
        kept["items"] = _node(node["items"], defs, f"{where}[]")
        if "maxItems" not in kept:
            raise NotStructuralError(f"{where}: a list needs max_length")
    bounded = {"enum", "maxLength"} & kept.keys() or kept.get("format") == "date-time"
    if kept["type"] == "string" and not bounded:
        raise NotStructuralError(f"{where}: a string needs max_length")
    return kept


def _resolve(raw: Mapping[str, Any], defs: Mapping[str, Any], where: str) -> dict[str, Any]:
    node = dict(raw)
    if "anyOf" in node:
        choices = [choice for choice in node.pop("anyOf") if choice.get("type") != "null"]
        if len(choices) != 1:
            raise NotStructuralError(f"{where}: has several types")
        node = _resolve(choices[0], defs, where) | node
    if "$ref" in node:
        reference = node.pop("$ref").rsplit("/", 1)[-1]
        node = _resolve(defs[reference], defs, where) | node
    return node


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``tuple[Step, ...]`` or ``Guard | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        found = _model_of(part)
        if found is not None:
            return found
    return None


def _ordered(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader asks first comes first."""
    first = ("description", "type", "default")
    return {key: node[key] for key in first if key in node} | {
        key: value for key, value in node.items() if key not in first
    }
