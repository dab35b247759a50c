"""The training run's table, and the trainer's words."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.api.training_run import Progress
from fairlead_operator.training_run.observe import read_job
from fairlead_operator.training_run.result import (
    Result,
    describe,
    parse_progress,
    parse_result,
    read_result,
)
from fairlead_operator.training_run.state_machine import JobState, Observed, decide

SUCCESS = {
    "outcome": "Succeeded", "version": "1.0.0", "registryVersion": "1", "digest": "sha256:0",
    "metric": "roc_auc", "candidate": {"value": 0.9},
}  # fmt: skip
FAILURE = {"outcome": "Failed", "reason": "TargetConstant", "message": "price_up is always 1"}


def result(document: dict[str, Any]) -> Result:
    parsed = parse_result(json.dumps(document))
    assert parsed is not None
    return parsed


def observed(**changes: Any) -> Observed:
    searching = Observed(
        phase=Phase.SEARCHING,
        reason="Searching",
        message="",
        suspend=False,
        has_run=True,
        tracking_error="",
        search=JobState.ACTIVE,
        search_failure="",
        search_result=None,
        finish=JobState.ABSENT,
        finish_failure="",
        finish_result=None,
    )
    return dataclasses.replace(searching, **changes)


def finishing(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.FINISHING, "search": JobState.COMPLETE} | changes)


@pytest.mark.parametrize(
    ("seen", "phase", "reason", "jobs"),
    [
        pytest.param(observed(phase=Phase.PENDING, has_run=False, tracking_error="down"),
                     Phase.PENDING, "WaitingForTracking", (False, False), id="MLflow is down"),
        pytest.param(observed(phase=Phase.PENDING), Phase.SEARCHING, "Searching", (True, False),
                     id="pending: starts"),
        pytest.param(observed(), Phase.SEARCHING, "Searching", (True, False), id="searching"),
        pytest.param(observed(search=JobState.ABSENT), Phase.SEARCHING, "Searching",
                     (True, False), id="searching: a lost Job is made again"),
        pytest.param(observed(search=JobState.COMPLETE), Phase.FINISHING, "Finishing",
                     (False, True), id="searching: done"),
        pytest.param(observed(search=JobState.FAILED, search_result=result(FAILURE)),
                     Phase.FAILED, "TargetConstant", (False, False),
                     id="searching: the trainer's own reason"),
        pytest.param(observed(search=JobState.FAILED, search_failure="BackoffLimitExceeded"),
                     Phase.FAILED, "JobFailed", (False, False), id="searching: no last word"),
        pytest.param(finishing(finish=JobState.COMPLETE, finish_result=result(SUCCESS)),
                     Phase.SUCCEEDED, "Registered", (False, False), id="finishing: registered"),
        pytest.param(finishing(finish=JobState.COMPLETE), Phase.FAILED, "ResultUnreadable",
                     (False, False), id="finishing: complete without a result"),
        pytest.param(finishing(finish=JobState.FAILED, finish_result=result(FAILURE)),
                     Phase.FAILED, "TargetConstant", (False, False), id="finishing: failed"),
        pytest.param(observed(suspend=True), Phase.SUSPENDED, "Suspended", (False, False),
                     id="suspended"),
        pytest.param(observed(phase=Phase.SUSPENDED, search=JobState.ABSENT), Phase.SEARCHING,
                     "Searching", (True, False), id="suspended: goes on"),
        pytest.param(observed(phase=Phase.SUCCEEDED, reason="Registered", suspend=True),
                     Phase.SUCCEEDED, "Registered", (False, False), id="ended: stays"),
    ],
)  # fmt: skip
def test_decide(seen: Observed, phase: Phase, reason: str, jobs: tuple[bool, bool]) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.reason) == (phase, reason)
    assert (decision.want_search, decision.want_finish) == jobs


def pod(message: str, finished: str) -> dict[str, Any]:
    ended = {"message": message, "finishedAt": finished}
    return {"status": {"containerStatuses": [{"state": {"terminated": ended}}]}}


def test_the_last_word_of_several_pods_is_the_success() -> None:
    pods = [pod(json.dumps(SUCCESS), "10:00"), pod(json.dumps(FAILURE), "10:05")]

    found = read_result(pods)

    assert found is not None
    assert found.trained is not None


def test_without_a_success_it_is_the_latest_failure() -> None:
    other = FAILURE | {"reason": "DataSourceUnavailable"}
    pods = [pod(json.dumps(FAILURE), "10:05"), pod(json.dumps(other), "10:00")]

    found = read_result(pods)

    assert found is not None
    assert found.reason == "TargetConstant"


def test_a_traceback_is_no_result() -> None:
    assert read_result([pod("Traceback (most recent call last): …", "1"), {"status": {}}]) is None


@given(st.text())
def test_any_last_word_is_read_or_refused(text: str) -> None:
    found = parse_result(text)

    assert found is None or isinstance(found, Result)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        pytest.param(Progress(stage="data"), "data", id="a stage"),
        pytest.param(
            Progress(stage="search", trial=17, trials=40, best=0.9123, metric="roc_auc",
                     seconds_left=184.0),
            "trial 17/40, best roc_auc 0.9123, 3m04s left", id="the search"),
        pytest.param(Progress(stage="search", trial=0, trials=40, seconds_left=42.0),
                     "trial 0/40, 42s left", id="before the first trial"),
    ],
)  # fmt: skip
def test_describe(progress: Progress, line: str) -> None:
    assert describe(progress) == line


def test_progress_is_read_or_ignored() -> None:
    assert parse_progress('{"stage": "fit", "secondsLeft": 2}') == Progress(
        stage="fit", seconds_left=2
    )
    assert parse_progress("{") is None
    assert parse_progress(None) is None


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param([], JobState.ACTIVE, id="runs"),
        pytest.param([{"type": "FailureTarget", "status": "True"}], JobState.ACTIVE,
                     id="is about to fail: its pods have not ended yet"),
        pytest.param([{"type": "Failed", "status": "True"}], JobState.FAILED, id="failed"),
        pytest.param([{"type": "Complete", "status": "True"}], JobState.COMPLETE, id="complete"),
        pytest.param([{"type": "Failed", "status": "False"}], JobState.ACTIVE, id="not failed"),
    ],
)  # fmt: skip
def test_read_job(conditions: list[dict[str, str]], state: JobState) -> None:
    assert read_job({"status": {"conditions": conditions}})[0] is state
