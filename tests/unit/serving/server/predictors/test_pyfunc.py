"""Any answer of MLflow's generic interface as predictions, and rows as its frame."""

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.predictors.protocol import NotExplainedError, PredictionError
from fairlead_serving.server.predictors.pyfunc import PyfuncPredictor
from fairlead_serving.server.signature import Column, Kind

A = Column(name="a", kind=Kind.NUMBER)
B = Column(name="b", kind=Kind.WHOLE, mlflow_type="long")
REGION = Column(name="region", kind=Kind.TEXT, mlflow_type="string")


class FakeModel:
    """Answers as told and keeps the frame that it was given."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.frame = pd.DataFrame()

    def predict(self, data: pd.DataFrame) -> Any:
        self.frame = data
        return self._answer


TWO_ROWS = [{"a": 1, "region": "NSW1"}, {"a": 2, "region": "VIC1"}]


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
        pytest.param(0.5, "returned a float, not a list", id="a number"),
        pytest.param([0.5], "returned 1 predictions for 2 instances", id="too few"),
        pytest.param([0.5, float("nan")], "not a finite number", id="NaN"),
        pytest.param([0.5, None], "not a finite number", id="None"),
        pytest.param([[0.5], [float("inf")]], "not a finite number", id="infinity inside"),
    ],
)
def test_an_answer_that_is_no_prediction_is_an_error(answer: Any, message: str) -> None:
    with pytest.raises(PredictionError, match=message):
        PyfuncPredictor(FakeModel(answer), (A, REGION)).predict(TWO_ROWS)


class Narrow(FakeModel):
    """Holds 32 bits, as most libraries do, and says so."""

    def predict(self, data: pd.DataFrame) -> Any:
        if (data["a"].abs() > 3.5e38).any():
            raise ValueError("a value too large for dtype('float32')")
        return super().predict(data)


@pytest.mark.parametrize(
    ("model", "value", "message"),
    [
        pytest.param(
            FakeModel([0.5, float("nan")]), None, r"^instances\[1\] has a null, and", id="a null"
        ),
        pytest.param(
            FakeModel([0.5, float("inf")]),
            -1e300,
            r"^instances\[1\], column 'a': -1e\+300 is very large, and",
            id="a sum too large",
        ),
        pytest.param(Narrow([0.5, 0.5]), 1e300, "very large, and the model fails", id="a failure"),
    ],
)
def test_values_that_few_models_take_are_the_clients_fault(
    model: FakeModel, value: object, message: str
) -> None:
    """Any caller could take a canary back by them."""
    with pytest.raises(BadInputError, match=message):
        PyfuncPredictor(model, (A, REGION)).predict([TWO_ROWS[0], {"a": value, "region": ""}])


def test_an_explanation_is_refused_with_the_way_out() -> None:
    predictor = PyfuncPredictor(FakeModel([0.5, 0.5]), (A, REGION))

    with pytest.raises(NotExplainedError, match="register it as an XGBoost booster, or as an ONNX"):
        predictor.explain(TWO_ROWS, bool)


def test_a_model_that_fails_on_plain_values_is_at_fault() -> None:
    with pytest.raises(KeyError):
        PyfuncPredictor(Narrow([0.5]), (REGION,)).predict([{"region": "NSW1"}])


@pytest.mark.parametrize(("answer", "gives_text"), [([0.5, 0.1], False), (["up", "down"], True)])
def test_a_model_of_words_is_known_by_its_answers(answer: list[Any], *, gives_text: bool) -> None:
    predictor = PyfuncPredictor(FakeModel(answer), (A, REGION))

    predictor.predict(TWO_ROWS)

    assert predictor.gives_text is gives_text


@pytest.mark.parametrize("kind", [np.array, pd.DataFrame])
def test_many_outputs_are_refused_before_there_is_an_object_for_each(kind: Any) -> None:
    answer = kind(np.zeros((2, 200_000)))

    with pytest.raises(TooLargeError, match="send at most 1 at once"):
        PyfuncPredictor(FakeModel(answer), (A, REGION)).predict(TWO_ROWS)


def test_a_frame_has_exactly_the_types_of_the_signature() -> None:
    model = FakeModel([1])
    count = Column(name="n", kind=Kind.WHOLE, mlflow_type="integer", required=False)
    gap = Column(name="gap", kind=Kind.WHOLE, mlflow_type="integer", required=False)

    PyfuncPredictor(model, (A, B, REGION, count, gap)).predict(
        [{"a": 1, "b": 2.0, "region": "x", "n": 3}]
    )

    assert [str(dtype) for dtype in model.frame.dtypes] == [
        "float64",
        "int64",
        "object",
        "int32",
        "object",
    ]


def test_mlflow_loads_the_whole_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow.pyfunc, "load_model", lambda path: FakeModel([path]))
    artifact = Artifact(
        path=tmp_path, columns=(A, B), flavors={"python_function": {}}, example=None
    )

    assert PyfuncPredictor.load(artifact).predict([{"a": 1, "b": 2}]) == [str(tmp_path)]
