"""The annotation by which an alert asks a Rollout to go back.  Pure.

The webhook writes it before it answers, and each look at the Rollout reads it.  Anyone may set
an annotation: one of another form asks for nothing, and is told.
"""

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from fairlead_operator.api.base import read_moment, to_moment
from fairlead_operator.text import printable

_LONGEST: Final = 500  # characters of a message
_FORM: Final = 'must be JSON with "message", "receivedAt" and "version", as the webhook writes it'


class UnreadableNoteError(ValueError):
    """The annotation has another form; the message says what is wrong with it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an alert said of which candidate, and when it was received."""

    version: str
    message: str
    received: datetime


def write_note(note: Note) -> str:
    """Return the annotation's value."""
    return json.dumps(
        {
            "receivedAt": to_moment(note.received),
            "version": note.version,
            "message": note.message,
        }
    )


def read_note(text: str, versions: Sequence[str]) -> Note:
    """Read the value that the webhook wrote to a Rollout with these candidates.

    Without a version it is about the first, the Rollout's own.

    Raises:
        UnreadableNoteError: it is nobody's alert, or of no candidate.
    """
    document = _document(text)
    message, received = document.get("message"), document.get("receivedAt")
    if not isinstance(message, str) or not message.strip():
        raise UnreadableNoteError(f"message: must be a text; it {_FORM}")
    version = document.get("version", versions[0])
    if not isinstance(version, str) or version not in versions:
        known = " or ".join(sorted(versions))
        raise UnreadableNoteError(f"version: must be the candidate, {known}")
    return Note(
        version=version,
        message=printable(message, limit=_LONGEST),
        received=_moment(received),
    )


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableNoteError(_FORM) from error
    if not isinstance(document, dict):
        raise UnreadableNoteError(_FORM)
    return document


def _moment(value: object) -> datetime:
    """Parse an aware moment.

    Raises:
        UnreadableNoteError: it is none.
    """
    moment = read_moment(value)
    if moment is not None:
        return moment
    raise UnreadableNoteError("receivedAt: must be a time such as 2026-01-01T00:00:00Z")
