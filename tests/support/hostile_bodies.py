"""Bodies that mean to take a model server down, or to keep it from its other callers."""

import gzip
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

COLUMNS: Final = 30
ROW: Final = {f"c{at}": at / 7 for at in range(COLUMNS)}
MEBIBYTE: Final = 1024 * 1024

_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of a deflate stream
_SIZE = 19 * MEBIBYTE  # nearly what 30 columns allow, so that the bytes alone refuse none


def rows_of(unit: bytes, *, size: int = _SIZE) -> bytes:
    """Repeat a row to a body of this size."""
    rows = b",".join([unit] * (size // (len(unit) + 1)))
    return b'{"instances":[' + rows + b"]}"


# Built when asked for: together they are 300 MiB.
_BUILT: Mapping[str, Callable[[], bytes]] = {
    "empty objects": lambda: rows_of(b"{}"),
    "empty lists": lambda: rows_of(b"[]"),
    "one long string": lambda: rows_of(b'"' + b"x" * (_SIZE - 99) + b'"'),
    "one long string beyond Latin": lambda: rows_of(
        b'"' + "\U0001f600".encode() + b"x" * (_SIZE - 99) + b'"'
    ),
    "nested 990 deep": lambda: b'{"instances":' + b"[" * 990 + b"]" * 990 + b"}",
    "nested 990 deep in a row": lambda: (
        b'{"instances":[{"c0":' + b'{"a":' * 990 + b"1" + b"}" * 990 + b"}]}"
    ),
    "nested 100,000 deep": lambda: b'{"instances":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "many keys": lambda: rows_of(
        b"{" + b",".join(b'"k%d":0' % at for at in range(_SIZE // 13)) + b"}"
    ),
    "one key again and again": lambda: rows_of(b"{" + b'"c0":0,' * (_SIZE // 8) + b'"c0":0}'),
    "huge numbers": lambda: rows_of(b'{"c0":' + b"9" * 100_000 + b',"c1":1e400}'),
    "escapes": lambda: rows_of(b'"' + b"\\u0000" * (_SIZE // 6 - 9) + b'"'),
    "NaN": lambda: rows_of(b'{"c0":NaN,"c1":Infinity}', size=200_000),
    "not UTF-8": lambda: rows_of(b'{"c0":"' + b"\xff" * 90_000 + b'"}'),
    "numbers": lambda: rows_of(b"1234567"),
    "too many bytes": lambda: b" " * (33 * MEBIBYTE),
    "rows with an error at their end": lambda: (
        rows_of(json.dumps(ROW).encode() + b",", size=6 * MEBIBYTE)[:-3] + b"]}"
    ),
    "a gzip bomb": lambda: gzip.compress(b" " * (64 * MEBIBYTE), 1),
    "empty objects in gzip": lambda: gzip.compress(rows_of(b"{}"), 1),
    "gzip that unpacks to nothing": lambda: (
        gzip.compress(b"")[:10] + _EMPTY_BLOCK * (33 * MEBIBYTE // 5)
    ),
    "gzip without its end": lambda: gzip.compress(
        rows_of(json.dumps(ROW).encode(), size=6 * MEBIBYTE), 1
    )[:-9],
}
KINDS: Final = tuple(_BUILT)


@cache
def build(kind: str) -> bytes:
    """Return the body of a kind."""
    return _BUILT[kind]()


def is_packed(body: bytes) -> bool:
    """Tell whether a body has to be sent as gzip."""
    return body.startswith(b"\x1f\x8b")
