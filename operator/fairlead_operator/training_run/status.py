"""A decision into status, conditions and events.  Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.conditions import Condition, merge
from fairlead_operator.api.events import Event
from fairlead_operator.api.phases.training_run import ENDED, STUCK, Phase, Reason
from fairlead_operator.api.training_run import Progress, TrainedVersion, TrainingRunStatus
from fairlead_operator.report import Report
from fairlead_operator.text import shorten
from fairlead_operator.training_run.result import describe, parse_result
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import Decision

# Progress is asked of MLflow while Jobs run, and only then.
_PROGRESS: Final = timedelta(seconds=2)
_OBSTACLE: Final = timedelta(seconds=5)
_TRACKING: Final = timedelta(seconds=5)


def report(body: Mapping[str, Any], seen: Seen, decision: Decision, *, now: datetime) -> Report:
    """Say of the object what is true after this reconcile."""
    old = seen.status
    entered = old.phase != decision.phase
    finished = decision.phase in ENDED
    ends = finished and old.phase not in ENDED  # what was said then stays, whatever a pod says now
    observed = seen.observed
    said = observed.check_result or observed.finish_result or observed.search_result
    result = said if ends else None
    status = TrainingRunStatus(
        phase=decision.phase,
        observed_generation=body["metadata"].get("generation"),
        since=now if entered else old.since,
        started_at=old.started_at or now,
        finished_at=(old.finished_at or now) if finished else None,
        summary=_summary(seen, decision),
        progress=_progress(seen, decision),
        mlflow_run_id=seen.mlflow_run_id,
        config=seen.config,
        trained=_trained(seen, decision),
        result=result.document if result else old.result,
        reason=decision.reason,
        message=shorten(decision.message),
        conditions=merge(old.conditions, _conditions(body, decision), now=now),
    )
    failed = decision.phase is Phase.FAILED and decision.reason != Reason.SUPERSEDED
    stuck = decision.reason in STUCK
    event = Event(reason=decision.reason, message=decision.message, warning=failed or stuck)
    tells = entered or (old.reason != decision.reason and STUCK & {old.reason, decision.reason})
    return Report(
        status=status.to_manifest(),
        events=(event,) if tells else (),
        look_again=_look_again(seen, decision),
    )


def _trained(seen: Seen, decision: Decision) -> TrainedVersion | None:
    """Return what was registered, as the finishing Job's pod said at the end of the training.

    Rollouts and the gate take number and digest from here, so no later look changes them.
    """
    if decision.phase is not Phase.SUCCEEDED or seen.spec.dry_run:
        return None
    if seen.status.phase == Phase.SUCCEEDED:
        said = parse_result(seen.status.result or "")
        return seen.status.trained or (said.trained if said is not None else None)
    return seen.observed.finish_result.trained if seen.observed.finish_result else None


def _progress(seen: Seen, decision: Decision) -> Progress | None:
    """Say what was reached: at the end what the result counts, and no time that is left."""
    if seen.progress is None:
        return None
    if decision.phase is not Phase.SUCCEEDED:
        waits = decision.reason == Reason.WAITING_FOR_CONNECTION
        return seen.progress if waits else seen.progress.model_copy(update={"waiting": ""})
    result = seen.observed.finish_result
    told = result.trials if result is not None else None
    trial = seen.progress.trial if told is None else told
    return seen.progress.model_copy(update={"trial": trial, "seconds_left": None, "waiting": ""})


def _summary(seen: Seen, decision: Decision) -> str:
    """Say in one line how it stands, for kubectl get."""
    works = decision.phase in {Phase.SEARCHING, Phase.FINISHING} and decision.reason not in STUCK
    if works and seen.progress is not None:
        return shorten(describe(seen.progress), 256)
    if decision.phase is Phase.FAILED:
        return decision.reason
    return decision.message[:256]


def _look_again(seen: Seen, decision: Decision) -> timedelta | None:
    """Return when to look again though nothing has changed; None: not before it has."""
    match decision.phase:
        case Phase.PENDING:
            return _TRACKING
        case Phase.SEARCHING | Phase.FINISHING | Phase.CHECKING:
            look = _OBSTACLE if decision.reason == Reason.WAITING_FOR_PODS else _PROGRESS
            return look if seen.unstarted is None else seen.unstarted
        case Phase.SUSPENDED | Phase.SUCCEEDED | Phase.FAILED:
            return None


def _conditions(body: Mapping[str, Any], decision: Decision) -> tuple[Condition, ...]:
    """Say Succeeded: how it ended; Progressing: something moves."""
    outcome = {Phase.SUCCEEDED: "True", Phase.FAILED: "False"}.get(decision.phase, "Unknown")
    moving = decision.phase not in {Phase.SUSPENDED, *ENDED}
    common = {
        "reason": decision.reason,
        "message": shorten(decision.message),
        "observedGeneration": body["metadata"].get("generation"),
    }
    return (
        Condition.model_validate({"type": "Succeeded", "status": outcome, **common}),
        Condition.model_validate(
            {"type": "Progressing", "status": "True" if moving else "False", **common}
        ),
    )
