"""Columns as MLflow's signature has them."""

import json
from typing import Any

import pytest

from fairlead_serving.server.signature import Column, Kind, parse_columns


def signature(*inputs: dict[str, Any]) -> dict[str, str]:
    return {"inputs": json.dumps(inputs)}


@pytest.mark.parametrize(
    ("mlflow_type", "kind"),
    [
        ("double", Kind.NUMBER),
        ("float", Kind.NUMBER),
        ("long", Kind.WHOLE),
        ("integer", Kind.WHOLE),
        ("boolean", Kind.BOOLEAN),
        ("string", Kind.TEXT),
    ],
)
def test_every_plain_type_has_a_kind(mlflow_type: str, kind: Kind) -> None:
    (column,) = parse_columns(signature({"name": "a", "type": mlflow_type}))

    assert column == Column(name="a", kind=kind, mlflow_type=mlflow_type, required=True)


def test_columns_keep_their_order_and_may_be_optional() -> None:
    columns = parse_columns(
        signature(
            {"name": "b", "type": "long", "required": False},
            {"name": "a", "type": "double", "required": True},
        )
    )

    assert [(column.name, column.required) for column in columns] == [("b", False), ("a", True)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(None, "has no signature", id="none"),
        pytest.param({}, "has no signature", id="empty"),
        pytest.param({"outputs": "[]"}, "has no signature", id="of outputs alone"),
        pytest.param(signature(), "has no inputs", id="no inputs"),
        pytest.param(signature({"type": "tensor"}), "inputs without names", id="a tensor"),
        pytest.param(
            signature({"name": "at", "type": "binary"}),
            "column 'at' has type binary; the server takes double, float",
            id="a type the server does not take",
        ),
        pytest.param(
            signature({"name": "tags", "type": "array", "items": {"type": "string"}}),
            "column 'tags' has type array",
            id="a list",
        ),
    ],
)
def test_a_signature_that_cannot_be_served_says_why(given: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_columns(given)
