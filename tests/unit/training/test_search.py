"""The budget of a search, and the small pure parts of a worker."""

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.budget import Counts, Step, decide, estimate_left
from fairlead_training.compute import read_cpu_limit, threads_for
from fairlead_training.config import Task
from fairlead_training.database import driver_url, lock_key
from fairlead_training.failure import TrainingFailure
from fairlead_training.search import nothing_found
from fairlead_training.study import ERROR, count, seconds_spent
from fairlead_training.train import Learner

START = datetime(2026, 1, 1)  # noqa: DTZ001  Optuna's times are naive
NONE = Counts(complete=0, pruned=0, failed=0, running=0)


def trial(state: TrialState, *, start: int = 0, seconds: int = 1, error: str = "") -> FrozenTrial:
    made = optuna.create_trial(state=TrialState.COMPLETE, value=0.5)
    made.state = state
    made.datetime_start = START + timedelta(seconds=start)
    made.datetime_complete = made.datetime_start + timedelta(seconds=seconds)
    made.user_attrs = {ERROR: error} if error else {}
    return made


@pytest.mark.parametrize(
    ("counts", "left", "expected"),
    [
        pytest.param(NONE, 9, Step.TRY, id="nothing done yet"),
        pytest.param(NONE, 0, Step.STOP, id="time is over"),
        pytest.param({"complete": 6, "running": 3}, 9, Step.TRY, id="one left"),
        pytest.param({"complete": 6, "running": 4}, 9, Step.WAIT, id="the last ones run"),
        pytest.param({"complete": 6, "pruned": 4}, 9, Step.STOP, id="all finished"),
        pytest.param({"failed": 10}, 9, Step.STOP, id="errors use up the budget"),
        pytest.param({"complete": 9, "running": 4}, 0, Step.STOP, id="no waiting past the time"),
    ],
)
def test_a_worker_decides(counts: Counts | dict[str, int], left: float, expected: Step) -> None:
    seen = counts if isinstance(counts, Counts) else dataclasses.replace(NONE, **counts)

    assert decide(seen, trials=10, seconds_left=left) is expected


@given(
    st.builds(
        Counts, **dict.fromkeys(("complete", "pruned", "failed", "running"), st.integers(0, 50))
    ),
    st.integers(1, 50),
)
def test_the_budget_is_never_exceeded(counts: Counts, trials: int) -> None:
    if decide(counts, trials=trials, seconds_left=1) is Step.TRY:
        assert counts.finished + counts.running < trials


def test_the_time_left_follows_the_pace() -> None:
    half = dataclasses.replace(NONE, complete=5)

    assert estimate_left(NONE, trials=10, spent=0, seconds_left=60) == 60
    assert estimate_left(half, trials=10, spent=20, seconds_left=60) == 20
    assert estimate_left(half, trials=10, spent=20, seconds_left=3) == 3


def test_a_trial_left_behind_does_not_count() -> None:
    trials = [
        trial(TrialState.COMPLETE),
        trial(TrialState.PRUNED),
        trial(TrialState.RUNNING),
        trial(TrialState.FAIL),  # its worker was killed: a copy waits
        trial(TrialState.FAIL, error="bad parameter"),
        trial(TrialState.WAITING),
    ]

    assert count(trials) == Counts(complete=1, pruned=1, failed=1, running=1)


def test_a_pause_costs_no_search_time() -> None:
    trials = [
        trial(TrialState.COMPLETE, start=0, seconds=10),
        trial(TrialState.PRUNED, start=5, seconds=10),  # beside the first
        trial(TrialState.COMPLETE, start=1000, seconds=10),  # after a pause
        trial(TrialState.FAIL, start=15, seconds=900),  # left behind during the pause
    ]

    assert seconds_spent(trials) == 25


def test_nothing_found_tells_the_first_error() -> None:
    failure = nothing_found([trial(TrialState.FAIL, error="too deep"), trial(TrialState.WAITING)])

    assert "none of 1 trials" in failure.message
    assert "too deep" in failure.message


@pytest.mark.parametrize(
    ("parallelism", "limit", "cores", "expected"),
    [
        pytest.param(1, None, 8, 8, id="alone"),
        pytest.param(2, None, 8, 4, id="two share a node"),
        pytest.param(4, None, 2, 1, id="more workers than cores"),
        pytest.param(2, 3.0, 8, 3, id="a limit is one's own"),
        pytest.param(1, 0.5, 8, 1, id="less than a core"),
        pytest.param(1, 16.0, 8, 8, id="a limit above the node"),
    ],
)
def test_threads(parallelism: int, limit: float | None, cores: int, expected: int) -> None:
    assert threads_for(parallelism, limit=limit, cores=cores) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None), (None, None)],
)
def test_the_cpu_limit_is_the_cgroups(
    tmp_path: Path, content: str | None, expected: float | None
) -> None:
    path = tmp_path / "cpu.max"
    if content is not None:
        path.write_text(content)

    assert read_cpu_limit(path) == expected


@pytest.mark.parametrize(
    ("task", "metric", "stopping"),
    [
        (Task.BINARY, "roc_auc", "auc"),
        (Task.BINARY, "accuracy", "logloss"),
        (Task.MULTICLASS, "f1_macro", "mlogloss"),
        (Task.REGRESSION, "mae", "mae"),
        (Task.REGRESSION, "r2", "rmse"),
    ],
)
def test_the_rounds_stop_by_a_metric_like_ours(task: Task, metric: str, stopping: str) -> None:
    learner = Learner(task=task, metric=metric, classes=3, seed=7, threads=2)

    found = learner.parameters({"max_depth": 3})

    assert (found["eval_metric"], found["max_depth"]) == (stopping, 3)
    assert ("num_class" in found) is (task is Task.MULTICLASS)


def test_the_database_url_names_the_driver_and_no_secret() -> None:
    assert driver_url("postgresql://u:p@db/x") == "postgresql+psycopg://u:p@db/x"
    with pytest.raises(TrainingFailure) as caught:
        driver_url("mysql://u:hush@db/x")
    assert "hush" not in caught.value.message


@given(st.text())
def test_a_lock_key_fits_postgresql(name: str) -> None:
    assert -(2**63) <= lock_key(name) < 2**63
