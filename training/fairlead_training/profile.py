"""Count the rows that a version learned from, column by column.  Pure."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from fairlead_contract import profile as contract
from fairlead_contract.classes import Label, spell
from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import Column, Profile, Spread, Values
from fairlead_training.columns import Floats
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.preparation.raw import Raw, is_missing
from fairlead_training.split import Split

_DIGITS: Final = 9  # of what is computed; the edges are kept as they are


def take_profile(parts: Split, score: Floats, task: Task) -> Profile:
    """Count the rows of the search, and the answers on the hold-out.

    Args:
        parts: the rows.
        score: what the model says of the hold-out: a value or a probability for each row, or a
            row of probabilities, one for each class.
        task: of the model.
    """
    search = parts.search
    return Profile(
        rows=len(search),
        columns={
            name: Column(type=(kind := _type(search, name)), seen=_see(values, kind))
            for name, values in search.columns.items()
        },
        target=_see_target(search, task),
        answered=len(parts.holdout),
        answers=_see_answers(score, search.classes),
    )


def see_numbers(values: Floats) -> Spread:
    """Count numbers between their deciles; NaN is a missing one."""
    present = values[np.isfinite(values)]
    missing = len(values) - len(present)
    if not len(present):
        return Spread(missing=missing)
    edges = _find_edges(present)
    bins = np.searchsorted(edges, present, side="right")
    with np.errstate(over="ignore"):
        mean, deviation = float(present.mean()), float(present.std())
    return Spread(
        missing=missing,
        low=float(present.min()),
        high=float(present.max()),
        mean=_round(mean),
        deviation=_round(deviation),
        edges=tuple(map(float, edges)),
        counts=tuple(map(int, np.bincount(bins, minlength=len(edges) + 1))),
    )


def _find_edges(present: Floats) -> Floats:
    """Return the deciles, and where one value takes several of them, deciles of the others.

    They are values that there are, not values between: of two, such as truths, the edge parts
    them.  What was always the same has a bin of its own between all that is smaller or larger.
    """
    low, high = present.min(), present.max()
    if low == high:
        return np.array([low, np.nextafter(low, np.inf)])
    edges = _deciles(present, contract.MOST_BINS)
    left = contract.MOST_BINS - 1 - len(edges)
    return np.unique(np.r_[edges, _deciles(np.unique(present), left + 1)]) if left else edges


def _deciles(values: Floats, bins: int) -> Floats:
    """Return the distinct edges of bins of one size."""
    shares = np.arange(1, bins) / bins
    edges: Floats = np.unique(np.quantile(values, shares, method="higher"))
    above: Floats = edges[edges > values.min()]
    return above


def see_values(values: Iterable[str], missing: int) -> Values:
    """Count texts by value."""
    counted = Counter(values)
    frequent = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    short = [item for item in frequent if len(item[0]) <= contract.LONGEST_VALUE]
    kept = dict(short[: contract.MOST_VALUES])
    return Values(
        missing=missing,
        counts=kept,
        others=counted.total() - sum(kept.values()),
        different=len(counted),
    )


def _type(table: Table, name: str) -> ColumnType:
    return table.types.get(name, ColumnType.NUMBER)


def _see(values: Raw, kind: ColumnType) -> Spread | Values:
    if kind is ColumnType.CATEGORY:
        gaps = is_missing(values)
        return see_values(map(str, values[~gaps]), int(gaps.sum()))
    if kind is ColumnType.TEXT:
        return see_numbers(_lengths(values))
    return see_numbers(np.asarray(values, dtype=np.float64))


def _lengths(values: Raw) -> Floats:
    gaps = is_missing(values)
    lengths = np.full(len(values), np.nan)
    lengths[~gaps] = [len(str(value)) for value in values[~gaps]]
    return lengths


def _see_target(table: Table, task: Task) -> Spread | Values:
    if task is Task.REGRESSION:
        return see_numbers(table.target)
    return see_values(_spell(table.target.astype(np.intp), table.classes), 0)


def _see_answers(score: Floats, classes: tuple[Label, ...]) -> Spread | Values:
    if score.ndim == 1:
        return see_numbers(score)
    return see_values(_spell(score.argmax(axis=1), classes), 0)


def _spell(numbers: npt.NDArray[np.intp], classes: tuple[Label, ...]) -> Iterable[str]:
    names = [spell(label) for label in classes]
    return (names[number] if names else str(number) for number in numbers)


def _round(value: float) -> float | None:
    """Leave out what no number in JSON can be."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
