"""A request as ASGI hands it over, and no more of it than is looked at.

Building Starlette's `Request` and asking its headers costs as much as the prediction of a row.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from fairlead_contract.http import REQUEST_ID_HEADER, REQUEST_ID_PATTERN

WHOLE: Final = "fairlead.whole"  # extension of ASGI: the end of the body was there at once

_REQUEST_ID = REQUEST_ID_HEADER.encode()
_REQUEST_IDS = re.compile(REQUEST_ID_PATTERN.encode())


class Incoming(NamedTuple):
    """The headers of a request, and where its body comes from."""

    headers: Mapping[bytes, bytes]  # names in small letters; of a repeated one, the first
    receive: Receive
    is_whole: bool  # nothing of it has to be waited for

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> "Incoming":
        """Take up a request."""
        is_whole = WHOLE in scope.get("extensions", ())
        return cls(dict(reversed(scope["headers"])), receive, is_whole)

    @property
    def returned_id(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the header of a caller's request id, which every answer has; none without one."""
        given = self.headers.get(_REQUEST_ID)
        return ((_REQUEST_ID, given),) if given and _REQUEST_IDS.fullmatch(given) else ()

    def text(self, name: str) -> str | None:
        """Return the value of a header; None without it."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the body in the pieces in which it arrives.

        Raises:
            ClientDisconnect: the client is gone before the end of it.
        """
        is_whole = False
        while not is_whole:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            if chunk := message.get("body", b""):
                yield chunk
            is_whole = not message.get("more_body", False)
