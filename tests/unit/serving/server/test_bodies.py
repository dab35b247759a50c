"""Bodies read within what the process can hold."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.refusals import RefusedError, refusal
from fairlead_serving.server.shape import SMALL_BYTES
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures

END = {"type": "http.request", "body": b"", "more_body": False}
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 10_240  # of a deflate stream: 50 KiB of nothing
GONE = {"type": "http.disconnect"}


def request(*chunks: bytes, last: dict[str, Any] | None = END, **headers: str) -> Incoming:
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
    return Incoming.of({"headers": given}, receiver)


async def test_a_body_is_read_whole() -> None:
    body = await Bodies().read(request(b"ab", b"", b"cd"), 4)

    assert body.content == b"abcd"


@pytest.mark.usefixtures("quick_time")
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
            request(last=None, content_encoding="br"),
            RefusedError,
            415,
            "send the body as plain JSON, or as gzip",
            id="compressed in another way",
        ),
        pytest.param(
            request(last=None, content_encoding="gzip, gzip"),
            RefusedError,
            415,
            "plain JSON",
            id="compressed twice",
        ),
        pytest.param(
            request(gzip.compress(b"12345678")),
            TooLargeError,
            413,
            "more than 8 bytes",
            id="compressed and larger than it says",
        ),
        pytest.param(
            request(b"\x1f\x8b1234"),
            BadInputError,
            400,
            "send it with the header content-encoding: gzip",
            id="compressed, and does not say so",
        ),
    ],
)
async def test_what_cannot_be_had_is_refused_and_not_kept(
    asked: Incoming, kind: type[BadInputError], status: int, message: str
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
    asked = request(b"12345678", content_length=length)

    assert (await Bodies().read(asked, 8)).content == b"12345678"


@pytest.mark.parametrize("content", [b"", b"[1]", bytes(range(256)) * 3000, b"0" * 2**20])
@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " x-gzip "])
@pytest.mark.parametrize("size", [1, 1000, 10**6])
async def test_a_packed_body_is_unpacked(content: bytes, encoding: str, size: int) -> None:
    packed = gzip.compress(content[: 5000 * size])
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]

    body = await Bodies().read(request(*chunks, content_encoding=encoding), 2**20)

    assert body.content == content[: 5000 * size]


@pytest.mark.parametrize(
    ("chunks", "message", "status"),
    [
        pytest.param([gzip.compress(b"0" * 2**20)], "more than 1000000 bytes", 413, id="a bomb"),
        pytest.param(
            [gzip.compress(b"")[:10], *[EMPTY_BLOCKS] * 20],
            "more than 1000000 bytes",
            413,
            id="a stream of nothing",
        ),
        pytest.param([b"[1]"], "body is not gzip", 400, id="not packed"),
        pytest.param([], "ends before", 400, id="nothing"),
        pytest.param([gzip.compress(b"[1]")[:-1]], "ends before", 400, id="cut off"),
        pytest.param(
            [gzip.compress(b"[1]")[:-8], b"12345678"], "incorrect data check", 400, id="altered"
        ),
        pytest.param([gzip.compress(b"[1]"), b"[2]"], "after the end", 400, id="more behind it"),
        pytest.param(
            [gzip.compress(b"[1]") * 2], "after the end", 400, id="more behind it at once"
        ),
    ],
)
async def test_what_does_not_unpack_within_the_limits_is_refused_and_not_kept(
    chunks: list[bytes], message: str, status: int
) -> None:
    room, reserve = 2**20, SMALL_BYTES
    bodies = Bodies(room=room, reserve=reserve)

    with pytest.raises(BadInputError, match=message) as refused:
        await bodies.read(request(*chunks, content_encoding="gzip"), 10**6)

    assert refusal(refused.value).status_code == status
    bodies.take(small=reserve, large=room)


async def test_packed_bodies_take_room_as_they_unpack() -> None:
    packed = gzip.compress(b"0" * 200_000)
    bodies = Bodies(room=200_000)
    body = await bodies.read(request(packed, content_encoding="gzip"), 10**6)

    with pytest.raises(RefusedError, match="take all room"):
        await bodies.read(request(packed, content_encoding="gzip"), 10**6)
    body.release()
    await bodies.read(request(packed, content_encoding="gzip"), 10**6)


async def test_packed_bodies_that_have_only_begun_take_room_too() -> None:
    begun = [
        asyncio.create_task(bodies.read(request(last=None, content_encoding="gzip"), 8))
        for bodies in [Bodies(room=100_000)] * 3
    ]

    done, waiting = await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()

    assert [refusal(task.exception()).status_code for task in done] == [429]  # type: ignore[arg-type]


async def test_others_run_while_a_large_body_is_unpacked() -> None:
    packed = gzip.compress(b"0" * 8 * 2**20)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await Bodies().read(request(packed, content_encoding="gzip"), 2**24)
    other.cancel()

    assert turns > 20


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
