"""Metrics on weighted rows, many weightings at once.  Pure.

Each takes a matrix of row weights with one line per weighting, so that a point estimate (one
line of ones) and a bootstrap (one line of counts per replicate) are the same code.  A metric
that a weighting leaves undefined, such as ROC AUC on one class, is NaN.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from fairlead_contract.metric import read_quantile

Floats = npt.NDArray[np.float64]
Metric = Callable[[Floats, Floats, Floats], Floats]

_EPSILON: Final = float(np.finfo(np.float32).eps)


def roc_auc(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the area under the ROC curve.

    It is the chance that a positive row scores above a negative one; ties count half (Hanley and
    McNeil 1982).
    """
    positives, negatives = _by_score(target, score, weights)
    below = np.cumsum(negatives, axis=1) - negatives
    ordered = np.sum(positives * (below + 0.5 * negatives), axis=1)
    return _divide(ordered, positives.sum(axis=1) * negatives.sum(axis=1))


def pr_auc(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute average precision: mean precision over recall, in steps, not interpolated."""
    positives, negatives = (part[:, ::-1] for part in _by_score(target, score, weights))
    caught = np.cumsum(positives, axis=1)  # at this score or above
    precision = _divide(caught, caught + np.cumsum(negatives, axis=1), empty=0.0)
    return _divide(np.sum(positives * precision, axis=1), positives.sum(axis=1))


def binary_log_loss(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean negative log-likelihood, with probabilities kept off 0 and 1."""
    kept = np.clip(score, _EPSILON, 1 - _EPSILON)
    return _mean(-np.where(target > 0, np.log(kept), np.log1p(-kept)), weights)


def binary_accuracy(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the share of rows on the right side of a probability of one half."""
    return _mean(((score > 0.5) == (target > 0)).astype(np.float64), weights)


def binary_precision(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the share of positive rows among those said to be; 0 where none is."""
    return _divide(_caught(target, score, weights), weights @ is_said_positive(score), empty=0.0)


def binary_recall(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the share of the positive rows that are said to be."""
    return _divide(_caught(target, score, weights), weights @ (target > 0).astype(np.float64))


def binary_f1(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the harmonic mean of precision and recall."""
    both = weights @ (is_said_positive(score) + (target > 0))
    return _divide(2 * _caught(target, score, weights), both)


def binary_brier(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean squared error of the probability (Brier 1950)."""
    return _mean((score - (target > 0)) ** 2, weights)


def multiclass_brier(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the squared errors of the probabilities, summed over classes (Brier 1950)."""
    truth = target[:, None] == np.arange(score.shape[1])
    return _mean(((score - truth) ** 2).sum(axis=1), weights)


def precision_macro(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Average the precision of each class that occurs, in truth or prediction."""
    right, truth, guess = _by_class(target, score, weights)
    return _average(_divide(right, guess, empty=0.0), truth + guess > 0)


def recall_macro(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Average the recall of each class that occurs, in truth or prediction."""
    right, truth, guess = _by_class(target, score, weights)
    return _average(_divide(right, truth, empty=0.0), truth + guess > 0)


def multiclass_log_loss(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean negative log-likelihood of the true class, kept off 0 and 1."""
    kept = np.clip(score / score.sum(axis=1, keepdims=True), _EPSILON, 1 - _EPSILON)
    return _mean(-np.log(kept[np.arange(len(target)), target.astype(np.intp)]), weights)


def multiclass_accuracy(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the share of rows whose likeliest class is the true one."""
    return _mean((score.argmax(axis=1) == target).astype(np.float64), weights)


def f1_macro(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Average the F1 of each class that occurs, in truth or prediction."""
    right, truth, guess = _by_class(target, score, weights)
    both = truth + guess
    return _average(_divide(2 * right, both, empty=0.0), both > 0)


def rmse(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the root of the mean squared error."""
    return np.sqrt(_mean((target - score) ** 2, weights))


def mae(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean absolute error."""
    return _mean(np.abs(target - score), weights)


def mape(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean absolute error as a share of the target, where that is not 0."""
    counts = target != 0
    share = np.divide(
        np.abs(target - score), np.abs(target), out=np.zeros_like(target), where=counts
    )
    return _divide(weights @ share, weights @ counts.astype(np.float64))


def r2(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the share of the target's variance that is explained."""
    centered = target - target.mean()  # keeps the difference of squares below exact enough
    spread = _mean(centered**2, weights) - _mean(centered, weights) ** 2
    return 1 - _divide(_mean((target - score) ** 2, weights), np.maximum(spread, 0.0))


def pinball(target: Floats, score: Floats, weights: Floats, *, quantile: float) -> Floats:
    """Compute the mean pinball loss, which the quantile makes least (Koenker and Bassett 1978)."""
    over = target - score
    return _mean(np.maximum(quantile * over, (quantile - 1) * over), weights)


def poisson_deviance(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean deviance of counts and amounts from their expectation."""
    kept = _keep_positive(target, score)
    ratio = np.divide(target, kept, out=np.ones_like(kept), where=target > 0)
    return _mean(2 * (target * np.log(ratio) - target + kept), weights)


def tweedie_deviance(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the mean deviance of amounts of which many are 0 (Tweedie's, of power 1.5)."""
    root, kept = np.sqrt(target), np.sqrt(_keep_positive(target, score))
    return _mean(4 * (root - kept) ** 2 / kept, weights)


METRICS: Final[Mapping[str, Mapping[str, Metric]]] = {
    "binary-classification": {
        "roc_auc": roc_auc,
        "pr_auc": pr_auc,
        "log_loss": binary_log_loss,
        "accuracy": binary_accuracy,
        "precision": binary_precision,
        "recall": binary_recall,
        "f1": binary_f1,
        "brier": binary_brier,
    },
    "multiclass-classification": {
        "log_loss": multiclass_log_loss,
        "accuracy": multiclass_accuracy,
        "f1_macro": f1_macro,
        "precision_macro": precision_macro,
        "recall_macro": recall_macro,
        "brier": multiclass_brier,
    },
    "regression": {"rmse": rmse, "mae": mae, "r2": r2, "mape": mape},
}
# Computed where a search asks for them: what they are about is not every target.
_DEVIANCES: Final[Mapping[str, Metric]] = {
    "poisson_deviance": poisson_deviance,
    "tweedie_deviance": tweedie_deviance,
}
TWEEDIE_POWER: Final = 1.5  # between a count's, 1, and an amount's, 2
_GREATER_IS_BETTER: Final = frozenset(
    {"roc_auc", "pr_auc", "accuracy", "precision", "recall", "f1", "r2"}
    | {"f1_macro", "precision_macro", "recall_macro"}
)


def find_metric(task: str, metric: str) -> Metric:
    """Return the metric of this name; ``pinball_0.9`` is the pinball loss of that quantile."""
    quantile = read_quantile(metric)
    if quantile is not None:
        return functools.partial(pinball, quantile=quantile)
    return _DEVIANCES[metric] if metric in _DEVIANCES else METRICS[task][metric]


def list_metrics(task: str, searched: str) -> tuple[str, ...]:
    """Return what a model is judged by: every metric of the task, and that of the search."""
    return tuple(dict.fromkeys((*METRICS[task], searched)))


def greater_is_better(metric: str) -> bool:
    return metric in _GREATER_IS_BETTER


def compute(task: str, metric: str, target: Floats, score: Floats) -> float:
    """Compute the metric on all rows, each counted once; NaN when it is undefined."""
    return float(find_metric(task, metric)(target, score, np.ones((1, len(target))))[0])


def answer_always(task: str, metric: str, learned: Floats, classes: int) -> Floats:
    """Return the one answer that is best for what was learned from, as a row of scores."""
    if task == "multiclass-classification":
        counts = np.bincount(learned.astype(np.intp), minlength=classes)
        return np.asarray(counts / len(learned))[None, :]
    return np.array([find_middle(metric, learned)])


def is_about_middle(metric: str) -> bool:
    """Tell whether a regression by this metric answers with what is usual, as mean and median are.

    One by ``mape`` answers too low where it is in doubt, and one for a quantile as far as told.
    """
    return metric != "mape" and read_quantile(metric) is None


def find_middle(metric: str, target: Floats) -> float:
    """Return the one value that is best in this metric."""
    quantile = 0.5 if metric in {"mae", "mape"} else read_quantile(metric)
    if quantile is None:
        return float(np.mean(target))
    return weighted_quantile(target, weigh_by_share(target) if metric == "mape" else None, quantile)


def weighted_quantile(values: Floats, weights: Floats | None, quantile: float) -> float:
    """Return the value below which this share of the weights is; without weights, of the rows."""
    if weights is None:
        return float(np.quantile(values, quantile))
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, quantile * below[-1])])


def weigh_by_share(target: Floats) -> Floats:
    """Return weights by which an error counts as a share of the target; of 0 there is none."""
    size = np.abs(target)
    weights = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    return np.asarray(weights / weights.mean())


def _keep_positive(target: Floats, score: Floats) -> Floats:
    """Keep expectations off 0, which no amount could come from."""
    kept: Floats = np.maximum(score, _EPSILON * target.mean())
    return kept


def _by_score(target: Floats, score: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Sum the weights of positive and negative rows at each score, lowest score first."""
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sorted_weights = weights[:, order]
    positive = sorted_weights * (target[order] > 0)
    every = np.add.reduceat(sorted_weights, starts, axis=1)
    positives: Floats = np.add.reduceat(positive, starts, axis=1)
    return positives, every - positives


def is_said_positive(score: Floats) -> Floats:
    """Mark the rows that are said to be positive."""
    return (score > 0.5).astype(np.float64)


def _caught(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Sum the weights of the positive rows that are said to be."""
    return weights @ (is_said_positive(score) * (target > 0))


def _by_class(target: Floats, score: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Sum the weights of each class: rows told right, of that class, and told to be of it."""
    classes = np.arange(score.shape[1])
    truth, guess = target[:, None] == classes, score.argmax(axis=1)[:, None] == classes
    right, of, told = (weights @ part.astype(np.float64) for part in (truth & guess, truth, guess))
    return right, of, told


def _average(values: Floats, occurs: npt.NDArray[np.bool_]) -> Floats:
    """Average over the classes that occur."""
    return _divide((values * occurs).sum(axis=1), occurs.sum(axis=1))


def _mean(values: Floats, weights: Floats) -> Floats:
    return _divide(weights @ values, weights.sum(axis=1))


def _divide(part: Floats, whole: Floats, *, empty: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, empty, dtype=np.float64), where=whole > 0)
