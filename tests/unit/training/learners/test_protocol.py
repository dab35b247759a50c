"""What the search and the finishing Job rely on; each learner of the table is held to it."""

import dataclasses
import functools
import time

import numpy as np
import onnxruntime
import optuna
import pandas as pd
import pytest

from fairlead_contract.metric import read_quantile
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.evaluate import score_trivially
from fairlead_training.learners.protocol import (
    FittedModel,
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


def fit(learner: Learner, rows: Table, task: Task, *, metric: str | None = None) -> FittedModel:
    told = dataclasses.replace(setting(task), metric=metric or METRICS[task])
    cut = len(rows) * CUT // ROWS
    fold = learner.prepare_fold(rows, Fold(cut=cut, end=len(rows)), told)
    learned = fold.train(learner.starting_point, deadline=time.monotonic() + 60).learned
    learned = learner.combine([learned])
    return learner.fit(rows, told, searched=learner.starting_point, learned=learned)


@functools.cache
def fitted(learner: Learner, task: Task) -> FittedModel:
    return fit(learner, table(task), task)


def train(learner: Learner, task: Task, *, seconds: float = 60) -> FoldResult:
    fold = learner.prepare_fold(table(task), Fold(cut=CUT, end=ROWS), setting(task))
    return fold.train(learner.starting_point, deadline=time.monotonic() + seconds)


@each_learner
def test_the_starting_point_is_in_the_space(learner: Learner) -> None:
    # A FixedTrial warns of a value outside the space, and a warning is an error.
    trial = optuna.trial.FixedTrial(dict(learner.starting_point))

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
    least = 0.5 if learner.name == "baseline" else 0.8  # which looks at no feature
    assert compute(Task.BINARY, "roc_auc", fold.target, result.score) >= least


@each_learner
def test_a_fold_stops_when_the_time_is_over(learner: Learner) -> None:
    with pytest.raises(OutOfTimeError):
        train(learner, Task.BINARY, seconds=-1)


@each_learner
@each_task
def test_a_model_predicts_explains_and_is_the_same_again(learner: Learner, task: Task) -> None:
    rows = table(task)
    models = [fitted(learner, task), fit(learner, rows, task)]

    scores = [model.predict(rows.features) for model in models]
    values = models[0].attribute(rows.features)

    models[0].verify(rows.features)
    assert scores[0].shape == shape(task, ROWS)
    assert scores[0].dtype == np.float64
    assert np.array_equal(scores[0], scores[1]), "the same rows and seed"
    if task is not Task.REGRESSION:
        assert ((scores[0] >= 0) & (scores[0] <= 1)).all(), "probabilities"
    assert (values.shape[0], values.shape[-1]) == rows.features.shape
    by_feature = np.abs(values).reshape(-1, values.shape[-1]).mean(axis=0)
    if learner.name == "baseline":
        assert not by_feature.any(), "it looks at none"
    else:
        assert by_feature[0] > by_feature[1], "the target follows the first feature"


@each_learner
@each_task
def test_a_model_as_a_graph_answers_as_the_model(learner: Learner, task: Task) -> None:
    """Also where a feature that had no gaps has one, and where all values are missing."""
    model = fitted(learner, task)
    asked = table(task).features.copy()
    asked.loc[3, "signal"] = np.nan
    asked.loc[4] = np.nan
    graph = model.to_onnx(list(asked))
    assert graph is not None

    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (answer,) = session.run(None, {"features": asked.to_numpy(np.float32)})

    (output,) = session.get_outputs()
    assert output.name == ("value" if task is Task.REGRESSION else "probabilities")
    assert answer.dtype == np.float32
    assert answer.shape == (ROWS, {Task.BINARY: 2, Task.MULTICLASS: CLASSES}.get(task, 1))
    expected = model.predict(asked)
    found = answer if task is Task.MULTICLASS else answer[:, -1]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@each_learner
@pytest.mark.parametrize(
    ("metric", "factor", "shift"),
    [
        # A power of 2 changes no digit, and so no choice between ties.
        pytest.param("mae", 2.0**20, 0.0, id="mae in another unit"),
        pytest.param("rmse", 2.0**-30, 0.0, id="rmse of billionths"),
        pytest.param("rmse", 2.0**30, 0.0, id="rmse of billions"),
        pytest.param("rmse", 1.0, 2.0**20, id="rmse of what lies a million higher"),
        pytest.param("tweedie_deviance", 2.0**-30, 0.0, id="amounts in billionths"),
        pytest.param("poisson_deviance", 2.0**30, 0.0, id="amounts in billions"),
    ],
)
def test_a_regression_does_not_depend_on_the_unit_of_its_target(
    learner: Learner, metric: str, factor: float, shift: float
) -> None:
    rows = table(Task.REGRESSION)
    # So coarse that the shift costs none of the 53 bits of a target.
    rows = dataclasses.replace(rows, target=np.round(rows.target * 64) / 64)
    told = dataclasses.replace(setting(Task.REGRESSION), metric=metric)
    found = []
    for times, more in ((1.0, 0.0), (factor, shift)):
        moved = dataclasses.replace(rows, target=rows.target * times + more)
        fold = learner.prepare_fold(moved, Fold(cut=CUT, end=ROWS), told)
        result = fold.train(learner.starting_point, deadline=time.monotonic() + 60)
        learned = learner.combine([result.learned])
        model = learner.fit(moved, told, searched=learner.starting_point, learned=learned)
        model.verify(moved.features)
        predicted = model.predict(moved.features)
        found.append(((result.score - more) / times, (predicted - more) / times))

    (score, predicted), (as_score, as_predicted) = found
    of_answers = max(1e-3, 4 * shift * float(np.finfo(np.float32).eps))  # which have 24 bits
    assert as_score == pytest.approx(score, rel=1e-3, abs=1e-3)
    assert as_predicted == pytest.approx(predicted, rel=1e-3, abs=of_answers)


@each_learner
@pytest.mark.parametrize(
    "metric", ["mae", "mape", "pinball_0.9", "poisson_deviance", "tweedie_deviance"]
)
def test_a_regression_learns_what_its_metric_asks_for(learner: Learner, metric: str) -> None:
    """Mean, median and the ninth tenth of an amount are far from each other."""
    if read_quantile(metric) and not learner.learns_quantiles:
        pytest.skip("it is refused")
    rng = np.random.default_rng(3)
    signal = rng.random(400)
    made = Table(
        times=np.arange(400),
        features=pd.DataFrame({"signal": signal}),
        target=np.exp(2 * signal) * rng.gamma(2.0, size=400),
        rows=np.arange(400),
    )

    asked, usual = (fit(learner, made, Task.REGRESSION, metric=name) for name in (metric, "r2"))

    asked.verify(made.features)
    found, other = (
        compute(Task.REGRESSION, metric, made.target, model.predict(made.features))
        for model in (asked, usual)
    )
    assert found <= other * 1.1
    trivial = score_trivially(Task.REGRESSION, metric, made.target, made.target)
    assert found <= trivial * 1.01, "no worse than the best constant"


@each_learner
def test_a_class_that_the_rows_do_not_have_has_no_chance(learner: Learner) -> None:
    rows = table(Task.MULTICLASS)
    seen = dataclasses.replace(rows, target=np.where(rows.target == 1, 2.0, rows.target))

    model = fit(learner, seen, Task.MULTICLASS)

    model.verify(seen.features)
    score = model.predict(seen.features)
    assert score.shape == (ROWS, CLASSES)
    assert score[:, 1].mean() < 0.2
    assert score.sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "task", "metric"),
    [
        *(
            pytest.param(name, Task.BINARY, "f1", id=name)
            for name in LEARNERS
            if name != "baseline"
        ),
        # XGBoost's trees by this metric stay as they were.
        pytest.param("lightgbm", Task.MULTICLASS, "f1_macro", id="of several classes"),
    ],
)
def test_where_rare_classes_count_as_much_they_are_found(
    name: str, task: Task, metric: str
) -> None:
    rng = np.random.default_rng(5)
    rows = 600
    signal = rng.normal(size=rows)
    rare = signal + rng.normal(size=rows) > 2.3
    unlikely = rare.mean()
    target = rare * 1.0 if task is Task.BINARY else rare * 1.0 + (signal < 0) * 2.0 * ~rare
    made = Table(
        times=np.arange(rows),
        features=pd.DataFrame({"signal": signal}),
        target=target,
        rows=np.arange(rows),
    )
    shares = []
    for asked in (metric, "log_loss"):
        score = fit(LEARNERS[name], made, task, metric=asked).predict(made.features)
        chosen = score.argmax(axis=1) == 1 if task is Task.MULTICLASS else score > 0.5
        shares.append(chosen.mean())

    assert shares[0] > max(shares[1], unlikely)
