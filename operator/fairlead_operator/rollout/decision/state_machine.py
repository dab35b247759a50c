"""The rollout state machine: what was seen in, what should be true out.

    From                When                                            To
    Pending             another's turn, no gateway, doubt, a freeze,    Pending
                        host names of its that are another's
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
    any in traffic      what it goes by cannot be read any more         Paused until it can
    Paused              a person approved, or the doubt is gone         on from where it paused
    Paused              a person answered, and doubt or a freeze holds  Paused until that is over
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
from typing import Final, assert_never

from fairlead_operator.api.base import to_duration
from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.requests import Action, Answer, Request
from fairlead_operator.rollout.decision.causes import drop_bad_arms, rollback_cause, wished_back
from fairlead_operator.rollout.decision.in_trial import while_trying, with_leader
from fairlead_operator.rollout.decision.moves import (
    asked_message,
    asks,
    doubt_cause,
    enter_guard,
    enter_step,
    hold,
    hold_answered,
    hold_in_doubt,
    hold_invalid,
    roll_back,
    stay_in_doubt,
    stop_cause,
    succeed,
)
from fairlead_operator.rollout.decision.pending import while_pending, while_replacing
from fairlead_operator.rollout.decision.pods_first import hold_for_pods
from fairlead_operator.rollout.decision.refusals import answer_requests, find_waiting
from fairlead_operator.rollout.decision.states import (
    ASKING,
    Cause,
    Decision,
    Health,
    Observed,
    in_seconds,
    is_finished,
    no_traffic,
    reported,
    within_steps,
)

_BACK: Final = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})
_MEASURED: Final = "for the next measurement"


def decide(observed: Observed) -> Decision:
    """Choose the next state, and say what became of people's requests."""
    observed = drop_bad_arms(within_steps(observed))
    wish, answers = answer_requests(observed)
    decision = _next(observed, wish)
    held = hold_for_pods(observed, decision)
    if held is not None:
        if wish is not None and asks(observed):  # nor is the question forgotten meanwhile
            kept = hold_answered(observed, wish, held.message)
            held = dataclasses.replace(held, reason=kept.reason, message=kept.message)
        decision, wish = held, None  # what a person asks is answered once it can be done
    if wish is not None:
        accepted = Answer(request=wish, accepted=True, message=decision.message)
        answers = (accepted, *answers)
    return dataclasses.replace(
        decision,
        winner=decision.winner or observed.winner,
        dropped=tuple(
            (arm.version, arm.dropped) for arm in observed.arms if arm.dropped is not None
        ),
        answers=answers,
    )


def is_taken_back(observed: Observed) -> bool:
    """Tell whether a person, an alert or the guard takes a candidate back, whatever checks say."""
    if observed.phase is Phase.ROLLING_BACK or is_finished(observed.phase):
        return False
    wish, _ = answer_requests(observed)
    accused = any(arm.alert is not None or arm.tripped is not None for arm in observed.playing)
    if wished_back(observed, wish) is None and not accused:
        return False
    decision = decide(observed)
    dropped = [arm for arm in observed.arms if arm.dropped is not None]
    return decision.phase in _BACK or len(decision.dropped) > len(dropped)


def _next(observed: Observed, wish: Request | None) -> Decision:
    """Choose the next state; every phase has exactly one branch."""
    match observed.phase:
        case Phase.PENDING:
            return while_pending(observed, wish)
        case Phase.REPLACING:
            return while_replacing(observed, wish)
        case Phase.PROGRESSING:
            return _before_plan(observed, wish) or _while_progressing(observed)
        case Phase.PAUSED:
            return _before_plan(observed, wish) or _while_paused(observed, wish)
        case Phase.GUARDING:
            return _before_plan(observed, wish) or _while_guarding(observed)
        case Phase.ROLLING_BACK:
            return _while_rolling_back(observed)
        case Phase.ROLLED_BACK | Phase.SUCCEEDED:
            return hold(observed, observed.reason, observed.message)
    assert_never(observed.phase)


def _before_plan(observed: Observed, wish: Request | None) -> Decision | None:
    """Decide what comes before the plan wherever there is traffic; None where that goes on."""
    return _by_cause_or_wish(observed, wish) or hold_invalid(observed)


def _by_cause_or_wish(observed: Observed, wish: Request | None) -> Decision | None:
    """Decide what comes first wherever there is traffic: going back, then what people want."""
    cause = wished_back(observed, wish) or rollback_cause(observed)
    if cause is not None:
        return roll_back(observed, cause)
    if wish is not None and wish.action is Action.SUPERSEDE:
        version = observed.playing[0].version
        return succeed(
            observed, f"{version}, to which a person went back, makes way for {wish.text}"
        )
    if wish is not None and wish.action is Action.PAUSE:
        message = (
            f"paused by request ({wish.describe()}): `fairlead resume MODEL` goes on; "
            f"{_back_without_answer(observed)}"
        )
        return dataclasses.replace(
            hold(observed, Reason.PAUSED_BY_REQUEST, message), phase=Phase.PAUSED, restart=True
        )
    if wish is not None and wish.action is Action.PROMOTE:
        message = f"promoted by request ({wish.describe()})"
        guarded = observed.step >= len(observed.steps)
        return (
            succeed(observed, message) if guarded else enter_guard(with_leader(observed), message)
        )
    return None


def _while_progressing(observed: Observed) -> Decision:
    step = observed.steps[observed.step]
    if step.trial is not None:
        return while_trying(observed, step)
    stop = stop_cause(observed)
    if stop is not None:
        return hold(observed, stop.reason, stop.message)
    doubt = doubt_cause(observed)
    if doubt is not None:
        reason = doubt.reason
        if reason is Reason.ANALYSIS_INCONCLUSIVE and observed.waited < step.hold:
            reason = Reason.STEP_HOLDING  # evidence is not due yet
        return hold_in_doubt(observed, reason, doubt.message)
    if observed.waited < step.hold:
        return hold(observed, Reason.STEP_HOLDING, observed.candidate.verdict_message)
    if step.pause:
        message = (
            f"step {observed.step + 1} of {len(observed.steps)} held and waits for approval: "
            f"`fairlead approve MODEL` goes on; {_back_without_answer(observed)}"
        )
        return dataclasses.replace(
            hold(observed, Reason.AWAITING_APPROVAL, message), phase=Phase.PAUSED
        )
    return _after_step(observed)


def _while_paused(observed: Observed, wish: Request | None) -> Decision:
    if observed.reason in ASKING and wish is None:
        if (answer := find_waiting(observed)) is not None:  # which no deadline makes undone
            against = stop_cause(observed) or doubt_cause(observed)
            return hold_answered(observed, answer, against.message if against else _MEASURED)
        if observed.waited > observed.approval_deadline:
            waited = f"nobody answered within {to_duration(observed.approval_deadline)}"
            late = f"{waited} (approvalDeadline)"
            return roll_back(
                observed, Cause(reason=Reason.APPROVAL_DEADLINE_EXCEEDED, message=late)
            )
        return hold(observed, observed.reason, asked_message(observed))
    if observed.reason is Reason.AWAITING_APPROVAL:
        return _after_step(observed)
    if observed.reason is Reason.TRIAL_UNDECIDED and wish is not None:
        return enter_guard(with_leader(observed), f"approved though undecided ({wish.describe()})")
    doubt = stop_cause(observed) or doubt_cause(observed)
    if doubt is None or wish is not None:
        # Not onwards: the present step begins anew and must hold in full.
        phase = Phase.GUARDING if observed.step == len(observed.steps) else Phase.PROGRESSING
        reason = Reason.GUARD_STARTED if phase is Phase.GUARDING else Reason.STEP_STARTED
        held = hold(observed, reason, "")
        anew = "guard window" if phase is Phase.GUARDING else "step"
        message = f"going on with {held.weight} %; the {anew} begins anew"
        return dataclasses.replace(held, phase=phase, message=message, restart=True)
    return stay_in_doubt(hold(observed, doubt.reason, doubt.message))


def _while_guarding(observed: Observed) -> Decision:
    doubt = doubt_cause(observed)
    if observed.waited < observed.guard:
        if doubt is None or doubt.reason is Reason.ANALYSIS_INCONCLUSIVE:
            # Evidence is not due yet.
            held = hold(observed, Reason.GUARD_HOLDING, observed.candidate.verdict_message)
        else:
            held = hold(observed, doubt.reason, doubt.message)
        return dataclasses.replace(held, doubtful=doubt is not None)
    stop = stop_cause(observed)
    if stop is not None:
        return hold(observed, stop.reason, stop.message)
    if doubt is not None:
        return hold_in_doubt(observed, doubt.reason, doubt.message)
    return succeed(
        observed,
        f"guard window of {in_seconds(observed.guard)} passed: "
        f"{observed.candidate.verdict_message}",
    )


def _while_rolling_back(observed: Observed) -> Decision:
    """Be back when no gateway pod sends traffic and, after a downtime, the stable one answers."""
    stable_back = (
        not observed.exclusive or observed.stable is None or observed.stable.health is Health.READY
    )
    none_left = reported(observed, no_traffic(observed))
    phase = Phase.ROLLED_BACK if none_left and stable_back else Phase.ROLLING_BACK
    return dataclasses.replace(hold(observed, observed.reason, observed.message), phase=phase)


def _after_step(observed: Observed) -> Decision:
    if observed.step + 1 < len(observed.steps):
        return enter_step(observed, observed.step + 1)
    window = f"guard window of {in_seconds(observed.guard)} begins, in which it can still go back"
    return enter_guard(observed, f"all traffic; the {window}")


def _back_without_answer(observed: Observed) -> str:
    return f"without an answer within {to_duration(observed.approval_deadline)} it goes back"
