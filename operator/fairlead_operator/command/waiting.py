"""Wait until a Model has what was asked for, or will not have it by itself."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from fairlead_operator.api.phases.common import REFUSALS, CommonReason
from fairlead_operator.api.phases.model import Phase, Reason
from fairlead_operator.api.phases.rollout import Phase as RolloutPhase
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.phases.training_run import ENDED
from fairlead_operator.api.phases.training_run import Phase as TrainingPhase
from fairlead_operator.api.phases.training_run import Reason as TrainingReason
from fairlead_operator.command.failures import NotReachedError, SilentError, UnansweredError
from fairlead_operator.command.refusals import Object, describe_end, status_of

_EVERY: Final = 1.0  # seconds between two looks
_HEARTBEAT: Final = 8.0  # seconds after which the same is said again
_STOPPED: Final = frozenset({Phase.BLOCKED, Phase.FAILED})
_REFUSED: Final = REFUSALS | {Reason.TARGET_REFUSED}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a Model stands on the way to what was asked for."""

    line: str
    reached: bool = False
    stopped: bool = False  # it does not go on without a person


def judge(
    model: Object, *, rollout: Object | None = None, training: Object | None = None
) -> Standing:
    """Judge where a Model stands by its conditions, once they are of its present spec.  Pure.

    Args:
        rollout: its last one.  What serves on after a version was taken back is not what was asked
            for.
        training: its last one, which counts unless a version is pinned.
    """
    status, meta = status_of(model), model["metadata"]
    conditions = {entry["type"]: entry for entry in status.get("conditions") or ()}
    current, moving = conditions.get("UpToDate", {}), conditions.get("Progressing", {})
    is_invalid = moving.get("reason") == CommonReason.INVALID_SPEC
    is_undecided = is_invalid or moving.get("status") == "Unknown"
    if is_undecided and moving.get("observedGeneration") == meta.get("generation"):
        # It has looked, and could not go on: whatever else it said is of the spec before.
        line = f"{moving.get('reason', '')}: {moving.get('message', '')}"
        return Standing(line=line, stopped=is_invalid)
    if current.get("observedGeneration") != meta.get("generation"):
        return Standing(line="the operator has not looked at the spec as it is now")
    phase, reason = str(status.get("phase", "")), str(current.get("reason", ""))
    line = f"{phase}: {current.get('message', '')}"
    if moving.get("status") == "True":
        return Standing(line=f"{phase}: {moving.get('message', '')}")
    failed = _suspended(model) or _taken_back(model, rollout) or _untrained(model, training)
    if failed:
        return Standing(line=f"{line}; {failed}", stopped=True)
    stopped = phase in _STOPPED or reason in _REFUSED
    return Standing(line=line, reached=current.get("status") == "True", stopped=stopped)


def _suspended(model: Object) -> str:
    spec, stable = model["spec"], (status_of(model).get("stable") or {}).get("version")
    if spec.get("suspend") and (stable is None or spec.get("version") not in {None, stable}):
        return "nothing starts while it is suspended; set spec.suspend to false"
    return ""


def _taken_back(model: Object, rollout: Object | None) -> str:
    """Say that what was asked for was taken back; nothing of what nobody asks for any more.

    What made way did so for what is asked for by now.
    """
    if rollout is None or status_of(rollout).get("phase") != RolloutPhase.ROLLED_BACK:
        return ""
    if status_of(rollout).get("reason") == RolloutReason.SUPERSEDED:
        return ""
    pinned, tried = _named(model["spec"]), _named(rollout["spec"])
    return "" if pinned and not pinned & tried else describe_end(rollout)


def _named(spec: Mapping[str, Any]) -> set[str]:
    """Return the versions that a Model pins, or that a Rollout is of."""
    version = spec.get("version")
    return set() if version is None else {version, *(spec.get("alternatives") or ())}


def _untrained(model: Object, training: Object | None) -> str:
    if training is None or model["spec"].get("version"):
        return ""
    status = status_of(training)
    if status.get("phase") != TrainingPhase.FAILED or _makes_way(status):
        return ""
    return f"{training['metadata']['name']} failed: {status.get('message', '')}"


def _makes_way(status: Mapping[str, Any]) -> bool:
    """Tell whether a training ended for another one that follows at once."""
    return status.get("reason") == TrainingReason.SUPERSEDED


def judge_check(run: Object) -> Standing:
    """Judge where a check of the data stands, whatever it finds.  Pure."""
    status = status_of(run)
    phase = status.get("phase")
    if phase is None:
        return Standing(line="the operator has not looked at it yet")
    return Standing(line=f"{phase}: {status.get('message', '')}", reached=phase in ENDED)


def wait(
    look: Callable[[], Standing],
    *,
    seconds: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Look each second, and say what changes; return the last line when all is reached.

    A cluster that does not answer is asked again, as long as there is time.

    Raises:
        CommandError: the Model is gone, or may not be read any more.
        NotReachedError: the Model will not have what was asked for by itself.
        UnansweredError: the time is over.
    """
    begin = clock()
    told, told_at = "", begin
    while True:
        try:
            standing = look()
        except SilentError as error:
            standing = Standing(line=str(error))
        if standing.reached:
            return standing.line
        if standing.stopped:
            raise NotReachedError(standing.line)
        now = clock()
        if now - begin >= seconds:
            raise UnansweredError(f"not reached within {seconds:g} s; {standing.line}")
        if standing.line != told or now - told_at >= _HEARTBEAT:
            say(f"{now - begin:4.0f} s  {standing.line}")
            told, told_at = standing.line, now
        sleep(_EVERY)
