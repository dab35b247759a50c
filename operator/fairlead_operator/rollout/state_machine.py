"""The rollout state machine: what was seen in, what should be true out.

    From                When                                            To
    Pending             it is another Rollout's turn, doubt             Pending
    Pending             the candidate is ready, a stable version is     Progressing, first step
    Pending             the candidate is ready, nothing is stable yet   Succeeded
    Pending             the candidate failed, or is late                RolledBack, no traffic taken
    Progressing         the step held and the analysis succeeded        Progressing, next step
    Progressing         the same, and the step asks for approval        Paused
    Progressing         the last step held                              Guarding, all traffic
    Progressing         no clear verdict for longer than patience       Paused
    Paused              a person approved, or the doubt is gone         on from where it paused
    Guarding            the guard window passed with good evidence      Succeeded
    any but Pending     analysis failed, alert, crash, abort            RollingBack
    RollingBack         every gateway pod reports no traffic            RolledBack

Pure: no cluster, no clock, no log.  ``observe.py`` builds ``Observed``;
``act.py`` makes ``Decision`` true.  A decision names a state to reach and never
a step to take, so carrying one out twice does no harm.  Doubt never widens
traffic: only ``Verdict.SUCCESSFUL`` leads to a larger weight, and only a ready
candidate that every gateway pod already gives the present one.
"""

import dataclasses
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from fairlead_operator.rollout.analysis import Verdict

_SUSPENDED: Final = "the Model is suspended; set spec.suspend to false to go on"


class Phase(StrEnum):
    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    GUARDING = "Guarding"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    SUCCEEDED = "Succeeded"


class Reason(StrEnum):
    """Why the phase is what it is; part of the API, so never renamed."""

    WAITING_FOR_TURN = "WaitingForTurn"
    SUSPENDED = "Suspended"
    WAITING_FOR_REGISTRY = "WaitingForRegistry"
    WAITING_FOR_CANDIDATE = "WaitingForCandidate"
    WAITING_FOR_GATEWAY = "WaitingForGateway"
    CANDIDATE_NOT_READY = "CandidateNotReady"
    STEP_STARTED = "StepStarted"
    STEP_HOLDING = "StepHolding"
    GUARD_STARTED = "GuardStarted"
    GUARD_HOLDING = "GuardHolding"
    ANALYSIS_INCONCLUSIVE = "AnalysisInconclusive"
    AWAITING_APPROVAL = "AwaitingApproval"
    PROMOTED = "Promoted"
    VERSION_NOT_FOUND = "VersionNotFound"
    CANDIDATE_FAILED = "CandidateFailed"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    ANALYSIS_FAILED = "AnalysisFailed"
    ALERT_FIRED = "AlertFired"
    ABORTED = "Aborted"


class Health(StrEnum):
    """What the cluster says of a version's pods."""

    UNKNOWN = "Unknown"  # not found in the registry yet, or not created yet
    STARTING = "Starting"
    READY = "Ready"
    FAILED = "Failed"  # cannot start, or crashes


class Resolution(StrEnum):
    """What the registry says of the candidate."""

    FOUND = "Found"
    MISSING = "Missing"
    UNAVAILABLE = "Unavailable"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    weight: int  # percent of traffic the candidate takes
    hold: timedelta  # how long the step must stay healthy before the next
    pause: bool = False  # wait for approval after the hold


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything a decision may depend on, read once per reconcile."""

    now: datetime
    phase: Phase
    step: int  # index; len(steps) means all traffic
    since: datetime  # when this phase and step were entered
    doubt_since: datetime | None  # since when there is no clear verdict
    reason: Reason  # the last decision's; a rollback keeps its cause to the end
    message: str
    has_turn: bool  # the Model names this Rollout as its current one
    suspended: bool  # the Model is: no traffic is added, going back works
    has_stable: bool  # False for a first version: there is no way back
    resolution: Resolution
    candidate: Health
    candidate_message: str  # what the pods say, for people
    weight: int | None  # what every gateway pod reports; None while one is behind
    verdict: Verdict
    verdict_message: str
    alert: str | None  # what Alertmanager said of the candidate
    abort: str | None  # who asked and why
    approved: bool  # a person approved since the phase was entered
    steps: tuple[Step, ...]
    guard: timedelta
    patience: timedelta  # longest doubt before a person is asked
    start_deadline: timedelta


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state the rollout should be in after this reconcile."""

    phase: Phase
    step: int
    weight: int  # percent for the candidate
    reason: Reason
    message: str
    restart: bool = False  # the same phase and step begin anew: holds count from now
    doubtful: bool = False  # no clear verdict; the clock of patience runs


def decide(seen: Observed) -> Decision:
    """Choose the next state.  Total: every phase has exactly one branch."""
    seen = _within_steps(seen)
    match seen.phase:
        case Phase.PENDING:
            return _while_pending(seen)
        case Phase.PROGRESSING:
            return _rollback_cause(seen) or _while_progressing(seen)
        case Phase.PAUSED:
            return _rollback_cause(seen) or _while_paused(seen)
        case Phase.GUARDING:
            return _rollback_cause(seen) or _while_guarding(seen)
        case Phase.ROLLING_BACK:
            return _while_rolling_back(seen)
        case Phase.ROLLED_BACK:
            return _stay(seen, weight=0)
        case Phase.SUCCEEDED:
            return _stay(seen, weight=100)
    assert_never(seen.phase)


def _within_steps(seen: Observed) -> Observed:
    """A policy edited in flight may have fewer steps than were taken."""
    last = len(seen.steps) - (seen.phase is Phase.PROGRESSING)
    return dataclasses.replace(seen, step=min(seen.step, last))


def is_finished(phase: Phase) -> bool:
    """Whether nothing can move any more."""
    return phase in {Phase.ROLLED_BACK, Phase.SUCCEEDED}


def _while_pending(seen: Observed) -> Decision:
    """No traffic yet, so giving up needs no way back."""
    give_up = _give_up_before_traffic(seen)
    if give_up is not None:
        reason, message = give_up
        return Decision(phase=Phase.ROLLED_BACK, step=0, weight=0, reason=reason, message=message)
    if not seen.has_turn:
        return _wait(seen, Reason.WAITING_FOR_TURN, "waiting for its turn")
    if seen.resolution is not Resolution.FOUND:
        return _wait(seen, Reason.WAITING_FOR_REGISTRY, "the registry does not answer; retrying")
    if seen.candidate is not Health.READY:
        return _wait(seen, Reason.WAITING_FOR_CANDIDATE, seen.candidate_message)
    if seen.suspended:
        return _wait(seen, Reason.SUSPENDED, _SUSPENDED)
    if not seen.has_stable:
        return _enter(seen, len(seen.steps), Phase.SUCCEEDED, Reason.PROMOTED, "first version")
    return _enter_step(seen, 0)


def _give_up_before_traffic(seen: Observed) -> tuple[Reason, str] | None:
    if seen.abort is not None:
        return Reason.ABORTED, seen.abort
    if seen.alert is not None:
        return Reason.ALERT_FIRED, seen.alert
    if seen.resolution is Resolution.MISSING:
        return Reason.VERSION_NOT_FOUND, seen.candidate_message
    if seen.candidate is Health.FAILED:
        return Reason.CANDIDATE_FAILED, seen.candidate_message
    starting = seen.reason is Reason.WAITING_FOR_CANDIDATE and seen.candidate is not Health.READY
    if starting and _waited(seen) > seen.start_deadline:
        return Reason.START_DEADLINE_EXCEEDED, (
            f"not ready after {_seconds(seen.start_deadline)}: {seen.candidate_message}"
        )
    return None


def _rollback_cause(seen: Observed) -> Decision | None:
    """The evidence against the candidate, strongest first; doubt is none."""
    if seen.abort is not None:
        return _roll_back(seen, Reason.ABORTED, seen.abort)
    if seen.alert is not None:
        return _roll_back(seen, Reason.ALERT_FIRED, seen.alert)
    if seen.candidate is Health.FAILED:
        return _roll_back(seen, Reason.CANDIDATE_FAILED, seen.candidate_message)
    if seen.verdict is Verdict.FAILED:
        return _roll_back(seen, Reason.ANALYSIS_FAILED, seen.verdict_message)
    return None


def _while_progressing(seen: Observed) -> Decision:
    step = seen.steps[seen.step]
    doubt = _doubt(seen)
    if doubt is not None:
        reason, message = doubt
        if reason is Reason.ANALYSIS_INCONCLUSIVE and _waited(seen) < step.hold:
            reason = Reason.STEP_HOLDING  # evidence is not due yet
        return _hold_in_doubt(seen, reason, message)
    if _waited(seen) < step.hold:
        return _hold(seen, Reason.STEP_HOLDING, seen.verdict_message)
    if step.pause:
        return dataclasses.replace(
            _hold(seen, Reason.AWAITING_APPROVAL, f"step {seen.step + 1} held; approve to go on"),
            phase=Phase.PAUSED,
        )
    return _after_step(seen)


def _while_paused(seen: Observed) -> Decision:
    doubt = _doubt(seen)
    if seen.reason is Reason.AWAITING_APPROVAL:
        if seen.approved and doubt is None:
            return _after_step(seen)
        return _hold(seen, Reason.AWAITING_APPROVAL, seen.message)
    if doubt is None or seen.approved:
        # Not onwards: the present step begins anew and must hold in full.
        phase = Phase.GUARDING if seen.step == len(seen.steps) else Phase.PROGRESSING
        reason = Reason.GUARD_STARTED if phase is Phase.GUARDING else Reason.STEP_STARTED
        return dataclasses.replace(
            _hold(seen, reason, f"going on with {_weight(seen)} %"), phase=phase, restart=True
        )
    return dataclasses.replace(_hold(seen, *doubt), doubtful=True)


def _while_guarding(seen: Observed) -> Decision:
    doubt = _doubt(seen)
    if _waited(seen) < seen.guard:
        reason, message = doubt or (Reason.GUARD_HOLDING, seen.verdict_message)
        if reason is Reason.ANALYSIS_INCONCLUSIVE:
            reason = Reason.GUARD_HOLDING  # evidence is not due yet
        return dataclasses.replace(_hold(seen, reason, message), doubtful=doubt is not None)
    if doubt is not None:
        return _hold_in_doubt(seen, *doubt)
    return _enter(
        seen,
        len(seen.steps),
        Phase.SUCCEEDED,
        Reason.PROMOTED,
        f"guard of {_seconds(seen.guard)} passed: {seen.verdict_message}",
    )


def _while_rolling_back(seen: Observed) -> Decision:
    phase = Phase.ROLLED_BACK if seen.weight == 0 else Phase.ROLLING_BACK
    return Decision(phase=phase, step=seen.step, weight=0, reason=seen.reason, message=seen.message)


def _doubt(seen: Observed) -> tuple[Reason, str] | None:
    """Why the evidence does not allow more traffic; None when it does."""
    if seen.suspended:
        return Reason.SUSPENDED, _SUSPENDED
    if seen.candidate is not Health.READY:
        return Reason.CANDIDATE_NOT_READY, seen.candidate_message
    if seen.weight != _weight(seen):
        return Reason.WAITING_FOR_GATEWAY, f"not every gateway pod gives {_weight(seen)} % yet"
    match seen.verdict:
        case Verdict.SUCCESSFUL:
            return None
        case Verdict.INCONCLUSIVE | Verdict.ERROR | Verdict.FAILED:
            return Reason.ANALYSIS_INCONCLUSIVE, seen.verdict_message
    assert_never(seen.verdict)


def _hold_in_doubt(seen: Observed, reason: Reason, message: str) -> Decision:
    """Hold the weight; once patience is over, pause until a person or evidence comes."""
    held = dataclasses.replace(_hold(seen, reason, message), doubtful=True)
    if seen.doubt_since is not None and seen.now - seen.doubt_since > seen.patience:
        return dataclasses.replace(held, phase=Phase.PAUSED)
    return held


def _after_step(seen: Observed) -> Decision:
    if seen.step + 1 < len(seen.steps):
        return _enter_step(seen, seen.step + 1)
    return _enter(
        seen,
        len(seen.steps),
        Phase.GUARDING,
        Reason.GUARD_STARTED,
        f"all traffic; going back stays possible for {_seconds(seen.guard)}",
    )


def _enter_step(seen: Observed, index: int) -> Decision:
    step = seen.steps[index]
    return Decision(
        phase=Phase.PROGRESSING,
        step=index,
        weight=step.weight,
        reason=Reason.STEP_STARTED,
        message=f"step {index + 1} of {len(seen.steps)}: {step.weight} % for {_seconds(step.hold)}",
    )


def _enter(seen: Observed, step: int, phase: Phase, reason: Reason, message: str) -> Decision:
    return Decision(phase=phase, step=step, weight=100, reason=reason, message=message)


def _roll_back(seen: Observed, reason: Reason, message: str) -> Decision:
    if not seen.has_stable:  # unreachable by the table above; there is nothing to go back to
        return _hold(seen, reason, message)
    return Decision(
        phase=Phase.ROLLING_BACK, step=seen.step, weight=0, reason=reason, message=message
    )


def _wait(seen: Observed, reason: Reason, message: str) -> Decision:
    """Wait without traffic.  The clock of the start runs from when it is the candidate's turn."""
    begins = reason is Reason.WAITING_FOR_CANDIDATE and seen.reason is not reason
    return Decision(
        phase=Phase.PENDING, step=0, weight=0, reason=reason, message=message, restart=begins
    )


def _hold(seen: Observed, reason: Reason, message: str) -> Decision:
    return Decision(
        phase=seen.phase, step=seen.step, weight=_weight(seen), reason=reason, message=message
    )


def _stay(seen: Observed, *, weight: int) -> Decision:
    return Decision(
        phase=seen.phase, step=seen.step, weight=weight, reason=seen.reason, message=seen.message
    )


def _weight(seen: Observed) -> int:
    """The weight of the present step."""
    return 100 if seen.step >= len(seen.steps) else seen.steps[seen.step].weight


def _waited(seen: Observed) -> timedelta:
    return seen.now - seen.since


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"
