"""Makes what others wrote fit for a status, an Event, a log and a terminal.  Pure."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

MESSAGE: Final = 1024  # characters of a message in a status, as the CRDs bound it
LIST: Final = 800  # characters, so that what to do still fits behind it
_MORE: Final = " …"
_LOOSE: Final = " ,;:"  # what no sentence ends with
_LEAST_EVIDENCE: Final = 0.01
_EXACT: Final = 18  # digits that tell any number from any other
_LARGEST: Final = 1e15  # that is written in full


def contrast(
    values: Sequence[float],
    limits: Sequence[float],
    *,
    digits: int = 4,
    decimals: int | None = None,
    of_limits: int = 6,
    flags: str = "",
) -> tuple[str, ...]:
    """Write values, then limits, so that they read as they compare: 19.97 of 20, not 20 of 20.

    Args:
        digits: of a value, and as many more as tell it from the limits.
        decimals: in place of digits, how many stand behind the point, and as many more.
        of_limits: digits of a limit at least; people have written most of them.
        flags: of a value's format: a sign, a comma.
    """
    written: tuple[str, ...] = ()
    for more in range(_EXACT):
        shown = [
            _significant(value, digits + more, flags)
            if decimals is None
            else f"{value:{flags}.{decimals + more}f}"
            for value in values
        ]
        bounds = [
            _significant(limit, max(of_limits, digits + more), flags.replace("+", ""))
            for limit in limits
        ]
        written = (*shown, *bounds)
        if all(
            _order(_read(text), _read(bound)) == _order(value, limit)
            for text, value in zip(shown, values, strict=True)
            for bound, limit in zip(bounds, limits, strict=True)
        ):
            return written
    # No number of decimals is enough for the smallest.
    return written if decimals is None else contrast(values, limits, flags=flags)


def describe_evidence(values: Sequence[float], needed: float) -> tuple[str, ...]:
    """Write e-values, then the one that decides, as people compare them: no powers of ten."""
    most = 10 * needed
    between = [value for value in values if _LEAST_EVIDENCE <= value < most]
    *numbers, enough = contrast(between, [needed], digits=3, flags=",")
    written = iter(numbers)

    def write(value: float) -> str:
        if value >= most:
            return f"more than {most:,.0f}"
        return next(written) if value >= _LEAST_EVIDENCE else f"less than {_LEAST_EVIDENCE}"

    return (*(write(value) for value in values), enough)


def shorten(text: str, limit: int = MESSAGE) -> str:
    """Return at most ``limit`` characters: where there are more, whole words and an ellipsis.

    Of a word that would take half of them along, such as an address, the beginning is kept.
    """
    if len(text) <= limit:
        return text
    most = limit - len(_MORE)
    end = text.rfind(" ", 0, most + 1)
    return text[: end if end >= limit // 2 else most].rstrip(_LOOSE) + _MORE


def write_list(items: Iterable[str], *, between: str = "; ", limit: int = LIST) -> str:
    """Write whole items as far as ``limit`` characters hold them, and count the others.

    Of a first item that is longer, the beginning is written.
    """
    every = tuple(items)
    if len(written := between.join(every)) <= limit:
        return written
    room = limit - (len(_count(len(every), between)) if len(every) > 1 else 0)
    ends = itertools.accumulate(len(between) + len(item) for item in every)
    whole = sum(end - len(between) <= room for end in ends)
    shown = every[:whole] or (shorten(every[0], room),)
    left = len(every) - len(shown)
    return between.join(shown) + (_count(left, between) if left else "")


def _count(left: int, between: str) -> str:
    return f"{between}and {left:,} more"


def printable(text: object, *, limit: int) -> str:
    """Return at most ``limit`` characters of the text, without control and half characters."""
    words = "".join(char if char.isprintable() else " " for char in str(text)[: limit + 1])
    return shorten(words.encode("utf-8", "replace").decode(), limit)


def _significant(number: float, digits: int, flags: str) -> str:
    """Write a number with so many digits; what stands before the point always in full."""
    whole = len(f"{abs(number):.0f}") if abs(number) < _LARGEST else 0
    return f"{number:{flags}.{max(digits, whole)}g}"


def _read(text: str) -> float:
    return float(text.replace(",", ""))


def _order(one: float, other: float) -> int:
    return int(one > other) - int(one < other)
