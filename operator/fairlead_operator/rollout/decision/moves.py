"""The decisions that every phase chooses among, and what stands against the next step.  Pure."""

import dataclasses
from typing import Final, assert_never

from fairlead_contract.cluster import GATEWAY
from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Request
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.states import (
    ASKING,
    Cause,
    Decision,
    Health,
    Observed,
    all_traffic,
    in_seconds,
    no_traffic,
    present_shares,
    reported,
    step_shares,
)
from fairlead_operator.text import shorten

SUSPENDED: Final = "the Model is suspended; set spec.suspend to false to go on"
# Between what a person's answer waits for, and what it answers.
_ANSWERED: Final = "; it is carried out as soon as that is over; "
_IN_DOUBT_OF_SPEC: Final = (
    "the traffic stays as it is until that is corrected; `fairlead abort MODEL` goes back, and so "
    "do alerts, failed checks and the fast guard"
)
_IN_DOUBT: Final = (
    "paused in doubt: it goes on by itself with clear evidence, or with `fairlead resume MODEL`; "
    "`fairlead abort MODEL` goes back"
)


def stop_cause(observed: Observed) -> Cause | None:
    """Say why nothing may widen though nothing is in doubt; the clock of patience stands still."""
    if observed.suspended:
        return Cause(reason=Reason.SUSPENDED, message=SUSPENDED)
    if observed.frozen is not None:
        return Cause(reason=Reason.FROZEN, message=observed.frozen)
    return None


def doubt_cause(observed: Observed) -> Cause | None:
    """Say why the evidence does not allow more traffic; None when it does."""
    candidate = observed.candidate
    if candidate.health is not Health.READY:
        return Cause(reason=Reason.CANDIDATE_NOT_READY, message=candidate.message)
    shares = present_shares(observed)
    if not reported(observed, shares):
        wanted = " and ".join(f"{share} % to {version}" for version, share in shares)
        why = observed.gateway.message or f"if it stays so, look at the pods of {GATEWAY}"
        message = f"not every gateway gives {wanted} yet; {why}"
        return Cause(reason=Reason.WAITING_FOR_GATEWAY, message=message)
    if observed.present is not None and observed.present.trial is not None:
        return None  # the trial has a test of its own; the checks need not be convinced
    match candidate.verdict:
        case Verdict.SUCCESSFUL:
            return None
        case Verdict.INCONCLUSIVE | Verdict.ERROR | Verdict.FAILED:
            return Cause(reason=Reason.ANALYSIS_INCONCLUSIVE, message=candidate.verdict_message)
    assert_never(candidate.verdict)


def hold(observed: Observed, reason: Reason, message: str) -> Decision:
    """Keep the present phase, step, shares and copies."""
    return Decision(
        phase=observed.phase,
        step=observed.step,
        shares=present_shares(observed),
        mirror=observed.present.mirror if observed.present else 0,
        reason=reason,
        message=message,
    )


def hold_answered(observed: Observed, answer: Request, why: str) -> Decision:
    """Keep the pause that a person has ended, while something keeps it from going on."""
    said = f"{answer.action} ({shorten(answer.describe(), 200)}) waits: {shorten(why, 300)}"
    return hold(observed, observed.reason, f"{said}{_ANSWERED}{asked_message(observed)}")


def asked_message(observed: Observed) -> str:
    """Return what the person is asked, without an answer that waited at the last look."""
    return observed.message.rpartition(_ANSWERED)[2]


def asks(observed: Observed) -> bool:
    """Tell whether it waits for a person's answer."""
    return observed.phase is Phase.PAUSED and observed.reason in ASKING


def hold_in_doubt(observed: Observed, reason: Reason, message: str) -> Decision:
    """Hold the weight; once patience is over, pause until a person or evidence comes."""
    held = dataclasses.replace(hold(observed, reason, message), doubtful=True)
    if observed.doubt_since is not None and observed.now - observed.doubt_since > observed.patience:
        return stay_in_doubt(held)
    return held


def stay_in_doubt(held: Decision) -> Decision:
    """Pause until a person or evidence comes."""
    message = f"{held.message}; {_IN_DOUBT}"
    return dataclasses.replace(held, phase=Phase.PAUSED, message=message, doubtful=True)


def hold_invalid(observed: Observed) -> Decision | None:
    """Pause while what the rollout goes by cannot be read; None while it can.

    Who waits for a person goes on waiting, with the deadline that there is.
    """
    if observed.invalid is None or asks(observed):
        return None
    held = hold(
        observed, Reason.INVALID_SPEC, f"{shorten(observed.invalid, 700)}; {_IN_DOUBT_OF_SPEC}"
    )
    return dataclasses.replace(held, phase=Phase.PAUSED, doubtful=True)


def enter_step(observed: Observed, index: int) -> Decision:
    """Begin a step."""
    step = observed.steps[index]
    if step.trial is not None:
        return _enter_trial(observed, index, step.trial.name)
    return Decision(
        phase=Phase.PROGRESSING,
        step=index,
        shares=step_shares(observed, step),
        mirror=step.mirror,
        reason=Reason.STEP_STARTED,
        message=f"step {index + 1} of {len(observed.steps)}: {step.weight} %{_copies(step)} for "
        f"{in_seconds(step.hold)}",
    )


def _enter_trial(observed: Observed, index: int, name: str) -> Decision:
    """Give all candidates their first shares at once."""
    step = observed.steps[index]
    shares = step_shares(observed, step)
    split = ", ".join(f"{share} % to {version}" for version, share in shares)
    return Decision(
        phase=Phase.PROGRESSING,
        step=index,
        shares=shares,
        mirror=step.mirror,
        reason=Reason.STEP_STARTED,
        message=f"{name} with {split}{_copies(step)}, for at most {in_seconds(step.hold)}",
    )


def _copies(step: Step) -> str:
    return f" and copies of {step.mirror} %" if step.mirror else ""


def enter_guard(observed: Observed, message: str) -> Decision:
    return Decision(
        phase=Phase.GUARDING,
        step=len(observed.steps),
        shares=all_traffic(observed),
        reason=Reason.GUARD_STARTED,
        message=message,
        winner=observed.winner,
    )


def succeed(observed: Observed, message: str) -> Decision:
    return Decision(
        phase=Phase.SUCCEEDED,
        step=len(observed.steps),
        shares=all_traffic(observed),
        reason=Reason.PROMOTED,
        message=message,
    )


def roll_back(observed: Observed, cause: Cause) -> Decision:
    if observed.stable is None:  # unreachable by the table above; there is nothing to go back to
        return hold(observed, cause.reason, cause.message)
    return Decision(
        phase=Phase.ROLLING_BACK,
        step=observed.step,
        shares=no_traffic(observed),
        reason=cause.reason,
        message=cause.message,
    )
