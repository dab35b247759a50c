"""The only number of an answer; the rest is asked of a real Prometheus in integration."""

from typing import Any

import pytest

from fairlead_operator.prometheus.client import parse_number, parse_numbers


def vector(*values: str | None) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, value]} for value in values]
    return {"data": {"resultType": "vector", "result": result}}


def scalar(value: str) -> dict[str, Any]:
    return {"data": {"resultType": "scalar", "result": [0, value]}}


@pytest.mark.parametrize(
    ("body", "number"),
    [
        (vector("0.5"), 0.5),
        (vector(), None),
        (vector("NaN"), None),
        (vector("+Inf"), float("inf")),
        (scalar("3"), 3.0),
        (scalar("NaN"), None),
    ],
)
def test_numbers(body: dict[str, Any], number: float | None) -> None:
    assert parse_number(body) == number


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (vector("1", "2"), "2 series"),
        ({"data": {"resultType": "matrix", "result": []}}, "matrix"),
        ({"data": {"resultType": "string", "result": [0, "x"]}}, "string"),
        ({"data": {"resultType": "vector", "result": [{"histogram": [0, {}]}]}}, "histogram"),
        (vector("many"), "'many' instead of a number"),
        (vector(None), "None"),
        ({"data": {"resultType": "vector", "result": None}}, "without a query result"),
        ({"data": {}}, "without a query result"),
        ({"data": None}, "without a query result"),
        ([], "without a query result"),
        (None, "without a query result"),
    ],
)
def test_what_is_not_one_number(body: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_number(body)


def labelled(**values: str) -> dict[str, Any]:
    result = [{"metric": {"of": name}, "value": [0, value]} for name, value in values.items()]
    return {"data": {"resultType": "vector", "result": result}}


def test_numbers_by_label() -> None:
    assert parse_numbers(labelled(a="1", b="NaN", c="+Inf"), "of") == {"a": 1, "c": float("inf")}
    assert parse_numbers(vector(), "of") == {}


@pytest.mark.parametrize("body", [vector("1"), scalar("1"), labelled(a="x"), {}, None, []])
def test_what_is_not_numbers_by_label(body: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_numbers(body, "of")
