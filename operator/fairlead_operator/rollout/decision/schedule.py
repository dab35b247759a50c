"""When to look again: the moment something could change without an event.  Pure."""

from datetime import timedelta
from typing import Final

from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase, Reason
from fairlead_operator.kube.refused_pods import TRY_EVERY
from fairlead_operator.rollout.decision.pods_first import settling
from fairlead_operator.rollout.decision.states import Decision, Observed, is_finished, reported

_SOONEST: Final = timedelta(milliseconds=200)
_UNANSWERED: Final = timedelta(seconds=5)  # a registry or gateway that tells us nothing by itself
_MISSING: Final = timedelta(minutes=1)  # what has to be installed or put right
UNCONFIRMED: Final = timedelta(seconds=10)  # after which a route that is not confirmed is told
_GATEWAY: Final = timedelta(seconds=1)


def look_again(
    observed: Observed,
    decision: Decision,
    *,
    next_measurement: timedelta,
    unscaled: bool = False,
    incomplete: bool = False,
    refused: bool = False,
    unstarted: timedelta | None = None,
) -> timedelta | None:
    """Return the time until the next look; None when only an event can change anything.

    ``unscaled`` says that no autoscaler could be made: nothing tells when one can.
    ``incomplete`` says that pods behind the address are missing.
    ``refused`` says that the cluster refused to make pods: it does not tell when it would.
    ``unstarted`` is when to ask again why pods do not start: nothing tells that either.
    """
    look = _next_look(
        observed,
        decision,
        next_measurement=next_measurement,
        unscaled=unscaled,
        incomplete=incomplete,
    )
    if not observed.has_turn:
        return look
    moments = (look, TRY_EVERY if refused else None, unstarted)
    return min((moment for moment in moments if moment is not None), default=None)


def _next_look(
    observed: Observed,
    decision: Decision,
    *,
    next_measurement: timedelta,
    unscaled: bool,
    incomplete: bool,
) -> timedelta | None:
    if is_finished(decision.phase):
        return _at_rest(observed, decision, unscaled=unscaled, incomplete=incomplete)
    if decision.phase is Phase.ROLLING_BACK:
        return _GATEWAY
    if decision.phase in BEFORE_TRAFFIC:
        return _before_traffic(observed, decision)
    moments = [next_measurement]
    if decision.phase is Phase.PROGRESSING and decision.step < len(observed.steps):
        moments.append(observed.steps[decision.step].hold - observed.waited)
    if decision.phase is Phase.GUARDING:
        moments.append(observed.guard - observed.waited)
    if decision.phase is Phase.PAUSED:
        moments.append(observed.approval_deadline - observed.waited + _SOONEST)
    if decision.reason is Reason.WAITING_FOR_GATEWAY:
        moments.append(_GATEWAY)
    elif not reported(observed, decision.shares):
        moments.append(_UNANSWERED)
    if observed.frozen_until is not None:
        moments.append(observed.frozen_until - observed.now)
    ahead = [moment for moment in moments if moment > timedelta(0)]
    return max(_SOONEST, min(ahead, default=_SOONEST))


def _at_rest(
    observed: Observed, decision: Decision, *, unscaled: bool, incomplete: bool
) -> timedelta | None:
    """Look after only what is not as it should be yet: at rest a Rollout costs nothing."""
    if not observed.has_turn:
        return None
    moments = [settling(observed, decision)]
    if incomplete or not reported(observed, decision.shares):
        moments.append(_UNANSWERED)
    if unscaled:
        moments.append(_MISSING)
    return min((moment for moment in moments if moment is not None), default=None)


def _before_traffic(observed: Observed, decision: Decision) -> timedelta | None:
    """Look for the deadline of a start: pods tell by themselves when they change."""
    if decision.reason in {Reason.WAITING_FOR_TURN, Reason.SUSPENDED}:
        return None
    if decision.reason is Reason.ANALYSIS_UNAVAILABLE:
        return _MISSING  # it may be Prometheus that refuses a query, and that sends no event
    if decision.reason is Reason.FROZEN and observed.frozen_until is not None:
        return max(_SOONEST, observed.frozen_until - observed.now)
    if decision.reason not in {Reason.WAITING_FOR_CANDIDATE, Reason.STOPPING_STABLE}:
        return _UNANSWERED
    entered = decision.restart or decision.phase is not observed.phase
    waited = timedelta(0) if entered else observed.waited
    return max(_SOONEST, observed.start_deadline - waited + _SOONEST)
