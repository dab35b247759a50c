"""The trainer's words: read, or known to be none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.training_run import Progress
from fairlead_operator.training_run.result import (
    Result,
    carry_on,
    describe,
    parse_progress,
    parse_result,
    read_result,
)
from support.training_run_builders import FAILURE, SUCCESS


def pod(message: str, finished: str) -> dict[str, Any]:
    ended = {"message": message, "finishedAt": finished}
    return {"status": {"containerStatuses": [{"state": {"terminated": ended}}]}}


def test_the_last_word_of_several_pods_is_the_success() -> None:
    pods = [pod(json.dumps(SUCCESS), "10:00"), pod(json.dumps(FAILURE), "10:05")]

    last = read_result(pods)

    assert last is not None
    assert last.trained is not None


def test_without_a_success_it_is_the_latest_failure() -> None:
    other = {**FAILURE} | {"reason": "DataSourceUnavailable"}
    pods = [pod(json.dumps(FAILURE), "10:05"), pod(json.dumps(other), "10:00")]

    last = read_result(pods)

    assert last is not None
    assert last.reason == "TargetConstant"


def test_what_is_odd_about_a_version_is_read() -> None:
    odd = parse_result(json.dumps({**SUCCESS} | {"warnings": ["roc_auc 1"]}))
    plain = parse_result(json.dumps(SUCCESS))

    assert odd is not None
    assert plain is not None
    assert (odd.warnings, plain.warnings) == (("roc_auc 1",), ())


@pytest.mark.parametrize(
    ("data", "columns"),
    [
        pytest.param({"columns": "text: note; number: age"}, "text: note; number: age", id="told"),
        pytest.param({"rows": 200}, None, id="of numbers alone nothing is told"),
        pytest.param({"columns": "a" * 600}, "a" * 512, id="no longer than status holds"),
        pytest.param({"columns": ["a"]}, None, id="of another form"),
    ],
)
def test_types_of_columns_are_read(data: dict[str, Any], columns: str | None) -> None:
    word = parse_result(json.dumps({**SUCCESS, "data": data}))

    assert word is not None
    assert word.trained is not None
    assert word.trained.columns == columns


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Traceback (most recent call last): …", id="a traceback"),
        pytest.param("[" * 4096, id="brackets, as many as there is room for"),
    ],
)
def test_what_is_no_result(text: str) -> None:
    assert read_result([pod(text, "1"), {"status": {}}]) is None


@given(st.text())
def test_any_last_word_is_read_or_refused(text: str) -> None:
    word = parse_result(text)

    assert word is None or isinstance(word, Result)


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        pytest.param(Progress(stage="data"), "data", id="a stage"),
        pytest.param(
            Progress(stage="search", trial=17, trials=40, best=0.9123, metric="roc_auc",
                     seconds_left=184.0),
            "trial 17/40, best roc_auc 0.9123 in validation, 3m04s left", id="the search"),
        pytest.param(Progress(stage="search", trial=0, trials=40, seconds_left=42.0),
                     "trial 0/40, 42s left", id="before the first trial"),
    ],
)  # fmt: skip
def test_describe(progress: Progress, line: str) -> None:
    assert describe(progress) == line


SEARCHED = Progress(stage="search", trial=39, trials=40, best=0.9)


@pytest.mark.parametrize(
    ("told", "before", "trial"),
    [
        pytest.param('{"stage":"fit","trials":40}', SEARCHED, 39, id="a later stage"),
        pytest.param(
            '{"stage":"search","trial":40,"trials":40}', SEARCHED, 40, id="the next trial"
        ),
        pytest.param(None, SEARCHED, 39, id="no word"),
        pytest.param('{"stage":"data","trials":40}', None, 0, id="the first word"),
    ],
)
def test_what_the_search_has_reached_stays(
    told: str | None, before: Progress | None, trial: int
) -> None:
    progress = carry_on(parse_progress(told), before)

    assert progress is not None
    assert progress.trial == trial


def test_progress_is_read_or_ignored() -> None:
    assert parse_progress('{"stage": "fit", "secondsLeft": 2}') == Progress(
        stage="fit", seconds_left=2
    )
    assert parse_progress("{") is None
    assert parse_progress(None) is None
