"""What people ask of an object, read from its annotations.  Pure.

The value is free text (``Ada: wrong data``) or the JSON ``{"by", "at", "why"}`` that the
``fairlead`` command writes.  What a promotion must say besides is a word of the text, such as
``--unmeasured``, or a field of the JSON that is true.  Action and text identify a request: one
that status lists is not acted on again while its annotation stands.  Any other text is a new one,
and so is the same text once its annotation was gone, or said something else.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from fairlead_operator.api.base import read_moment
from fairlead_operator.api.common import RequestStatus
from fairlead_operator.api.events import Event
from fairlead_operator.api.group import GROUP
from fairlead_operator.api.phases.common import CommonReason, RequestOutcome
from fairlead_operator.text import printable, shorten

_LONGEST_TEXT: Final = 512
_LONGEST_NAME: Final = 64
_KEPT: Final = 20


class Action(StrEnum):
    """What can be asked: of a Rollout, the strongest first; of a Model, the last two.

    ``SUPERSEDE`` is the operator's own: with it, the Model asks its Rollout to make way for
    another version, which is the annotation's value.
    """

    ABORT = "abort"
    SUPERSEDE = "supersede"
    PAUSE = "pause"
    PROMOTE = "promote"
    APPROVE = "approve"
    RESUME = "resume"
    RETRAIN = "retrain"
    RETRY = "retry"

    @property
    def annotation(self) -> str:
        """Return the annotation; it survives a crash, and every later look sees it."""
        return f"{GROUP}/{self.value}"


class Word(StrEnum):
    """What a person says besides, where a promotion alone may be a slip: as the command has it."""

    UNMEASURED = "--unmeasured"  # though no request was measured
    END_GUARD = "--end-guard"  # not only the steps, but the guard window too

    @property
    def field(self) -> str:
        """Return the field of the JSON form."""
        first, *others = self.value.removeprefix("--").split("-")
        return first + "".join(part.capitalize() for part in others)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a person."""

    action: Action
    text: str  # as written, at most 512 characters: what makes it the same or another
    by: str = ""
    at: datetime | None = None
    why: str = ""
    words: frozenset[Word] = frozenset()

    def describe(self) -> str:
        """Describe who asked and why, as far as they said."""
        return ": ".join(part for part in (self.by, self.why) if part) or self.action


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a person's request."""

    request: Request
    accepted: bool
    message: str


def parse_request(action: Action, value: str) -> Request:
    """Read one annotation's value.  Total: what is not the JSON form is free text."""
    text = value.strip()
    document = _document(text)
    if document is not None:
        return Request(
            action=action,
            text=text[:_LONGEST_TEXT],
            by=_text(document.get("by"), limit=_LONGEST_NAME),
            at=read_moment(document.get("at")),
            why=_text(document.get("why"), limit=_LONGEST_TEXT),
            words=frozenset(word for word in Word if document.get(word.field) is True),
        )
    by, colon, why = text.partition(": ")
    if not colon or len(by) > _LONGEST_NAME or text.startswith("{"):
        by, why = "", text
    return Request(
        action=action,
        text=text[:_LONGEST_TEXT],
        by=by,
        why=why[:_LONGEST_TEXT],
        words=frozenset(word for word in Word if word in text.split()),
    )


def read_requests(annotations: Mapping[str, str]) -> tuple[Request, ...]:
    """Read all that is asked of an object, the strongest first."""
    return tuple(
        parse_request(action, annotations[action.annotation])
        for action in Action
        if action.annotation in annotations
    )


def unanswered(
    annotations: Mapping[str, str], answered: Iterable[RequestStatus]
) -> tuple[Request, ...]:
    """Return what is asked and has no answer in status yet."""
    listed = {(entry.action, entry.text) for entry in answered if not entry.withdrawn}
    return tuple(
        request
        for request in read_requests(annotations)
        if (request.action, request.text) not in listed
    )


def record(
    old: Sequence[RequestStatus],
    answers: Iterable[Answer],
    annotations: Mapping[str, str],
    *,
    now: datetime,
) -> tuple[RequestStatus, ...]:
    """Return the list in status with the new answers, newest last.

    The oldest leave it, but for those whose annotation is still there: they would be
    acted on again.
    """
    asked = {(request.action, request.text) for request in read_requests(annotations)}
    entries = [
        entry.model_copy(
            update={"withdrawn": entry.withdrawn or (entry.action, entry.text) not in asked}
        )
        for entry in (*old, *(_to_status(answer, now) for answer in answers))
    ]
    spare = [number for number, entry in enumerate(entries) if entry.withdrawn]
    gone = set(spare[: max(0, len(entries) - _KEPT)])
    return tuple(entry for number, entry in enumerate(entries) if number not in gone)


def announce_refusals(answers: Iterable[Answer]) -> tuple[Event, ...]:
    """Build an event for each refusal; what is accepted shows by itself."""
    return tuple(
        Event(
            reason=CommonReason.REQUEST_REFUSED,
            message=f"{answer.request.action} ({answer.request.describe()}): {answer.message}",
            warning=True,
        )
        for answer in answers
        if not answer.accepted
    )


def _to_status(answer: Answer, now: datetime) -> RequestStatus:
    request = answer.request
    return RequestStatus(
        action=request.action,
        text=request.text,
        by=request.by,
        at=request.at,
        why=request.why,
        outcome=RequestOutcome.ACCEPTED if answer.accepted else RequestOutcome.REFUSED,
        message=shorten(answer.message),
        answered_at=now,
        withdrawn=False,
    )


def _document(text: str) -> Mapping[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = {"by", "at", "why", *(word.field for word in Word)}
    if isinstance(document, dict) and document.keys() & known:
        return document
    return None


def _text(value: Any, *, limit: int) -> str:
    return printable(value.strip(), limit=limit) if isinstance(value, str) else ""
