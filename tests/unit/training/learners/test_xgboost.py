"""What is XGBoost's own; test_protocol.py has what every learner must do."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.protocol import Setting
from fairlead_training.learners.xgboost import BoostedTrees, XGBoostLearner, build_parameters

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

    loaded = LEARNER.load(tmp_path, flavor)

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
