"""Read the target: a value, or the class that a label names.  Pure.

A label may be a word, a number, or true and false.  Classes are numbered in a fixed order: numbers
by size, false before true, words by the alphabet, whatever their case.  Of two classes the second
is the positive one, unless the Model names it.
"""

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.classes import LONGEST, MOST, Label, name_in_record, spell
from fairlead_training.columns import (
    LARGEST,
    Fault,
    Floats,
    emptiness,
    fault,
    holding,
    not_numbers,
    read_numbers,
    show,
    show_names,
    too_large,
)
from fairlead_training.config import Task
from fairlead_training.failure import Reason

# Of a target's values; with a smaller spread, float32 would not tell them apart.
_FINEST: Final = 4 * float(np.finfo(np.float32).eps)
_SMALLEST_SPREAD: Final = 1e-30
_TWO: Final = 2
_FEW: Final = 0.05  # of the rows: strays among two labels, and not a third class

_EXACT: Final = 2.0**53 - 1  # the last whole number that is a double of its own

Codes = npt.NDArray[np.intp]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the rows have in the target's column."""

    values: Floats  # the value, or the number of the class; NaN where there is none
    classes: tuple[Label, ...] = ()  # by number; none where the labels are these numbers


def read_target(
    column: "pd.Series[Any]",
    name: str,
    task: Task,
    *,
    positive: str | None = None,
    amounts: str = "",
    quotes: bool = True,
) -> Target | Fault:
    """Return the target.

    Args:
        column: as the source gives it.
        name: how a fault calls it.
        task: says what a target may be.
        positive: the positive class of two, as the Model names it.
        amounts: what has no use for values below 0, as a fault calls it.
        quotes: whether a fault may show values.
    """
    if task is Task.REGRESSION:
        return _read_values(column, name, amounts, quotes=quotes)
    read = _number_labels(column, quotes=quotes)
    if isinstance(read, str):
        return fault(Reason.TARGET_INVALID, name, read)
    labels, codes = read
    trouble = _wrong_labels(column, labels, codes, task, positive, quotes=quotes)
    if trouble:
        return fault(Reason.TARGET_INVALID, name, trouble)
    if len(labels) == 1:
        value = _told(labels[0]) if quotes else "the same"
        return fault(Reason.TARGET_CONSTANT, name, f"is {value} {_everywhere(codes < 0)}")
    if positive is not None and spell(labels[0]) == positive:
        labels, codes = labels[::-1], np.where(codes < 0, codes, 1 - codes)
    plain = positive is None and labels == list(range(len(labels)))
    return Target(
        values=np.where(codes < 0, np.nan, codes.astype(np.float64)),
        classes=() if plain else tuple(labels),
    )


def _read_values(
    column: "pd.Series[Any]", name: str, amounts: str, *, quotes: bool
) -> Target | Fault:
    values = read_numbers(column)
    if values is None:
        wrong = not_numbers(column)
        said = holding(column, wrong, "where a number belongs", quotes=quotes)
        return fault(Reason.TARGET_INVALID, name, said)
    present = values[~np.isnan(values)]
    if not len(present):
        return fault(Reason.TARGET_INVALID, name, emptiness(np.isnan(values)))
    if np.abs(present).max() > LARGEST:
        return fault(Reason.TARGET_INVALID, name, too_large(column, values, quotes=quotes))
    if present.min() == present.max():
        value = f"{present[0]:g}" if quotes else "the same"
        return fault(Reason.TARGET_CONSTANT, name, f"is {value} {_everywhere(np.isnan(values))}")
    if amounts and present.min() < 0:
        said = f"where {amounts} takes 0 or more; choose another metric, such as rmse"
        return fault(Reason.TARGET_INVALID, name, holding(column, values < 0, said, quotes=quotes))
    trouble = _lost_in_32_bits(present, quotes=quotes)
    return fault(Reason.TARGET_INVALID, name, trouble) if trouble else Target(values=values)


def _number_labels(column: "pd.Series[Any]", *, quotes: bool) -> tuple[list[Label], Codes] | str:
    """Return the labels in order, and which each row has, -1 for none; or what is wrong."""
    values = read_numbers(column)
    if values is not None:
        if np.isinf(values).any():
            return holding(column, np.isinf(values), "where a label belongs", quotes=quotes)
        if (inexact := np.abs(values) > _EXACT).any():
            said = "as a label, which a number of 64 bits cannot tell from the next one"
            return f"{holding(column, inexact, said, quotes=quotes)}; give the labels as text"
        known = np.unique(values[~np.isnan(values)])
        codes = np.where(np.isnan(values), -1, np.searchsorted(known, values))
        return [_as_label(value, truths=_are_truths(column)) for value in known], codes
    column = column.astype(object)
    wrong = column.map(lambda value: isinstance(value, list | dict | bytes | np.ndarray))
    if wrong.any():
        return holding(column, wrong.to_numpy(), "where a label belongs", quotes=quotes)
    found, words = pd.factorize(column.map(_word, na_action="ignore").where(column.notna(), ""))
    order = sorted(range(len(words)), key=lambda at: _alphabet(str(words[at])))
    place = np.empty(len(words), dtype=np.intp)
    place[order] = np.arange(len(words))
    is_first_empty = "" in set(words)
    ordered = [str(words[at]) for at in order]
    codes = place[found] - is_first_empty  # an empty one is first, and none
    return list(ordered[is_first_empty:]), codes


def _word(value: object) -> str:
    """Return a label among words as a text; blanks around it mean nothing, nor does NUL."""
    if isinstance(value, str):
        return name_in_record(value).strip()
    if isinstance(value, bool | np.bool_):
        return spell(bool(value))
    return name_in_record(float(value)) if isinstance(value, numbers.Real) else str(value)


def _alphabet(word: str) -> tuple[str, str]:
    return word.casefold(), word  # an empty one is first


def _are_truths(column: "pd.Series[Any]") -> bool:
    present = column.dropna()
    return bool(present.map(lambda value: isinstance(value, bool | np.bool_)).all())


def _as_label(value: float, *, truths: bool) -> Label:
    if truths:
        return bool(value)
    return int(value) if value == int(value) else float(value)


def _wrong_labels(
    column: "pd.Series[Any]",
    labels: Sequence[Label],
    codes: Codes,
    task: Task,
    positive: str | None,
    *,
    quotes: bool,
) -> str:
    """Say why these cannot be the classes; nothing when they can."""
    names = [spell(label) for label in labels]
    if not labels:
        return "is empty in every row"
    if max(map(len, names)) > LONGEST:
        return f"holds labels of more than {LONGEST} characters"
    if len(labels) > MOST:
        some = f", such as {_listed(labels)}" if quotes else ""
        return f"holds {len(labels)} different labels{some}; a model has {MOST} classes at most"
    if task is Task.BINARY and len(labels) > _TWO:
        return _more_than_two(column, labels, codes, quotes=quotes)
    if positive is not None and positive not in names and len(labels) == _TWO:
        some = _listed(labels) if quotes else "two others"
        return f"has the labels {some}, and spec.data.positiveClass names {show(positive)}"
    return ""


def _more_than_two(
    column: "pd.Series[Any]", labels: Sequence[Label], codes: Codes, *, quotes: bool
) -> str:
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    two = sorted(np.argsort(-counts, kind="stable")[:_TWO])
    strays = (codes >= 0) & ~np.isin(codes, two)
    if strays.sum() <= max(1, _FEW * len(codes)):
        beside = (
            f"beside the labels {_listed([labels[at] for at in two])}" if quotes else "as labels"
        )
        return holding(column, strays, beside, quotes=quotes)
    some = f" ({_listed(labels)})" if quotes else ""
    if len({spell(label).casefold() for label in labels}) == _TWO:
        return f"holds two labels in {len(labels)} spellings{some}; write each in one"
    return (
        f"holds {len(labels)} different labels{some} where binary-classification has two; "
        "set task: multiclass-classification, or regression for a number"
    )


def _lost_in_32_bits(values: Floats, *, quotes: bool) -> str:
    """Say whether a model's answers, of 24 bits, could not tell the values apart."""
    middle, spread = float(np.mean(values)), float(np.std(values))
    if _SMALLEST_SPREAD < spread >= abs(middle) * _FINEST:
        return ""
    much = f"by {spread:.1e} around {middle:.9g}, " if quotes else ""
    return (
        f"varies {much}less than a model's answers can show; "
        "subtract a constant, or use another unit"
    )


def _everywhere(missing: npt.NDArray[np.bool_]) -> str:
    return "in every row that is not empty" if missing.any() else "in every row"


def _listed(labels: Sequence[Label]) -> str:
    return show_names([_told(label) for label in labels])


def _told(label: Label) -> str:
    return show(label) if isinstance(label, str) else spell(label)
