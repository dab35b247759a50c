"""A model of raw columns and its one graph."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from fairlead_training.config import Task
from fairlead_training.learners.ensemble import Ensemble, Member
from fairlead_training.learners.linear import LinearLearner
from fairlead_training.learners.protocol import Setting, UnfaithfulFormError
from fairlead_training.learners.table import LEARNERS
from fairlead_training.learners.xgboost import XGBoostLearner
from fairlead_training.prepared import fit_model
from fairlead_training.prepared_model import PreparedModel
from support.training_rows import check, config, frame

ROWS = 300
PLANS = np.array(["gold", "silver", ""], dtype=object)[np.arange(ROWS) % 3]
CITIES = np.array([f"city {n * n % 41}" for n in range(ROWS)], dtype=object)
LABELS = {
    Task.BINARY: np.array(["no", "yes"])[(np.arange(ROWS) % 3 == 0) * 1],
    Task.MULTICLASS: np.array(["a", "b", "c"])[np.arange(ROWS) % 3],
    Task.REGRESSION: (np.arange(ROWS) % 3) * 1e6 + np.arange(ROWS),
}
OF_ANY_METRIC = ("xgboost", "lightgbm", "linear", "neural-net", "baseline")
METRICS = {Task.BINARY: "log_loss", Task.MULTICLASS: "log_loss", Task.REGRESSION: "rmse"}


# As an ensemble has them, and the search otherwise: what the folds of a trial found.
LEARNED = {"xgboost": {"rounds": 10}, "lightgbm": {"rounds": 10}, "neural-net": {"epochs": 10}}
TOGETHER = Ensemble(
    members=[
        Member(
            learner=LEARNERS[name],
            searched=LEARNERS[name].starting_point,
            learned=LEARNED.get(name, {}),
            weight=weight,
        )
        for name, weight in {"xgboost": 0.5, "lightgbm": 0.3, "linear": 0.2}.items()
    ]
)


def fit(task: Task, learner: Any, metric: str = "") -> tuple[PreparedModel, Any]:
    metric = metric or METRICS[task]
    rows = frame(ROWS, up=LABELS[task], plan=PLANS, city=CITIES)
    table = check(rows, config(task=str(task), search__metric=metric))
    setting = Setting(task=task, metric=metric, classes=3, seed=7, threads=1)
    setting = dataclasses.replace(setting, classes=2) if task is Task.BINARY else setting
    searched = {} if learner is TOGETHER else learner.starting_point
    learned = LEARNED.get(learner.name, {})
    model = fit_model(learner, table, setting, searched=searched, learned=learned)
    assert isinstance(model, PreparedModel)
    return model, table.features


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    "learner", [XGBoostLearner(), LinearLearner(), TOGETHER], ids=lambda one: one.name
)
def test_the_graph_of_a_model_answers_as_the_model_does(task: Task, learner: Any) -> None:
    model, features = fit(task, learner)

    model.verify(features)

    native = model.model.predict(model.preparation.transform(features))
    np.testing.assert_allclose(model.predict(features), native, rtol=1e-4, atol=1e-5)
    assert model.to_onnx(()) is None


@pytest.mark.parametrize("metric", ["mae", "pinball_0.9", "poisson_deviance", "tweedie_deviance"])
@pytest.mark.parametrize(
    "learner", [*map(LEARNERS.__getitem__, OF_ANY_METRIC), TOGETHER], ids=lambda one: one.name
)
def test_what_was_learned_for_a_metric_is_in_the_graph(metric: str, learner: Any) -> None:
    model, features = fit(Task.REGRESSION, learner, metric)

    model.verify(features)

    assert model.attribute(features).shape == (ROWS, 3)


def test_models_that_answer_together_have_their_columns_prepared_once() -> None:
    alone, _ = fit(Task.BINARY, LEARNERS["linear"])
    together, _ = fit(Task.BINARY, TOGETHER)

    for kind in ("LabelEncoder", "OneHotEncoder"):
        once, shared = (
            sum(node.op_type == kind for node in model.proto.graph.node)
            for model in (alone, together)
        )
        assert shared == once > 0, kind


def test_a_graph_says_the_user_s_own_words() -> None:
    model, _ = fit(Task.BINARY, XGBoostLearner())

    said = model.graph.description

    assert (said.task, said.classes) == ("binary-classification", ("no", "yes"))
    assert {name: str(kind) for name, kind in said.columns.items()} == {
        "demand": "number",
        "plan": "category",
        "city": "category",
    }


def test_attributions_are_by_column() -> None:
    model, features = fit(Task.BINARY, XGBoostLearner())

    parts = model.attribute(features)

    by_feature = model.model.attribute(model.preparation.transform(features))
    assert parts.shape == (ROWS, 3)
    assert by_feature.shape[1] > 3
    np.testing.assert_allclose(parts.sum(axis=1), by_feature.sum(axis=1), atol=1e-5)


@dataclasses.dataclass(frozen=True)
class Altered:
    """A model beside which its graph is wrong, or that has none."""

    inner: Any
    has_graph: bool = True

    def verify(self, features: Any) -> None:
        """Find nothing wrong."""

    def predict(self, features: Any) -> Any:
        return self.inner.predict(features) * 0.9

    def to_onnx(self, names: Any) -> Any:
        return self.inner.to_onnx(names) if self.has_graph else None


def test_a_graph_that_differs_is_not_taken() -> None:
    model, features = fit(Task.BINARY, XGBoostLearner())
    altered = dataclasses.replace(model, model=Altered(model.model))  # type: ignore[arg-type]

    with pytest.raises(
        UnfaithfulFormError, match="its ONNX graph answers 300 of 300 held-out rows otherwise"
    ):
        altered.verify(features)


def test_a_model_without_a_graph_is_not_taken() -> None:
    class NoGraph(XGBoostLearner):
        def fit(self, *args: Any, **options: Any) -> Any:
            return Altered(super().fit(*args, **options), has_graph=False)

    with pytest.raises(UnfaithfulFormError, match="it has no form as an ONNX graph"):
        fit(Task.BINARY, NoGraph())
