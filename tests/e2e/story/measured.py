"""What happened, as values, from the objects' status and the clients' answers.  Pure."""

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from e2e.story.answers import Answer, failed, first_received, of_version
from e2e.story.objects import Object, status_of

Trigger = Literal["analysis", "alert", "startup"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A version and the training that made it."""

    version: str
    metric: str
    value: float
    trials: int
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """A version that passed the gate and took over, and how."""

    version: str
    metric: str
    value: float
    trials: int
    seconds: float  # of the training
    champion_value: float  # on the same rows
    gain: float
    gain_low: float  # 95 % interval
    gain_high: float
    rollout_seconds: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """A bad version and how it was taken back."""

    version: str
    trigger: Trigger
    reason: str
    detection_seconds: float
    reaction_seconds: float
    candidate_requests: int
    candidate_errors: int


def to_trained(run: Object) -> Trained:
    """Read a TrainingRun that succeeded."""
    result = result_of(run)
    return Trained(
        version=result["version"],
        metric=result["metric"],
        value=result["candidate"]["value"],
        trials=result["trials"]["finished"],
        seconds=seconds_between(run, "startedAt", "finishedAt"),
    )


def to_promoted(run: Object, rollout: Object) -> Promoted:
    """Read the TrainingRun and the Rollout of a version that took over."""
    result = result_of(run)
    return Promoted(
        **dataclasses.asdict(to_trained(run)),
        champion_value=result["champion"]["value"],
        gain=result["difference"]["value"],
        gain_low=result["difference"]["ciLow"],
        gain_high=result["difference"]["ciHigh"],
        rollout_seconds=seconds_between(rollout, "startedAt", "finishedAt"),
    )


def to_rollback(rollout: Object, answers: Sequence[Answer], *, trigger: Trigger) -> Rollback:
    """Measure a rollback: what clients saw comes from the answers, the rest from its status.

    Detection runs from the first thing a client could see to the moment the operator knew: the
    first failed answer, or for a slow version its first answer at all.  A version that took no
    traffic was seen by no client; there it runs from the start of the Rollout.
    """
    status, version = status_of(rollout), rollout["spec"]["version"]
    theirs = of_version(answers, version)
    seen = first_received(failed(theirs) if trigger == "analysis" else theirs)
    begin = moment(status["startedAt"]) if seen is None else seen
    return Rollback(
        version=version,
        trigger=trigger,
        reason=status["reason"],
        detection_seconds=round(max(0.0, moment(status["triggeredAt"]) - begin), 3),
        reaction_seconds=status["reactionSeconds"],
        candidate_requests=len(theirs),
        candidate_errors=len(failed(theirs)),
    )


def result_of(run: Object) -> dict[str, Any]:
    """Return the trainer's result document."""
    return dict(json.loads(status_of(run)["result"]))


def seconds_between(item: Object, begin: str, end: str) -> float:
    """Return the seconds between two moments in an object's status."""
    status = status_of(item)
    return round(moment(status[end]) - moment(status[begin]), 1)


def moment(text: str) -> float:
    """Convert RFC 3339 to seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()
