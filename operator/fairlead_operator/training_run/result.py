"""The trainer's words: its result document and its progress.  Pure."""

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from fairlead_operator.api.training_run import COLUMNS_LENGTH, Progress, TrainedVersion

_REASON = re.compile(r"^[A-Z][A-Za-z]{1,63}$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a trainer's container said when it ended."""

    document: str  # as it was written
    trained: TrainedVersion | None = None  # set when it succeeded
    reason: str = ""  # set when it failed
    message: str = ""  # of a failure, or of data that was checked
    warnings: tuple[str, ...] = ()  # what a person should look at, though it succeeded
    trials: int | None = None  # finished by all workers, where it says so


def parse_result(text: str) -> Result | None:
    """Read a termination message; None when it is not the trainer's document."""
    try:
        document = json.loads(text)
        if document["outcome"] == "Succeeded":
            return Result(
                document=text,
                trained=_trained(document),
                message=str(document.get("message", "")),
                warnings=_warnings(document),
                trials=_trials(document),
            )
        reason, message = str(document["reason"]), str(document["message"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not _REASON.match(reason):
        return None
    return Result(document=text, reason=reason, message=message)


def _warnings(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Read what the trainer says is odd about a version."""
    return tuple(str(warning) for warning in document.get("warnings") or ())


def _trials(document: Mapping[str, Any]) -> int | None:
    """Read how many trials were finished in all."""
    finished = (document.get("trials") or {}).get("finished")
    return finished if isinstance(finished, int) else None


def _trained(document: Mapping[str, Any]) -> TrainedVersion | None:
    if "version" not in document:  # a search worker says only that it is done
        return None
    return TrainedVersion(
        version=document["version"],
        registry_version=str(document["registryVersion"]),
        digest=document["digest"],
        metric=document["metric"],
        value=document["candidate"]["value"],
        columns=_columns(document),
    )


def _columns(document: Mapping[str, Any]) -> str | None:
    """Read the types of a version's columns, where it says them."""
    columns = (document.get("data") or {}).get("columns")
    return columns[:COLUMNS_LENGTH] if isinstance(columns, str) else None


def read_result(pods: Iterable[Mapping[str, Any]]) -> Result | None:
    """Read the last word of a Job's pods: a success, else the latest failure."""
    results: list[tuple[str, Result]] = []
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or []:
            state = container.get("state") or {}
            ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
            result = parse_result((ended or {}).get("message") or "")
            if result is not None:
                results.append((str((ended or {}).get("finishedAt", "")), result))
    results.sort(key=lambda item: (not item[1].reason, item[0]))
    return results[-1][1] if results else None


def parse_progress(text: str | None) -> Progress | None:
    """Read the progress document; None when there is none or it is unreadable."""
    if text is None:
        return None
    try:
        return Progress.model_validate_json(text)
    except ValidationError:
        return None


def carry_on(progress: Progress | None, before: Progress | None) -> Progress | None:
    """Return the progress with what the search has reached: a later stage tells only itself."""
    if progress is None or before is None or "trial" in progress.model_fields_set:
        return progress or before
    return progress.model_copy(update={"trial": before.trial, "best": before.best})


def describe(progress: Progress) -> str:
    """Say in one line where the trainer is, for kubectl get."""
    if progress.stage != "search" or not progress.trials:
        return progress.stage
    line = f"trial {progress.trial}/{progress.trials}"
    if progress.best is not None:
        line += f", best {progress.metric} {progress.best:.4g} in validation"
    if progress.seconds_left is not None:
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        line += f", {minutes}m{seconds:02d}s left" if minutes else f", {seconds}s left"
    return line
