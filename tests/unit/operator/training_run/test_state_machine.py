"""The training run's table: from where, when, to where, and what should exist then."""

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.phases.training_run import ENDED, Phase
from fairlead_operator.training_run.state_machine import JobState, Observed, decide
from support.training_run_builders import (
    CHECKED,
    FAILURE,
    SUCCESS,
    checking,
    finishing,
    observed,
    pending,
    result,
)


@pytest.mark.parametrize(
    ("about", "phase", "reason", "wanted"),
    [
        pytest.param(pending(), Phase.PENDING, "WaitingForTracking", {"run"},
                     id="pending: asks MLflow for a run"),
        pytest.param(pending(tracking_error="down"), Phase.PENDING, "WaitingForTracking", {"run"},
                     id="pending: MLflow is down"),
        pytest.param(pending(experiment_deleted="gone"), Phase.FAILED, "ExperimentDeleted", set(),
                     id="pending: MLflow's experiment was deleted"),
        pytest.param(pending(suspend=True), Phase.SUSPENDED, "Suspended", set(),
                     id="pending: suspended before it began"),
        pytest.param(pending(has_run=True), Phase.SEARCHING, "Searching", {"search"},
                     id="pending: starts"),
        pytest.param(observed(), Phase.SEARCHING, "Searching", {"search"}, id="searching"),
        pytest.param(observed(search=JobState.ABSENT), Phase.SEARCHING, "Searching",
                     {"search"}, id="searching: a lost Job is made again"),
        pytest.param(observed(search=JobState.COMPLETE), Phase.FINISHING, "Finishing",
                     {"finish"}, id="searching: done"),
        pytest.param(observed(search=JobState.FAILED, search_result=result(FAILURE)),
                     Phase.FAILED, "TargetConstant", set(),
                     id="searching: the trainer's own reason"),
        pytest.param(observed(search=JobState.FAILED, search_failure="BackoffLimitExceeded"),
                     Phase.FAILED, "JobFailed", set(), id="searching: no last word"),
        pytest.param(finishing(finish=JobState.COMPLETE, finish_result=result(SUCCESS)),
                     Phase.SUCCEEDED, "Registered", set(), id="finishing: registered"),
        pytest.param(finishing(finish=JobState.COMPLETE), Phase.FAILED, "ResultUnreadable",
                     set(), id="finishing: complete without a result"),
        pytest.param(finishing(finish=JobState.FAILED, finish_result=result(FAILURE)),
                     Phase.FAILED, "TargetConstant", set(), id="finishing: failed"),
        pytest.param(observed(is_earlier=True), Phase.SEARCHING, "Searching", {"no search"},
                     id="searching: by an earlier release, begins anew"),
        pytest.param(observed(search=JobState.COMPLETE, is_earlier=True), Phase.SEARCHING,
                     "Searching", {"no search"},
                     id="searching: done by an earlier release, begins anew"),
        pytest.param(finishing(is_earlier=True), Phase.SEARCHING, "Searching", {"no search"},
                     id="finishing: what an earlier release searched, searches anew"),
        pytest.param(observed(waiting="waiting for h"), Phase.SEARCHING, "WaitingForConnection",
                     {"search"}, id="searching: the source does not answer"),
        pytest.param(finishing(waiting="waiting for h"), Phase.FINISHING, "WaitingForConnection",
                     {"finish"}, id="finishing: MLflow does not answer"),
        pytest.param(observed(waiting="waiting for h", obstacle="no node"), Phase.SEARCHING,
                     "WaitingForPods", {"search"}, id="searching: and another pod cannot start"),
        pytest.param(observed(corrected=True), Phase.SEARCHING, "Searching", {"search"},
                     id="searching: goes on by what it was told"),
        pytest.param(observed(corrected=True, obstacle="no Secret"), Phase.FAILED, "Superseded",
                     {"no search"}, id="searching: waits for what was corrected"),
        pytest.param(observed(corrected=True, waiting="waiting for h"), Phase.FAILED,
                     "Superseded", {"no search"}, id="searching: waits for another source"),
        pytest.param(observed(corrected=True, waiting="waiting for h", tried=True),
                     Phase.SEARCHING, "WaitingForConnection", {"search"},
                     id="searching: what was tried is not thrown away"),
        pytest.param(finishing(corrected=True, obstacle="no node"), Phase.FINISHING,
                     "WaitingForPods", {"finish"},
                     id="finishing: what was found is not thrown away"),
        pytest.param(observed(suspend=True, corrected=True, obstacle="no node"), Phase.SUSPENDED,
                     "Suspended", set(), id="suspended: whatever was corrected"),
        pytest.param(observed(suspend=True, is_earlier=True), Phase.SUSPENDED, "Suspended", set(),
                     id="suspended: an earlier release's"),
        pytest.param(observed(suspend=True), Phase.SUSPENDED, "Suspended", set(),
                     id="suspended"),
        pytest.param(observed(phase=Phase.SUSPENDED, search=JobState.ABSENT), Phase.SEARCHING,
                     "Searching", {"search"}, id="suspended: goes on"),
        pytest.param(observed(phase=Phase.SUCCEEDED, reason="Registered", suspend=True),
                     Phase.SUCCEEDED, "Registered", set(), id="ended: stays"),
        pytest.param(pending(dry_run=True), Phase.CHECKING, "Checking", {"check"},
                     id="dry run: starts without asking MLflow"),
        pytest.param(checking(), Phase.CHECKING, "Checking", {"check"}, id="dry run: checking"),
        pytest.param(checking(check=JobState.ABSENT), Phase.CHECKING, "Checking", {"check"},
                     id="dry run: a lost Job is made again"),
        pytest.param(checking(obstacle="no node"), Phase.CHECKING, "WaitingForPods", {"check"},
                     id="dry run: its pod cannot start"),
        pytest.param(checking(obstacle="no node", corrected=True), Phase.CHECKING,
                     "WaitingForPods", {"check"}, id="dry run: of what was corrected"),
        pytest.param(checking(check=JobState.COMPLETE, check_result=result(CHECKED)),
                     Phase.SUCCEEDED, "DataChecked", set(), id="dry run: the data can be used"),
        pytest.param(checking(check=JobState.FAILED, check_result=result(FAILURE)),
                     Phase.FAILED, "TargetConstant", set(), id="dry run: the data cannot be used"),
        pytest.param(checking(check=JobState.FAILED, check_failure="BackoffLimitExceeded"),
                     Phase.FAILED, "JobFailed", set(), id="dry run: no last word"),
        pytest.param(checking(check=JobState.COMPLETE), Phase.FAILED, "ResultUnreadable", set(),
                     id="dry run: complete without a report"),
        pytest.param(checking(check=JobState.COMPLETE, check_result=result(SUCCESS)),
                     Phase.FAILED, "ResultUnreadable", set(),
                     id="dry run: complete with another's result"),
        pytest.param(checking(suspend=True), Phase.SUSPENDED, "Suspended", set(),
                     id="dry run: suspended"),
        pytest.param(checking(phase=Phase.SUSPENDED, check=JobState.ABSENT), Phase.CHECKING,
                     "Checking", {"check"}, id="dry run: goes on"),
        pytest.param(checking(phase=Phase.SUCCEEDED, reason="DataChecked"), Phase.SUCCEEDED,
                     "DataChecked", set(), id="dry run: ended, stays"),
    ],
)  # fmt: skip
def test_decide(about: Observed, phase: Phase, reason: str, wanted: set[str]) -> None:
    decision = decide(about)

    assert (decision.phase, decision.reason) == (phase, reason)
    wants = {
        "run": decision.want_run,
        "search": decision.want_search,
        "finish": decision.want_finish,
        "no search": decision.drop_search,
        "check": decision.want_check,
    }
    assert {what for what, wish in wants.items() if wish} == wanted


results = st.sampled_from([None, result(SUCCESS), result(FAILURE), result(CHECKED)])
anything = st.builds(
    observed,
    phase=st.sampled_from(Phase),
    suspend=st.booleans(),
    is_earlier=st.booleans(),
    has_run=st.booleans(),
    search=st.sampled_from(JobState),
    search_result=results,
    finish=st.sampled_from(JobState),
    finish_result=results,
    dry_run=st.booleans(),
    check=st.sampled_from(JobState),
    check_result=results,
    obstacle=st.sampled_from(["", "no node"]),
    waiting=st.sampled_from(["", "waiting for h"]),
    tried=st.booleans(),
    corrected=st.booleans(),
)


@given(anything)
def test_no_job_starts_without_a_run_and_none_once_it_has_ended(about: Observed) -> None:
    may_start = about.has_run or about.dry_run
    assume(not may_start or about.suspend or about.phase in ENDED)

    assert not decide(about).wants_job


@given(anything)
def test_a_dry_run_trains_nothing_and_a_training_checks_nothing(about: Observed) -> None:
    decision = decide(about)

    if about.dry_run:
        wanted = (decision.want_run, decision.want_search, decision.want_finish)
        assert not any((*wanted, decision.drop_search))
        assert decision.reason != "Registered" or about.phase in ENDED
    else:
        assert not decision.want_check


@given(anything)
def test_one_job_at_a_time(about: Observed) -> None:
    decision = decide(about)

    wanted = (decision.want_search, decision.want_finish, decision.want_check)
    assert sum(wanted) + decision.drop_search <= 1


@given(anything, st.sampled_from(sorted(ENDED)))
def test_an_end_is_an_end(about: Observed, phase: Phase) -> None:
    decision = decide(dataclasses.replace(about, phase=phase))

    assert decision.phase is phase
    assert not decision.want_run


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(obstacle="pod p has no node"), id="in the search"),
        pytest.param(finishing(finish=JobState.ACTIVE, obstacle="pod p has no node"), id="after"),
    ],
)
def test_pods_that_do_not_work_are_what_it_waits_for(seen: Observed) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.reason) == (seen.phase, "WaitingForPods")
    assert "pod p has no node" in decision.message
    assert decision.want_search or decision.want_finish


def test_what_the_trainer_waits_for_is_told_in_its_words() -> None:
    assert decide(observed(waiting="waiting for h")).message == "waiting for h"


def test_where_mlflow_does_not_say_how_far_it_is_that_is_told() -> None:
    decision = decide(observed(unheard="MLflow answered 503"))

    assert decision.reason == "Searching", "the trainer may well get on"
    assert decision.message.endswith("; how far it is nobody knows: MLflow answered 503")


def test_a_training_that_makes_way_says_what_it_waited_for() -> None:
    decision = decide(observed(corrected=True, obstacle='secret "sqll" not found'))

    assert decision.message.endswith('did not get beyond: secret "sqll" not found')


def test_a_job_that_ended_at_its_deadline_keeps_what_it_waited_for() -> None:
    waited = {"reason": "WaitingForPods", "message": "once its pods work: pod p has no node"}
    late = observed(search=JobState.FAILED, search_failure="DeadlineExceeded: too long", **waited)

    decision = decide(late)

    assert (decision.phase, decision.reason) == (Phase.FAILED, "JobFailed")
    assert "DeadlineExceeded: too long" in decision.message
    assert "pod p has no node" in decision.message


def test_what_is_odd_about_data_that_was_checked_is_in_the_message() -> None:
    decision = decide(checking(check=JobState.COMPLETE, check_result=result(CHECKED)))

    assert decision.message == (
        "30 rows with 2 features can be learned from; "
        "warning: 3 rows have no label, and were left out"
    )


def test_what_is_odd_about_a_version_is_in_the_message() -> None:
    said = result({**SUCCESS} | {"warnings": ["roc_auc 1 is rarely honest"]})

    decision = decide(finishing(finish=JobState.COMPLETE, finish_result=said))

    assert decision.message.endswith("held-out rows; warning: roc_auc 1 is rarely honest")
