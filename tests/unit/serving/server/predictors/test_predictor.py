"""Loading a model, its self-test, and what its predictions mean."""

import json
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import xgboost

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.predictors.booster import BoosterPredictor
from fairlead_serving.server.predictors.predictor import PredictionError, open_predictor
from fairlead_serving.server.predictors.pyfunc import PyfuncPredictor
from fairlead_serving.server.signature import Column, Kind

A = Column(name="a", kind=Kind.NUMBER)
B = Column(name="b", kind=Kind.WHOLE, mlflow_type="long")
REGION = Column(name="region", kind=Kind.TEXT, mlflow_type="string")
RNG = np.random.default_rng(7)
FRAME = pd.DataFrame({"a": RNG.normal(size=200), "b": RNG.integers(0, 9, size=200)})


def train(objective: str, labels: Any, *, frame: Any = FRAME, **params: Any) -> xgboost.Booster:
    return xgboost.train(
        {"objective": objective, "max_depth": 2, "nthread": 1, **params},
        xgboost.DMatrix(frame, labels),
        num_boost_round=5,
    )


UP = (FRAME["a"] > 0).astype(int)


def artifact(tmp_path: Path, trained: xgboost.Booster | None, **changes: Any) -> Artifact:
    path = tmp_path / "model.ubj"
    if trained:
        trained.save_model(path)
    fields = {
        "path": tmp_path,
        "columns": (A, B),
        "booster": path,
        "is_sklearn": False,
        "example": [{"a": 0.5, "b": 3}],
        **changes,
    }
    return Artifact(**fields)


def instances(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize(
    ("objective", "labels", "params"),
    [
        pytest.param("binary:logistic", UP, {}, id="binary: probability of class 1"),
        pytest.param("multi:softprob", FRAME["b"] % 3, {"num_class": 3}, id="multiclass: all"),
        pytest.param("reg:squarederror", FRAME["a"] * 2, {}, id="regression: the value"),
    ],
)
def test_a_booster_predicts_as_xgboost_does(
    tmp_path: Path, objective: str, labels: Any, params: dict[str, Any]
) -> None:
    booster = train(objective, labels, **params)

    predictor = open_predictor(artifact(tmp_path, booster))

    actual = predictor.predict(instances(FRAME))
    np.testing.assert_allclose(actual, booster.predict(xgboost.DMatrix(FRAME)), rtol=1e-5)
    assert isinstance(predictor, BoosterPredictor)


def test_columns_go_to_the_booster_in_its_own_order(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"])

    predictor = open_predictor(artifact(tmp_path, booster, columns=(B, A)))

    np.testing.assert_allclose(
        predictor.predict(instances(FRAME)), booster.predict(xgboost.DMatrix(FRAME)), rtol=1e-5
    )


def test_a_scikit_learn_model_stops_at_its_best_iteration(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"])
    booster.set_attr(best_iteration="1")

    predictor = open_predictor(artifact(tmp_path, booster, is_sklearn=True))

    expected = booster.predict(xgboost.DMatrix(FRAME), iteration_range=(0, 2))
    np.testing.assert_allclose(predictor.predict(instances(FRAME)), expected, rtol=1e-5)


def test_a_booster_without_names_goes_by_the_signature(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"], frame=FRAME.to_numpy())

    predictor = open_predictor(artifact(tmp_path, booster))

    assert len(predictor.predict([{"a": None, "b": 1}])) == 1


def test_bad_input_is_refused_before_the_model(tmp_path: Path) -> None:
    predictor = open_predictor(artifact(tmp_path, train("binary:logistic", UP)))

    with pytest.raises(BadInputError, match="column 'a'"):
        predictor.predict([{"a": "x", "b": 1}])


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        pytest.param({"columns": (A,)}, Reason.ARTIFACT_INVALID, "columns b", id="a column less"),
        pytest.param(
            {"booster": Path("/nonexistent/model.ubj")},
            Reason.ARTIFACT_INVALID,
            "cannot be loaded",
            id="no file",
        ),
        pytest.param(
            {"example": [{"a": 1}]}, Reason.SELF_TEST_FAILED, "lacks the column 'b'", id="example"
        ),
    ],
)
def test_a_model_that_cannot_predict_does_not_start(
    tmp_path: Path, changes: dict[str, Any], reason: Reason, message: str
) -> None:
    with pytest.raises(StartupError, match=message) as failure:
        open_predictor(artifact(tmp_path, train("binary:logistic", UP), **changes))

    assert failure.value.reason is reason


def test_a_booster_without_names_must_have_as_many_columns(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"], frame=FRAME.to_numpy())

    with pytest.raises(StartupError, match="takes 2 columns, the signature 1"):
        open_predictor(artifact(tmp_path, booster, columns=(A,)))


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"], base_score=3e38)
    leaves = json.loads(booster.save_raw("json"))
    for tree in leaves["learner"]["gradient_booster"]["model"]["trees"]:
        tree["base_weights"] = [3e38] * len(tree["base_weights"])
        tree["split_conditions"] = [3e38] * len(tree["split_conditions"])
    booster.load_model(bytearray(json.dumps(leaves).encode()))
    predictor = BoosterPredictor(booster, (A, B), rounds=(0, 0))

    with pytest.raises(PredictionError, match="not a finite number"):
        predictor.predict([{"a": 1, "b": 1}])


class FakeModel:
    """Answers as told and keeps the frame it was given."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.seen = pd.DataFrame()

    def predict(self, data: pd.DataFrame) -> Any:
        self.seen = data
        return self._answer


TWO_ROWS = [{"a": 1, "region": "NSW1"}, {"a": None, "region": "VIC1"}]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param([0.1, 0.9], [0.1, 0.9], id="a list"),
        pytest.param(np.array([[0.1, 0.9], [0.8, 0.2]]), [[0.1, 0.9], [0.8, 0.2]], id="an array"),
        pytest.param(pd.Series([1, 2]), [1, 2], id="a series"),
        pytest.param(pd.DataFrame({"p": ["up", "down"]}), ["up", "down"], id="a frame of one"),
        pytest.param(pd.DataFrame({"p": [1, 2], "q": [3, 4]}), [[1, 3], [2, 4]], id="a frame"),
    ],
)
def test_any_answer_becomes_a_list(answer: Any, expected: list[Any]) -> None:
    assert PyfuncPredictor(FakeModel(answer), (A, REGION)).predict(TWO_ROWS) == expected


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(0.5, "gave a float, not a list", id="a number"),
        pytest.param([0.5], "gave 1 predictions for 2 instances", id="too few"),
        pytest.param([0.5, float("nan")], "not a finite number", id="NaN"),
        pytest.param([0.5, None], "not a finite number", id="None"),
        pytest.param([[0.5], [float("inf")]], "not a finite number", id="infinity inside"),
    ],
)
def test_an_answer_that_is_no_prediction_is_an_error(answer: Any, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        PyfuncPredictor(FakeModel(answer), (A, REGION)).predict(TWO_ROWS)


def test_a_frame_has_exactly_the_types_of_the_signature() -> None:
    model = FakeModel([1])
    count = Column(name="n", kind=Kind.WHOLE, mlflow_type="integer", required=False)
    gap = Column(name="gap", kind=Kind.WHOLE, mlflow_type="integer", required=False)

    PyfuncPredictor(model, (A, B, REGION, count, gap)).predict(
        [{"a": 1, "b": 2.0, "region": "x", "n": 3}]
    )

    assert [str(dtype) for dtype in model.seen.dtypes] == [
        "float64",
        "int64",
        "object",
        "int32",
        "object",
    ]


def test_a_model_of_another_flavor_is_loaded_by_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow.pyfunc, "load_model", lambda path: FakeModel([path]))

    predictor = open_predictor(artifact(tmp_path, None, booster=None, example=None))

    assert predictor.predict([{"a": 1, "b": 2}]) == [str(tmp_path)]


@pytest.mark.parametrize(("warmup", "times"), [(0, 1), (1, 1), (20, 20)])
def test_a_server_is_warm_before_it_is_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, warmup: int, times: int
) -> None:
    caplog.set_level("INFO")

    open_predictor(artifact(tmp_path, train("reg:squarederror", FRAME["a"])), warmup=warmup)

    assert f"Scored the input example {times} times; the first took" in caplog.text


def test_a_slow_model_is_not_warmed_up_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead_serving.server.predictors.predictor._WARMUP_SECONDS", 0.02)
    caplog.set_level("INFO")

    open_predictor(artifact(tmp_path, train("reg:squarederror", FRAME["a"])), warmup=1_000_000)

    assert "Scored the input example" in caplog.text
