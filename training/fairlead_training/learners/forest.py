"""Random forests, and extra trees: trees that do not know of each other, and their mean."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

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
from fairlead_training.learners.tree_shap import explain_forest, round_down
from fairlead_training.metrics import Floats
from fairlead_training.split import Fold

_TREES: Final = 100
_STEP: Final = 10  # trees between two looks at the clock
# The absolute error of a split costs a sort at each node: a tree sees so many rows of it.
_MOST_SORTED: Final = 5000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForestLearner:
    """Either of the two; it holds no state."""

    name: str
    classifier: type[Any]
    regressor: type[Any]

    refused_in_names: ClassVar[str] = ""
    learns_quantiles: ClassVar[bool] = False
    errors: ClassVar[tuple[type[Exception], ...]] = (ValueError, ArithmeticError)
    starting_point: ClassVar[Parameters] = {
        "max_leaf_nodes": 256,
        "min_samples_leaf": 3,
        "max_features": 0.5,
    }

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""
        return {
            # So that a graph of them stays below some ten megabytes.
            "max_leaf_nodes": space.suggest_int("max_leaf_nodes", 8, 1024, log=True),
            "min_samples_leaf": space.suggest_int("min_samples_leaf", 1, 64, log=True),
            "max_features": space.suggest_float("max_features", 0.1, 1.0),
        }

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "ForestFold":
        """Bring the rows of a fold into numbers of 32 bits."""
        return ForestFold.of(table, fold, setting, learner=self)

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take nothing from the folds."""
        return {}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Fit the final model on all rows of the search part."""
        rows = Rows.of(table, setting)
        native = self.grow(rows, setting, searched)
        return GraphModel.of(native, table, setting, rows.unit)

    def grow(
        self, rows: Rows, setting: Setting, searched: Parameters, *, deadline: float = np.inf
    ) -> "Forest":
        """Grow the trees, some at a time.

        Raises:
            OutOfTimeError: the deadline passed first.
        """
        forest = self._build(len(rows.target), setting, searched)
        pipeline = build_pipeline(forest, scaled=False)
        filled = pipeline[:-1].fit_transform(rows.features)
        for trees in range(_STEP, _TREES + 1, _STEP):
            check_time(deadline)
            forest.set_params(n_estimators=trees).fit(
                filled, rows.target, sample_weight=rows.weight
            )
        for tree in forest.estimators_:
            round_down(tree.tree_)
        return Forest(pipeline=pipeline, setting=setting, unit=rows.unit)

    def _build(self, rows: int, setting: Setting, searched: Parameters) -> Any:
        common = {
            **searched,
            "warm_start": True,
            "n_jobs": setting.threads,
            "random_state": setting.seed,
        }
        if setting.task is not Task.REGRESSION:
            return self.classifier(**common)
        if setting.is_of_amounts:
            return self.regressor(**common, criterion="poisson")
        if setting.quantile is not None:
            return self.regressor(
                **common,
                criterion="absolute_error",
                bootstrap=True,
                max_samples=min(1.0, _MOST_SORTED / rows),
            )
        return self.regressor(**common)


RANDOM_FOREST: Final = ForestLearner(
    name="random-forest", classifier=RandomForestClassifier, regressor=RandomForestRegressor
)
EXTRA_TREES: Final = ForestLearner(
    name="extra-trees", classifier=ExtraTreesClassifier, regressor=ExtraTreesRegressor
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForestFold(NumberFold):
    """One fold of a forest."""

    learner: ForestLearner

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Grow on the fold's first part and predict its validation rows."""
        model = self.learner.grow(self.rows, self.setting, searched, deadline=deadline)
        return FoldResult(score=model.predict(self.validation), learned={})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forest(FittedPipeline):
    """A fitted forest."""

    attribution: ClassVar[str] = "SHAP values"

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return the exact tree SHAP values, of a probability or of the value."""
        trees = [tree.tree_ for tree in self.pipeline[-1].estimators_]
        parts = explain_forest(trees, self.pipeline[:-1].transform(features))
        if self.setting.task is Task.REGRESSION:
            return parts[:, 0, :] * self.unit.one
        return parts[:, -1, :] if self.setting.task is Task.BINARY else parts
