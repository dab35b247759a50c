"""How much a body may hold, told from its bytes before anything is built from them; and an answer.

An object of Python costs up to a hundred times the bytes that ask for it: 31 MiB of `{},` were
10.8 million dicts and 1.2 GB.  So a large body is counted first: its objects, its values and how
deep they nest, outside of its strings.  A small body cannot ask for much, and is not counted.
"""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from fairlead_serving.server.instances import MAX_INSTANCES, BadInputError, TooLargeError
from fairlead_serving.server.signature import Column, Kind

SMALL_BYTES = 64 * 1024
MAX_VALUES = 2_000_000  # some 300 MB as objects
MAX_DEPTH = 8  # rows need three
MAX_EXPLAINED = 10  # rows, each of which is thousands of questions to the model
MAX_EXPLAIN_BYTES = 1024 * 1024  # which cannot ask for much, and need not be counted
MAX_ANSWER_VALUES = 250_000  # some 5 MB of JSON, which are written while nobody else is answered

_TEXT_BYTES, _PLAIN_BYTES = 1024, 64  # of a value, with the white space around it
_LETTERS = 20  # of a string in an answer that are as long as a number
_SPARE = 8  # objects of a body, and values of a row: what is wrong with them is said by name
SLICE_BYTES = 64 * 1024  # a millisecond or two of work
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'{}[],"'))
_STEPS = {ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one body of `POST /predict` may hold."""

    body_bytes: int
    columns: int

    @classmethod
    def of(cls, columns: Sequence[Column], *, most: int) -> "Limits":
        """Allow the largest number of rows of these columns, each value written at length."""
        row = sum(
            len(json.dumps(column.name))
            + (_TEXT_BYTES if column.kind is Kind.TEXT else _PLAIN_BYTES)
            for column in columns
        )
        room = max(MAX_INSTANCES * row, SMALL_BYTES)
        return cls(body_bytes=min(room, most), columns=len(columns))


def check_shape(body: bytearray, limits: Limits, *, size: int = SLICE_BYTES) -> None:
    """Refuse a large body that holds more than rows of these columns could.

    Raises:
        BadInputError: it does; the message names the limit.
    """
    openings = values = depth = 0
    for text in _outside_strings(body, size):
        brackets = text.replace(b",", b"")
        openings += brackets.count(b"{") + brackets.count(b"[")
        values += text.count(b",")
        _check_counts(openings, values, limits)
        levels = list(accumulate(map(_STEPS.__getitem__, brackets), initial=depth))
        depth = levels[-1]
        if max(levels) > MAX_DEPTH:
            raise BadInputError(
                f"body nests deeper than {MAX_DEPTH} levels; give instances as a list of objects "
                "of column: value"
            )


def check_answer(rows: int, answer: Any, *, beside: int = 0) -> None:
    """Refuse a question whose answer would be larger than one is: a model may have many outputs.

    Args:
        answer: a list of anything that JSON has, or what knows its own size, as arrays do.
        beside: values that each row has beside it, as the names of classes are.

    Raises:
        TooLargeError: it would be; the message names how many rows fit.
    """
    values = count_values(answer) if isinstance(answer, list) else answer.size
    values += rows * beside
    if values <= MAX_ANSWER_VALUES:
        return
    most = MAX_ANSWER_VALUES * rows // values
    raise TooLargeError(
        f"the answer to {rows} instances has more than {MAX_ANSWER_VALUES} values; "
        + (f"send at most {most} at once" if most else "this model answers too much to be asked")
    )


def count_values(answer: Sequence[Any]) -> int:
    """Count all values in lists and objects; a long string is several."""
    values, left = 0, [list(answer)]
    while left:
        for item in left.pop():
            match item:
                case list():
                    left.append(item)
                case dict():
                    left.append([*item, *item.values()])
                case str():
                    values += 1 + len(item) // _LETTERS
                case _:
                    values += 1
    return values


def let_others_run() -> None:
    """Let the event loop's thread in between two pieces of work that hold the interpreter."""
    time.sleep(0)


def _check_counts(openings: int, values: int, limits: Limits) -> None:
    if openings > MAX_INSTANCES + _SPARE:
        raise TooLargeError(
            f"body has more than {MAX_INSTANCES} objects and lists; send at most {MAX_INSTANCES} "
            "instances, each one object"
        )
    if values > MAX_VALUES:
        raise TooLargeError(f"body has more than {MAX_VALUES} values; send fewer rows at once")
    if values > openings * (limits.columns + _SPARE):
        raise TooLargeError(
            f"body has more than {values} values in {openings} objects and lists; give each "
            f"instance the {limits.columns} columns of the model alone"
        )


def _outside_strings(body: bytearray, size: int) -> Iterator[bytes]:
    """Give the brackets and commas between the strings, piece by piece.

    In a body that is not JSON it may be another text: the parser refuses it where that begins.
    """
    is_inside, rest = False, b""
    for start in range(0, len(body), size):
        let_others_run()
        text = rest + body[start : start + size]
        rest = b""
        if b"\\" in text:
            # Escaped backslashes go first; what is left of a run of them escapes the next byte.
            text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
            rest = b"\\" if text.endswith(b"\\") else b""
        text = text.translate(None, _NOT_STRUCTURE)
        # Two quotes side by side change nothing for the rest, and most strings are that now.
        parts = text.replace(b'""', b"").split(b'"')
        yield b"".join(parts[is_inside::2])
        is_inside ^= len(parts) % 2 == 0
