"""A description of an HTTP API: whether it is one, and whether values are as it says."""

import json
from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator


def check_openapi(document: dict[str, Any]) -> None:
    """Check what our documents use of OpenAPI 3.1, down to each schema and reference."""
    told = json.loads(json.dumps(document))
    Draft202012Validator(_OPENAPI).validate(told)
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for value in _references(told):
        assert resolve(told, value)
    schemes = told["components"].get("securitySchemes", {})
    for item in told["paths"].values():
        assert all(set(each) <= set(schemes) for each in item["post"].get("security", []))


def resolve(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if it is one."""
    for name in value.get("$ref", "#").split("/")[1:]:
        document = document[name]
        value = document
    return value


def problems(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    """Say where a value differs from a schema of the document."""
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [error.message for error in validator.iter_errors(value)]


def _references(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def _closed(required: str, /, **properties: object) -> dict[str, Any]:
    """Build the schema of an object with these fields and no others."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string", "minLength": 1}
_SCHEMA: Final = {"type": "object"}
_CONTENT: Final = {
    "type": "object",
    "propertyNames": {"const": "application/json"},
    "additionalProperties": _closed("schema", schema=_SCHEMA),
}
_REFERENCES: Final = {"type": "object", "additionalProperties": _closed("$ref", **{"$ref": _TEXT})}
_ANSWER: Final = _closed("description", description=_TEXT, headers=_REFERENCES, content=_CONTENT)
_OPERATION: Final = _closed(
    "operationId responses",
    operationId=_TEXT,
    summary=_TEXT,
    description=_TEXT,
    parameters={
        "type": "array",
        "uniqueItems": True,
        "items": _closed(
            "name in schema",
            name=_TEXT,
            description=_TEXT,
            schema=_SCHEMA,
            **{"in": {"const": "header"}},
        ),
    },
    requestBody=_closed(
        "content",
        description=_TEXT,
        content=_CONTENT,
        required={"type": "boolean"},
        **{"x-max-bytes": {"type": "integer"}},
    ),
    responses={
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[1-5][0-9][0-9]$"},
        "additionalProperties": _ANSWER,
    },
    security={"type": "array", "items": {"type": "object"}},
)


def _named(value: object) -> dict[str, Any]:
    names = {"pattern": "^[a-zA-Z0-9._-]+$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": value}


# Of OpenAPI 3.1, the parts that we use.
_OPENAPI: Final = _closed(
    "openapi info paths components",
    openapi={"pattern": r"^3\.1\.[01]$"},
    info=_closed("title version", title=_TEXT, version=_TEXT, description=_TEXT),
    paths={
        "type": "object",
        "propertyNames": {"pattern": "^/"},
        "additionalProperties": _closed("post", post=_OPERATION),
    },
    components=_closed(
        "schemas",
        schemas=_named(_SCHEMA),
        headers=_named(
            _closed("schema", description=_TEXT, required={"type": "boolean"}, schema=_SCHEMA)
        ),
        securitySchemes=_named(
            _closed("type scheme", type={"const": "http"}, scheme={"const": "bearer"})
        ),
    ),
)
