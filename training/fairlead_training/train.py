"""XGBoost: the space that is searched, one fold, and the final fit."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xgboost

from fairlead_training.config import Task
from fairlead_training.data import Table, slice_rows
from fairlead_training.metrics import Floats
from fairlead_training.split import Fold

Parameters = Mapping[str, Any]

MOST_ROUNDS: Final = 300
_PATIENCE: Final = 15  # rounds without improvement that end a fold's training

_OBJECTIVES: Final = {
    Task.BINARY: "binary:logistic",
    Task.MULTICLASS: "multi:softprob",
    Task.REGRESSION: "reg:squarederror",
}
# XGBoost's own metric that stops the rounds; where ours jumps from row to row, a smooth one.
_STOPPING: Final = {
    Task.BINARY: {"roc_auc": "auc", "pr_auc": "aucpr", "log_loss": "logloss"},
    Task.MULTICLASS: {"log_loss": "mlogloss"},
    Task.REGRESSION: {"mae": "mae"},
}
_SMOOTH: Final = {Task.BINARY: "logloss", Task.MULTICLASS: "mlogloss", Task.REGRESSION: "rmse"}

# Tried first, so that even a search of one trial ends with a sound model.
STARTING_POINT: Final[Parameters] = {
    "learning_rate": 0.1,
    "max_depth": 6,
    "min_child_weight": 2.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "reg_lambda": 1.0,
    "reg_alpha": 0.01,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What all models of one training share."""

    task: Task
    metric: str
    classes: int
    seed: int
    threads: int

    def parameters(self, searched: Parameters) -> dict[str, Any]:
        fixed: dict[str, Any] = {
            "objective": _OBJECTIVES[self.task],
            "eval_metric": _STOPPING[self.task].get(self.metric, _SMOOTH[self.task]),
            "tree_method": "hist",
            "seed": self.seed,
            "nthread": self.threads,
            "verbosity": 0,
        }
        if self.task is Task.MULTICLASS:
            fixed["num_class"] = self.classes
        return {**fixed, **searched}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoldData:
    """One fold, binned once and used by every trial of a worker."""

    train: xgboost.QuantileDMatrix
    validation: xgboost.QuantileDMatrix
    target: Floats  # of the validation rows


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    score: Floats  # predictions for the validation rows
    rounds: int


class OutOfTimeError(Exception):
    """The search's time ended in the middle of a fold."""


def prepare_fold(table: Table, fold: Fold, *, threads: int) -> FoldData:
    train, validation = slice_rows(table, 0, fold.cut), slice_rows(table, fold.cut, fold.end)
    binned = xgboost.QuantileDMatrix(train.features, label=train.target, nthread=threads)
    return FoldData(
        train=binned,
        validation=xgboost.QuantileDMatrix(
            validation.features, label=validation.target, ref=binned, nthread=threads
        ),
        target=validation.target,
    )


def train_fold(
    learner: Learner, searched: Parameters, fold: FoldData, *, deadline: float
) -> FoldResult:
    """Train on one fold until its validation rows stop improving.

    Args:
        deadline: moment on the monotonic clock, seconds.

    Raises:
        OutOfTimeError: the deadline passed first.
    """
    watch = _Deadline(deadline)
    booster = xgboost.train(
        learner.parameters(searched),
        fold.train,
        num_boost_round=MOST_ROUNDS,
        evals=[(fold.validation, "validation")],
        early_stopping_rounds=_PATIENCE,
        verbose_eval=False,
        callbacks=[watch],
    )
    if watch.passed:
        raise OutOfTimeError
    rounds = booster.best_iteration + 1
    score = booster.predict(fold.validation, iteration_range=(0, rounds))
    return FoldResult(score=score.astype(np.float64), rounds=rounds)


def fit(learner: Learner, searched: Parameters, rounds: int, table: Table) -> xgboost.Booster:
    """Fit the final model on all rows of the search part."""
    matrix = xgboost.QuantileDMatrix(table.features, label=table.target, nthread=learner.threads)
    return xgboost.train(
        learner.parameters(searched), matrix, num_boost_round=rounds, verbose_eval=False
    )


def predict(booster: xgboost.Booster, table: Table) -> Floats:
    """Probability of class 1, probabilities of each class, or the value."""
    return np.asarray(booster.predict(xgboost.DMatrix(table.features)), dtype=np.float64)


class _Deadline(xgboost.callback.TrainingCallback):
    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.passed = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.passed = time.monotonic() > self._deadline
        return self.passed
