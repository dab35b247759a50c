"""Before the candidate has traffic: its turn, its start, and the downtime of recreate.  Pure.

Giving up here needs no way back, but for recreate: there the stable version was
stopped, and starts again when the candidate is really gone.
"""

from collections.abc import Mapping
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
from fairlead_operator.text import shorten

_REFUSED: Final[Mapping[Resolution, Reason]] = {
    Resolution.MISSING: Reason.VERSION_NOT_FOUND,
    Resolution.AMBIGUOUS: Reason.VERSION_AMBIGUOUS,
    Resolution.CHANGED: Reason.VERSION_CHANGED,
}
_TURN: Final = (
    "waiting for its turn: a Model carries out one Rollout at a time; `fairlead status MODEL` "
    "shows which"
)

_FIRST: Final = "the first version takes all traffic at once"
_BACK: Final = "the version that was in charge takes all traffic again"


def while_pending(observed: Observed, wish: Request | None) -> Decision:
    """Wait for what is needed; there is no traffic yet, so giving up needs no way back."""
    cause = _give_up(observed, wish)
    if cause is not None:
        return _decide(observed, Phase.ROLLED_BACK, cause.reason, cause.message)
    if not observed.has_turn:
        return _wait_for_turn(observed)
    if observed.resolution is not Resolution.FOUND:
        return _wait(observed, Reason.WAITING_FOR_REGISTRY, _unanswered(observed))
    held_by_checks = observed.stable is not None and not observed.goes_back
    if observed.problem is not None and held_by_checks:
        return _wait(observed, Reason.ANALYSIS_UNAVAILABLE, observed.problem)
    if observed.gateway.taken is not None:  # which is no fault of the candidate
        return _wait(observed, Reason.WAITING_FOR_GATEWAY, observed.gateway.taken)
    if _is_candidate_awaited(observed):
        return _wait(observed, Reason.WAITING_FOR_CANDIDATE, _starting(observed))
    if observed.suspended and not _is_restored(observed):
        return _wait(observed, Reason.SUSPENDED, SUSPENDED)
    if observed.frozen is not None:
        return _wait(observed, Reason.FROZEN, observed.frozen)
    if observed.gateway.missing is not None:
        return _wait(observed, Reason.WAITING_FOR_GATEWAY, observed.gateway.missing)
    return _begin(observed)


def _wait_for_turn(observed: Observed) -> Decision:
    """Say what the turn waits for: a suspended Model lets none begin, though none is in flight."""
    if observed.suspended and observed.alone:
        return _wait(observed, Reason.SUSPENDED, SUSPENDED)
    return _wait(observed, Reason.WAITING_FOR_TURN, _TURN)


def _is_restored(observed: Observed) -> bool:
    """Tell whether the version in charge gets its own traffic back: that is never suspended."""
    return observed.goes_back and observed.stable is None


def _begin(observed: Observed) -> Decision:
    """Begin, as nothing is in the way any more."""
    if observed.stable is None:
        return _decide(
            observed,
            Phase.SUCCEEDED,
            Reason.PROMOTED,
            _BACK if observed.goes_back else _FIRST,
            shares=all_traffic(observed),
        )
    if observed.exclusive:
        return _decide(observed, Phase.REPLACING, Reason.STOPPING_STABLE, _downtime(observed))
    return enter_step(observed, 0)


def while_replacing(observed: Observed, wish: Request | None) -> Decision:
    """Stop the stable version, then start the candidate: neither answers meanwhile.

    Nothing but evidence or a person stops it half-way, for that would only make
    the downtime longer.
    """
    cause = _give_up(observed, wish)
    if cause is not None:
        message = f"{cause.message}; downtime until {_name(observed)} is back"
        return _decide(observed, Phase.ROLLING_BACK, cause.reason, message)
    if observed.stable is not None and not observed.stable.gone:
        return _decide(observed, Phase.REPLACING, Reason.STOPPING_STABLE, _downtime(observed))
    if observed.candidate.health is not Health.READY:
        message = f"downtime: {_name(observed)} is stopped, and the candidate starts: "
        return _decide(
            observed,
            Phase.REPLACING,
            Reason.WAITING_FOR_CANDIDATE,
            message + _starting(observed),
            restart=observed.reason is not Reason.WAITING_FOR_CANDIDATE,
        )
    return Decision(
        phase=Phase.GUARDING,
        step=len(observed.steps),
        shares=all_traffic(observed),
        reason=Reason.GUARD_STARTED,
        message="the downtime is over, and the candidate has all traffic; going back within the "
        f"guard window of {in_seconds(observed.guard)} means downtime again",
    )


def _give_up(observed: Observed, wish: Request | None) -> Cause | None:
    wished = wished_back(observed, wish)
    if wished is not None:
        return wished
    refused = _REFUSED.get(observed.resolution)
    if refused is not None:
        return Cause(reason=refused, message=observed.resolution_message)
    if observed.refused_code is not None:
        return Cause(reason=Reason.CODE_NOT_ALLOWED, message=observed.refused_code)
    if observed.gateway.unsupported is not None:
        return Cause(reason=Reason.UNSUPPORTED_BY_TARGET, message=observed.gateway.unsupported)
    cause = rollback_cause(observed)
    if cause is not None and cause.reason is not Reason.ANALYSIS_FAILED:  # nothing was measured
        return cause
    starting = observed.reason in {Reason.WAITING_FOR_CANDIDATE, Reason.STOPPING_STABLE}
    late = observed.waited > observed.start_deadline
    if starting and late and observed.candidate.health is not Health.READY:
        return Cause(
            reason=Reason.START_DEADLINE_EXCEEDED,
            message=f"not ready within {in_seconds(observed.start_deadline)} (startDeadline): "
            f"{_obstacle(observed)}",
        )
    return None


def _wait(observed: Observed, reason: Reason, message: str) -> Decision:
    """Wait without traffic.  The clock of the start runs from when it is the candidate's turn."""
    begins = reason is Reason.WAITING_FOR_CANDIDATE and observed.reason is not reason
    return _decide(observed, Phase.PENDING, reason, message, restart=begins)


def _decide(
    observed: Observed,
    phase: Phase,
    reason: Reason,
    message: str,
    *,
    shares: Shares | None = None,
    restart: bool = False,
) -> Decision:
    return Decision(
        phase=phase,
        step=len(observed.steps) if phase is Phase.SUCCEEDED else 0,
        shares=shares or no_traffic(observed),
        reason=reason,
        message=message,
        restart=restart,
    )


def _unanswered(observed: Observed) -> str:
    again = "it is asked again; if it stays so, look whether it runs"
    return f"MLflow does not answer: {shorten(observed.resolution_message, 500)}; {again}"


def _starting(observed: Observed) -> str:
    late = f"given up if not ready within {in_seconds(observed.start_deadline)} (startDeadline)"
    return f"{_obstacle(observed)}; {late}"


def _is_candidate_awaited(observed: Observed) -> bool:
    """Tell whether the candidate must be ready first; where it runs alone, whether it could be."""
    if observed.exclusive:
        return _is_way_back_refused(observed) or _is_candidate_refused(observed)
    return observed.candidate.health is not Health.READY


def _is_way_back_refused(observed: Observed) -> bool:
    """Tell whether the stable version, once stopped for the candidate, could not start again."""
    stopped_next = observed.exclusive and observed.phase is Phase.PENDING
    return stopped_next and observed.stable is not None and observed.stable.refused is not None


def _is_candidate_refused(observed: Observed) -> bool:
    """Tell whether the stable version would be stopped for one that cannot start."""
    stopped_next = observed.exclusive and observed.phase is Phase.PENDING
    return stopped_next and observed.candidate.refused is not None


def _obstacle(observed: Observed) -> str:
    """Say what the start waits for."""
    if _is_way_back_refused(observed) and observed.stable is not None:
        return (
            f"{_name(observed)} is not stopped, for it could not come back: "
            f"{observed.stable.refused}"
        )
    return observed.candidate.message


def _downtime(observed: Observed) -> str:
    return f"recreate has downtime: {_name(observed)} stops, then the candidate starts"


def _name(observed: Observed) -> str:
    return observed.stable.version if observed.stable else "the stable version"
