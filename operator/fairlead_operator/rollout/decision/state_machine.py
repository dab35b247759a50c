"""The rollout state machine: what was seen in, what should be true out.

    From                When                                            To
    Pending             another's turn, no gateway, doubt, a freeze     Pending
    Pending             the candidate is ready, a stable version is     Progressing, first step
    Pending             recreate: its turn has come                     Replacing, downtime begins
    Pending             the candidate is ready, nothing is stable yet   Succeeded
    Pending             the candidate failed, is late, or the gateway   RolledBack, no traffic taken
                        cannot do what the policy asks
    Replacing           stable is gone and the candidate is ready       Guarding, all traffic
    Replacing           the candidate failed, or is late                RollingBack
    Progressing         the step held and the analysis succeeded        Progressing, next step
    any                 the pods for more traffic are not ready         as it is, until they are
    Progressing         the same, and the step asks for approval        Paused
    Progressing         the last step held                              Guarding, all traffic
    Progressing         a trial: a candidate won                        Guarding, all for the winner
    Progressing         a trial: stable won                             RollingBack
    Progressing         a trial: undecided at its end                   Paused, or RollingBack
    Progressing         no clear verdict for longer than patience       Paused
    Paused              a person approved, or the doubt is gone         on from where it paused
    Paused              nobody answered for longer than the deadline    RollingBack
    Guarding            the guard window passed with good evidence      Succeeded
    any in traffic      a person pauses                                 Paused until resumed
    any in traffic      a person promotes                               Guarding
    Guarding            a person ends the guard window                  Succeeded
    any in traffic      another version is the target                   RollingBack
    with all traffic    the same, of what a person went back to         Succeeded
    any in traffic      analysis failed, alert, guard, crash, abort     RollingBack
    RollingBack         every gateway pod reports no traffic            RolledBack

One machine for every strategy: ``plan.py`` compiles a policy into the steps.
Pure: no cluster, no clock, no log.  Doubt never widens traffic: only
``Verdict.SUCCESSFUL``, a trial's own test or a person's promotion leads to a
larger weight, and only of a ready candidate that every gateway pod already gives
the present one.  ``pending.py`` has what comes before traffic, ``in_trial.py`` the
trial of an A/B test or a bandit, ``causes.py`` what takes traffic back, and
``moves.py`` the decisions that all of them choose among.
"""

import dataclasses
from typing import assert_never

from fairlead_operator.api.base import to_duration
from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.requests import Action, Answer, Request
from fairlead_operator.rollout.decision.causes import drop_bad_arms, rollback_cause, wished_back
from fairlead_operator.rollout.decision.in_trial import while_trying, with_leader
from fairlead_operator.rollout.decision.moves import (
    doubt_cause,
    enter_guard,
    enter_step,
    hold,
    hold_in_doubt,
    roll_back,
    stay_in_doubt,
    stop_cause,
    succeed,
)
from fairlead_operator.rollout.decision.pending import while_pending, while_replacing
from fairlead_operator.rollout.decision.pods_first import hold_for_pods
from fairlead_operator.rollout.decision.refusals import answer_requests
from fairlead_operator.rollout.decision.states import (
    ASKING,
    Cause,
    Decision,
    Health,
    Observed,
    in_seconds,
    no_traffic,
    reported,
)


def decide(seen: Observed) -> Decision:
    """Choose the next state, and say what became of people's requests."""
    seen = drop_bad_arms(_within_steps(seen))
    wish, answers = answer_requests(seen)
    decision = _next(seen, wish)
    held = hold_for_pods(seen, decision)
    if held is not None:
        decision, wish = held, None  # what a person asks is answered once it can be done
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
    """Choose the next state; every phase has exactly one branch."""
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
            return hold(seen, seen.reason, seen.message)
    assert_never(seen.phase)


def _within_steps(seen: Observed) -> Observed:
    """Cut the step to those there are: a policy edited in flight may have fewer than were taken.

    Who was paused with less than all traffic was paused in a step, not in the guard window.
    """
    paused_in_step = seen.phase is Phase.PAUSED and sum(arm.asked for arm in seen.arms) < 100
    last = len(seen.steps) - (seen.phase is Phase.PROGRESSING or paused_in_step)
    return dataclasses.replace(seen, step=min(seen.step, last))


def _by_cause_or_wish(seen: Observed, wish: Request | None) -> Decision | None:
    """Decide what comes first wherever there is traffic: going back, then what people want."""
    cause = wished_back(seen, wish) or rollback_cause(seen)
    if cause is not None:
        return roll_back(seen, cause)
    if wish is not None and wish.action is Action.SUPERSEDE:
        version = seen.playing[0].version
        return succeed(seen, f"{version}, to which a person went back, makes way for {wish.text}")
    if wish is not None and wish.action is Action.PAUSE:
        message = (
            f"paused by request ({wish.describe()}): `fairlead resume MODEL` goes on; "
            f"{_back_without_answer(seen)}"
        )
        return dataclasses.replace(
            hold(seen, Reason.PAUSED_BY_REQUEST, message), phase=Phase.PAUSED, restart=True
        )
    if wish is not None and wish.action is Action.PROMOTE:
        message = f"promoted by request ({wish.describe()})"
        guarded = seen.step >= len(seen.steps)
        return succeed(seen, message) if guarded else enter_guard(with_leader(seen), message)
    return None


def _while_progressing(seen: Observed) -> Decision:
    step = seen.steps[seen.step]
    if step.trial is not None:
        return while_trying(seen, step)
    stop = stop_cause(seen)
    if stop is not None:
        return hold(seen, stop.reason, stop.message)
    doubt = doubt_cause(seen)
    if doubt is not None:
        reason = doubt.reason
        if reason is Reason.ANALYSIS_INCONCLUSIVE and seen.waited < step.hold:
            reason = Reason.STEP_HOLDING  # evidence is not due yet
        return hold_in_doubt(seen, reason, doubt.message)
    if seen.waited < step.hold:
        return hold(seen, Reason.STEP_HOLDING, seen.candidate.verdict_message)
    if step.pause:
        message = (
            f"step {seen.step + 1} of {len(seen.steps)} held and waits for approval: "
            f"`fairlead approve MODEL` goes on; {_back_without_answer(seen)}"
        )
        return dataclasses.replace(
            hold(seen, Reason.AWAITING_APPROVAL, message), phase=Phase.PAUSED
        )
    return _after_step(seen)


def _while_paused(seen: Observed, wish: Request | None) -> Decision:
    if seen.reason in ASKING and wish is None:
        if seen.waited > seen.approval_deadline:
            waited = f"nobody answered within {to_duration(seen.approval_deadline)}"
            message = f"{waited} (approvalDeadline)"
            return roll_back(seen, Cause(reason=Reason.APPROVAL_DEADLINE_EXCEEDED, message=message))
        return hold(seen, seen.reason, seen.message)
    if seen.reason is Reason.AWAITING_APPROVAL:
        return _after_step(seen)
    if seen.reason is Reason.TRIAL_UNDECIDED and wish is not None:
        return enter_guard(with_leader(seen), f"approved though undecided ({wish.describe()})")
    doubt = stop_cause(seen) or doubt_cause(seen)
    if doubt is None or wish is not None:
        # Not onwards: the present step begins anew and must hold in full.
        phase = Phase.GUARDING if seen.step == len(seen.steps) else Phase.PROGRESSING
        reason = Reason.GUARD_STARTED if phase is Phase.GUARDING else Reason.STEP_STARTED
        held = hold(seen, reason, "")
        anew = "guard window" if phase is Phase.GUARDING else "step"
        message = f"going on with {held.weight} %; the {anew} begins anew"
        return dataclasses.replace(held, phase=phase, message=message, restart=True)
    return stay_in_doubt(hold(seen, doubt.reason, doubt.message))


def _while_guarding(seen: Observed) -> Decision:
    doubt = doubt_cause(seen)
    if seen.waited < seen.guard:
        if doubt is None or doubt.reason is Reason.ANALYSIS_INCONCLUSIVE:
            # Evidence is not due yet.
            held = hold(seen, Reason.GUARD_HOLDING, seen.candidate.verdict_message)
        else:
            held = hold(seen, doubt.reason, doubt.message)
        return dataclasses.replace(held, doubtful=doubt is not None)
    stop = stop_cause(seen)
    if stop is not None:
        return hold(seen, stop.reason, stop.message)
    if doubt is not None:
        return hold_in_doubt(seen, doubt.reason, doubt.message)
    return succeed(
        seen, f"guard window of {in_seconds(seen.guard)} passed: {seen.candidate.verdict_message}"
    )


def _while_rolling_back(seen: Observed) -> Decision:
    """Be back when no gateway pod sends traffic and, after a downtime, the stable one answers."""
    stable_back = not seen.exclusive or seen.stable is None or seen.stable.health is Health.READY
    none_left = reported(seen, no_traffic(seen))
    phase = Phase.ROLLED_BACK if none_left and stable_back else Phase.ROLLING_BACK
    return dataclasses.replace(hold(seen, seen.reason, seen.message), phase=phase)


def _after_step(seen: Observed) -> Decision:
    if seen.step + 1 < len(seen.steps):
        return enter_step(seen, seen.step + 1)
    window = f"guard window of {in_seconds(seen.guard)} begins, in which it can still go back"
    return enter_guard(seen, f"all traffic; the {window}")


def _back_without_answer(seen: Observed) -> str:
    return f"without an answer within {to_duration(seen.approval_deadline)} it goes back"
