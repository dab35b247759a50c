"""The instances that the body of `POST /predict` holds.  Pure.

A large body is parsed in pieces, because the parser lets no other thread run: in one go, 32 MiB
would keep every other request waiting for half a second.
"""

import re
from typing import NamedTuple

import orjson

from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.shape import SLICE_BYTES, SMALL_BYTES, let_others_run

MAX_INSTANCE_BYTES = 1024 * 1024  # in a large body

_CLOSING = re.compile(rb"[}\]]")
_COMMA = re.compile(rb"[ \t\r\n]*+,")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_PLAIN_OBJECT = re.compile(
    rb'[ \t\r\n]*+\{(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+\}', flags=re.DOTALL
)
_LONGEST_TOKEN = 8  # bytes that the parser looks ahead: an escape, a literal
_NOT_NUMBERS = re.compile(r"-?(NaN|Inf)|(?<=-)[IN]", flags=re.IGNORECASE)


class Question(NamedTuple):
    """What a request asks about."""

    instances: object  # what they are is the reader's business
    name: str | None = None  # that the client gives it within the body


def parse_instances(body: bytearray) -> object:
    """Take `instances` out of a JSON body; what they are is the reader's business.

    Raises:
        BadInputError: the body is not an object with nothing but `instances`.
    """
    if len(body) <= SMALL_BYTES:
        return _take(read_json(body))
    return parse_in_pieces(body)


def read_json(body: bytes | bytearray) -> object:
    """Parse a body.

    Raises:
        BadInputError: it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"body is not JSON: {_explain(error)}{error}") from error


def parse_in_pieces(body: bytearray, *, size: int = SLICE_BYTES) -> object:
    """Parse a body whose instances are a list, cut after closing brackets.

    A cut inside a string or a nested object leaves the piece before it unfinished, so that it
    does not parse: what does parse is what the body says.

    Raises:
        BadInputError: as `parse_instances`.
    """
    first, last = body.find(b"[") + 1, body.rfind(b"]")
    if not 0 < first <= last:
        raise BadInputError(
            'body has no list of instances; give {"instances": [{"column": value}]}'
        )
    if _take(read_json(body[:first] + body[last:])) != []:
        raise BadInputError("instances is not a list; give a list of objects")
    instances: list[object] = []
    start = first
    while True:
        piece, end = _parse_piece(body, start, min(start + size, last), last)
        if not piece and (instances or end < last):
            raise BadInputError(
                f"body is not JSON: no instance after the comma before byte {start}"
            )
        instances += piece
        comma = _COMMA.match(body, end, last)
        if comma is None:
            break
        start = comma.end()
        let_others_run()
    if not _SPACE.fullmatch(body, end, last):
        raise BadInputError(f"body is not JSON: no comma at byte {end}")
    return instances


def _parse_piece(body: bytearray, start: int, cut: int, last: int) -> tuple[list[object], int]:
    """Parse the instances from here to the first that ends at the cut or later."""
    limit = min(cut + MAX_INSTANCE_BYTES, last)
    closing = _CLOSING.search(body, max(start, cut - 1), limit)
    if closing is None and limit < last:
        raise _too_long(start)
    end = closing.end() if closing else last
    try:
        return orjson.loads(_list(body, start, end)), end
    except orjson.JSONDecodeError as error:
        # Far from the cut, the body itself is wrong.
        if "UTF-8" in error.msg or error.pos < end - start - _LONGEST_TOKEN:
            message = f"{_explain(error)}{error.msg}, in what begins at byte {start}"
            raise BadInputError(f"body is not JSON: {message}") from error
    end = _end_of_objects(body, start, cut, limit)
    return read_json(_list(body, start, end)), end  # type: ignore[return-value]  # a list


def _end_of_objects(body: bytearray, start: int, cut: int, limit: int) -> int:
    """Find the end of the first plain object that ends at the cut or later."""
    while found := _PLAIN_OBJECT.match(body, start, limit):
        comma = _COMMA.match(body, found.end(), limit)
        if found.end() >= cut or comma is None:
            return found.end()
        start = comma.end()
    raise BadInputError(
        f"body is not JSON, or not a list of plain objects of column: value, at byte {start}"
    )


def _too_long(start: int) -> TooLargeError:
    return TooLargeError(
        f"one of the instances from byte {start} on is longer than {MAX_INSTANCE_BYTES} bytes; "
        "give a list of objects of column: value"
    )


def _list(body: bytearray, start: int, end: int) -> bytes:
    with memoryview(body) as view:  # one copy, not two
        return b"".join((b"[", view[start:end], b"]"))


def _take(request: object) -> object:
    if not isinstance(request, dict) or "instances" not in request:
        raise BadInputError('body has no instances; give {"instances": [{"column": value}]}')
    if len(request) > 1:
        unknown = ", ".join(sorted(request.keys() - {"instances"}))
        raise BadInputError(f"body has the unknown fields {unknown[:100]}; give instances alone")
    return request["instances"]


def _explain(error: orjson.JSONDecodeError) -> str:
    """Say what to send instead of the numbers that JSON does not have."""
    if _NOT_NUMBERS.match(error.doc, error.pos):
        return "it has no NaN or Infinity, send null for a missing value; "
    return ""
