"""What takes traffic from a candidate, strongest first.  Pure.

Evidence only: a person, another artifact pinned, an alert, the gateway's fast guard,
pods that fail, a failed verdict.  Doubt is no cause.
"""

import dataclasses
from typing import Final

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action, Request
from fairlead_operator.rollout.decision.states import (
    Arm,
    Cause,
    Health,
    Observed,
    has_all_traffic,
)

_ON_TRIAL: Final = frozenset({Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING})


def keeps_traffic(observed: Observed) -> bool:
    """Tell whether another target leaves the traffic where it is.

    A person went back to the candidate.  What that left is no way back for the next rollout.
    """
    return observed.returned and has_all_traffic(observed)


def wished_back(observed: Observed, wish: Request | None) -> Cause | None:
    """Return why a person or the Model wants the rollout to go back, if one does."""
    if wish is None:
        return None
    if wish.action is Action.ABORT:
        return Cause(reason=Reason.ABORTED, message=wish.describe())
    if wish.action is Action.SUPERSEDE and not keeps_traffic(observed):
        return Cause(reason=Reason.SUPERSEDED, message=f"superseded by {wish.text}")
    return None


def cause_against(arm: Arm) -> Cause | None:
    """Return the evidence against one candidate, or that nobody asks for it any more."""
    if arm.repinned is not None:
        return Cause(reason=Reason.VERSION_CHANGED, message=arm.repinned)
    if arm.alert is not None:
        return Cause(reason=Reason.ALERT_FIRED, message=arm.alert)
    if arm.tripped is not None:
        return Cause(reason=Reason.GUARD_TRIPPED, message=arm.tripped)
    if arm.health is Health.FAILED:
        return Cause(reason=Reason.CANDIDATE_FAILED, message=arm.message)
    if arm.verdict is Verdict.FAILED:
        return Cause(reason=Reason.ANALYSIS_FAILED, message=arm.verdict_message)
    return None


def rollback_cause(observed: Observed) -> Cause | None:
    """Say why the rollout must go back: there is evidence against every candidate in play."""
    left = [arm.dropped for arm in observed.arms]
    causes = left if all(left) else [cause_against(arm) for arm in observed.playing]
    return causes[0] if all(causes) else None


def drop_bad_arms(observed: Observed) -> Observed:
    """Take the bad candidates out of a trial that goes on with the others."""
    if observed.phase not in _ON_TRIAL or rollback_cause(observed) is not None:
        return observed
    playing = observed.playing
    arms = tuple(
        dataclasses.replace(arm, dropped=cause_against(arm)) if arm in playing else arm
        for arm in observed.arms
    )
    return dataclasses.replace(observed, arms=arms)
