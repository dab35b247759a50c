"""What the search and the finishing Job rely on; each learner of the table is held to it."""

import time
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.protocol import (
    FoldResult,
    Learner,
    OutOfTimeError,
    Setting,
)
from fairlead_training.learners.table import LEARNERS
from fairlead_training.metrics import compute
from fairlead_training.split import Fold

ROWS, CUT = 120, 80
METRICS = {Task.BINARY: "roc_auc", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}
CLASSES = 3

each_learner = pytest.mark.parametrize("learner", LEARNERS.values(), ids=list(LEARNERS))
each_task = pytest.mark.parametrize("task", list(Task))


def setting(task: Task) -> Setting:
    return Setting(task=task, metric=METRICS[task], classes=CLASSES, seed=7, threads=1)


def table(task: Task) -> Table:
    """Rows whose target follows one of two features, some of whose values are missing."""
    signal = np.random.default_rng(1).random(ROWS)
    target = {
        Task.BINARY: (signal > 0.5).astype(np.float64),
        Task.MULTICLASS: np.floor(signal * CLASSES),
        Task.REGRESSION: signal * 100,
    }[task]
    noise = np.where(np.arange(ROWS) % 7 == 0, np.nan, np.arange(ROWS) % 5)
    features = pd.DataFrame({"signal": signal, "noise": noise})
    return Table(times=np.arange(ROWS), features=features, target=target, rows=np.arange(ROWS))


def shape(task: Task, rows: int) -> tuple[int, ...]:
    return (rows, CLASSES) if task is Task.MULTICLASS else (rows,)


def train(learner: Learner, task: Task, *, seconds: float = 60) -> FoldResult:
    fold = learner.prepare_fold(table(task), Fold(cut=CUT, end=ROWS), setting(task))
    return fold.train(learner.starting_point, deadline=time.monotonic() + seconds)


@each_learner
def test_the_starting_point_is_in_the_space(learner: Learner) -> None:
    # A FixedTrial warns of a value outside the space, and a warning is an error.
    trial: Any = optuna.trial.FixedTrial(dict(learner.starting_point))

    assert learner.suggest(trial) == learner.starting_point
    assert trial.params == learner.starting_point, "the final fit gets a trial's parameters"


@each_learner
@each_task
def test_a_fold_is_trained_on_its_first_part_and_scored_on_the_rest(
    learner: Learner, task: Task
) -> None:
    rows = table(task)
    fold = learner.prepare_fold(rows, Fold(cut=CUT, end=ROWS), setting(task))

    result = fold.train(learner.starting_point, deadline=time.monotonic() + 60)

    assert np.array_equal(fold.target, rows.target[CUT:])
    assert result.score.shape == shape(task, ROWS - CUT)
    assert result.score.dtype == np.float64


@each_learner
def test_a_fold_may_be_validated_on_its_first_rows(learner: Learner) -> None:
    """Rows without times are: such a fold trains on what comes after."""
    rows = table(Task.BINARY)
    fold = learner.prepare_fold(rows, Fold(cut=0, end=40, and_after=True), setting(Task.BINARY))

    result = fold.train(learner.starting_point, deadline=time.monotonic() + 60)

    assert np.array_equal(fold.target, rows.target[:40])
    assert compute(Task.BINARY, "roc_auc", fold.target, result.score) > 0.8


@each_learner
def test_a_fold_stops_when_the_time_is_over(learner: Learner) -> None:
    with pytest.raises(OutOfTimeError):
        train(learner, Task.BINARY, seconds=-1)


@each_learner
@each_task
def test_a_model_predicts_explains_and_is_the_same_again(learner: Learner, task: Task) -> None:
    rows = table(task)
    learned = learner.combine([train(learner, task).learned] * 2)
    models = [
        learner.fit(rows, setting(task), searched=learner.starting_point, learned=learned)
        for _ in range(2)
    ]

    scores = [model.predict(rows.features) for model in models]
    values = models[0].attribute(rows.features)

    assert scores[0].shape == shape(task, ROWS)
    assert scores[0].dtype == np.float64
    assert np.array_equal(scores[0], scores[1]), "the same rows and seed"
    if task is not Task.REGRESSION:
        assert ((scores[0] >= 0) & (scores[0] <= 1)).all(), "probabilities"
    assert (values.shape[0], values.shape[-1]) == rows.features.shape
    by_feature = np.abs(values).reshape(-1, values.shape[-1]).mean(axis=0)
    assert by_feature[0] > by_feature[1], "the target follows the first feature"
