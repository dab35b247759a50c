"""Bodies read within what the process can hold."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.refusals import RefusedError, refusal
from fairlead_serving.server.shape import SMALL_BYTES

END = {"type": "http.request", "body": b"", "more_body": False}
GONE = {"type": "http.disconnect"}


def request(*chunks: bytes, last: dict[str, Any] | None = END, **headers: str) -> Request:
    """Build a request; without a last message it waits for ever."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    remaining = iter([*messages, *([last] if last else [])])

    async def receive() -> dict[str, Any]:
        message = next(remaining, None)
        return message or await asyncio.Future()

    receiver: Callable[[], Awaitable[Any]] = receive
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": given}, receiver)


async def test_a_body_is_read_whole() -> None:
    body = await Bodies().read(request(b"ab", b"", b"cd"), 4)

    assert body.content == b"abcd"


@pytest.mark.parametrize(
    ("asked", "kind", "status", "message"),
    [
        pytest.param(
            request(b"12345", b"67890"), TooLargeError, 413, "more than 8 bytes", id="too large"
        ),
        pytest.param(
            request(last=None, content_length="9"), TooLargeError, 413, "8 bytes", id="announced"
        ),
        pytest.param(
            request(b"1", last=GONE), RefusedError, 408, "within the body", id="client hangs up"
        ),
        pytest.param(
            request(b"1", last=None), RefusedError, 408, "within 0.01 seconds", id="trickles"
        ),
        pytest.param(
            request(last=None, content_encoding="gzip"),
            RefusedError,
            415,
            "send the body as plain JSON",
            id="compressed",
        ),
    ],
)
async def test_what_cannot_be_had_is_refused_and_not_kept(
    asked: Request, kind: type[BadInputError], status: int, message: str
) -> None:
    bodies = Bodies(seconds=0.01, room=0, reserve=10)

    with pytest.raises(kind, match=message) as refused:
        await bodies.read(asked, 8)

    assert refusal(refused.value).status_code == status
    bodies.take(small=10, large=0)


@pytest.mark.parametrize(
    "length",
    ["8", "0", "", "-1", "x", "\u0661\u0661", "9" * 30],
    ids=lambda length: length[:4] or "none",
)
async def test_a_length_that_is_none_refuses_nothing_by_itself(length: str) -> None:
    headers = [(b"content-length", length.encode("utf-8"))]
    asked = request(b"12345678")
    asked.scope["headers"] = headers

    assert (await Bodies().read(asked, 8)).content == b"12345678"


async def test_large_bodies_leave_the_reserve_to_small_ones() -> None:
    large, small = b"x" * (SMALL_BYTES + 100), b"x" * SMALL_BYTES
    bodies = Bodies(room=100, reserve=3 * SMALL_BYTES)
    first = await bodies.read(request(large), 10**6)

    with pytest.raises(RefusedError, match="take all room") as refused:
        await bodies.read(request(large), 10**6)
    await bodies.read(request(small), 10**6)
    first.release()
    first.release()
    await bodies.read(request(large), 10**6)

    response = refusal(refused.value)
    assert (response.status_code, response.headers["retry-after"]) == (429, "1")
