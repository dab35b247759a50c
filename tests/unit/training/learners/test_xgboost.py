"""What is XGBoost's own; test_protocol.py has what every learner must do."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import xgboost

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.protocol import Setting
from fairlead_training.learners.xgboost import (
    BoostedTrees,
    XGBoostLearner,
    build_parameters,
    open_stored,
)
from fairlead_training.split import Fold

LEARNER = XGBoostLearner()
ROWS = Table(
    times=np.arange(40),
    features=pd.DataFrame({"demand": np.arange(40.0)}),
    target=(np.arange(40) > 20).astype(np.float64),
    rows=np.arange(40),
)


def setting(task: Task = Task.BINARY, metric: str = "roc_auc") -> Setting:
    return Setting(task=task, metric=metric, classes=3, seed=7, threads=2)


def fit(rounds: int, **searched: Any) -> BoostedTrees:
    return LEARNER.fit(ROWS, setting(), searched=searched, learned={"rounds": rounds})


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
    parameters = build_parameters(setting(task, metric), {"max_depth": 3})

    assert (parameters["eval_metric"], parameters["max_depth"]) == (stopping, 3)
    assert ("num_class" in parameters) is (task is Task.MULTICLASS)


@pytest.mark.parametrize(
    ("task", "metric", "objective"),
    [
        (Task.BINARY, "pr_auc", "binary:logistic"),
        (Task.MULTICLASS, "accuracy", "multi:softprob"),
        (Task.REGRESSION, "rmse", "reg:squarederror"),
        (Task.REGRESSION, "r2", "reg:squarederror"),
        (Task.REGRESSION, "mae", "reg:absoluteerror"),
    ],
)
def test_the_objective_fits_the_metric(task: Task, metric: str, objective: str) -> None:
    """A search for the least absolute error once trained on the squared one."""
    assert build_parameters(setting(task, metric), {})["objective"] == objective


def regression(target: npt.NDArray[np.float64]) -> Table:
    rows = len(target)
    features = pd.DataFrame(np.random.default_rng(2).random((rows, 3)), columns=["a", "b", "c"])
    target = target + 10 * features["a"].to_numpy()
    return Table(times=np.arange(rows), features=features, target=target, rows=np.arange(rows))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
@pytest.mark.parametrize(
    ("factor", "constant", "digits"),
    [
        pytest.param(1e-6, 0, 1e-5, id="in millions"),
        pytest.param(1e6, 0, 1e-5, id="in millionths"),
        pytest.param(1e-30, 0, 1e-5, id="tiny"),
        pytest.param(1e30, 0, 1e-5, id="huge"),
        pytest.param(1, 1e6, 0.15, id="far from zero, where 32 bits hold tenths"),
        pytest.param(-1, 0, 0.1, id="upside down"),
    ],
)
def test_a_regression_does_not_depend_on_the_unit_of_its_target(
    metric: str, factor: float, constant: float, digits: float
) -> None:
    """Targets of 1e-4 were learned in one round, as their mean."""
    told = dataclasses.replace(setting(Task.REGRESSION, metric), threads=1)
    found = []
    for rows in (
        (table := regression(np.random.default_rng(3).normal(size=120))),
        (dataclasses.replace(table, target=table.target * factor + constant)),
    ):
        fold = LEARNER.prepare_fold(rows, Fold(cut=80, end=120), told)
        result = fold.train(LEARNER.starting_point, deadline=time.monotonic() + 60)
        model = LEARNER.fit(
            rows, told, searched=LEARNER.starting_point, learned=LEARNER.combine([result.learned])
        )
        explained = model.attribute(rows.features).sum(axis=1)
        found.append((result, model.predict(rows.features), explained))

    (first, *before), (second, *after) = found
    assert first.learned == second.learned
    assert first.learned["rounds"] > 5
    assert (second.score - constant) / factor == pytest.approx(first.score, abs=digits)
    assert (after[0] - constant) / factor == pytest.approx(before[0], abs=digits)
    assert after[1] / factor == pytest.approx(before[1], abs=2 * digits), "SHAP values"


@pytest.mark.parametrize("name", ["größe", "日本", "it's", 'a "b"', "a\\b", "a/b", "🎈"])
def test_a_regression_takes_features_of_any_name(name: str) -> None:
    """Letters beyond ASCII came back as escapes, and the model knew its own columns no more."""
    told = dataclasses.replace(setting(Task.REGRESSION, "rmse"), threads=1)
    rows = regression(np.arange(40.0))
    rows = dataclasses.replace(rows, features=rows.features.set_axis([name, "b", "c"], axis=1))

    model = LEARNER.fit(rows, told, searched=LEARNER.starting_point, learned={"rounds": 3})

    assert len(model.predict(rows.features)) == 40


def test_outliers_do_not_keep_a_search_for_the_absolute_error_from_the_rest() -> None:
    noise = np.random.default_rng(3).standard_t(1, size=400) * 3
    noise[7] = 1e9
    rows = regression(noise)

    model = LEARNER.fit(
        rows,
        setting(Task.REGRESSION, "mae"),
        searched=LEARNER.starting_point,
        learned={"rounds": 30},
    )

    error = np.median(np.abs(model.predict(rows.features) - rows.target))
    assert error < np.median(np.abs(np.median(rows.target) - rows.target))


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_a_model_of_classes_is_that_of_xgboost_byte_for_byte(task: Task) -> None:
    told = setting(task)
    rows = dataclasses.replace(ROWS, target=np.arange(40) % (2 if task is Task.BINARY else 3) * 1.0)
    model = LEARNER.fit(rows, told, searched=LEARNER.starting_point, learned={"rounds": 3})

    plain = xgboost.train(
        build_parameters(told, LEARNER.starting_point),
        xgboost.QuantileDMatrix(rows.features, label=rows.target),
        3,
    )

    assert model.booster.save_raw() == plain.save_raw()


@pytest.mark.parametrize(
    ("folds", "expected"),
    [
        pytest.param([10, 20, 33], 21, id="the mean"),
        pytest.param([0], 1, id="one at least"),
    ],
)
def test_the_final_fit_takes_the_mean_of_the_rounds(folds: list[int], expected: int) -> None:
    assert LEARNER.combine([{"rounds": rounds} for rounds in folds]) == {"rounds": expected}


def test_the_final_fit_has_as_many_rounds_as_the_folds_learned() -> None:
    assert fit(5).booster.num_boosted_rounds() == 5


def test_a_parameter_that_xgboost_refuses_is_an_error_of_the_learner() -> None:
    with pytest.raises(LEARNER.errors, match="max_depth"):
        fit(1, max_depth=-3)


@pytest.mark.parametrize("character", LEARNER.refused_in_names)
def test_xgboost_refuses_names_with_these_characters(character: str) -> None:
    features = ROWS.features.rename(columns={"demand": f"demand{character}"})
    rows = dataclasses.replace(ROWS, features=features)

    with pytest.raises(ValueError, match="feature_names"):
        LEARNER.fit(rows, setting(), searched={}, learned={"rounds": 1})


@pytest.mark.parametrize(
    ("flavor", "file"),
    [
        pytest.param({}, "model.ubj", id="where ours is"),
        pytest.param({"data": "model.json"}, "model.json", id="where its flavor says"),
    ],
)
def test_a_stored_model_predicts_as_before(
    tmp_path: Path, flavor: dict[str, str], file: str
) -> None:
    model = fit(5)
    model.booster.save_model(tmp_path / file)

    loaded = open_stored(tmp_path, flavor)

    assert np.array_equal(loaded.predict(ROWS.features), model.predict(ROWS.features))


def test_a_model_knows_its_own_file(tmp_path: Path) -> None:
    model = fit(5)
    model.booster.save_model(tmp_path / "model.ubj")

    assert model.is_stored_in(tmp_path)
    assert not fit(6).is_stored_in(tmp_path)


def test_shap_values_and_the_bias_make_the_margin() -> None:
    model = fit(5)

    values = model.attribute(ROWS.features)

    probability = model.predict(ROWS.features)
    bias = np.log(probability / (1 - probability)) - values.sum(axis=1)
    assert bias == pytest.approx(np.full(40, bias[0]), abs=1e-5)
