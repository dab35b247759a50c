"""Which of a person's requests apply now, and why another does not.  Pure.

One is accepted at a look; the rest are judged again in the state it leads to.  A
request that fits but must wait for evidence or for the gateway is not answered
yet: its annotation stays, and is looked at again.
"""

from typing import Final, assert_never

from fairlead_operator.requests import Action, Answer, Request
from fairlead_operator.rollout.decision.causes import rollback_cause
from fairlead_operator.rollout.decision.states import (
    Health,
    Observed,
    Phase,
    Reason,
    is_finished,
    present_shares,
    reported,
)
from fairlead_operator.rollout.statistics.verdict import Verdict

_LATER: Final = "later"  # neither accepted nor refused yet
_ENDED: Final = "the rollout has ended; create another Rollout, or pin a version in the Model"
_DECISIONS: Final = frozenset({Reason.AWAITING_APPROVAL, Reason.TRIAL_UNDECIDED})


def answer_requests(seen: Observed) -> tuple[Request | None, tuple[Answer, ...]]:
    """The request to act on, and those that are refused with the reason."""
    accepted, refused = None, []
    for request in seen.requests:
        refusal = _refusal(request.action, seen)
        if refusal is None and accepted is None:
            accepted = request
        elif refusal is not None and refusal != _LATER:
            refused.append(Answer(request=request, accepted=False, message=refusal))
    return accepted, tuple(refused)


def _refusal(action: Action, seen: Observed) -> str | None:
    """Why the request does not apply; None when it does."""
    if is_finished(seen.phase):
        return _ENDED
    if seen.phase is Phase.ROLLING_BACK:
        return f"the rollout is going back already ({seen.reason})"
    cause = rollback_cause(seen)
    if cause is not None and action is not Action.ABORT:
        return f"the candidate goes back ({cause.reason}: {cause.message})"
    match action:
        case Action.ABORT:
            return None
        case Action.PAUSE:
            return _refuse_pause(seen)
        case Action.PROMOTE:
            return _refuse_promote(seen)
        case Action.APPROVE:
            return _refuse_approve(seen)
        case Action.RESUME:
            return _refuse_resume(seen)
        case Action.RETRAIN | Action.RETRY:
            return f"{action} is asked of a Model, not of a Rollout"
    assert_never(action)


def _refuse_pause(seen: Observed) -> str | None:
    if seen.phase in {Phase.PENDING, Phase.REPLACING}:
        return "the candidate has no traffic yet; abort takes it back"
    if seen.phase is Phase.PAUSED and seen.reason is Reason.PAUSED_BY_REQUEST:
        return "the rollout is paused already"
    return None


def _refuse_promote(seen: Observed) -> str | None:
    candidate = seen.candidate
    if seen.phase in {Phase.PENDING, Phase.REPLACING}:
        return "the candidate has no traffic yet; ask again after its first step began"
    if seen.suspended:
        return "the Model is suspended"
    if seen.frozen is not None:
        return seen.frozen
    if candidate.health is not Health.READY:
        return f"the candidate is not ready: {candidate.message}"
    return None if reported(seen, present_shares(seen)) else _LATER


def _refuse_approve(seen: Observed) -> str | None:
    if seen.phase is not Phase.PAUSED:
        return "nothing waits for an approval now"
    if seen.reason is Reason.PAUSED_BY_REQUEST:
        return "the rollout was paused by request; resume it"
    if seen.reason in _DECISIONS:
        return _LATER if _must_wait(seen) else None
    return None


def _must_wait(seen: Observed) -> bool:
    """Whether an approval meets doubt: it widens nothing until that is gone."""
    stopped = seen.suspended or seen.frozen is not None
    proven = seen.candidate.verdict is Verdict.SUCCESSFUL or seen.reason is Reason.TRIAL_UNDECIDED
    ready = seen.candidate.health is Health.READY and reported(seen, present_shares(seen))
    return stopped or not proven or not ready


def _refuse_resume(seen: Observed) -> str | None:
    if seen.phase is not Phase.PAUSED:
        return "the rollout is not paused"
    if seen.reason is Reason.AWAITING_APPROVAL:
        return "the rollout waits for an approval, not for a resume; approve it"
    if seen.reason is Reason.TRIAL_UNDECIDED:
        return "the trial is over and undecided; approve or promote the leader, or abort"
    return None
