"""The rollout state machine: what was seen in, what should be true out.

    From                When                                            To
    Pending             it is another Rollout's turn, doubt, a freeze   Pending
    Pending             the candidate is ready, a stable version is     Progressing, first step
    Pending             recreate: its turn has come                     Replacing, downtime begins
    Pending             the candidate is ready, nothing is stable yet   Succeeded
    Pending             the candidate failed, or is late                RolledBack, no traffic taken
    Replacing           stable is gone and the candidate is ready       Guarding, all traffic
    Replacing           the candidate failed, or is late                RollingBack
    Progressing         the step held and the analysis succeeded        Progressing, next step
    Progressing         the same, and the step asks for approval        Paused
    Progressing         the last step held                              Guarding, all traffic
    Progressing         no clear verdict for longer than patience       Paused
    Paused              a person approved, or the doubt is gone         on from where it paused
    Paused              nobody answered for longer than the deadline    RollingBack
    Guarding            the guard window passed with good evidence      Succeeded
    any in traffic      a person pauses                                 Paused until resumed
    any in traffic      a person promotes                               Guarding; from there the end
    any in traffic      analysis failed, alert, guard, crash, abort     RollingBack
    RollingBack         every gateway pod reports no traffic            RolledBack

One machine for every strategy: ``plan.py`` compiles a policy into the steps.
Pure: no cluster, no clock, no log.  Doubt never widens traffic: only
``Verdict.SUCCESSFUL`` or a person's promotion leads to a larger weight, and only
of a ready candidate that every gateway pod already gives the present one.
``pending.py`` has what comes before traffic, ``causes.py`` what takes it back.
"""

import dataclasses
from typing import assert_never

from fairlead_operator.requests import Action, Answer, Request
from fairlead_operator.rollout.analysis import Verdict
from fairlead_operator.rollout.answers import answer_requests
from fairlead_operator.rollout.causes import drop_bad_arms, rollback_cause
from fairlead_operator.rollout.pending import (
    SUSPENDED,
    enter_step,
    while_pending,
    while_replacing,
)
from fairlead_operator.rollout.states import (
    Cause,
    Decision,
    Health,
    Observed,
    Phase,
    Reason,
    all_traffic,
    in_seconds,
    no_traffic,
    present_shares,
    reported,
)


def decide(seen: Observed) -> Decision:
    """Choose the next state, and say what became of people's requests."""
    seen = drop_bad_arms(_within_steps(seen))
    wish, answers = answer_requests(seen)
    decision = _next(seen, wish)
    if wish is not None:
        accepted = Answer(request=wish, accepted=True, message=decision.message)
        answers = (accepted, *answers)
    return dataclasses.replace(
        decision,
        winner=decision.winner or seen.winner,
        dropped=tuple((arm.version, arm.dropped) for arm in seen.arms if arm.dropped is not None),
        answers=answers,
    )


def _next(seen: Observed, wish: Request | None) -> Decision:
    """Total: every phase has exactly one branch."""
    match seen.phase:
        case Phase.PENDING:
            return while_pending(seen, wish)
        case Phase.REPLACING:
            return while_replacing(seen, wish)
        case Phase.PROGRESSING:
            return _by_cause_or_wish(seen, wish) or _while_progressing(seen)
        case Phase.PAUSED:
            return _by_cause_or_wish(seen, wish) or _while_paused(seen, wish)
        case Phase.GUARDING:
            return _by_cause_or_wish(seen, wish) or _while_guarding(seen)
        case Phase.ROLLING_BACK:
            return _while_rolling_back(seen)
        case Phase.ROLLED_BACK | Phase.SUCCEEDED:
            return _hold(seen, seen.reason, seen.message)
    assert_never(seen.phase)


def _within_steps(seen: Observed) -> Observed:
    """A policy edited in flight may have fewer steps than were taken."""
    last = len(seen.steps) - (seen.phase is Phase.PROGRESSING)
    return dataclasses.replace(seen, step=min(seen.step, last))


def _by_cause_or_wish(seen: Observed, wish: Request | None) -> Decision | None:
    """What comes first wherever the candidate has traffic: going back, then what people want."""
    if wish is not None and wish.action is Action.ABORT:
        return _roll_back(seen, Cause(reason=Reason.ABORTED, message=wish.describe()))
    cause = rollback_cause(seen)
    if cause is not None:
        return _roll_back(seen, cause)
    if wish is not None and wish.action is Action.PAUSE:
        message = f"paused by request ({wish.describe()}); resume to go on"
        return dataclasses.replace(
            _hold(seen, Reason.PAUSED_BY_REQUEST, message), phase=Phase.PAUSED, restart=True
        )
    if wish is not None and wish.action is Action.PROMOTE:
        message = f"promoted by request ({wish.describe()})"
        guarded = seen.step >= len(seen.steps)
        return _succeed(seen, message) if guarded else _enter_guard(seen, message)
    return None


def _while_progressing(seen: Observed) -> Decision:
    step = seen.steps[seen.step]
    stop = _stop(seen)
    if stop is not None:
        return _hold(seen, stop.reason, stop.message)
    doubt = _doubt(seen)
    if doubt is not None:
        reason = doubt.reason
        if reason is Reason.ANALYSIS_INCONCLUSIVE and seen.waited < step.hold:
            reason = Reason.STEP_HOLDING  # evidence is not due yet
        return _hold_in_doubt(seen, reason, doubt.message)
    if seen.waited < step.hold:
        return _hold(seen, Reason.STEP_HOLDING, seen.candidate.verdict_message)
    if step.pause:
        return dataclasses.replace(
            _hold(seen, Reason.AWAITING_APPROVAL, f"step {seen.step + 1} held; approve to go on"),
            phase=Phase.PAUSED,
        )
    return _after_step(seen)


def _while_paused(seen: Observed, wish: Request | None) -> Decision:
    asked = seen.reason in {Reason.AWAITING_APPROVAL, Reason.PAUSED_BY_REQUEST}
    if asked and wish is None:
        if seen.waited > seen.approval_deadline:
            waited = f"nobody answered within {in_seconds(seen.approval_deadline)}"
            return _roll_back(seen, Cause(reason=Reason.APPROVAL_DEADLINE_EXCEEDED, message=waited))
        return _hold(seen, seen.reason, seen.message)
    if seen.reason is Reason.AWAITING_APPROVAL:
        return _after_step(seen)
    doubt = _stop(seen) or _doubt(seen)
    if doubt is None or wish is not None:
        # Not onwards: the present step begins anew and must hold in full.
        phase = Phase.GUARDING if seen.step == len(seen.steps) else Phase.PROGRESSING
        reason = Reason.GUARD_STARTED if phase is Phase.GUARDING else Reason.STEP_STARTED
        held = _hold(seen, reason, "")
        message = f"going on with {held.weight} %"
        return dataclasses.replace(held, phase=phase, message=message, restart=True)
    return dataclasses.replace(_hold(seen, doubt.reason, doubt.message), doubtful=True)


def _while_guarding(seen: Observed) -> Decision:
    doubt = _doubt(seen)
    if seen.waited < seen.guard:
        if doubt is None or doubt.reason is Reason.ANALYSIS_INCONCLUSIVE:
            # Evidence is not due yet.
            held = _hold(seen, Reason.GUARD_HOLDING, seen.candidate.verdict_message)
        else:
            held = _hold(seen, doubt.reason, doubt.message)
        return dataclasses.replace(held, doubtful=doubt is not None)
    stop = _stop(seen)
    if stop is not None:
        return _hold(seen, stop.reason, stop.message)
    if doubt is not None:
        return _hold_in_doubt(seen, doubt.reason, doubt.message)
    return _succeed(
        seen, f"guard of {in_seconds(seen.guard)} passed: {seen.candidate.verdict_message}"
    )


def _while_rolling_back(seen: Observed) -> Decision:
    """Back when no gateway pod sends traffic and, after a downtime, the stable version answers."""
    stable_back = not seen.exclusive or seen.stable is None or seen.stable.health is Health.READY
    none_left = reported(seen, no_traffic(seen))
    phase = Phase.ROLLED_BACK if none_left and stable_back else Phase.ROLLING_BACK
    return dataclasses.replace(_hold(seen, seen.reason, seen.message), phase=phase)


def _stop(seen: Observed) -> Cause | None:
    """Why nothing may widen though nothing is in doubt; the clock of patience stands still."""
    if seen.suspended:
        return Cause(reason=Reason.SUSPENDED, message=SUSPENDED)
    if seen.frozen is not None:
        return Cause(reason=Reason.FROZEN, message=seen.frozen)
    return None


def _doubt(seen: Observed) -> Cause | None:
    """Why the evidence does not allow more traffic; None when it does."""
    candidate = seen.candidate
    if candidate.health is not Health.READY:
        return Cause(reason=Reason.CANDIDATE_NOT_READY, message=candidate.message)
    shares = present_shares(seen)
    if not reported(seen, shares):
        wanted = " and ".join(f"{version} {share} %" for version, share in shares)
        message = f"not every gateway pod gives {wanted} yet"
        return Cause(reason=Reason.WAITING_FOR_GATEWAY, message=message)
    match candidate.verdict:
        case Verdict.SUCCESSFUL:
            return None
        case Verdict.INCONCLUSIVE | Verdict.ERROR | Verdict.FAILED:
            return Cause(reason=Reason.ANALYSIS_INCONCLUSIVE, message=candidate.verdict_message)
    assert_never(candidate.verdict)


def _hold_in_doubt(seen: Observed, reason: Reason, message: str) -> Decision:
    """Hold the weight; once patience is over, pause until a person or evidence comes."""
    held = dataclasses.replace(_hold(seen, reason, message), doubtful=True)
    if seen.doubt_since is not None and seen.now - seen.doubt_since > seen.patience:
        return dataclasses.replace(held, phase=Phase.PAUSED)
    return held


def _after_step(seen: Observed) -> Decision:
    if seen.step + 1 < len(seen.steps):
        return enter_step(seen, seen.step + 1)
    back = f"going back stays possible for {in_seconds(seen.guard)}"
    return _enter_guard(seen, f"all traffic; {back}")


def _enter_guard(seen: Observed, message: str) -> Decision:
    return Decision(
        phase=Phase.GUARDING,
        step=len(seen.steps),
        shares=all_traffic(seen),
        reason=Reason.GUARD_STARTED,
        message=message,
    )


def _succeed(seen: Observed, message: str) -> Decision:
    return Decision(
        phase=Phase.SUCCEEDED,
        step=len(seen.steps),
        shares=all_traffic(seen),
        reason=Reason.PROMOTED,
        message=message,
    )


def _roll_back(seen: Observed, cause: Cause) -> Decision:
    if seen.stable is None:  # unreachable by the table above; there is nothing to go back to
        return _hold(seen, cause.reason, cause.message)
    return Decision(
        phase=Phase.ROLLING_BACK,
        step=seen.step,
        shares=no_traffic(seen),
        reason=cause.reason,
        message=cause.message,
    )


def _hold(seen: Observed, reason: Reason, message: str) -> Decision:
    """The present phase, step, shares and copies."""
    return Decision(
        phase=seen.phase,
        step=seen.step,
        shares=present_shares(seen),
        mirror=seen.present.mirror if seen.present else 0,
        reason=reason,
        message=message,
    )
