"""Split rows by time: never shuffled, and rows of one moment never on both sides.  Pure."""

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from fairlead_training.config import ValidationConfig
from fairlead_training.data import Table, slice_rows
from fairlead_training.failure import Reason, TrainingFailure

_LEAST_ROWS: Final = 10  # in any part


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Train on the rows before ``cut``, validate on those from ``cut`` to ``end``."""

    cut: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    search: Table  # all that the search and the fit may see
    holdout: Table  # the latest rows, for the final comparison only
    classes: int  # distinct values of the target in all rows
    folds: tuple[Fold, ...]  # positions within ``search``, earliest first


def split(table: Table, validation: ValidationConfig) -> Split:
    """Cut off the hold-out and plan the folds, an expanding window over the rest.

    Raises:
        TrainingFailure: TooFewRows or TargetConstant when a part cannot be judged.
    """
    wanted = round(len(table) * (1 - validation.holdout_fraction))
    cut = step_to_next_time(table.times, wanted)
    if min(cut, len(table) - cut) < _LEAST_ROWS:
        raise _too_few(table)
    search, holdout = slice_rows(table, 0, cut), slice_rows(table, cut, len(table))
    for part, where in ((search, "before"), (holdout, "in")):
        if len(np.unique(part.target)) == 1:
            raise TrainingFailure(
                Reason.TARGET_CONSTANT,
                f"the target is the same in all {len(part)} rows {where} the hold-out, "
                "the latest part of the data; "
                "use a longer period or change spec.training.validation",
            )
    folds = plan_folds(search.times, validation.folds)
    if not folds:
        raise _too_few(table)
    judged = tuple(fold for fold in folds if _is_judgeable(search.target, fold))
    if not judged:
        raise TrainingFailure(
            Reason.TARGET_CONSTANT,
            "the target has only one value in every fold of the search; use a longer period",
        )
    return Split(search=search, holdout=holdout, classes=len(np.unique(table.target)), folds=judged)


def plan_folds(times: npt.NDArray[np.int64], folds: int) -> tuple[Fold, ...]:
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
        if cut >= _LEAST_ROWS and end - cut >= _LEAST_ROWS
    )


def step_to_next_time(times: npt.NDArray[np.int64], position: int) -> int:
    """Return the position, or the next one where a new moment begins."""
    if position <= 0 or position >= len(times):
        return min(max(position, 0), len(times))
    return int(np.searchsorted(times, times[position - 1], side="right"))


def _is_judgeable(target: npt.NDArray[np.float64], fold: Fold) -> bool:
    parts = (target[: fold.cut], target[fold.cut : fold.end])
    return all(len(np.unique(part)) > 1 for part in parts)


def _too_few(table: Table) -> TrainingFailure:
    return TrainingFailure(
        Reason.TOO_FEW_ROWS,
        f"the data has {len(table)} rows at {len(np.unique(table.times))} moments, too few "
        "to split into hold-out and folds by time; use a longer period or fewer "
        "spec.training.validation.folds",
    )
