"""The bodies of requests, read within what the process can hold.

Every byte that a client makes us keep is counted until its request is answered, over all
requests: the first of each body against a reserve, so that large bodies never keep small ones out,
the rest against the room for large ones.  What finds no room is refused with 429, not 503: a
client that sends too much must not look like a version that fails, which is taken back.

A compressed body is unpacked while it arrives, and counts as what it unpacks to: it costs no more
than the same body sent plain.
"""

import asyncio
import threading
import zlib
from http import HTTPStatus

from starlette.requests import ClientDisconnect

from fairlead_serving.server.incoming import Incoming
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.refusals import RefusedError
from fairlead_serving.server.shape import SMALL_BYTES

_ROOM_BYTES = 64 * 1024 * 1024
_RESERVE_BYTES = 16 * 1024 * 1024
_SECONDS = 30.0
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_MAGIC = b"\x1f\x8b"  # with which no JSON begins
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # with the header and the checksum of gzip
_UNPACKER_BYTES = 48 * 1024  # of memory, while a body is unpacked
_PIECE_BYTES = 256 * 1024  # some milliseconds of unpacking


class Bodies:
    """What the process has room for.

    Args:
        room: bytes of all bodies together, beyond the first 64 KiB of each.
        reserve: bytes of the first 64 KiB of all bodies together.
        seconds: the time in which a body has to arrive.
    """

    def __init__(
        self,
        *,
        room: int = _ROOM_BYTES,
        reserve: int = _RESERVE_BYTES,
        seconds: float = _SECONDS,
    ) -> None:
        self._room, self._reserve = room, reserve
        self._seconds = seconds
        self._lock = threading.Lock()  # the prediction thread gives room back

    async def read(self, request: Incoming, most: int) -> "Body":
        """Read a body of at most so many bytes; the caller releases it.

        Raises:
            BadInputError: it cannot be had; nothing is kept of it.
        """
        _check_length(request, most)
        is_packed = _is_packed(request)
        body = Body(self)
        try:
            if request.is_whole:  # most are, and a timer costs as much as their reading
                await self._keep(request, body, most, is_packed=is_packed)
            else:
                async with asyncio.timeout(self._seconds):
                    await self._keep(request, body, most, is_packed=is_packed)
        except TimeoutError as error:
            body.release()
            raise RefusedError(
                HTTPStatus.REQUEST_TIMEOUT,
                f"body did not arrive within {self._seconds:g} seconds; send less at once",
            ) from error
        except ClientDisconnect as error:
            body.release()
            raise RefusedError(  # read by nobody but counted
                HTTPStatus.REQUEST_TIMEOUT, "client closed the connection within the body"
            ) from error
        except BaseException:
            body.release()
            raise
        if not is_packed and body.content.startswith(_GZIP_MAGIC):
            body.release()
            raise BadInputError("body is gzip; send it with the header content-encoding: gzip")
        return body

    async def _keep(self, request: Incoming, body: "Body", most: int, *, is_packed: bool) -> None:
        if is_packed:
            await self._unpack(request, body, most)
            return
        async for chunk in request.chunks():
            body.add(chunk, most)

    async def _unpack(self, request: Incoming, body: "Body", most: int) -> None:
        """Unpack a body piece by piece; the event loop runs on in between.

        Raises:
            BadInputError: it is not gzip, or packed or unpacked too large, or there is no room.
        """
        self.take(small=0, large=_UNPACKER_BYTES)
        try:
            unpacker = zlib.decompressobj(_GZIP_WINDOW)
            received = 0
            async for chunk in request.chunks():
                received += len(chunk)
                if received > most:  # it may unpack to nothing
                    raise TooLargeError(_too_large(most))
                rest, piece = chunk, b""
                while rest or len(piece) == _PIECE_BYTES:  # a full piece may have more behind it
                    if rest and unpacker.eof:
                        raise BadInputError("body goes on after the end of its gzip stream")
                    piece = unpacker.decompress(rest, _PIECE_BYTES)
                    body.add(piece, most)
                    rest = unpacker.unconsumed_tail or unpacker.unused_data
                    if len(piece) == _PIECE_BYTES:
                        await asyncio.sleep(0)
            if not unpacker.eof:
                raise BadInputError("body ends before its gzip stream does")
        except zlib.error as error:
            raise BadInputError(
                f"body is not gzip, which its content-encoding says it is: {error}"
            ) from error
        finally:
            self.give_back(small=0, large=_UNPACKER_BYTES)

    def take(self, *, small: int, large: int) -> None:
        """Take room for so many bytes more.

        Raises:
            RefusedError: there is none.
        """
        with self._lock:
            if small > self._reserve or large > self._room:
                raise RefusedError(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "the bodies of other requests take all room; send less at once, or again "
                    "after a second",
                    retry_after=1,
                )
            self._reserve -= small
            self._room -= large

    def give_back(self, *, small: int, large: int) -> None:
        """Give room back."""
        with self._lock:
            self._reserve += small
            self._room += large


class Body:
    """The bytes of one request, and the room they take."""

    def __init__(self, bodies: Bodies) -> None:
        self.content = bytearray()
        self._bodies = bodies
        self._small = self._large = 0

    def add(self, chunk: bytes, most: int) -> None:
        """Keep more of it.

        Raises:
            BadInputError: it has more than so many bytes now, or there is no room.
        """
        if len(self.content) + len(chunk) > most:
            raise TooLargeError(_too_large(most))
        small = min(len(chunk), SMALL_BYTES - self._small)
        large = len(chunk) - small
        self._bodies.take(small=small, large=large)
        self._small += small
        self._large += large
        self.content += chunk

    def release(self) -> None:
        """Give the room back; once is enough, twice does no harm."""
        self._bodies.give_back(small=self._small, large=self._large)
        self._small = self._large = 0
        self.content = bytearray()


def _is_packed(request: Incoming) -> bool:
    encoding = (request.text("content-encoding") or "").strip().lower()
    if encoding not in {"", "identity", *_GZIP}:
        raise RefusedError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-encoding is {encoding[:40]!r}; send the body as plain JSON, or as gzip",
        )
    return encoding in _GZIP


def _check_length(request: Incoming, most: int) -> None:
    length = request.headers.get(b"content-length", b"")
    # A length that is none is for the HTTP parser to refuse; the bytes are counted in any case.
    if length.isdigit() and len(length) < 20 and int(length) > most:
        raise TooLargeError(_too_large(most))


def _too_large(most: int) -> str:
    return f"body has more than {most} bytes; send fewer rows at once"
