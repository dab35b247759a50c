"""A request for predictions as it came, whatever is wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from fairlead_serving.server import question
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.question import parse_instances, read_question


def request(*chunks: bytes, is_cut_off: bool = False) -> Request:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    end = {"type": "http.request", "body": b"", "more_body": False}
    messages.append({"type": "http.disconnect"} if is_cut_off else end)
    remaining = iter(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        return next(remaining)

    receiver: Callable[[], Awaitable[Any]] = receive
    headers = [(b"x-request-id", b"r1")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receiver)


async def test_a_body_is_read_whole_and_headers_come_along() -> None:
    asked = await read_question(request(b'{"instances": [', b'{"a": 1}]}'))

    assert asked.instances == [{"a": 1}]
    assert asked.headers["x-request-id"] == "r1"


@pytest.mark.parametrize(
    ("chunks", "is_cut_off", "kind", "message"),
    [
        pytest.param((b"{",), False, BadInputError, "body is not JSON", id="not JSON"),
        pytest.param((b"12345", b"67890"), False, TooLargeError, "than 8 bytes", id="too large"),
        pytest.param((b"{",), True, BadInputError, "before the end", id="the client hangs up"),
    ],
)
async def test_what_is_wrong_with_a_body_is_carried_on(
    monkeypatch: pytest.MonkeyPatch,
    *,
    chunks: tuple[bytes, ...],
    is_cut_off: bool,
    kind: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(question, "MAX_BODY_BYTES", 8)

    asked = await read_question(request(*chunks, is_cut_off=is_cut_off))

    assert isinstance(asked.instances, kind)
    assert message in str(asked.instances)


@pytest.mark.parametrize(
    ("body", "instances"),
    [
        pytest.param(b'{"instances": [1]}', [1], id="whatever they are: the reader checks them"),
        pytest.param(b'{"instances": null}', None, id="null"),
    ],
)
def test_instances_are_taken_out_as_they_are(body: bytes, instances: object) -> None:
    assert parse_instances(body) == instances


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b'{"instances": [NaN]}', "not JSON", id="NaN is not JSON"),
        pytest.param(b"[]", "no instances", id="a list"),
        pytest.param(b'{"rows": []}', "no instances", id="another field"),
        pytest.param(b'{"instances": [], "x": 1, "y": 2}', "unknown fields x, y", id="more"),
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_instances(body)
