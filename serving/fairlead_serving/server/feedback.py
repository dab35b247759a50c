"""Feedback: what a client reports about a prediction, read and checked.  Pure."""

import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fairlead_contract.classes import name_in_record
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.instances import MAX_INSTANCES, BadInputError
from fairlead_serving.server.question import read_json
from fairlead_serving.server.signature import Task

_FIELDS = frozenset({"predictionId", "row", "label", "reward", "at"})
MAX_BODY_BYTES = 64 * 1024
_LONGEST_LABEL = 256  # characters
_LEAP_SECOND = re.compile(r"(T\d\d:\d\d):60")
_TEXT_LABEL = {"minLength": 1, "maxLength": _LONGEST_LABEL}
_LABELS: Mapping[Task, dict[str, Any]] = {
    Task.BINARY: {"type": ["integer", "boolean", "string"], "minimum": 0, "maximum": 1}
    | _TEXT_LABEL,
    Task.MULTICLASS: {"type": ["number", "boolean", "string"]} | _TEXT_LABEL,
    Task.REGRESSION: {"type": "number"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What became of one row of a prediction: a label, a reward, or both."""

    prediction_id: str
    row_index: int
    given_at: datetime  # of two of a kind, for the same row, the later counts
    label_value: float | None = None
    label_class: str | None = None
    reward: float | None = None


def parse_feedback(
    body: bytes | bytearray,
    task: Task,
    *,
    received: datetime,
    classes: Classes = PLAIN,
) -> Feedback:
    """Read the body of `POST /feedback`.

    A client whose clock is ahead gives its feedback when it is received, so that no later word
    loses against a time that has not come.

    Raises:
        BadInputError: names the field that is wrong.
    """
    fields = read_json(body)
    if not isinstance(fields, dict):
        raise BadInputError('body is not an object; give {"predictionId": "…", "label": 1}')
    if unknown := fields.keys() - _FIELDS:
        names = ", ".join(sorted(unknown))[:100]
        raise BadInputError(f"body has the unknown fields {names}; give {_field_names()}")
    label, reward = fields.get("label"), fields.get("reward")
    if label is None and reward is None:
        raise BadInputError("label and reward are both missing; give one of them or both")
    value, name = (None, None) if label is None else _parse_label(label, task, classes)
    return Feedback(
        prediction_id=_parse_prediction_id(fields.get("predictionId")),
        row_index=_parse_row(fields.get("row", 0)),
        given_at=min(_parse_time(fields.get("at"), received), received),
        label_value=value,
        label_class=name,
        reward=None if reward is None else _parse_reward(reward),
    )


def feedback_schema(task: Task, classes: Classes = PLAIN) -> dict[str, Any]:
    """Return a JSON schema of a body: what it allows, in its formats too, is accepted."""
    return {
        "type": "object",
        "properties": {
            "predictionId": {
                "type": "string",
                "format": "uuid",
                "description": "that of the answer to POST /predict",
            },
            "row": {
                "type": "integer",
                "minimum": 0,
                "maximum": MAX_INSTANCES - 1,
                "default": 0,
                "description": "which of the instances, counted from 0",
            },
            "label": {
                **_label_schema(task, classes),
                "description": "what was true: a value, or a class",
            },
            "reward": {"type": "number", "minimum": 0, "maximum": 1},
            "at": {
                "type": "string",
                "format": "date-time",
                "description": "when it was given; when it is received, if left out",
            },
        },
        "required": ["predictionId"],
        "anyOf": [{"required": ["label"]}, {"required": ["reward"]}],
        "additionalProperties": False,
    }


def _parse_prediction_id(given: object) -> str:
    try:
        if isinstance(given, str):
            return str(uuid.UUID(given))
    except ValueError:
        pass
    raise BadInputError(
        "predictionId is not a UUID; give the predictionId of the response to POST /predict"
    )


def _parse_row(given: object) -> int:
    # 1.0, which some clients write, is an integer of JSON Schema too.
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < MAX_INSTANCES:
        return given
    raise BadInputError("row is not the number of an instance; count instances from 0")


def _parse_time(given: object, received: datetime) -> datetime:
    """Read a time as RFC 3339 has it: with small letters, too, and with a leap second."""
    if given is None:
        return received
    try:
        if isinstance(given, str):
            written = _LEAP_SECOND.sub(r"\1:59", given.upper())
            if (moment := datetime.fromisoformat(written)).tzinfo is not None:
                return moment
    except ValueError:
        pass
    raise BadInputError(
        'at is not a time with its offset from UTC; give one such as "2026-01-31T12:00:00Z", or '
        "leave it out"
    )


def _label_schema(task: Task, classes: Classes) -> dict[str, Any]:
    if task is Task.BINARY and classes.labels:
        return {"enum": list(classes.labels)}
    return _LABELS[task]


def _parse_label(given: object, task: Task, classes: Classes) -> tuple[float | None, str | None]:
    """Read the label as a number, where it is one, and as the name of a class."""
    if classes.labels:
        name = classes.find(given)
        if name is not None:
            return (None if isinstance(given, str) else float(given)), name  # type: ignore[arg-type]  # a number
        # Of several classes, another version may know one more.
        if task is Task.BINARY:
            raise BadInputError(
                f"label is neither {' nor '.join(classes.names)}; the model has these two classes"
            )
    if isinstance(given, str) and task is not Task.REGRESSION:
        if not 0 < len(given) <= _LONGEST_LABEL:
            raise BadInputError(f"label must have 1 to {_LONGEST_LABEL} characters")
        return None, name_in_record(given)
    if not isinstance(given, int | float) or not math.isfinite(given):
        wanted = "a number" if task is Task.REGRESSION else "a number, a string, true or false"
        raise BadInputError(f"label is not {wanted}")
    if task is Task.REGRESSION and isinstance(given, bool):
        raise BadInputError("label is not a number")
    if task is Task.BINARY and given not in {0, 1}:
        raise BadInputError("label is neither 0 nor 1; the model has two classes")
    return float(given), name_in_record(given)


def _parse_reward(given: object) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool) and 0 <= given <= 1:
        return float(given)
    raise BadInputError("reward is not a number from 0 to 1")


def _field_names() -> str:
    return ", ".join(sorted(_FIELDS))
