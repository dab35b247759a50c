"""What the trainer stores of a learner, the server answers with: the same, row by row."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_contract.graph import FILE
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.predictors.onnx import OnnxPredictor
from fairlead_serving.server.signature import Column, Kind
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import GraphModel, open_stored
from fairlead_training.learners.protocol import Setting
from fairlead_training.learners.table import LEARNERS
from fairlead_training.split import Fold

ROWS, CLASSES = 90, 3
NAMES = ("a", "with blank", "b")


def fit(name: str, task: Task) -> tuple[GraphModel, pd.DataFrame]:
    rng = np.random.default_rng(4)
    features = pd.DataFrame({column: rng.normal(size=ROWS) for column in NAMES})
    signal = features["a"].to_numpy(copy=True)
    features.loc[::9, "a"] = np.nan
    target = {
        Task.BINARY: (signal > 0) * 1.0,
        Task.MULTICLASS: np.digitize(signal, [-0.5, 0.5]) * 1.0,
        Task.REGRESSION: signal * 7 + 1000,
    }[task]
    table = Table(times=np.arange(ROWS), features=features, target=target, rows=np.arange(ROWS))
    setting = Setting(task=task, metric="log_loss", classes=CLASSES, seed=7, threads=1)
    if task is Task.REGRESSION:
        setting = Setting(task=task, metric="rmse", classes=CLASSES, seed=7, threads=1)
    learner = LEARNERS[name]
    fold = learner.prepare_fold(table, Fold(cut=60, end=ROWS), setting)
    learned = fold.train(learner.starting_point, deadline=time.monotonic() + 60).learned
    model: Any = learner.fit(table, setting, searched=learner.starting_point, learned=learned)
    return model, features


def served(folder: Path, model: GraphModel, names: tuple[str, ...] = NAMES) -> OnnxPredictor:
    (folder / FILE).write_bytes(model.proto.SerializeToString())
    artifact = Artifact(
        path=folder,
        columns=tuple(Column(name=name, kind=Kind.NUMBER) for name in names),
        flavors={"onnx": {"data": FILE}},
        example=None,
    )
    return OnnxPredictor.load(artifact)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        *(pytest.param("linear", task, id=task) for task in Task),
        pytest.param("lightgbm", Task.BINARY, id="trees that know gaps"),
        pytest.param("baseline", Task.MULTICLASS, id="no feature counts"),
    ],
)
def test_the_server_answers_as_the_trainer_judged(name: str, task: Task, tmp_path: Path) -> None:
    model, features = fit(name, task)

    predictor = served(tmp_path, model)

    instances = [
        {str(key): None if np.isnan(value) else value for key, value in row.items()}
        for row in features.to_dict("records")
    ]
    answer = np.asarray(predictor.predict(instances))
    assert answer.shape == ((ROWS, CLASSES) if task is Task.MULTICLASS else (ROWS,))
    assert answer == pytest.approx(model.predict(features), rel=1e-6)
    assert model.is_stored_in(tmp_path)
    assert np.array_equal(open_stored(tmp_path, {}).predict(features), model.predict(features))


def test_the_columns_may_come_in_any_order(tmp_path: Path) -> None:
    model, features = fit("linear", Task.REGRESSION)
    row = {"b": 1.0, "a": 2.0, "with blank": 3.0}

    answer = served(tmp_path, model, ("b", "a", "with blank")).predict([row])

    expected = model.predict(pd.DataFrame([row])[list(features)])
    assert np.asarray(answer) == pytest.approx(expected)


def test_what_does_not_fit_the_graph_is_refused(tmp_path: Path) -> None:
    model, _ = fit("linear", Task.REGRESSION)

    with pytest.raises(ValueError, match="inputs b, c"):
        served(tmp_path, model, ("a", "with blank", "c"))
    with pytest.raises(BadInputError, match="column 'a'"):
        served(tmp_path, model).predict([{"a": "x", "with blank": 1, "b": 1}])
