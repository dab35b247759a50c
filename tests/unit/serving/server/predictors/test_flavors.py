"""Which predictor opens an artifact, and the test that each model passes before it serves."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fairlead_contract.graph import MARK
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.instances import BadInputError, InstanceReader
from fairlead_serving.server.predictors import flavors
from fairlead_serving.server.predictors.flavors import find_form, open_predictor
from fairlead_serving.server.predictors.protocol import Predictions
from fairlead_serving.server.signature import Column, Kind

NUMBER = Column(name="a", kind=Kind.NUMBER)
WHOLE = Column(name="b", kind=Kind.WHOLE, mlflow_type="long")
TEXT = Column(name="region", kind=Kind.TEXT, mlflow_type="string")
FLAG = Column(name="holiday", kind=Kind.BOOLEAN, mlflow_type="boolean")
ANY: Mapping[str, Any] = {"python_function": {}}
BOTH: Mapping[str, Any] = {"python_function": {}, "xgboost": {"data": "model.ubj"}}


def artifact(**changes: Any) -> Artifact:
    fields = {"path": Path(), "columns": (NUMBER,), "flavors": ANY, "example": [{"a": 1}]}
    return Artifact(**{**fields, **changes})


@pytest.mark.parametrize(
    ("flavors", "columns", "expected"),
    [
        pytest.param(BOTH, (NUMBER, WHOLE), "xgboost", id="numbers: the booster itself"),
        pytest.param(BOTH, (NUMBER, TEXT), "python_function", id="a string: by MLflow"),
        pytest.param(BOTH, (NUMBER, FLAG), "python_function", id="a boolean: by MLflow"),
        pytest.param(ANY, (NUMBER,), "python_function", id="no booster: by MLflow"),
        pytest.param({**ANY, "onnx": {}}, (NUMBER, TEXT, FLAG), "onnx", id="the graph itself"),
    ],
)
def test_the_fastest_form_that_takes_the_columns_opens_the_artifact(
    flavors: Mapping[str, Any], columns: tuple[Column, ...], expected: str
) -> None:
    assert find_form(artifact(flavors=flavors, columns=columns, metadata=MARK)).flavor == expected


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"flavors": {"spark": {}}}, id="an unknown flavor"),
        pytest.param({"flavors": {"xgboost": {}}, "columns": (TEXT,)}, id="a string for a booster"),
        pytest.param({"flavors": {}}, id="no flavor"),
    ],
)
def test_an_artifact_that_no_flavor_takes_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StartupError, match="cannot be served: none of its flavors") as failure:
        open_predictor(artifact(**changes), allows_code=True)

    assert failure.value.reason is Reason.ARTIFACT_INVALID


class FakePredictor:
    """Counts how often it is asked; fails as told."""

    reader = InstanceReader((), null_is_missing=False)
    is_fast = True
    gives_text = False

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.times = 0

    def predict(self, instances: object) -> Predictions:
        if self._error:
            raise self._error
        self.times += 1
        return [instances]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePredictor:
    predictor = FakePredictor()
    install(monkeypatch, lambda _: predictor)
    return predictor


def install(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    monkeypatch.setattr(flavors, "LOADERS", {"python_function": load})


@pytest.mark.parametrize(
    ("example", "warmup", "times"),
    [
        pytest.param([{"a": 1}], 20, 20, id="as often as asked for"),
        pytest.param([{"a": 1}], 0, 1, id="at least once"),
        pytest.param(None, 20, 0, id="no example: not at all"),
    ],
)
def test_a_server_is_warm_before_it_is_ready(
    fake: FakePredictor, example: list[dict[str, Any]] | None, warmup: int, times: int
) -> None:
    open_predictor(artifact(example=example), warmup=warmup, allows_code=True)

    assert fake.times == times


def test_a_slow_model_is_not_warmed_up_for_ever(
    fake: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flavors, "_WARMUP_SECONDS", 0.02)

    open_predictor(artifact(), warmup=1_000_000_000, allows_code=True)

    assert fake.times > 0


def test_a_model_that_cannot_be_loaded_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: Artifact) -> FakePredictor:
        raise OSError("no such file")

    install(monkeypatch, load)

    with pytest.raises(StartupError, match="cannot be loaded: OSError: no such file") as failure:
        open_predictor(artifact(), allows_code=True)

    assert failure.value.reason is Reason.ARTIFACT_INVALID


@pytest.mark.parametrize(
    ("taken", "library"),
    [
        pytest.param({"xgboost": {}}, "xgboost", id="a booster"),
        pytest.param({"python_function": {}}, "mlflow", id="any other"),
    ],
)
def test_an_image_for_graphs_names_the_one_that_opens_the_rest(
    monkeypatch: pytest.MonkeyPatch, taken: dict[str, Any], library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(StartupError, match=rf"has no {library}; .* images\.serving") as caught:
        open_predictor(artifact(flavors=taken), allows_code=True)

    assert caught.value.reason is Reason.SETTINGS_INVALID


def test_each_form_says_what_it_is_opened_with() -> None:
    assert flavors.LIBRARIES.keys() == flavors.LOADERS.keys()


def test_a_model_that_fails_on_its_own_example_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch, lambda _: FakePredictor(BadInputError("has no column 'b'")))

    with pytest.raises(StartupError, match="has no column 'b'") as failure:
        open_predictor(artifact(), allows_code=True)

    assert failure.value.reason is Reason.SELF_TEST_FAILED
