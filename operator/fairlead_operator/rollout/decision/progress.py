"""How far a rollout is, in words for columns and people.  Pure."""

from datetime import datetime

from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.rollout.decision.refusals import find_waiting
from fairlead_operator.rollout.decision.states import ASKING, Decision, Observed


def describe_progress(decision: Decision, steps: int) -> str:
    """Write ``2/4`` in the second of four steps, ``guard`` after the last."""
    match decision.phase:
        case Phase.PENDING | Phase.REPLACING:
            return f"0/{steps}"
        case Phase.SUCCEEDED:
            return f"{steps}/{steps}"
        case Phase.PROGRESSING | Phase.PAUSED | Phase.GUARDING:
            return "guard" if decision.step >= steps else f"{decision.step + 1}/{steps}"
        case Phase.ROLLING_BACK | Phase.ROLLED_BACK:
            return f"{min(decision.step + 1, steps)}/{steps}"


def holds_until(observed: Observed, decision: Decision, since: datetime) -> datetime | None:
    """Return the earliest moment at which it can go on; None when no clock decides about that."""
    if decision.phase is Phase.PROGRESSING and decision.step < len(observed.steps):
        moment = since + observed.steps[decision.step].hold
    elif decision.phase is Phase.GUARDING:
        moment = since + observed.guard
    else:
        return None
    return moment if observed.frozen_until is None else max(moment, observed.frozen_until)


def answer_by(observed: Observed, decision: Decision, since: datetime) -> datetime | None:
    """Return when a pause that waits for a person goes back; None where nobody is waited for."""
    asking = decision.phase is Phase.PAUSED and decision.reason in ASKING
    if find_waiting(observed) is not None:  # somebody has answered
        return None
    return since + observed.approval_deadline if asking else None
