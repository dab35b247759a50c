"""Before the candidate has traffic: its turn, its start, and the downtime of recreate.  Pure.

Giving up here needs no way back, but for recreate: there the stable version was
stopped, and starts again when the candidate is really gone.
"""

from typing import Final

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.requests import Request
from fairlead_operator.rollout.decision.causes import rollback_cause, wished_back
from fairlead_operator.rollout.decision.moves import SUSPENDED, enter_step
from fairlead_operator.rollout.decision.states import (
    Cause,
    Decision,
    Health,
    Observed,
    Resolution,
    Shares,
    all_traffic,
    in_seconds,
    no_traffic,
)

_TURN: Final = (
    "waiting for its turn: a Model carries out one Rollout at a time; `fairlead status MODEL` "
    "shows which"
)


def while_pending(seen: Observed, wish: Request | None) -> Decision:
    """Wait for what is needed; there is no traffic yet, so giving up needs no way back."""
    cause = _give_up(seen, wish)
    if cause is not None:
        return _decide(seen, Phase.ROLLED_BACK, cause.reason, cause.message)
    if not seen.has_turn:
        return _wait(seen, Reason.WAITING_FOR_TURN, _TURN)
    if seen.resolution is not Resolution.FOUND:
        return _wait(seen, Reason.WAITING_FOR_REGISTRY, _unanswered(seen))
    if seen.problem is not None and seen.stable is not None:
        return _wait(seen, Reason.ANALYSIS_UNAVAILABLE, seen.problem)
    if _is_way_back_refused(seen) or _is_candidate_refused(seen):
        return _wait(seen, Reason.WAITING_FOR_CANDIDATE, _starting(seen))
    if not seen.exclusive and seen.candidate.health is not Health.READY:
        return _wait(seen, Reason.WAITING_FOR_CANDIDATE, _starting(seen))
    if seen.suspended:
        return _wait(seen, Reason.SUSPENDED, SUSPENDED)
    if seen.frozen is not None:
        return _wait(seen, Reason.FROZEN, seen.frozen)
    if seen.gateway.missing is not None:
        return _wait(seen, Reason.WAITING_FOR_GATEWAY, seen.gateway.missing)
    return _begin(seen)


def _begin(seen: Observed) -> Decision:
    """Begin, as nothing is in the way any more."""
    if seen.stable is None:
        return _decide(
            seen,
            Phase.SUCCEEDED,
            Reason.PROMOTED,
            "the first version takes all traffic at once",
            shares=all_traffic(seen),
        )
    if seen.exclusive:
        return _decide(seen, Phase.REPLACING, Reason.STOPPING_STABLE, _downtime(seen))
    return enter_step(seen, 0)


def while_replacing(seen: Observed, wish: Request | None) -> Decision:
    """Stop the stable version, then start the candidate: neither answers meanwhile.

    Nothing but evidence or a person stops it half-way, for that would only make
    the downtime longer.
    """
    cause = _give_up(seen, wish)
    if cause is not None:
        message = f"{cause.message}; downtime until {_name(seen)} is back"
        return _decide(seen, Phase.ROLLING_BACK, cause.reason, message)
    if seen.stable is not None and not seen.stable.gone:
        return _decide(seen, Phase.REPLACING, Reason.STOPPING_STABLE, _downtime(seen))
    if seen.candidate.health is not Health.READY:
        message = f"downtime: {_name(seen)} is stopped, and the candidate starts: "
        return _decide(
            seen,
            Phase.REPLACING,
            Reason.WAITING_FOR_CANDIDATE,
            message + _starting(seen),
            restart=seen.reason is not Reason.WAITING_FOR_CANDIDATE,
        )
    return Decision(
        phase=Phase.GUARDING,
        step=len(seen.steps),
        shares=all_traffic(seen),
        reason=Reason.GUARD_STARTED,
        message="the downtime is over, and the candidate has all traffic; going back within the "
        f"guard window of {in_seconds(seen.guard)} means downtime again",
    )


def _give_up(seen: Observed, wish: Request | None) -> Cause | None:
    wished = wished_back(seen, wish)
    if wished is not None:
        return wished
    if seen.resolution is Resolution.MISSING:
        return Cause(reason=Reason.VERSION_NOT_FOUND, message=seen.resolution_message)
    if seen.gateway.unsupported is not None:
        return Cause(reason=Reason.UNSUPPORTED_BY_TARGET, message=seen.gateway.unsupported)
    cause = rollback_cause(seen)
    if cause is not None and cause.reason is not Reason.ANALYSIS_FAILED:  # nothing was measured
        return cause
    starting = seen.reason in {Reason.WAITING_FOR_CANDIDATE, Reason.STOPPING_STABLE}
    late = seen.waited > seen.start_deadline
    if starting and late and seen.candidate.health is not Health.READY:
        return Cause(
            reason=Reason.START_DEADLINE_EXCEEDED,
            message=f"not ready within {in_seconds(seen.start_deadline)} (startDeadline): "
            f"{_obstacle(seen)}",
        )
    return None


def _wait(seen: Observed, reason: Reason, message: str) -> Decision:
    """Wait without traffic.  The clock of the start runs from when it is the candidate's turn."""
    begins = reason is Reason.WAITING_FOR_CANDIDATE and seen.reason is not reason
    return _decide(seen, Phase.PENDING, reason, message, restart=begins)


def _decide(
    seen: Observed,
    phase: Phase,
    reason: Reason,
    message: str,
    *,
    shares: Shares | None = None,
    restart: bool = False,
) -> Decision:
    return Decision(
        phase=phase,
        step=len(seen.steps) if phase is Phase.SUCCEEDED else 0,
        shares=shares or no_traffic(seen),
        reason=reason,
        message=message,
        restart=restart,
    )


def _unanswered(seen: Observed) -> str:
    again = "it is asked again; if it stays so, look whether it runs"
    return f"MLflow does not answer: {seen.resolution_message[:500]}; {again}"


def _starting(seen: Observed) -> str:
    late = f"given up if not ready within {in_seconds(seen.start_deadline)} (startDeadline)"
    return f"{_obstacle(seen)}; {late}"


def _is_way_back_refused(seen: Observed) -> bool:
    """Tell whether the stable version, once stopped for the candidate, could not start again."""
    stopped_next = seen.exclusive and seen.phase is Phase.PENDING
    return stopped_next and seen.stable is not None and seen.stable.refused is not None


def _is_candidate_refused(seen: Observed) -> bool:
    """Tell whether the stable version would be stopped for one that cannot start."""
    stopped_next = seen.exclusive and seen.phase is Phase.PENDING
    return stopped_next and seen.candidate.refused is not None


def _obstacle(seen: Observed) -> str:
    """Say what the start waits for."""
    if _is_way_back_refused(seen) and seen.stable is not None:
        return f"{_name(seen)} is not stopped, for it could not come back: {seen.stable.refused}"
    return seen.candidate.message


def _downtime(seen: Observed) -> str:
    return f"recreate has downtime: {_name(seen)} stops, then the candidate starts"


def _name(seen: Observed) -> str:
    return seen.stable.version if seen.stable else "the stable version"
