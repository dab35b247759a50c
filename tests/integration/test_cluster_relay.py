"""The relay between the host and the cluster: it must not be noticed.

The namespace is left out; both ends are on loopback.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cluster.relay import Relay, reset

pytestmark = pytest.mark.integration

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
MEGABYTE = 1_000_000


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A server on a free loopback port."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1024)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def relayed(handler: Handler) -> AsyncIterator[int]:
    """A server behind a relay; the relay's port."""
    async with serving(handler) as far, serving(Relay("127.0.0.1", far).serve) as near:
        yield near


async def answer_at_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Count what comes until it ends, then say how much it was: needs a half-open connection."""
    total = 0
    while data := await reader.read(65536):
        total += len(data)
    writer.write(str(total).encode())
    await writer.drain()
    writer.close()


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say something, then reset the connection."""
    writer.write(b"half an ans")
    await writer.drain()
    await reader.read(1)
    reset(writer)


async def ask(port: int, size: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" * size)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_an_end_in_one_direction_leaves_the_other_open() -> None:
    async with relayed(answer_at_the_end) as port:
        assert await ask(port, 5 * MEGABYTE) == str(5 * MEGABYTE).encode()


async def test_hundreds_of_connections_at_once() -> None:
    async with relayed(answer_at_the_end) as port:
        answers = await asyncio.gather(*(ask(port, 1000 + number) for number in range(400)))

    assert answers == [str(1000 + number).encode() for number in range(400)]


async def test_a_reset_arrives_as_a_reset() -> None:
    async with relayed(break_off) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read(100) == b"half an ans"
        writer.write(b"?")

        with pytest.raises(ConnectionResetError):
            await reader.read()

        writer.close()


async def test_nobody_behind_it_is_a_reset_too() -> None:
    async with serving(answer_at_the_end) as free:
        pass
    async with serving(Relay("127.0.0.1", free).serve) as port:
        with pytest.raises(ConnectionResetError):
            await ask(port, 10)
