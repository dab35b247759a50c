"""How good a model is on the hold-out, and how sure that is.  Pure: the seed is an argument."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from fairlead_training import delong
from fairlead_training.config import Task
from fairlead_training.metrics import (
    Floats,
    Metric,
    answer_always,
    compute,
    find_metric,
    greater_is_better,
    is_about_middle,
    list_metrics,
)

_REPLICATES: Final = 1000
_CELLS: Final = 20_000_000  # rows times replicates that a bootstrap may cost
_CHUNK: Final = 2_000_000  # cells held in memory at a time
_LEAST_REPLICATES: Final = 200
_TELLING: Final = {Task.BINARY: "roc_auc", Task.MULTICLASS: "accuracy", Task.REGRESSION: "r2"}
_TOO_GOOD: Final = 0.9995
_TAIL: Final = 0.025  # of a two-sided 95 % interval
_BLOCK: Final = 1.3  # times the root of the row count: the rows of a block

# Of each row without a time, the number of its group, or its own; None: rows in their order of time
Units = npt.NDArray[np.int64] | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value and its 95 % interval; the bounds are NaN when the rows cannot give them."""

    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    candidate: Estimate
    champion: float
    difference: Estimate  # candidate minus champion, turned so that positive is better


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """The champion on the latest rows of the hold-out, or why there is no score."""

    rows: int = 0
    score: Floats | None = None
    unavailable: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """How a model does on the hold-out."""

    metrics: Mapping[str, Estimate]  # every one of the task
    baseline: Mapping[str, float]  # what always giving the same answer reaches in each
    trivial: float  # the same in the metric of the search
    candidate: Estimate
    comparison: Comparison | None
    compared_rows: int  # of the hold-out, the latest
    champion_unavailable: str | None  # why there is no comparison though there is a champion
    # What forecasts without a model reach: by their names, each metric.
    naive: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)


def judge(
    task: Task,
    metric: str,
    *,
    learned: Floats,
    target: Floats,
    score: Floats,
    rival: Rival | None,
    seed: int,
    units: Units = None,
    naive: Mapping[str, Floats] | None = None,
) -> Judgment:
    """Judge the scores of the hold-out, beside those of the champion where there are any.

    Args:
        learned: the target of the rows that the model learned from.
        units: what was drawn together of rows without times.
        naive: what forecasts without a model say of the hold-out.
    """
    names = list_metrics(task, metric)
    metrics = evaluate(task, metric, target, score, seed=seed, units=units)
    comparison = None
    if rival is not None and rival.score is not None:
        comparison = compare(
            task,
            metric,
            target[-rival.rows :],
            candidate=score[-rival.rows :],
            champion=rival.score,
            seed=seed,
            units=latest(units, rival.rows),
        )
    return Judgment(
        metrics=metrics,
        baseline={name: score_trivially(task, name, learned, target) for name in names},
        trivial=score_trivially(task, metric, learned, target),
        candidate=comparison.candidate if comparison else metrics[metric],
        comparison=comparison,
        compared_rows=rival.rows if rival else 0,
        champion_unavailable=rival.unavailable if rival else None,
        naive={
            of: {name: compute(task, name, target, said) for name in names}
            for of, said in (naive or {}).items()
        },
    )


def latest(units: Units, rows: int) -> Units:
    """Return the units of the latest rows."""
    return None if units is None else units[-rows:]


def evaluate(
    task: Task, metric: str, target: Floats, score: Floats, *, seed: int, units: Units = None
) -> Mapping[str, Estimate]:
    """Compute every metric of the task, and that of the search, with its bootstrap interval."""
    names = list_metrics(task, metric)
    functions = [find_metric(task, name) for name in names]
    found = dict(
        zip(names, estimate(functions, target, score, seed=seed, units=units), strict=True)
    )
    if "roc_auc" in found and _takes_delong(target, units):
        area = delong.measure(target, score)
        found["roc_auc"] = Estimate(value=area.value, low=area.low, high=area.high)
    return found


def estimate(
    functions: Sequence[Metric],
    target: Floats,
    score: Floats,
    *,
    seed: int,
    units: Units = None,
) -> list[Estimate]:
    """Compute each metric with its bootstrap interval, all in the same replicates."""
    once = np.ones((1, len(target)))
    drawn = _bootstrap(functions, target, (score,), seed=seed, units=units)
    tail = find_tail(count_blocks(len(target), units))
    return [
        _interval(float(function(target, score, once)[0]), values, tail)
        for function, (values,) in zip(functions, drawn, strict=True)
    ]


def score_trivially(task: Task, metric: str, learned: Floats, target: Floats) -> float:
    """Compute the metric of always giving the same answer, the best for what was learned from."""
    return compute(task, metric, target, answer_trivially(task, metric, learned, target))


def answer_trivially(task: Task, metric: str, learned: Floats, target: Floats) -> Floats:
    """Return the scores of always giving the same answer, the best for what was learned from."""
    classes = int(max(learned.max(), target.max())) + 1 if task is Task.MULTICLASS else 2
    answer = answer_always(task, metric, learned, classes)
    return np.repeat(answer, len(target), axis=0)


def find_doubts(
    task: Task, metric: str, metrics: Mapping[str, float], *, trivial: float, leading: str
) -> tuple[str, ...]:
    """Say in words what is odd about how a model does on the hold-out.

    Args:
        metrics: every metric of the task.
        trivial: what always giving the same answer reaches.
        leading: the feature that carries the model most.
    """
    doubts = []
    telling = _TELLING[task]
    if metrics[telling] >= _TOO_GOOD:
        doubts.append(
            f"{telling} {metrics[telling]:.4g} is rarely honest: is {leading}, which carries the "
            "model, known before the target is?"
        )
    value, sign = metrics[metric], 1 if greater_is_better(metric) else -1
    if sign * value <= sign * trivial:
        doubts.append(
            f"{metric} {value:.4g} is no better than always giving the same answer, {trivial:.4g}"
        )
    elif task is Task.REGRESSION and is_about_middle(metric) and metrics["r2"] < 0:
        doubts.append(f"r2 {metrics['r2']:.4g} is worse than the mean of the held-out rows")
    return tuple(doubts)


def compare(
    task: Task,
    metric: str,
    target: Floats,
    *,
    candidate: Floats,
    champion: Floats,
    seed: int,
    units: Units = None,
) -> Comparison:
    """Compare candidate and champion on the same rows.

    Paired bootstrap: each replicate draws rows once and scores both models on them, so that what
    makes rows hard for both cancels out (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, ch. 8 and 13).  ROC AUC on rows of which each is drawn alone needs no replicates
    (``delong``).
    """
    if metric == "roc_auc" and _takes_delong(target, units):
        return _compare_areas(target, candidate, champion)
    function = find_metric(task, metric)
    sign = 1.0 if greater_is_better(metric) else -1.0
    scores = (candidate, champion)
    ((ours, theirs),) = _bootstrap([function], target, scores, seed=seed, units=units)
    tail = find_tail(count_blocks(len(target), units))
    own = compute(task, metric, target, candidate)
    other = compute(task, metric, target, champion)
    return Comparison(
        candidate=_interval(own, ours, tail),
        champion=other,
        difference=_interval(sign * (own - other), sign * (ours - theirs), tail),
    )


def _compare_areas(target: Floats, candidate: Floats, champion: Floats) -> Comparison:
    own, gain = delong.measure(target, candidate), delong.compare(target, candidate, champion)
    return Comparison(
        candidate=Estimate(value=own.value, low=own.low, high=own.high),
        champion=own.value - gain.value,
        difference=Estimate(value=gain.value, low=gain.low, high=gain.high),
    )


def _bootstrap(
    functions: Sequence[Metric],
    target: Floats,
    scores: tuple[Floats, ...],
    *,
    seed: int,
    units: Units,
) -> list[tuple[Floats, ...]]:
    """Compute each metric of each set of scores, all in the same replicates."""
    rows = len(target)
    replicates = int(np.clip(_CELLS // rows, _LEAST_REPLICATES, _REPLICATES))
    generator = np.random.default_rng(seed)
    parts: list[list[list[Floats]]] = [[[] for _ in scores] for _ in functions]
    step = max(1, _CHUNK // rows)
    for start in range(0, replicates, step):
        weights = draw_counts(rows, min(step, replicates - start), generator, units=units)
        for function, by_score in zip(functions, parts, strict=True):
            for part, score in zip(by_score, scores, strict=True):
                part.append(function(target, score, weights))
    return [tuple(np.concatenate(part) for part in by_score) for by_score in parts]


def draw_counts(
    rows: int, replicates: int, generator: np.random.Generator, *, units: Units = None
) -> Floats:
    """Draw how often each row occurs in each replicate.

    With times, rows come in blocks of neighbors, as neighbors are alike: rows drawn one by one
    would make the interval too narrow (moving blocks, Efron and Tibshirani 1993, section 8.6;
    wrapped around the end so that every row is as likely, Politis and Romano 1992).  Without,
    what was drawn for the hold-out is drawn: a row, or a group as a whole (Davison and Hinkley,
    Bootstrap Methods and their Application, 1997, section 3.8).
    """
    if units is None:
        return _draw_blocks(rows, measure_block(rows), replicates, generator)
    _, unit = np.unique(units, return_inverse=True)
    return _draw_blocks(int(unit.max()) + 1, 1, replicates, generator)[:, unit]


def _draw_blocks(rows: int, length: int, replicates: int, generator: np.random.Generator) -> Floats:
    blocks = -(-rows // length)
    starts = generator.integers(0, rows, size=(replicates, blocks))
    drawn = (starts[:, :, None] + np.arange(length)) % rows
    drawn = drawn.reshape(replicates, -1)[:, :rows]
    offsets = np.arange(replicates)[:, None] * rows
    counts = np.bincount((drawn + offsets).ravel(), minlength=replicates * rows)
    return counts.reshape(replicates, rows).astype(np.float64)


def measure_block(rows: int) -> int:
    """Return how many neighbors in time are drawn together.

    So many that errors which last for long do not pass for evidence, at the price of wider
    intervals where rows are few (Lazarus, Lewis, Stock and Watson, "HAR Inference:
    Recommendations for Practice", 2018).
    """
    return max(1, round(_BLOCK * math.sqrt(rows)))


def count_blocks(rows: int, units: Units = None) -> float:
    """Return how many draws that know nothing of each other the rows are worth."""
    return rows / measure_block(rows) if units is None else len(np.unique(units))


def find_tail(blocks: float) -> float:
    """Return the share of replicates outside of each end of a 95 % interval.

    It is less than 2.5 % where blocks are few: the percentile interval is too narrow for them, as
    a normal one is beside Student's (expanded percentiles, Hesterberg, "What Teachers Should Know
    About the Bootstrap", 2015).
    """
    if blocks <= 1:
        return 0.0
    student = stats.t.ppf(_TAIL, blocks - 1) * np.sqrt(blocks / (blocks - 1))
    return float(stats.norm.cdf(student))


def _takes_delong(target: Floats, units: Units) -> bool:
    """Tell whether each row was drawn by itself, and there are two of each class."""
    is_single = units is not None and len(np.unique(units)) == len(units)
    return is_single and bool(1 < target.sum() < len(target) - 1)


def _interval(value: float, replicates: Floats, tail: float) -> Estimate:
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return Estimate(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(defined, (tail, 1 - tail))
    # The percentile interval of a skewed statistic may miss its own estimate by a hair.
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))
