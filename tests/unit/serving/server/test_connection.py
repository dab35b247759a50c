"""Heads of requests that never end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from fairlead_serving.server.connection import MAX_HEAD_BYTES, BoundedConnection, JoinedWrites
from fairlead_serving.server.incoming import Incoming

HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n"


class FakeTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self._is_closing = False
        self.is_read = True

    def write(self, data: Any) -> None:
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self._is_closing = True

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        """Note it: a test sends what it likes all the same."""
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


MAY_TAKE = asyncio.Event()


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/refused":
        await send(
            {"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]}
        )
        await send({"type": "http.response.body", "body": b""})
        return
    if scope["path"] == "/slow":
        await MAY_TAKE.wait()
    is_whole = Incoming.of(scope, receive).is_whole
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
    )
    await send({"type": "http.response.body", "body": b"whole" if is_whole else b"parts"})


@pytest.fixture
async def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
async def connection(transport: FakeTransport) -> AsyncIterator[BoundedConnection]:
    config = Config(answer, log_config=None, lifespan="off")
    config.load()
    connection = BoundedConnection(config=config, server_state=ServerState(), app_state={})
    connection.connection_made(transport)
    yield connection
    connection.connection_lost(None)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


REFUSED = b"POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999\r\n\r\n"


async def test_a_body_that_nobody_reads_is_taken_in_turns_with_other_connections(
    connection: BoundedConnection, transport: FakeTransport
) -> None:
    connection.data_received(REFUSED)
    await settle()
    assert transport.written.startswith(b"HTTP/1.1 413 ")

    connection.data_received(bytes(64 * 1024))
    assert not transport.is_read

    await settle()
    assert transport.is_read

    connection.data_received(b"a little")
    assert transport.is_read


async def test_a_body_that_is_waited_for_is_read_on_by_whom_it_is_for(
    connection: BoundedConnection, transport: FakeTransport
) -> None:
    MAY_TAKE.clear()
    connection.data_received(
        HEAD.replace(b"3", b"9999999").replace(b"/predict", b"/slow") + b"\r\n"
    )
    await settle()

    connection.data_received(bytes(80 * 1024))
    await settle()
    assert not transport.is_read

    MAY_TAKE.set()
    await settle()
    assert transport.is_read


async def test_a_connection_that_is_closed_is_not_read_on(
    connection: BoundedConnection, transport: FakeTransport
) -> None:
    connection.data_received(REFUSED)
    await settle()
    connection.data_received(bytes(64 * 1024))
    transport.close()
    await settle()
    assert not transport.is_read


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param(b"x-a: b\r\n", id="headers without end"),
        pytest.param(b"x" * 100, id="one header without end"),
    ],
)
async def test_an_endless_head_is_cut_off(
    connection: BoundedConnection, transport: FakeTransport, unit: bytes
) -> None:
    connection.data_received(HEAD)
    for _ in range(MAX_HEAD_BYTES // len(unit) - 10):
        connection.data_received(unit)
    assert not transport.is_closing()

    for _ in range(10):
        connection.data_received(unit)

    assert transport.written.startswith(b"HTTP/1.1 400")
    assert transport.is_closing()


async def test_bodies_and_requests_in_a_row_are_no_head(
    connection: BoundedConnection, transport: FakeTransport
) -> None:
    for _ in range(3000):
        connection.data_received(HEAD + b"\r\nab")
        connection.data_received(b"c")
        await settle()

    assert transport.written.count(b"HTTP/1.1 200") == 3000
    assert not transport.is_closing()


@pytest.mark.parametrize(
    ("sent", "is_closed"),
    [
        pytest.param(b"", True, id="nothing"),
        pytest.param(HEAD, True, id="half a head"),
        pytest.param(HEAD + b"\r\n", False, id="half a body: its reader has a deadline"),
        pytest.param(HEAD + b"\r\nabc", False, id="a request that is answered"),
    ],
)
async def test_a_head_has_to_end(
    connection: BoundedConnection, transport: FakeTransport, sent: bytes, *, is_closed: bool
) -> None:
    if sent:
        connection.data_received(sent)
    await settle()

    connection.look()
    connection.look()

    assert transport.is_closing() == is_closed


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        pytest.param([HEAD + b"\r\nabc"], [b"whole"], id="all at once"),
        pytest.param([HEAD + b"\r\nab", b"c"], [b"parts"], id="the end comes later"),
        pytest.param([HEAD + b"\r\n", b"abc"], [b"parts"], id="the body comes later"),
        pytest.param([HEAD[:20], HEAD[20:] + b"\r\nabc"], [b"whole"], id="with the head's end"),
        pytest.param([(HEAD + b"\r\nabc") * 2], [b"whole", b"whole"], id="two at once"),
        pytest.param(
            [HEAD + b"\r\nabc" + HEAD + b"\r\na", b"bc"], [b"whole", b"parts"], id="one and a half"
        ),
    ],
)
async def test_an_answer_is_one_write_and_knows_whether_its_body_was_there(
    connection: BoundedConnection, transport: FakeTransport, pieces: list[bytes], told: list[bytes]
) -> None:
    for piece in pieces:
        connection.data_received(piece)
        await settle()

    answers = transport.written.split(b"HTTP/1.1 200 OK")[1:]
    assert [each[-5:] for each in answers] == told
    assert transport.writes == len(told)


@pytest.mark.parametrize(
    ("given", "writes"),
    [
        pytest.param([b"a"], 1, id="one waits for nothing but the loop"),
        pytest.param([b"a", b"b"], 1, id="two go together"),
        pytest.param([b"a", b"b", b"c"], 2, id="a third waits again"),
        pytest.param([b"a", b"b" * 10**6], 1, id="a long one takes what is held along"),
        pytest.param([b"a" * 10**6, b"b"], 2, id="a long one is not held"),
    ],
)
@pytest.mark.parametrize("is_closed", [True, False])
async def test_writes_are_joined_in_their_order(
    transport: FakeTransport, given: list[bytes], writes: int, *, is_closed: bool
) -> None:
    joined = JoinedWrites(transport, asyncio.get_running_loop())

    for each in given:
        joined.write(each)
    if is_closed:
        joined.close()
    else:
        await asyncio.sleep(0)

    assert transport.written == b"".join(given)
    assert transport.writes == writes
    assert joined.is_closing() is is_closed
