"""Linear models on scaled numbers: logistic regression, ridge, elastic net, of a quantile, of logs.

A quantile's is found by a loss that is smooth (Zheng 2011, "Gradient descent algorithms for
quantile regression with smooth approximation") and then moved until its share of the rows is
below it: exact methods take minutes on ten thousand rows.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)
from threadpoolctl import threadpool_limits

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import GraphModel
from fairlead_training.learners.pipeline import (
    FittedPipeline,
    NumberFold,
    Rows,
    build_pipeline,
    check_time,
)
from fairlead_training.learners.protocol import FoldResult, Parameters, Setting, Space
from fairlead_training.metrics import TWEEDIE_POWER, Floats, weighted_quantile
from fairlead_training.split import Fold

_STEPS: Final = 500  # of a solver at most
_CORNER: Final = 0.02  # deviations around 0 within which a quantile's loss is rounded


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinearLearner:
    """The learner; it holds no state."""

    name: ClassVar[str] = "linear"
    refused_in_names: ClassVar[str] = ""
    learns_quantiles: ClassVar[bool] = True
    errors: ClassVar[tuple[type[Exception], ...]] = (ValueError, ArithmeticError)
    starting_point: ClassVar[Parameters] = {"alpha": 1e-3, "l1_ratio": 0.0}

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""
        return {
            "alpha": space.suggest_float("alpha", 1e-6, 10.0, log=True),
            "l1_ratio": space.suggest_float("l1_ratio", 0.0, 1.0, step=0.25),
        }

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "LinearFold":
        """Bring the rows of a fold into numbers of 32 bits."""
        return LinearFold.of(table, fold, setting)

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take nothing from the folds."""
        return {}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Fit the final model on all rows of the search part."""
        rows = Rows.of(table, setting)
        native = _fit(rows, setting, searched)
        return GraphModel.of(native, table, setting, rows.unit)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinearFold(NumberFold):
    """One fold of a linear model."""

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Fit on the fold's first part and predict its validation rows."""
        check_time(deadline)
        model = _fit(self.rows, self.setting, searched)
        check_time(deadline)
        return FoldResult(score=model.predict(self.validation), learned={})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinearModel(FittedPipeline):
    """A fitted linear model."""

    attribution: ClassVar[str] = "coefficient times scaled value"

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return what each coefficient adds to the margin, against the mean of its feature.

        These are the SHAP values of a linear model whose features are independent.
        """
        scaled = self.pipeline[:-1].transform(features)
        weights = np.atleast_2d(self.pipeline[-1].coef_) * self.unit.one
        parts: npt.NDArray[np.floating[Any]] = scaled[:, None, :] * weights[None, :, :]
        return parts[:, 0, :] if len(weights) == 1 else parts


def _fit(rows: Rows, setting: Setting, searched: Parameters) -> LinearModel:
    pipeline = build_pipeline(_build(len(rows.target), setting, searched), scaled=True)
    with warnings.catch_warnings(), threadpool_limits(setting.threads):
        # A solver that has not quite arrived is judged by its predictions, as any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if setting.quantile is None:
            pipeline.fit(rows.features, rows.target)
        else:
            scaled = pipeline[:-1].fit_transform(rows.features)
            _fit_quantile(pipeline[-1], scaled, rows, setting.quantile, searched["alpha"])
    return LinearModel(pipeline=pipeline, setting=setting, unit=rows.unit)


def _build(rows: int, setting: Setting, searched: Parameters) -> Any:
    """Build the estimator; alpha weighs the penalty of one row in each of them."""
    alpha, l1_ratio = searched["alpha"], searched["l1_ratio"]
    if setting.task is not Task.REGRESSION:
        return LogisticRegression(
            C=1 / (alpha * rows),
            l1_ratio=l1_ratio,
            solver="saga" if l1_ratio else "lbfgs",
            class_weight="balanced" if setting.is_balanced else None,
            max_iter=_STEPS,
            random_state=setting.seed,
        )
    if setting.metric == "poisson_deviance":
        return PoissonRegressor(alpha=alpha, max_iter=_STEPS)
    if setting.metric == "tweedie_deviance":
        return TweedieRegressor(power=TWEEDIE_POWER, alpha=alpha, link="log", max_iter=_STEPS)
    if not l1_ratio or setting.quantile is not None:
        return Ridge(alpha=alpha * rows)
    return ElasticNet(alpha=alpha, l1_ratio=l1_ratio, max_iter=_STEPS, random_state=setting.seed)


def _fit_quantile(line: Any, scaled: Floats, rows: Rows, quantile: float, alpha: float) -> None:
    """Give a linear estimator the line that this share of the rows is below."""
    weight = np.ones(len(scaled)) if rows.weight is None else rows.weight
    weight = weight / weight.sum()

    def loss(line: Floats) -> tuple[float, Floats]:
        over = rows.target - scaled @ line[:-1] - line[-1]
        below = expit(-over / _CORNER)
        value = weight @ (quantile * over + _CORNER * np.logaddexp(0, -over / _CORNER))
        slope = weight * (below - quantile)
        penalty = alpha * line[:-1]
        gradient = np.append(scaled.T @ slope + penalty, slope.sum())
        return float(value + penalty @ line[:-1] / 2), gradient

    start = np.zeros(scaled.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x
    line.coef_ = found[:-1]
    line.intercept_ = weighted_quantile(rows.target - scaled @ found[:-1], rows.weight, quantile)
    line.n_features_in_ = scaled.shape[1]
