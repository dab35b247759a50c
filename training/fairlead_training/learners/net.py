"""A small neural net on scaled numbers, with as many epochs as the validation rows can use.

It learns by squares.  Where a quantile is asked for, each row is weighed before each epoch by how
far off it is, so that its square pulls as the quantile's own loss would.
"""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import threadpool_limits

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import GraphModel, attribute_by_median
from fairlead_training.learners.pipeline import (
    FittedPipeline,
    NumberFold,
    Rows,
    build_pipeline,
    check_time,
)
from fairlead_training.learners.protocol import FoldResult, Parameters, Setting, Space, mean_count
from fairlead_training.metrics import Floats, compute, greater_is_better
from fairlead_training.split import Fold

_EPOCHS: Final = "epochs"
_MOST_EPOCHS: Final = 200
_CORNER: Final = 0.02  # deviations around 0 within which a quantile's loss is rounded
_PATIENCE: Final = 15  # epochs without improvement that end a fold's training
# A metric that jumps from row to row is no guide from epoch to epoch; these are.
_SMOOTH: Final = {
    Task.BINARY: ("log_loss", frozenset({"accuracy", "f1"})),
    Task.MULTICLASS: ("log_loss", frozenset({"accuracy", "f1_macro"})),
    Task.REGRESSION: ("rmse", frozenset()),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetLearner:
    """The learner; it holds no state."""

    name: ClassVar[str] = "neural-net"
    refused_in_names: ClassVar[str] = ""
    learns_quantiles: ClassVar[bool] = True
    errors: ClassVar[tuple[type[Exception], ...]] = (ValueError, ArithmeticError)
    starting_point: ClassVar[Parameters] = {
        "units": 64,
        "layers": 2,
        "alpha": 1e-4,
        "learning_rate_init": 3e-3,
    }

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""
        return {
            "units": space.suggest_int("units", 8, 128, log=True),
            "layers": space.suggest_int("layers", 1, 3),
            "alpha": space.suggest_float("alpha", 1e-6, 1e-1, log=True),
            "learning_rate_init": space.suggest_float("learning_rate_init", 3e-4, 3e-2, log=True),
        }

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "NetFold":
        """Bring the rows of a fold into numbers of 32 bits."""
        return NetFold.of(table, fold, setting)

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take the mean of the folds' epochs."""
        return {_EPOCHS: mean_count(learned, _EPOCHS)}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Fit the final model on all rows of the search part."""
        rows = Rows.of(table, setting)
        training = _Training(rows, setting, searched)
        with threadpool_limits(setting.threads):
            for _ in range(int(learned[_EPOCHS])):
                training.go_on()
        return GraphModel.of(training.model, table, setting, rows.unit)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetFold(NumberFold):
    """One fold of a net."""

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Add epochs until the validation rows stop improving."""
        with threadpool_limits(self.setting.threads):
            return self._train(searched, deadline)

    def _train(self, searched: Parameters, deadline: float) -> FoldResult:
        task = self.setting.task
        smooth, jumping = _SMOOTH[task]
        metric = smooth if self.setting.metric in jumping else self.setting.metric
        sign = 1.0 if greater_is_better(metric) else -1.0
        training = _Training(self.rows, self.setting, searched)
        best, score, epochs = -np.inf, None, 0
        for epoch in range(1, _MOST_EPOCHS + 1):
            check_time(deadline)
            training.go_on()
            now = training.model.predict(self.validation)
            value = sign * compute(task, metric, self.target, now)
            if score is None or value > best:
                best, score, epochs = value, now, epoch
            elif epoch - epochs >= _PATIENCE:
                break
        assert score is not None, "there is one epoch at least"  # noqa: S101  for the types
        return FoldResult(score=score, learned={_EPOCHS: epochs})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetModel(FittedPipeline):
    """A fitted net."""

    attribution: ClassVar[str] = "change where the feature is at its median"

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return by how much the answer changes when one feature alone is at its median.

        That is of the probability or the value; a net has no exact values that are cheap.
        """
        usual = self.pipeline["impute"].statistics_
        return attribute_by_median(self.predict, features, usual)


class _Training:
    """A net that learns epoch by epoch."""

    def __init__(self, rows: Rows, setting: Setting, searched: Parameters) -> None:
        self._net = _build(setting, searched)
        pipeline = build_pipeline(self._net, scaled=True)
        self._scaled = pipeline[:-1].fit_transform(rows.features)
        self._rows = rows
        self._quantile = setting.quantile
        self._told = _told(rows, setting)
        self.model = NetModel(pipeline=pipeline, setting=setting, unit=rows.unit)

    def go_on(self) -> None:
        """Learn from every row once more."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._net.partial_fit(self._scaled, self._rows.target, **self._weigh())

    def _weigh(self) -> dict[str, Any]:
        if self._quantile is None:
            return self._told
        begun = hasattr(self._net, "coefs_")
        over = self._rows.target - (self._net.predict(self._scaled) if begun else 0.0)
        pull = np.where(over > 0, self._quantile, 1 - self._quantile)
        weight = pull / np.maximum(np.abs(over), _CORNER)
        return {"sample_weight": weight * self._told.get("sample_weight", 1.0)}


def _build(setting: Setting, searched: Parameters) -> Any:
    kind: Any = MLPClassifier
    if setting.task is Task.REGRESSION:
        kind = functools.partial(
            MLPRegressor, loss="poisson" if setting.is_of_amounts else "squared_error"
        )
    return kind(
        hidden_layer_sizes=(searched["units"],) * searched["layers"],
        alpha=searched["alpha"],
        learning_rate_init=searched["learning_rate_init"],
        random_state=setting.seed,
    )


def _told(rows: Rows, setting: Setting) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if rows.weight is not None:
        told["sample_weight"] = rows.weight
    if setting.task is not Task.REGRESSION:
        told["classes"] = np.arange(setting.probabilities)
    return told
