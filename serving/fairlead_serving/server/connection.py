"""One connection of the HTTP server, with limits that uvicorn does not have.

httptools keeps a head of any length, and uvicorn waits for its end for ever.  It also writes the
head of an answer and its body one after the other, which are two calls of the system where one
does.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fairlead_serving.server.incoming import WHOLE

MAX_HEAD_BYTES = 64 * 1024  # of one request; Envoy's own limit is 60 KiB
_HEAD_SECONDS = 30.0  # between two looks at a connection
_LARGE_BYTES = 32 * 1024  # of what came at once: more is behind it
_SHORT_BYTES = 64 * 1024  # what is quicker copied than written by itself


class BoundedConnection(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long, or take too long.

    A connection that has sent nothing yet counts as one that takes long.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self._head_bytes: int | None = 0  # None: not within a head
        self._is_late = False  # the head was begun before the last look
        self._next_look = self.loop.call_later(_HEAD_SECONDS, self.look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The request line and headers are longer than 64 KiB.")
        if len(data) > _LARGE_BYTES and self._is_read:
            # uvloop reads megabytes, if they are there, before it turns to other connections.
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)

    @property
    def _is_read(self) -> bool:
        return not (self.flow.read_paused or self.transport.is_closing())

    def _read_on(self) -> None:
        if self._is_read:
            self.transport.resume_reading()

    def on_message_begin(self) -> Any:
        super().on_message_begin()
        self._head_bytes, self._is_late = 0, False

    def on_headers_complete(self) -> Any:
        self._head_bytes = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self.scope["extensions"] = {WHOLE: {}}
        super().on_message_complete()

    def look(self) -> None:
        """Close the connection if it is within the head that it was in at the last look."""
        self._next_look.cancel()
        if self._head_bytes is not None and self._is_late:
            self.transport.close()
            return
        self._is_late = True
        self._next_look = self.loop.call_later(_HEAD_SECONDS, self.look)


class JoinedWrites:
    """A transport that writes as one what is given to it in two pieces at a time.

    What it holds is written with what comes next, or when the event loop next runs what waits.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or hold it for what comes next."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        elif len(data) > _SHORT_BYTES:
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._write_held)

    def is_closing(self) -> bool:
        """Tell whether nothing more is taken."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close it when all is written."""
        self._write_held()
        self._transport.close()

    def _write_held(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)
