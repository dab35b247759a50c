"""Split rows into a hold-out and folds.  Pure.

Where rows have times, the latest are held out, and each fold trains on the past: nothing is
shuffled, and rows of one moment are never on both sides.  Where they have none, their order is
drawn by the seed from what they hold, so that neither the source's order nor rows that come later
decide it; each part gets its share of each class, and rows of one group stay together.
"""

import dataclasses
import hashlib
import itertools
import json
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.classes import spell
from fairlead_training.columns import show_names
from fairlead_training.config import Task, TrainingConfig, ValidationConfig
from fairlead_training.data import Table, count_rows, slice_rows, take_rows
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.preparation.raw import NUMERIC
from fairlead_training.snapshot import hash_rows

_LEAST_ROWS: Final = 10  # in any part of a table of a hundred rows or more
_LEAST_OF_ALL: Final = 2

Hashes = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Train on the rows before ``cut``, validate on those from ``cut`` to ``end``."""

    cut: int
    end: int
    and_after: bool = False  # train on the rows from ``end`` on, too

    def of(self, table: Table) -> tuple[Table, Table]:
        """Return the rows to train on, and those to validate on."""
        validation = slice_rows(table, self.cut, self.end)
        if not self.and_after:
            return slice_rows(table, 0, self.cut), validation
        return take_rows(table, np.r_[: self.cut, self.end : len(table)]), validation


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    search: Table  # all that the search and the fit may see
    holdout: Table  # the latest rows, for the final comparison only
    classes: int  # distinct values of the target in all rows
    folds: tuple[Fold, ...]  # positions within ``search``, earliest first

    @property
    def validated(self) -> npt.NDArray[np.int64] | None:
        """Of the rows that the folds validate on, ``Table.units``."""
        units = self.search.units
        if units is None:
            return None
        return np.concatenate([units[fold.cut : fold.end] for fold in self.folds])


def split(table: Table, validation: ValidationConfig) -> Split:
    """Cut off the hold-out and plan the folds: with times an expanding window over the rest.

    Raises:
        TrainingFailure: TooFewRows or TargetConstant when a part cannot be judged.
    """
    if not table.by_time:
        table = draw_order(table, validation)
    least = min(_LEAST_ROWS, max(_LEAST_OF_ALL, len(table) // 10))
    wanted = round(len(table) * (1 - validation.holdout_fraction))
    cut = step_to_next_time(table.times, wanted)
    if min(cut, len(table) - cut) < least:
        raise _too_few(table)
    search, holdout = slice_rows(table, 0, cut), slice_rows(table, cut, len(table))
    for part, where in ((search, "before"), (holdout, "in")):
        if len(np.unique(part.target)) == 1:
            raise _constant(table, part, where)
    if table.by_time:
        folds = plan_folds(search.times, validation.folds, least)
    else:
        folds = plan_parts(search.times, validation.folds, least)
    if not folds:
        raise _too_few(table)
    judged = tuple(fold for fold in folds if _is_judgeable(search, fold))
    if not judged:
        raise TrainingFailure(
            Reason.TARGET_CONSTANT,
            f"the target has only one value in every fold of the search; {_more_rows(table)}",
        )
    return Split(search=search, holdout=holdout, classes=len(np.unique(table.target)), folds=judged)


def draw_order(table: Table, validation: ValidationConfig) -> Table:
    """Bring rows without times in an order by the seed, and let their places be their times.

    Rows of one group share a place.  Of each class, the rows are spread evenly over the order.
    """
    target = _in_words(table)
    keys = _number_rows(table, target) if table.groups is None else table.groups
    seed = _mix(np.array([validation.seed], dtype=np.uint64))
    # In the order of their hashes.
    _, unit, sizes = np.unique(_mix(keys ^ seed), return_inverse=True, return_counts=True)
    stratum = _commonest(unit, target) if validation.stratified else np.zeros(len(sizes))
    by_stratum = np.lexsort([np.arange(len(sizes)), stratum])
    before = pd.Series(sizes[by_stratum]).groupby(stratum[by_stratum])
    place = np.empty(len(sizes))
    place[by_stratum] = (before.cumsum() - sizes[by_stratum] / 2) / before.transform("sum")
    rank = np.empty(len(sizes), dtype=np.int64)
    rank[np.lexsort([np.arange(len(sizes)), place])] = np.arange(len(sizes))
    times = rank[unit]
    return take_rows(dataclasses.replace(table, times=times), np.argsort(times, kind="stable"))


def name_draw(table: Table, config: TrainingConfig) -> str | None:
    """Name what decides which rows without times are held out; None where they have times.

    Two trainings of one name hold out the same rows of a table, but for those near the cut where
    rows have come or gone.
    """
    if table.by_time:
        return None
    columns = list(map(str, table.features.columns)) if table.groups is None else None
    # The same values of another type are others; numbers, whole ones and truths are one.
    types = {
        name: str(kind)
        for name, kind in table.types.items()
        if columns is not None and kind not in NUMERIC
    }
    decides = {
        "columns": columns,
        **({"types": types} if types else {}),
        "groupBy": config.data.group_by,
        "holdout": config.validation.holdout_fraction,
        "seed": config.validation.seed,
        "stratified": config.validation.stratified,
        "target": config.data.target,
    }
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def plan_folds(times: npt.NDArray[np.int64], folds: int, least: int) -> tuple[Fold, ...]:
    """Plan expanding windows: fold i trains on the first i+1 parts, validates on the next.

    Parts too small to be judged are left out.
    """
    edges = [
        step_to_next_time(times, round(len(times) * part / (folds + 1)))
        for part in range(1, folds + 1)
    ]
    ends = [*edges[1:], len(times)]
    return tuple(
        Fold(cut=cut, end=end)
        for cut, end in zip(edges, ends, strict=True)
        if cut >= least and end - cut >= least
    )


def plan_parts(places: npt.NDArray[np.int64], folds: int, least: int) -> tuple[Fold, ...]:
    """Plan a fold for each part, which trains on all the others."""
    edges = [
        step_to_next_time(places, round(len(places) * part / folds)) for part in range(folds + 1)
    ]
    return tuple(
        Fold(cut=cut, end=end, and_after=True)
        for cut, end in itertools.pairwise(edges)
        if end - cut >= least and len(places) - (end - cut) >= least
    )


def step_to_next_time(times: npt.NDArray[np.int64], position: int) -> int:
    """Return the position, or the next one where a new moment begins."""
    if position <= 0 or position >= len(times):
        return min(max(position, 0), len(times))
    return int(np.searchsorted(times, times[position - 1], side="right"))


def warn_of_rows(parts: Split, task: Task) -> tuple[str, ...]:
    """Say what of the data is not learned from, and what is uncertain since there are few rows."""
    left_out, unlabelled = parts.search.left_out, parts.search.unlabelled
    warnings = []
    if left_out:
        said = show_names(list(left_out))
        warnings.append(f"no features, as they number or name the rows: {said}")
    if unlabelled:
        warnings.append(f"{unlabelled} rows have no label, and were left out")
    return (*warnings, *warn_of_few(parts, task))


def warn_of_few(parts: Split, task: Task) -> tuple[str, ...]:
    """Say what is uncertain since there are few rows, or one of a class."""
    warnings = []
    if len(parts.holdout) < 2 * _LEAST_ROWS:
        warnings.append(
            f"only {count_rows(len(parts.holdout))} are held out, so that the interval of the "
            "metric says little"
        )
    if task is Task.MULTICLASS:
        target = np.concatenate([parts.search.target, parts.holdout.target])
        numbers, counts = np.unique(target, return_counts=True)
        classes = parts.search.classes or range(len(numbers))
        single = [spell(classes[int(number)]) for number in numbers[counts == 1]]
        if single:
            warnings.append(
                f"learned or judged, and not both, as there is one row of each: "
                f"{show_names(single)}"
            )
    return tuple(warnings)


def _in_words(table: Table) -> Floats:
    """Return a number for each row's label that stays when other labels come or go."""
    if not table.classes:
        return table.target
    words = [label if isinstance(label, str) else "" for label in table.classes]
    hashes = pd.util.hash_array(np.array(words, dtype=object)).astype(np.float64)
    known = [hashes[at] if word else float(table.classes[at]) for at, word in enumerate(words)]
    return np.array(known)[table.target.astype(np.intp)]


def _number_rows(table: Table, target: Floats) -> Hashes:
    """Return another number for each row; of equal rows, by how many came before."""
    hashes = pd.Series(hash_rows(dataclasses.replace(table, target=target)))
    copies = np.asarray(hashes.groupby(hashes).cumcount(), dtype=np.uint64)
    return np.asarray(hashes, dtype=np.uint64) ^ _mix(copies)


def _mix(numbers: Hashes) -> Hashes:
    """Scatter numbers over all 64 bits, each to another (the finalizer of splitmix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _commonest(
    unit: npt.NDArray[np.intp], target: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the commonest target of each unit; of equally common ones the smallest."""
    counts = pd.DataFrame({"unit": unit, "target": target}).value_counts().reset_index()
    counts = counts.sort_values(["unit", "count", "target"], ascending=[True, False, True])
    first = counts.drop_duplicates("unit")
    return first["target"].to_numpy(dtype=np.float64)


def _is_judgeable(search: Table, fold: Fold) -> bool:
    return all(len(np.unique(part.target)) > 1 for part in fold.of(search))


def _constant(table: Table, part: Table, where: str) -> TrainingFailure:
    if table.by_time:
        which = f"{where} the hold-out, the latest part of the data"
    else:
        which = f"{where} the hold-out" if where == "in" else "beside the hold-out"
    return TrainingFailure(
        Reason.TARGET_CONSTANT,
        f"the target is the same in all {count_rows(len(part))} {which}"
        f"{_rarest(table)}; {_more_rows(table)} or change spec.training.validation",
    )


def _rarest(table: Table) -> str:
    """Say how many rows the rarest class has, where its being rare may be why."""
    _, counts = np.unique(table.target, return_counts=True)
    if len(counts) > _LEAST_ROWS or counts.min() >= _LEAST_ROWS:
        return ""
    return f", and the rarest class has {count_rows(int(counts.min()))} of {len(table)}"


def _more_rows(table: Table) -> str:
    return "use a longer period" if table.by_time else "use more rows"


def _too_few(table: Table) -> TrainingFailure:
    at = len(np.unique(table.times))
    if table.by_time:
        said = f"at {at} moments, too few to split into hold-out and folds by time"
    elif table.groups is not None:
        said = f"in {at} groups, too few to split into hold-out and folds by group"
    else:
        said = "and that is too few to split into hold-out and folds"
    return TrainingFailure(
        Reason.TOO_FEW_ROWS,
        f"the data has {count_rows(len(table))} {said}; {_more_rows(table)} or fewer "
        "spec.training.validation.folds",
    )
