"""When to look again: the moment something could change without an event.  Pure."""

from datetime import timedelta
from typing import Final

from fairlead_operator.rollout.states import (
    Decision,
    Observed,
    Phase,
    Reason,
    is_finished,
    reported,
)

_SOONEST: Final = timedelta(milliseconds=200)
_UNANSWERED: Final = timedelta(seconds=5)  # a registry or gateway that tells us nothing by itself
_GATEWAY: Final = timedelta(seconds=1)


def look_again(
    seen: Observed, decision: Decision, *, next_measurement: timedelta
) -> timedelta | None:
    """Time until the next look; None when only an event can change anything."""
    if is_finished(decision.phase):
        # Zero cost at rest: only a route no gateway has reported yet is looked after.
        settled = reported(seen, decision.shares) or not seen.has_turn
        return None if settled else _UNANSWERED
    if decision.phase is Phase.ROLLING_BACK:
        return _GATEWAY
    if decision.phase in {Phase.PENDING, Phase.REPLACING}:
        return _before_traffic(seen, decision)
    moments = [next_measurement]
    if decision.phase is Phase.PROGRESSING and decision.step < len(seen.steps):
        moments.append(seen.steps[decision.step].hold - seen.waited)
    if decision.phase is Phase.GUARDING:
        moments.append(seen.guard - seen.waited)
    if decision.phase is Phase.PAUSED:
        moments.append(seen.approval_deadline - seen.waited + _SOONEST)
    if decision.reason is Reason.WAITING_FOR_GATEWAY:
        moments.append(_GATEWAY)
    ahead = [moment for moment in moments if moment > timedelta(0)]
    return max(_SOONEST, min(ahead, default=_SOONEST))


def _before_traffic(seen: Observed, decision: Decision) -> timedelta | None:
    """Pods tell when they change; only the deadline of a start must be looked for."""
    if decision.reason in {Reason.WAITING_FOR_TURN, Reason.SUSPENDED}:
        return None
    if decision.reason not in {Reason.WAITING_FOR_CANDIDATE, Reason.STOPPING_STABLE}:
        return _UNANSWERED
    entered = decision.restart or decision.phase is not seen.phase
    waited = timedelta(0) if entered else seen.waited
    return max(_SOONEST, seen.start_deadline - waited + _SOONEST)
