"""One connection of the HTTP server, with limits that uvicorn does not have.

httptools keeps a head of any length, and uvicorn waits for its end for ever.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024  # of one request; Envoy's own limit is 60 KiB
_HEAD_SECONDS = 30.0  # between two looks at a connection


class BoundedConnection(HttpToolsProtocol):
    """Closes a connection whose request line and headers are too long, or take too long.

    A connection that has sent nothing yet counts as one that takes long.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
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

    def on_message_begin(self) -> Any:
        super().on_message_begin()
        self._head_bytes, self._is_late = 0, False

    def on_headers_complete(self) -> Any:
        self._head_bytes = None
        super().on_headers_complete()

    def look(self) -> None:
        """Close the connection if it is within the head that it was in at the last look."""
        self._next_look.cancel()
        if self._head_bytes is not None and self._is_late:
            self.transport.close()
            return
        self._is_late = True
        self._next_look = self.loop.call_later(_HEAD_SECONDS, self.look)
