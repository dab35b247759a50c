"""Which of a person's requests apply now, and why another does not.  Pure.

One is accepted at a look; the rest are judged again in the state it leads to.  A
request that fits but must wait for evidence or for the gateway is not answered
yet: its annotation stays, and is looked at again.
"""

import re
from typing import Final, assert_never

from fairlead_operator.api.base import VERSION_PATTERN
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase, Reason, Verdict
from fairlead_operator.requests import Action, Answer, Request, Word
from fairlead_operator.rollout.decision.causes import rollback_cause
from fairlead_operator.rollout.decision.moves import SUSPENDED
from fairlead_operator.rollout.decision.states import (
    Health,
    Observed,
    has_all_traffic,
    is_finished,
    present_shares,
    reported,
)
from fairlead_operator.text import shorten

_ENDED: Final = "the rollout has ended; create another Rollout, or pin a version in the Model"
_GOING_BACK: Final = frozenset({Action.ABORT, Action.SUPERSEDE})
_GOING_ON: Final = frozenset({Action.PROMOTE, Action.APPROVE, Action.RESUME})
_DECISIONS: Final = frozenset({Reason.AWAITING_APPROVAL, Reason.TRIAL_UNDECIDED})


def answer_requests(observed: Observed) -> tuple[Request | None, tuple[Answer, ...]]:
    """Return the request to act on, and those that are refused with the reason."""
    accepted, refused = None, []
    for request in observed.requests:
        refusal = _refusal(request, observed)
        if refusal is not None:
            refused.append(Answer(request=request, accepted=False, message=refusal))
        elif accepted is None and not _must_wait(request.action, observed):
            accepted = request
    return accepted, tuple(refused)


def find_waiting(observed: Observed) -> Request | None:
    """Return what a person asked for that fits, and waits until nothing is against it."""
    return next(
        (
            request
            for request in observed.requests
            if request.action in _GOING_ON
            and _refusal(request, observed) is None
            and _must_wait(request.action, observed)
        ),
        None,
    )


def _refusal(request: Request, observed: Observed) -> str | None:
    """Say why the request does not apply; None when it does, now or later."""
    if is_finished(observed.phase):
        return _ENDED
    if observed.phase is Phase.ROLLING_BACK:
        return f"the rollout is going back already ({observed.reason})"
    cause = rollback_cause(observed)
    if cause is not None and request.action not in _GOING_BACK:
        return f"the candidate goes back ({cause.reason}: {cause.message})"
    if observed.invalid is not None and request.action in _GOING_ON:
        return f"{shorten(observed.invalid, 700)}; correct that first"
    return _refusal_in_flight(request, observed)


def _refusal_in_flight(request: Request, observed: Observed) -> str | None:
    """Say why the request does not fit the present phase; None when it does."""
    action = request.action
    match action:
        case Action.ABORT:
            return None
        case Action.SUPERSEDE:
            return _refuse_supersede(request.text, observed)
        case Action.PAUSE:
            return _refuse_pause(observed)
        case Action.PROMOTE:
            return _refuse_promote(request, observed)
        case Action.APPROVE:
            return _refuse_approve(observed)
        case Action.RESUME:
            return _refuse_resume(observed)
        case Action.RETRAIN | Action.RETRY:
            return f"{action} is asked of a Model, not of a Rollout"
    assert_never(action)


def _refuse_pause(observed: Observed) -> str | None:
    if observed.phase in BEFORE_TRAFFIC:
        return "the candidate has no traffic yet; abort takes it back"
    if observed.phase is Phase.PAUSED and observed.reason is Reason.PAUSED_BY_REQUEST:
        return "the rollout is paused already"
    return None


def _refuse_promote(request: Request, observed: Observed) -> str | None:
    """Say why nobody promotes now; asking twice is asking once, so it ends no guard window."""
    candidate = observed.candidate
    if observed.phase in BEFORE_TRAFFIC:
        return "the candidate has no traffic yet; ask again after its first step began"
    if observed.suspended:
        return SUSPENDED
    if observed.frozen is not None:
        return observed.frozen
    if candidate.health is not Health.READY:
        return f"the candidate is not ready: {candidate.message}"
    if observed.step >= len(observed.steps):
        if Word.END_GUARD in request.words:
            return None
        return (
            f"{candidate.version} has all traffic already, and its guard window goes on; "
            f"`fairlead promote MODEL {Word.END_GUARD}` ends it"
        )
    if not observed.measured and Word.UNMEASURED not in request.words:
        return (
            f"no request of {candidate.version} was measured yet; `fairlead promote MODEL "
            f"{Word.UNMEASURED}` promotes it all the same"
        )
    return None


def _refuse_approve(observed: Observed) -> str | None:
    if observed.phase is not Phase.PAUSED:
        return "nothing waits for an approval now"
    if observed.reason is Reason.PAUSED_BY_REQUEST:
        return "the rollout was paused by request; resume it"
    return None


def _refuse_supersede(version: str, observed: Observed) -> str | None:
    if re.fullmatch(VERSION_PATTERN, version) is None:
        return "it must name the version to make way for, for example 1.2.0; to go back, use abort"
    # A trial makes way for one of its candidates, too, that is to be tried without the others.
    if [arm.version for arm in observed.playing] == [version]:
        return f"{version} is the candidate of this rollout"
    return None


def _must_wait(action: Action, observed: Observed) -> bool:
    """Tell whether a request that applies must wait: it widens nothing while there is doubt."""
    match action:
        case Action.PROMOTE:
            return not reported(observed, present_shares(observed))
        case Action.APPROVE:
            return observed.reason in _DECISIONS and _is_doubtful(observed)
        case Action.SUPERSEDE:
            return observed.returned and not _has_arrived(observed)
    return False


def _has_arrived(observed: Observed) -> bool:
    """Tell whether what a person went back to has all traffic, or cannot come to it."""
    if observed.phase is Phase.PENDING and not observed.goes_back:
        return observed.problem is not None  # that has no deadline, and no traffic has moved
    stopped = observed.suspended or observed.frozen is not None
    ready = observed.candidate.health is Health.READY and reported(
        observed, present_shares(observed)
    )
    return has_all_traffic(observed) and ready and not stopped


def _is_doubtful(observed: Observed) -> bool:
    """Tell whether anything speaks against going on now."""
    stopped = observed.suspended or observed.frozen is not None
    proven = (
        observed.candidate.verdict is Verdict.SUCCESSFUL
        or observed.reason is Reason.TRIAL_UNDECIDED
    )
    ready = observed.candidate.health is Health.READY and reported(
        observed, present_shares(observed)
    )
    return stopped or not proven or not ready


def _refuse_resume(observed: Observed) -> str | None:
    if observed.phase is not Phase.PAUSED:
        return "the rollout is not paused"
    if observed.reason is Reason.AWAITING_APPROVAL:
        return "the rollout waits for an approval, not for a resume; approve it"
    if observed.reason is Reason.TRIAL_UNDECIDED:
        return "the trial is over and undecided; approve or promote the leader, or abort"
    return None
