"""Read one column as the model needs it, or say what is wrong with it.  Pure.

What is wrong is a value, a ``Fault``, so that all bad columns can be told at once.  It names the
values, how many rows hold them, and the first of these rows as the source gave them, counted
from 1 without the header.
"""

import dataclasses
import decimal
import numbers
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_training.failure import Reason

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Learners and model servers compute with 32 bits; what is larger would be infinite there.
LARGEST: Final = float(np.finfo(np.float32).max)
_LOOKED_AT: Final = 1000  # faulty rows that a message takes its examples from
_NAMED: Final = 4  # values that a message names
_NAMED_LABELS: Final = 12
_MOST_CHARACTERS: Final = 40  # of a value or a name in a message

# Texts that say that there is nothing, as CSV files have them: in a column of other than words.
_GAPS: Final = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none"})

# Names that an exported index or a primary key goes by.
_KEYS: Final = frozenset(
    {"index", "idx", "id", "_id", "uid", "uuid", "guid", "pk", "key", "row", "row_id", "rowid"}
    | {"row_nr", "row_num", "row_number", "rownum", "rn", "no", "nr", "seq", "record_id"}
    | {"level_0", "__index_level_0__"}
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with the data."""

    reason: Reason
    text: str
    advises: bool = False  # says itself what to do


def read_feature(
    column: "pd.Series[Any]",
    name: str,
    *,
    quotes: bool = True,
    label: str | None = None,
) -> Floats | Fault:
    """Return the numbers of a feature, NaN where there is none.

    Args:
        column: as the source gives it.
        name: as the source gives it.
        quotes: whether a fault may show values.
        label: how a fault calls the column, where it may not show its name.
    """
    values = read_numbers(column)
    trouble = ""
    if values is None:
        wrong = not_numbers(column)
        trouble = holding(column, wrong, "where a number belongs", quotes=quotes)
    else:
        low, high = np.fmin.reduce(values), np.fmax.reduce(values)
        if np.isnan(high):
            trouble = "is empty in every row"
        elif low < -LARGEST or high > LARGEST:
            trouble = too_large(column, values, quotes=quotes)
    if trouble or values is None:
        return fault(Reason.FEATURE_INVALID, label or name, trouble)
    return values


def read_numbers(column: "pd.Series[Any]") -> Floats | None:
    """Return the column as float64, NaN where missing; None when it holds more than numbers."""
    if column.dtype == np.float64:
        return column.to_numpy(dtype=np.float64)
    present = column.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        present = present.astype(present.dtype.categories.dtype)
    present = present.infer_objects()
    if present.dtype == object:
        # Decimals, integers of more than 64 bits, and booleans mixed with numbers.
        if not all(map(_is_number, present)):
            return None
    elif not pd.api.types.is_numeric_dtype(present):
        return None
    values = np.full(len(column), np.nan)
    values[column.notna().to_numpy()] = present.to_numpy(dtype=np.float64)
    return values


def is_gap(value: object) -> bool:
    """Tell whether a value is a text that says that there is nothing."""
    return isinstance(value, str) and value.strip().lower() in _GAPS


def is_row_number(column: "pd.Series[Any]", name: str, values: npt.NDArray[Any] | Fault) -> bool:
    """Tell whether a column only numbers or names the rows, as an index that was exported does.

    That is each whole number from one to another once, in whatever order; and, in a column
    without a name or with one such as ``id``, whole numbers or texts that never come twice.
    A column without a name that is empty comes from a comma at the end of each row.
    """
    spoken = name.strip().lower().replace(" ", "_").replace("-", "_")
    is_key = spoken in _KEYS or is_unnamed(name)
    if isinstance(values, Fault):
        if not is_key:
            return False
        if column.isna().all():
            return is_unnamed(name)
        return len(set(column.map(hashable))) == len(column)
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    is_run = high - low == len(values) - 1
    if not (is_run or is_key) or (np.floor(values) != values).any():
        return False
    return len(pd.unique(values)) == len(values)


def is_unnamed(name: str) -> bool:
    """Tell whether a file gives the column no name; pandas then makes one."""
    return not name.strip() or name.startswith("Unnamed: ")


def show_names(names: list[str], most: int = _NAMED_LABELS) -> str:
    """List names or values, the first ones of many."""
    shown = ", ".join(
        name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}…"
        for name in names[:most]
    )
    return f"{shown}, …" if len(names) > most else shown


def not_numbers(column: "pd.Series[Any]") -> Mask:
    """Tell which values are neither missing nor numbers."""
    present = column.notna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column):
        return present
    values = column.astype(object)
    wrong = present & pd.to_numeric(values, errors="coerce").isna().to_numpy()
    # None of them: texts of numbers, or lengths of time.
    return wrong if wrong.any() else present & ~values.map(_is_number).to_numpy(dtype=bool)


def too_large(column: "pd.Series[Any]", values: Floats, *, quotes: bool) -> str:
    wrong = np.abs(values) > LARGEST
    said = f"beyond ±{LARGEST:.1e}, a model's largest number"
    return holding(column, wrong, said, quotes=quotes)


def holding(column: "pd.Series[Any]", wrong: Mask, said: str, *, quotes: bool) -> str:
    """Name the values in these rows, and the rows; nothing when there are none."""
    if not wrong.any():
        return ""
    if not quotes:
        return f"holds other values {said}, {where(wrong)}"
    some = column[wrong].head(_LOOKED_AT)
    if pd.api.types.is_datetime64_any_dtype(some):
        # Texts of its own: beyond the years 1 to 9999, Python has none.
        naive = some.dt.tz_localize(None).to_numpy()
        texts = np.datetime_as_string(naive, unit="s").tolist()
    else:
        texts = [show(value) for value in some]
    return f"holds {show_names(list(dict.fromkeys(texts)), _NAMED)} {said}, {where(wrong)}"


def emptiness(missing: Mask) -> str:
    return f"is empty {where(missing)}" if missing.any() else ""


def where(rows: Mask) -> str:
    count, first = int(rows.sum()), int(rows.argmax()) + 1
    if count == len(rows):
        return "in every row"
    if count == 1:
        return f"in row {first} of {len(rows)}"
    return f"in {count} of {len(rows)} rows, first in row {first}"


def join(*parts: str) -> str:
    return ", and ".join(part for part in parts if part)


def show(value: object) -> str:
    shown = repr(value) if isinstance(value, str | bytes | list | dict) else str(value)
    return " ".join(shown.split())


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real | decimal.Decimal)


def hashable(value: object) -> object:
    return value if isinstance(value, str | numbers.Number) else show(value)


def fault(reason: Reason, name: str, text: str) -> Fault:
    return Fault(reason=reason, text=f"column {show_names([name])} {text}")
