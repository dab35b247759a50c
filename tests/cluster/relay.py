"""Carry connections from a loopback port into a network namespace.

``relay.py NAMESPACE PORT HOST:PORT``.  The listening socket is opened first and stays where it
was opened; the process then moves into the namespace, so what it connects to is inside.
Stands alone, because it runs as a daemon.
"""

import asyncio
import ctypes
import os
import socket
import struct
import sys

_CLONE_NEWNET = 0x40000000
_CHUNK = 65536
_BACKLOG = 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Relay:
    """Connects whoever comes to one target."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client to the target until both directions have ended."""
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            reset(writer)
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(copy(reader, far_writer))
                both.create_task(copy(far_reader, writer))
        except* OSError:
            # One side broke off.  The other must not take that for an orderly end.
            reset(writer)
            reset(far_writer)
        finally:
            writer.close()
            far_writer.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on, at the speed of the slower side, then pass on that there are no more."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection so that the peer sees an error, not an end of data."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


def enter_network(namespace: str) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(namespace, os.O_RDONLY)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter the network namespace", namespace)
    os.close(descriptor)


async def listen(listener: socket.socket, host: str, port: int) -> None:
    server = await asyncio.start_server(Relay(host, port).serve, sock=listener, backlog=_BACKLOG)
    await server.serve_forever()


def main(namespace: str, local_port: str, target: str) -> None:
    listener = socket.create_server(("127.0.0.1", int(local_port)), backlog=_BACKLOG)
    enter_network(namespace)
    host, _, port = target.rpartition(":")
    asyncio.run(listen(listener, host, int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:4])
