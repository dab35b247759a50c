"""The only number of an answer; the rest is asked of a real Prometheus in integration."""

from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fairlead_operator.prometheus.client import PrometheusClient, parse_number, parse_numbers


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


async def test_an_answer_that_is_too_large_is_the_querys_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One query of one tenant filled the operator's memory."""
    monkeypatch.setattr("fairlead_operator.prometheus.client._LARGEST", 4000)

    async def handle(_: web.Request) -> web.Response:
        return web.json_response(vector(*["1"] * 1000))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        client = PrometheusClient(str(server.make_url("")), session)

        with pytest.raises(ValueError, match="more than 4000 bytes; aggregate them"):
            await client.query("up")
        told = await client.find_mistake("up")

    assert "aggregate them into one number" in (told or "")


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
