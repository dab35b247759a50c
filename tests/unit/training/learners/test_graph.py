"""What is stored as a graph is checked against the model, and says what it takes and answers."""

import dataclasses

import numpy as np
import onnx
import pandas as pd
import pytest

from fairlead_contract.graph import InvalidGraphError, read_metadata
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.graph import Graph
from fairlead_training.learners.graph import GraphModel
from fairlead_training.learners.linear import LinearLearner
from fairlead_training.learners.protocol import Setting, UnfaithfulFormError
from fairlead_training.learners.tree_shap import floor_32
from fairlead_training.metrics import Floats

SETTING = Setting(task=Task.BINARY, metric="roc_auc", classes=2, seed=7, threads=1)
ROWS = Table(
    times=np.arange(40),
    features=pd.DataFrame({"demand": np.arange(40.0), "wind": np.arange(40) % 7 * 1.0}),
    target=(np.arange(40) > 20).astype(np.float64),
    rows=np.arange(40),
)


def fit(table: Table = ROWS) -> GraphModel:
    learner = LinearLearner()
    return learner.fit(table, SETTING, searched=learner.starting_point, learned={})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """A model beside its graph, as one that was converted wrongly."""

    answer: Floats

    def predict(self, features: Floats) -> Floats:
        return self.answer


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        pytest.param(0.0, 0, id="not at all"),
        pytest.param(1e-6, 0, id="as 32 bits do"),
        pytest.param(1e-3, 1, id="more, in one row"),
        pytest.param(np.nan, 1, id="no number"),
    ],
)
def test_a_graph_may_differ_from_its_model_by_what_32_bits_allow(by: float, rows: int) -> None:
    model = fit()
    answer = model.predict(ROWS.features)
    answer[7] += by
    changed = dataclasses.replace(model, native=Off(answer=answer))

    if not rows:
        changed.verify(ROWS.features)
        return
    with pytest.raises(
        UnfaithfulFormError, match=r"answers 1 of 40 held-out rows otherwise \(first: 8\), by up to"
    ):
        changed.verify(ROWS.features)


def test_a_model_that_cannot_be_converted_says_so() -> None:
    class Stubborn:
        def to_onnx(self, width: int) -> onnx.ModelProto:
            raise RuntimeError("no converter\nof this kind")

    with pytest.raises(UnfaithfulFormError, match=r"\(RuntimeError: no converter\)"):
        GraphModel.of(Stubborn(), ROWS, SETTING)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        pytest.param((), (0, 1), id="numbers"),
        pytest.param(("no", "yes"), ("no", "yes"), id="words"),
    ],
)
def test_a_graph_names_its_columns_and_classes(
    labels: tuple[str, ...], classes: tuple[object, ...]
) -> None:
    model = fit(dataclasses.replace(ROWS, classes=labels))

    described = read_metadata({entry.key: entry.value for entry in model.proto.metadata_props})

    assert (described.classes, list(described.columns)) == (classes, ["demand", "wind"])
    assert [each.name for each in model.proto.graph.input] == ["demand", "wind"]


def test_another_graph_is_not_opened() -> None:
    with pytest.raises(InvalidGraphError, match=r"fairlead\.\w+ is missing"):
        Graph(fit().to_onnx(["demand", "wind"]).SerializeToString())


def test_a_threshold_is_rounded_so_that_the_same_numbers_are_below_it() -> None:
    numbers = np.float32([0.1, 0.2, 1e-40, -3.0, 16777216.0])
    above = np.nextafter(numbers, np.float32(np.inf))
    between = (numbers.astype(np.float64) + above.astype(np.float64)) / 2

    assert np.array_equal(floor_32(between), numbers.astype(np.float64))
    assert np.array_equal(floor_32(numbers.astype(np.float64)), numbers.astype(np.float64))
