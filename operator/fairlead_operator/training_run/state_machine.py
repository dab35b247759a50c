"""The training run's state machine: what was observed in, what should be true out.

    From                  When                                       To
    Pending               MLflow has a run and the recipe is fixed   Searching
    Pending               its experiment was deleted in MLflow       Failed
    Searching             every search worker completed              Finishing
    Finishing             the finishing Job completed with a result  Succeeded
    Searching, Finishing  a Job failed, or its result says so        Failed
    Searching, Finishing  an earlier release made the search         Searching, anew
    Searching             it waits, nothing was tried yet, and the   Failed: superseded
                          Model says something else by now
    any unfinished        spec.suspend                               Suspended
    Suspended             spec.suspend is false again                Searching, same study
    Pending, Suspended    of a dry run                               Checking
    Checking              its Job completed with a report            Succeeded
    Checking              its Job failed, or its result says so      Failed

A dry run asks MLflow for no run, and has no other Job than the one that checks the data.

Pure.  A decision names what should exist, a run and Jobs; the study in PostgreSQL carries what
was found across restarts, so that running a Job again loses no trial.
"""

import dataclasses
from enum import StrEnum
from typing import assert_never

from fairlead_operator.api.phases.training_run import STUCK, Phase, Reason
from fairlead_operator.text import shorten
from fairlead_operator.training_run.result import Result


class JobState(StrEnum):
    """Where a Job stands."""

    ABSENT = "Absent"
    ACTIVE = "Active"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything a decision may depend on, read once per reconcile."""

    phase: Phase
    reason: str
    message: str
    suspend: bool
    has_run: bool  # in MLflow, and the trainer's config is fixed
    experiment_deleted: str = ""  # in MLflow: it will give none
    tracking_error: str  # why MLflow gave none when it was asked
    search: JobState
    search_failure: str  # what Kubernetes says of a failed Job
    search_result: Result | None  # what a failed worker said
    is_earlier: bool = False  # an earlier release made the search, and nothing has finished it
    finish: JobState
    finish_failure: str
    finish_result: Result | None
    dry_run: bool = False
    check: JobState = JobState.ABSENT  # of a dry run
    check_failure: str = ""
    check_result: Result | None = None
    obstacle: str = ""  # what keeps the pods of the active Job from working
    waiting: str = ""  # who does not answer the trainer, in its words
    unheard: str = ""  # why it is not known how far the trainer is
    tried: bool = False  # a trial was finished
    corrected: bool = False  # the Model that started it says something else by now


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What should be true after this reconcile."""

    phase: Phase
    reason: str
    message: str
    want_run: bool = False  # MLflow should have a run, and the recipe be fixed
    want_search: bool = False  # the search Job should exist
    want_finish: bool = False  # the finishing Job should exist
    want_check: bool = False  # the Job that checks the data should exist
    drop_search: bool = False  # the search Job should not exist, to be made anew

    @property
    def wants_job(self) -> bool:
        """Tell whether a Job should exist."""
        return self.want_search or self.want_finish or self.want_check


def decide(observed: Observed) -> Decision:
    """Choose the next state, and say what it waits for."""
    decision = _next(observed)
    works = decision.reason in {Reason.SEARCHING, Reason.FINISHING, Reason.CHECKING}
    if works and (observed.obstacle or observed.waiting):
        return (
            _supersede(observed) if _is_in_vain(observed, decision) else _wait(observed, decision)
        )
    if works and observed.unheard:
        message = f"{decision.message}; how far it is nobody knows: {observed.unheard}"
        return dataclasses.replace(decision, message=message)
    if decision.reason == Reason.JOB_FAILED and observed.reason in STUCK:
        message = f"{decision.message}; before: {observed.message}"
        return dataclasses.replace(decision, message=message)
    return decision


def _wait(observed: Observed, decision: Decision) -> Decision:
    """Say what keeps it from working; the Job's deadline, whose words say nothing, is the end."""
    if observed.obstacle:
        message = f"{decision.message}, once its pods work: {observed.obstacle}"
        return dataclasses.replace(decision, reason=Reason.WAITING_FOR_PODS, message=message)
    return dataclasses.replace(
        decision, reason=Reason.WAITING_FOR_CONNECTION, message=observed.waiting
    )


def _is_in_vain(observed: Observed, decision: Decision) -> bool:
    """Tell whether it waits for what was corrected, and has found nothing that would be lost."""
    return observed.corrected and decision.want_search and not observed.tried


def _supersede(observed: Observed) -> Decision:
    waited = observed.obstacle or observed.waiting
    return Decision(
        phase=Phase.FAILED,
        reason=Reason.SUPERSEDED,
        message="spec.data or spec.training has changed before anything was trained, and another "
        f"training goes by it; this one did not get beyond: {waited}",
        drop_search=True,
    )


def _next(observed: Observed) -> Decision:
    """Choose the next state.  Total: every phase has exactly one branch."""
    match observed.phase:
        case Phase.SUCCEEDED | Phase.FAILED:
            return Decision(phase=observed.phase, reason=observed.reason, message=observed.message)
        case Phase.PENDING | Phase.SUSPENDED | Phase.SEARCHING | Phase.FINISHING | Phase.CHECKING:
            if observed.suspend:
                kept = "" if observed.dry_run else "the study is kept; "
                return Decision(
                    phase=Phase.SUSPENDED,
                    reason=Reason.SUSPENDED,
                    message=f"suspended: {kept}set spec.suspend to false to go on",
                )
            if observed.dry_run:
                return _while_checking(observed)
            if not observed.has_run and observed.experiment_deleted:
                return Decision(
                    phase=Phase.FAILED,
                    reason=Reason.EXPERIMENT_DELETED,
                    message=f"{observed.experiment_deleted}; then `fairlead retrain MODEL`",
                )
            if not observed.has_run:
                return Decision(
                    phase=Phase.PENDING,
                    reason=Reason.WAITING_FOR_TRACKING,
                    message=_waiting(observed),
                    want_run=True,
                )
            if observed.is_earlier:
                return Decision(
                    phase=Phase.SEARCHING,
                    reason=Reason.SEARCHING,
                    message="searching anew: the study of an earlier release was in a schema of "
                    "all namespaces, and this release keeps each namespace's apart",
                    drop_search=True,
                )
            if observed.phase is Phase.FINISHING:
                return _while_finishing(observed)
            return _while_searching(observed)
    assert_never(observed.phase)


def _waiting(observed: Observed) -> str:
    if not observed.tracking_error:
        return "waiting for MLflow to begin a run"
    again = "it is asked again; if it stays so, look whether it runs"
    return f"MLflow began no run: {shorten(observed.tracking_error, 500)}; {again}"


def _while_searching(observed: Observed) -> Decision:
    match observed.search:
        case JobState.FAILED:
            return _failed(observed.search_result, observed.search_failure)
        case JobState.COMPLETE:
            return _finishing()
        case JobState.ABSENT | JobState.ACTIVE:
            return Decision(
                phase=Phase.SEARCHING,
                reason=Reason.SEARCHING,
                message="searching for the best algorithm and settings",
                want_search=True,
            )
    assert_never(observed.search)


def _while_finishing(observed: Observed) -> Decision:
    match observed.finish:
        case JobState.FAILED:
            return _failed(observed.finish_result, observed.finish_failure)
        case JobState.COMPLETE:
            return _completed(observed.finish_result)
        case JobState.ABSENT | JobState.ACTIVE:
            return _finishing()
    assert_never(observed.finish)


def _while_checking(observed: Observed) -> Decision:
    match observed.check:
        case JobState.FAILED:
            return _failed(observed.check_result, observed.check_failure)
        case JobState.COMPLETE:
            return _checked(observed.check_result)
        case JobState.ABSENT | JobState.ACTIVE:
            return Decision(
                phase=Phase.CHECKING,
                reason=Reason.CHECKING,
                message="reading and checking the data",
                want_check=True,
            )
    assert_never(observed.check)


def _checked(result: Result | None) -> Decision:
    if result is None or result.reason or not result.message:
        return Decision(
            phase=Phase.FAILED,
            reason=Reason.RESULT_UNREADABLE,
            message="the checking Job completed without a readable result; its pod's log says why",
        )
    return Decision(
        phase=Phase.SUCCEEDED,
        reason=Reason.DATA_CHECKED,
        message=result.message + _warn(result),
    )


def _warn(result: Result) -> str:
    return "".join(f"; warning: {warning}" for warning in result.warnings)


def _finishing() -> Decision:
    return Decision(
        phase=Phase.FINISHING,
        reason=Reason.FINISHING,
        message="fitting, evaluating and registering the best trial",
        want_finish=True,
    )


def _completed(result: Result | None) -> Decision:
    if result is None or result.trained is None:
        return Decision(
            phase=Phase.FAILED,
            reason=Reason.RESULT_UNREADABLE,
            message="the finishing Job completed without a readable result; its pod's log says why",
        )
    trained = result.trained
    value = ""
    if trained.value is not None:
        value = f", {trained.metric} {trained.value:.4g} on the held-out rows"
    return Decision(
        phase=Phase.SUCCEEDED,
        reason=Reason.REGISTERED,
        message=f"registered {trained.version} as registry version "
        f"{trained.registry_version}{value}{_warn(result)}",
    )


def _failed(result: Result | None, failure: str) -> Decision:
    if result is not None and result.reason:
        return Decision(phase=Phase.FAILED, reason=result.reason, message=result.message)
    return Decision(phase=Phase.FAILED, reason=Reason.JOB_FAILED, message=failure)
