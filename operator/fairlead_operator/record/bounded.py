"""A connection as a tenant, over which so many bytes come in and no more.

libpq reads every message whole into memory, and a tenant chooses how long its messages are: rows,
the text of an error, a notice of a trigger, a warning about its login's own settings.  None of
that can be turned off where it is made, so a relay on the loopback address counts it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import psycopg

from fairlead_operator.errors import TransientError
from fairlead_operator.record.connect import Connection, connect

MOST: Final = 65_536  # bytes: a session that removes a study takes a few thousand
_CHUNK: Final = 8192
_LOOPBACK: Final = "127.0.0.1"


@contextlib.asynccontextmanager
async def connect_bounded(
    url: str, server: psycopg.ConnectionInfo, *, user: str, password: str
) -> AsyncIterator[Connection]:
    """Connect as another to the server that a connection of ours is to.

    Raises:
        TransientError: the server answered with more than ``MOST`` bytes.
        OSError: the server is not there.
        psycopg.Error: it refused.
    """
    is_socket = not server.hostaddr
    open_server = (
        asyncio.open_unix_connection(f"{server.host}/.s.PGSQL.{server.port}")
        if is_socket
        else asyncio.open_connection(server.hostaddr, server.port)
    )
    tasks: set[asyncio.Task[None]] = set()
    is_exceeded = asyncio.Event()
    theirs_in, theirs_out = await open_server

    async def relay(ours_in: asyncio.StreamReader, ours_out: asyncio.StreamWriter) -> None:
        listener.close()  # for one connection only
        tasks.add(asyncio.create_task(_copy(ours_in, theirs_out)))
        left = MOST
        with contextlib.closing(ours_out), contextlib.suppress(OSError):
            while data := await theirs_in.read(_CHUNK):
                left -= len(data)
                if left < 0:
                    is_exceeded.set()
                    return
                ours_out.write(data)
                await ours_out.drain()

    listener = await asyncio.start_server(relay, _LOOPBACK, 0)
    account = {"user": user, "password": password}
    place = {
        "host": _LOOPBACK if is_socket else server.host,  # TLS goes by this name, to the server
        "hostaddr": _LOOPBACK,
        "port": str(listener.sockets[0].getsockname()[1]),
    }
    try:
        async with await connect(
            url, **account, **place, **({"sslmode": "disable"} if is_socket else {})
        ) as connection:
            yield connection
    except psycopg.Error:
        if is_exceeded.is_set():
            raise TransientError(f"it answered with more than {MOST} bytes") from None
        raise
    finally:
        listener.close()
        theirs_out.close()
        for task in tasks:
            task.cancel()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
