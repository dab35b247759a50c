"""What the gates of a Model are judged by, measured on the hold-out.  Pure.

The trainer measures and judges nothing: the bounds are the operator's.  What cannot be measured is
told as such, in words, and is never left out.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.gates import Gate
from fairlead_training.columns import read_numbers
from fairlead_training.config import GatesConfig, PartsConfig, Task
from fairlead_training.evaluate import (
    Estimate,
    Rival,
    Units,
    answer_trivially,
    compare,
    estimate,
    latest,
)
from fairlead_training.fairness import calibration_error, demographic_parity, equalized_odds
from fairlead_training.metrics import Floats, Metric

_MOST_VALUES: Final = 20  # of numbers that are parts themselves
_QUARTERS: Final = (0.25, 0.5, 0.75)
_MOST_PARTS: Final = 50
_LONGEST_NAME: Final = 40
_NOTHING: Final = "(nothing)"

Parts = npt.NDArray[np.object_]  # of each row, the name of the part that it belongs to
_FAIRNESS: Final[Mapping[Gate, Callable[[npt.NDArray[np.intp]], Metric]]] = {
    Gate.DEMOGRAPHIC_PARITY: demographic_parity,
    Gate.EQUALIZED_ODDS: equalized_odds,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The number of one gate, or why there is none."""

    gate: Gate
    column: str = ""  # by which it parts the rows
    metric: str = ""  # that it is about, where it was named
    of: str = ""  # the part that the number is about, where it is about one
    estimate: Estimate | None = None
    rows: int = 0
    judged: int | None = None  # parts that had rows enough
    small: int | None = None  # and that had not
    missing: str = ""  # why there is no number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The hold-out, and what candidate and champion say of it."""

    task: Task
    metric: str
    learned: Floats  # the target of the rows that the model learned from
    target: Floats
    score: Floats
    rival: Rival | None
    parts: Mapping[str, Parts]  # by their column
    seed: int
    units: Units = None


def read_parts(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, Parts]:
    """Name the part of each row, for each of the columns."""
    return {name: name_parts(frame[name]) for name in columns}


def name_parts(column: "pd.Series[Any]") -> Parts:
    """Name the part of each row by its value; of numbers with many, by the quarter it is in."""
    numbers = None if column.dtype == bool else read_numbers(column)
    if numbers is not None and len(np.unique(numbers[~np.isnan(numbers)])) > _MOST_VALUES:
        return _name_quarters(numbers)
    empty = column.isna().to_numpy()
    spelled = column.astype(object) if numbers is None else pd.Series(numbers).map("{:g}".format)
    named = [_shorten(str(value)) for value in spelled]
    return np.where(empty, _NOTHING, np.array(named, dtype=object)).astype(object)


def _name_quarters(numbers: Floats) -> Parts:
    cuts = np.unique(np.nanquantile(numbers, _QUARTERS))
    edges = [f"{cut:.4g}" for cut in cuts]
    names = [
        f"up to {edges[0]}",
        *(f"{low} to {high}" for low, high in itertools.pairwise(edges)),
        f"above {edges[-1]}",
    ]
    at = np.searchsorted(cuts, numbers, side="left")
    named = np.array(names, dtype=object)[np.minimum(at, len(cuts))]
    return np.where(np.isnan(numbers), _NOTHING, named).astype(object)


def measure(asked: GatesConfig, scored: Scored) -> tuple[Measured, ...]:
    """Measure what the gates ask for, the parts of a column told by their worst one."""
    found: list[Measured] = []
    if asked.baseline:
        found.append(_measure_baseline(scored))
    if asked.slices is not None:
        found += [_measure_slices(column, asked.slices, scored) for column in asked.slices.columns]
    found += [_measure_metric(name, scored) for name in asked.metrics]
    for gate, groups in ((gate, asked.fairness) for gate in _FAIRNESS):
        if groups is not None and gate in asked.measures:
            found += [_measure_groups(gate, column, groups, scored) for column in groups.columns]
    if asked.calibration:
        found.append(_measure_calibration(scored))
    return tuple(found)


def _measure_baseline(scored: Scored) -> Measured:
    always = answer_trivially(scored.task, scored.metric, scored.learned, scored.target)
    gain = compare(
        scored.task,
        scored.metric,
        scored.target,
        candidate=scored.score,
        champion=always,
        seed=scored.seed,
        units=scored.units,
    ).difference
    return Measured(gate=Gate.BASELINE, estimate=gain, rows=len(scored.target))


def _measure_metric(name: str, scored: Scored) -> Measured:
    """Compare candidate and champion by another metric than that of the search."""
    found = Measured(gate=Gate.METRICS, metric=name)
    rival = scored.rival
    if rival is None or rival.score is None:
        return dataclasses.replace(found, missing=_say_unscored(rival))
    gain = compare(
        scored.task,
        name,
        scored.target[-rival.rows :],
        candidate=scored.score[-rival.rows :],
        champion=rival.score,
        seed=scored.seed,
        units=latest(scored.units, rival.rows),
    ).difference
    found = dataclasses.replace(found, rows=rival.rows)
    if np.isnan([gain.value, gain.low, gain.high]).any():
        return dataclasses.replace(found, missing=f"{name} says nothing of these rows")
    return dataclasses.replace(found, estimate=gain)


def _say_unscored(rival: Rival | None) -> str:
    return "there is no version in charge" if rival is None else "the champion was not scored"


def _measure_calibration(scored: Scored) -> Measured:
    (error,) = estimate(
        [calibration_error], scored.target, scored.score, seed=scored.seed, units=scored.units
    )
    return Measured(gate=Gate.CALIBRATION, estimate=error, rows=len(scored.target))


def _measure_groups(gate: Gate, column: str, asked: PartsConfig, scored: Scored) -> Measured:
    """Measure how far the groups of a column are apart that have rows enough."""
    parts = scored.parts[column]
    sizes = _sizes(parts)
    large = [name for name, size in sizes.items() if size >= asked.min_rows]
    found = Measured(gate=gate, column=column, judged=len(large), small=len(sizes) - len(large))
    if len(large) < 2:  # of one group there is no difference
        missing = f"{_count(large)} {asked.min_rows} rows or more, and two are needed"
        return dataclasses.replace(found, missing=missing)
    if len(large) > _MOST_PARTS:
        return dataclasses.replace(found, missing=_too_many(large))
    kept = np.isin(parts, large)
    groups = np.searchsorted(np.array(sorted(large)), parts[kept].astype(str))
    function = _FAIRNESS[gate](groups)
    units = None if scored.units is None else scored.units[kept]
    (gap,) = estimate(
        [function], scored.target[kept], scored.score[kept], seed=scored.seed, units=units
    )
    found = dataclasses.replace(found, rows=int(kept.sum()))
    if np.isnan(gap.value):
        return dataclasses.replace(found, missing="a group has only positive rows, or none")
    return dataclasses.replace(found, estimate=gap)


def _measure_slices(column: str, asked: PartsConfig, scored: Scored) -> Measured:
    """Compare candidate and champion in each part of a column, and tell the worst."""
    rival = scored.rival
    if rival is None or rival.score is None:
        return Measured(gate=Gate.SLICES, column=column, missing=_say_unscored(rival))
    parts = scored.parts[column][-rival.rows :]
    sizes = _sizes(parts)
    large = [name for name, size in sizes.items() if size >= asked.min_rows]
    judged, small = len(large), len(sizes) - len(large)
    if not large or len(large) > _MOST_PARTS:
        missing = _too_many(large) if large else f"no value has {asked.min_rows} rows or more"
        found = Measured(gate=Gate.SLICES, column=column, missing=missing)
    else:
        found = min(_compare_parts(column, large, parts, rival, scored), key=_lowest)
    return dataclasses.replace(found, judged=judged, small=small)


def _compare_parts(
    column: str, names: Sequence[str], parts: Parts, rival: Rival, scored: Scored
) -> Iterator[Measured]:
    assert rival.score is not None  # noqa: S101  the caller has looked
    target, score = scored.target[-rival.rows :], scored.score[-rival.rows :]
    units = latest(scored.units, rival.rows)
    for name in names:
        kept = parts == name
        gain = compare(
            scored.task,
            scored.metric,
            target[kept],
            candidate=score[kept],
            champion=rival.score[kept],
            seed=scored.seed,
            units=None if units is None else units[kept],
        ).difference
        one = Measured(gate=Gate.SLICES, column=column, of=name, rows=int(kept.sum()))
        if np.isnan([gain.value, gain.low, gain.high]).any():
            yield dataclasses.replace(one, missing=f"{scored.metric} says nothing of its rows")
        else:
            yield dataclasses.replace(one, estimate=gain)


def _lowest(measured: Measured) -> float:
    """Order parts by what is at worst true of them; what is not known is worst."""
    return -np.inf if measured.estimate is None else measured.estimate.low


def _sizes(parts: Parts) -> dict[str, int]:
    names, sizes = np.unique(parts.astype(str), return_counts=True)
    return dict(zip(names.tolist(), sizes.tolist(), strict=True))


def _count(names: Sequence[str]) -> str:
    return "one group has" if len(names) == 1 else "no group has"


def _too_many(names: Sequence[str]) -> str:
    return f"{len(names)} values have enough rows, and at most {_MOST_PARTS} are judged"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
