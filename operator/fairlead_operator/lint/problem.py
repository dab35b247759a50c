"""What is wrong with a field, in the API server's words."""

import dataclasses
import json
from decimal import Decimal
from typing import Any, Final

NOWHERE: Final = "<nil>"  # the field that the API server names where it names none

_ESCAPES: Final = {
    '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t", "\v": "\\v",
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal, as one of the causes that the API server lists."""

    field: str  # its path; empty where the whole object is meant
    message: str
    blocking: bool = False  # the API server evaluates no rule of an object that has one
    hint: str = ""  # what it does not say


def required(field: str, detail: str = "") -> Problem:
    message = f"Required value: {detail}" if detail else "Required value"
    return Problem(field=field, message=message, blocking=True)


def invalid(field: str, value: Any, detail: str) -> Problem:
    return Problem(field=field, message=f"Invalid value: {shown(value)}: {detail}")


def mistyped(field: str, value: Any, wanted: str) -> Problem:
    """Say that a value has another type, or another format, than its field."""
    detail = f"{field} in body must be of type {wanted}: {quoted(value)}"
    return dataclasses.replace(invalid(field, value, detail), blocking=True)


def shown(value: Any) -> str:
    """Write a value as the API server shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return _shortest(value)
    if isinstance(value, int):
        return str(value)
    return as_json(value)


def as_json(value: Any) -> str:
    """Write JSON as the API server does: without blanks, keys in order."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def quoted(text: str) -> str:
    """Quote as Go does."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _shortest(number: float) -> str:
    """Write a fraction with as many digits as tell it apart, as Go does."""
    exact = Decimal(repr(number)).normalize()
    if -4 <= exact.adjusted() < 6:
        return f"{exact:f}"
    return f"{number:.{len(exact.as_tuple().digits) - 1}e}"
