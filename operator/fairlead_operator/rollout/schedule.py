"""When to look again: the moment something could change without an event.  Pure."""

from datetime import timedelta
from typing import Final

from fairlead_operator.rollout.state_machine import Decision, Observed, Phase, Reason, is_finished

_SOONEST: Final = timedelta(milliseconds=200)
_UNANSWERED: Final = timedelta(seconds=5)  # a registry or gateway that tells us nothing by itself
_GATEWAY: Final = timedelta(seconds=1)


def look_again(
    seen: Observed, decision: Decision, *, next_measurement: timedelta
) -> timedelta | None:
    """Time until the next look; None when only an event can change anything."""
    if is_finished(decision.phase):
        # Zero cost at rest: only a route no gateway has reported yet is looked after.
        settled = seen.weight == decision.weight or not seen.has_turn
        return None if settled else _UNANSWERED
    if decision.phase is Phase.ROLLING_BACK:
        return _GATEWAY
    if decision.phase is Phase.PENDING:
        if decision.reason in {Reason.WAITING_FOR_TURN, Reason.SUSPENDED}:
            return None
        if decision.reason is not Reason.WAITING_FOR_CANDIDATE:
            return _UNANSWERED
        waited = timedelta(0) if decision.restart else seen.now - seen.since
        return max(_SOONEST, seen.start_deadline - waited)
    moments = [next_measurement]
    if decision.phase is Phase.PROGRESSING and decision.step < len(seen.steps):
        moments.append(seen.steps[decision.step].hold - (seen.now - seen.since))
    if decision.phase is Phase.GUARDING:
        moments.append(seen.guard - (seen.now - seen.since))
    if decision.reason is Reason.WAITING_FOR_GATEWAY:
        moments.append(_GATEWAY)
    ahead = [moment for moment in moments if moment > timedelta(0)]
    return max(_SOONEST, min(ahead, default=_SOONEST))
