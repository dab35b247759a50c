"""What a TrainingRun says of itself."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.api.training_run import Progress, TrainingRunStatus
from fairlead_operator.report import Report
from fairlead_operator.training_run.result import Result
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import JobState, decide
from fairlead_operator.training_run.status import report
from support.fakes import START
from support.training_run_builders import (
    CHECKED,
    FAILURE,
    SUCCESS,
    checking,
    finishing,
    observed,
    pending,
    result,
    seen,
    training_run_manifest,
)

LATER = START + timedelta(minutes=1)
SEARCHES = {"phase": "Searching", "since": START, "started_at": START}
REGISTERED = finishing(finish=JobState.COMPLETE, finish_result=result(SUCCESS))
FAILED = observed(search=JobState.FAILED, search_result=result(FAILURE))


def say(look: Seen) -> Report:
    return report(training_run_manifest(), look, decide(look.observed), now=LATER)


def before(**status: Any) -> TrainingRunStatus:
    return TrainingRunStatus(**SEARCHES | status)


def conditions(said: Report) -> dict[str, str]:
    return {entry["type"]: entry["status"] for entry in said.status["conditions"]}


@pytest.mark.parametrize(
    ("look", "seconds"),
    [
        pytest.param(seen(pending()), 5, id="MLflow is waited for"),
        pytest.param(seen(observed()), 2, id="the search has progress"),
        pytest.param(seen(finishing()), 2, id="so has the end"),
        pytest.param(seen(observed(obstacle="a quota")), 5, id="its pods are waited for"),
        pytest.param(
            seen(observed(obstacle="a quota"), unstarted=timedelta(seconds=30)),
            30,
            id="its pods do not start: when they are asked of again",
        ),
        pytest.param(
            seen(observed(), unstarted=timedelta(seconds=4)), 4, id="also where nothing is told yet"
        ),
        pytest.param(seen(observed(suspend=True)), None, id="suspended: until the spec changes"),
        pytest.param(seen(REGISTERED), None, id="ended: never"),
        pytest.param(seen(checking()), 2, id="a check works"),
    ],
)
def test_when_to_look_again(look: Seen, seconds: int | None) -> None:
    again = say(look).look_again

    assert again == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("look", "outcome"),
    [
        pytest.param(seen(pending()), {"Succeeded": "Unknown", "Progressing": "True"},
                     id="pending"),
        pytest.param(seen(observed()), {"Succeeded": "Unknown", "Progressing": "True"},
                     id="searching"),
        pytest.param(seen(observed(suspend=True)),
                     {"Succeeded": "Unknown", "Progressing": "False"}, id="suspended"),
        pytest.param(seen(REGISTERED), {"Succeeded": "True", "Progressing": "False"},
                     id="registered"),
        pytest.param(seen(FAILED), {"Succeeded": "False", "Progressing": "False"}, id="failed"),
        pytest.param(seen(checking()), {"Succeeded": "Unknown", "Progressing": "True"},
                     id="checking"),
    ],
)  # fmt: skip
def test_conditions_say_how_it_stands(look: Seen, outcome: dict[str, str]) -> None:
    assert conditions(say(look)) == outcome


def test_the_run_and_the_recipe_are_kept_from_the_first_look() -> None:
    look = seen(observed(), mlflow_run_id="run-7", config='{"fixed": true}')

    status = say(look).status

    assert (status["mlflowRunId"], status["config"]) == ("run-7", '{"fixed": true}')


@pytest.mark.parametrize(
    ("trials", "trial"),
    [
        pytest.param({"finished": 12, "pruned": 3, "failed": 1}, 12, id="as the result counts"),
        pytest.param({}, 11, id="of a result without a count: as it was told last"),
    ],
)
def test_progress_after_the_end_is_what_was_reached(trials: dict[str, int], trial: int) -> None:
    last = Progress(stage="register", trial=11, trials=12, best=0.9, seconds_left=4)
    done = finishing(
        finish=JobState.COMPLETE, finish_result=result({**SUCCESS} | {"trials": trials})
    )

    said = say(seen(done, progress=last)).status["progress"]

    assert (said["trial"], said["trials"], said["best"]) == (trial, 12, 0.9)
    assert "secondsLeft" not in said


def test_who_is_waited_for_is_said_until_it_works_or_ends() -> None:
    told = "waiting for h: Connection refused; tried 4 times, gives up in 9 min"
    progress = Progress(stage="data", waiting=told)

    waits = say(seen(observed(waiting=told), progress=progress))
    fails = say(seen(FAILED, progress=progress))
    registers = say(seen(REGISTERED, progress=progress))

    assert waits.status["progress"]["waiting"] == waits.status["summary"] == told
    assert [(event.reason, event.message, event.warning) for event in waits.events] == [
        ("WaitingForConnection", told, True)
    ]
    assert [each.status["progress"]["waiting"] for each in (fails, registers)] == ["", ""]


def test_a_wait_is_announced_once_and_so_is_its_end() -> None:
    waits = observed(waiting="waiting for h; tried 5 times")

    still = say(seen(waits, status=before(reason="WaitingForConnection")))
    over = say(seen(observed(), status=before(reason="WaitingForConnection")))

    assert still.events == ()
    assert [(event.reason, event.warning) for event in over.events] == [("Searching", False)]


def test_making_way_is_no_failure_to_warn_of() -> None:
    said = say(seen(observed(corrected=True, obstacle="no Secret"), status=before()))

    assert [(event.reason, event.warning) for event in said.events] == [("Superseded", False)]


def test_a_transition_is_announced_once() -> None:
    entered = say(seen(FAILED, status=before()))
    stays = say(seen(observed(), status=before()))

    assert [(event.reason, event.warning) for event in entered.events] == [("TargetConstant", True)]
    assert entered.status["since"] == "2026-01-01T00:01:00.000Z"
    assert stays.events == ()
    assert stays.status["since"] == "2026-01-01T00:00:00.000Z"


def test_what_was_trained_is_said() -> None:
    status = say(seen(REGISTERED, status=before())).status

    assert status["trained"]["version"] == "1.0.0"
    assert status["result"] == result(SUCCESS).document
    assert status["startedAt"] == "2026-01-01T00:00:00.000Z"
    assert status["finishedAt"] == "2026-01-01T00:01:00.000Z"


def test_what_was_found_in_the_data_is_said_whole() -> None:
    checked = checking(check=JobState.COMPLETE, check_result=result(CHECKED))

    status = say(seen(checked)).status

    assert status["result"] == result(CHECKED).document
    assert status["summary"].startswith("30 rows with 2 features can be learned from")
    assert "trained" not in status


def test_a_dry_run_registers_nothing_whatever_its_pod_says() -> None:
    """Of what stands in a status as its result, a later look would read a version."""
    forged = {**SUCCESS} | {"message": "fine"}
    checked = checking(check=JobState.COMPLETE, check_result=result(forged))

    first = say(seen(checked)).status
    ended = checking(phase=Phase.SUCCEEDED, reason="DataChecked")
    later = say(seen(ended, status=TrainingRunStatus.model_validate(first))).status

    assert (first["phase"], later["phase"]) == ("Succeeded", "Succeeded")
    assert "trained" not in first
    assert "trained" not in later


KNOWN = result(SUCCESS).trained
OTHER = result({**SUCCESS} | {"digest": "sha256:forged"})


@pytest.mark.parametrize(
    ("status", "now_said"),
    [
        pytest.param({"trained": KNOWN}, None, id="its Job is gone"),
        pytest.param({"trained": KNOWN}, OTHER, id="a pod says another thing by now"),
        pytest.param({}, None, id="an earlier release kept the document alone"),
    ],
)
def test_what_was_trained_stays_as_it_was_said_at_the_end(
    status: dict[str, Any], now_said: Result | None
) -> None:
    ended = {"phase": "Succeeded", "result": result(SUCCESS).document}
    look = finishing(phase=Phase.SUCCEEDED, finish=JobState.COMPLETE, finish_result=now_said)

    said = say(seen(look, status=before(**ended | status))).status

    assert said["trained"]["digest"] == SUCCESS["digest"]
    assert said["result"] == result(SUCCESS).document


@pytest.mark.parametrize(
    ("look", "summary"),
    [
        pytest.param(seen(observed(), progress=Progress(stage="search", trial=3, trials=40)),
                     "trial 3/40", id="the progress"),
        pytest.param(seen(observed()), "searching for the best algorithm and settings",
                     id="no progress yet"),
        pytest.param(seen(FAILED), "TargetConstant", id="why it failed, in a word"),
        pytest.param(seen(pending(tracking_error="mlflow: HTTP 503")),
                     "MLflow began no run: mlflow: HTTP 503; it is asked again; if it stays so, "
                     "look whether it runs", id="what it waits for"),
    ],
)  # fmt: skip
def test_one_line_for_kubectl_get(look: Seen, summary: str) -> None:
    assert say(look).status["summary"] == summary
