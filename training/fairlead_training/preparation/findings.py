"""Columns that help no model, or help one too well: constants, duplicates, leaks.

Columns that number or name the rows are found when they are read, and left out.

Each finding says in words what was seen; whether it ends the training is for the Model to say.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from fairlead_training.columns import show_names
from fairlead_training.config import Task
from fairlead_training.preparation.raw import Raw, is_missing

Floats = npt.NDArray[np.float64]

_LEAST_ROWS: Final = 100  # that can tell a leak from luck
_MOST_ROWS: Final = 5_000  # that are looked at for leaks
_LEAST_OF_CATEGORY: Final = 5  # rows of a category that count for a leak
_LEAST_ERRORS: Final = 20  # of a constant answer, that can tell a leak from luck
_TOO_GOOD: Final = 0.99  # share of them that a leak gets right
_TOLD: Final = 2  # of a kind, each in its own words
_SAME: Final = 0.9999  # a correlation


class Kind(StrEnum):
    CONSTANT = "constant"
    DUPLICATE = "duplicate"
    LEAK = "leak"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One suspicious column."""

    kind: Kind
    column: str
    text: str


def find_suspicious(
    columns: Mapping[str, Raw],
    target: Floats,
    *,
    task: Task,
    seed: int,
    show: Callable[[str], str] = str,
) -> tuple[Finding, ...]:
    """Return what is suspicious, in the order of the columns; of one column the first of its kinds.

    Args:
        columns: as ``read_raw`` returns them.
        target: 0 and 1, class numbers, or the value; none is missing.
        task: says what the target is.
        seed: draws the rows that are looked at for leaks.
        show: says how the words call a column.
    """
    rows = _draw(len(target), seed)
    earlier: dict[int, list[str]] = {}
    findings = []
    for name, values in columns.items():
        found = (
            _find_constant(values)
            or _find_duplicate(name, values, columns, earlier, show)
            or _find_leak(values[rows], target[rows], task)
        )
        if found:
            kind, said = found
            findings.append(Finding(kind=kind, column=name, text=f"column {show(name)} {said}"))
    return tuple(findings)


def summarize(findings: Sequence[Finding]) -> tuple[str, ...]:
    """Say in a sentence for each kind what was found, the first ones of many."""
    sentences = []
    for kind in Kind:
        found = [finding for finding in findings if finding.kind is kind]
        if kind is Kind.CONSTANT and len(found) > 1:
            names = show_names([finding.column for finding in found])
            sentences.append(f"columns {names} are the same in every row")
        elif found:
            rest = len(found) - _TOLD
            more = [f"and {rest} more"] if rest > 0 else []
            sentences.append("; ".join([*(one.text for one in found[:_TOLD]), *more]))
    return tuple(sentences)


def _find_constant(values: Raw) -> tuple[Kind, str] | None:
    if not _are_same(values, np.full_like(values, values[0])):
        return None
    said = "is empty" if is_missing(values[:1])[0] else "is the same"
    return Kind.CONSTANT, f"{said} in every row"


def _find_duplicate(
    name: str,
    values: Raw,
    columns: Mapping[str, Raw],
    earlier: dict[int, list[str]],
    show: Callable[[str], str],
) -> tuple[Kind, str] | None:
    # By position, so that columns of the same values in another order differ.
    hashes = pd.util.hash_array(values).astype(np.uint64)
    digest = hash(hashes.tobytes())
    for other in earlier.get(digest, []):
        if columns[other].dtype == values.dtype and _are_same(columns[other], values):
            return Kind.DUPLICATE, f"equals {show(other)} in every row"
    earlier.setdefault(digest, []).append(name)
    return None


def _are_same(one: Raw, other: Raw) -> bool:
    return bool(((one == other) | (is_missing(one) & is_missing(other))).all())


def _find_leak(values: Raw, target: Floats, task: Task) -> tuple[Kind, str] | None:
    if len(target) < _LEAST_ROWS or len(np.unique(target)) == 1:
        return None
    numbers = _as_numbers(values, target)
    if task is Task.REGRESSION:
        share, said = _correlation(numbers, target), "follows the target with a correlation of"
        is_leak = share >= _SAME
    else:
        share = _share_explained(numbers, target)
        said = "alone tells the classes apart, for a share of the rarer ones of"
        is_leak = share >= _TOO_GOOD
    if not is_leak:
        return None
    return Kind.LEAK, f"{said} {share:.4g}: is it known before the target is?"


def _as_numbers(values: Raw, target: Floats) -> Floats:
    """Give each category the mean target of its rows; those of few rows have none."""
    if values.dtype != object:
        return values.astype(np.float64)
    codes, _ = pd.factorize(values)
    counts = np.bincount(codes)
    means = np.bincount(codes, weights=target) / counts
    means[counts < _LEAST_OF_CATEGORY] = np.nan
    return np.asarray(means[codes], dtype=np.float64)


def _share_explained(values: Floats, target: Floats) -> float:
    """Return which share of what the commonest class gets wrong a small tree gets right."""
    classes, codes = np.unique(target, return_inverse=True)
    errors = len(codes) - np.bincount(codes).max()
    if errors < _LEAST_ERRORS:
        return 0.0
    tree = DecisionTreeClassifier(
        max_leaf_nodes=2 * len(classes) + 2, min_samples_leaf=2, random_state=0
    )
    with np.errstate(over="ignore"):
        matrix = values.astype(np.float32).reshape(-1, 1)
    matrix[np.isinf(matrix)] = np.nan
    wrong = (tree.fit(matrix, codes).predict(matrix) != codes).sum()
    return float(1 - wrong / errors)


def _correlation(values: Floats, target: Floats) -> float:
    present = ~np.isnan(values)
    if present.sum() < _LEAST_ROWS:
        return 0.0
    pairs = pd.DataFrame({"value": values[present], "target": target[present]})
    if pairs["value"].nunique() == 1 or pairs["target"].nunique() == 1:
        return 0.0
    ranks = pairs.rank()
    return float(max(abs(np.corrcoef(_scale(pair).to_numpy().T)[0, 1]) for pair in (pairs, ranks)))


def _scale(pair: pd.DataFrame) -> pd.DataFrame:
    """Bring huge values within what can be squared."""
    return pair / pair.abs().max().replace(0, 1)


def _draw(rows: int, seed: int) -> npt.NDArray[np.intp]:
    if rows <= _MOST_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False))
