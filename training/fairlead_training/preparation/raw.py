"""Read a raw column in the form in which the graph takes it, or say what is wrong with it.  Pure.

Numbers, truths and times become float64 with NaN where there is none, times as seconds since 1970
in UTC; categories and texts become texts, the empty one where there is none.  A server reads what
callers send in the same way.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.graph import MISSING_TEXT, RESERVED, ColumnType, spell
from fairlead_training.columns import Fault, Floats, fault, holding, is_gap, read_feature
from fairlead_training.failure import Reason

Raw = Floats | npt.NDArray[np.object_]

NUMERIC: Final = frozenset({ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN})
# As learners are given them, and callers of any model send them; a whole number is only declared.
PLAIN: Final = NUMERIC - {ColumnType.INTEGER}

_PRECISION: Final = float(np.finfo(np.float32).eps)
_STEPS: Final = 4096  # that a column's spread must keep in 32 bits
_TRUTHS: Final[Mapping[str, float]] = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}
_SECOND: Final = 1_000_000  # microseconds


def read_raw(
    column: "pd.Series[Any]",
    name: str,
    kind: ColumnType,
    *,
    quotes: bool = True,
    label: str | None = None,
) -> Raw | Fault:
    """Return the values of a column.

    Args:
        column: as the source gives it.
        name: as the source gives it.
        kind: how the values are to be read.
        quotes: whether a fault may show values.
        label: how a fault calls the column, where it may not show its name.
    """
    shown = label or name
    if not name:
        return fault(Reason.FEATURE_INVALID, label or "''", "has no name")
    if name.startswith(RESERVED):
        return fault(Reason.FEATURE_INVALID, shown, f"has a name that begins with {RESERVED}")
    if kind in {ColumnType.NUMBER, ColumnType.INTEGER}:
        return _read_numbers(column, name, kind, quotes=quotes, label=label)
    values: Raw | Fault
    if kind is ColumnType.TIME:
        values = _read_times(column, shown, quotes=quotes)
    elif kind is ColumnType.BOOLEAN:
        values = _read_truths(column, shown, quotes=quotes)
    else:
        values = _read_texts(column)
    if not isinstance(values, Fault) and is_missing(values).all():
        return fault(Reason.FEATURE_INVALID, shown, "is empty in every row")
    return values


def find_origins(low: Floats, high: Floats) -> Floats:
    """Return for each column what is subtracted, lest 32 bits lose its differences; mostly 0."""
    coarse = np.fmax(np.abs(low), np.abs(high)) * _PRECISION
    is_lost = coarse * _STEPS > high - low
    return np.where(is_lost & (high > low), low, 0.0)


def is_missing(values: Raw) -> npt.NDArray[np.bool_]:
    """Tell which of the values that were read are none."""
    return values == MISSING_TEXT if values.dtype == object else np.isnan(values)


def _read_numbers(
    column: "pd.Series[Any]",
    name: str,
    kind: ColumnType,
    *,
    quotes: bool,
    label: str | None,
) -> Floats | Fault:
    values = read_feature(without_texts(column), name, quotes=quotes, label=label)
    if kind is ColumnType.INTEGER and not isinstance(values, Fault):
        broken = np.floor(values) != np.nan_to_num(values, nan=0.0)
        broken &= ~np.isnan(values)
        if broken.any():
            return _wrong(
                column, label or name, broken, "where a whole number belongs", quotes=quotes
            )
    return values


def _read_texts(column: "pd.Series[Any]") -> npt.NDArray[np.object_]:
    values = column.astype(object).to_numpy()
    texts = np.full(len(values), MISSING_TEXT, dtype=object)
    for position in np.flatnonzero(column.notna().to_numpy()):
        value = values[position]
        texts[position] = value if isinstance(value, str) else _spell(value)
    return texts


def _spell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return spell(value)
    if isinstance(value, np.generic | np.ndarray):
        return _spell(value.tolist())
    return str(value)


def _read_times(column: "pd.Series[Any]", name: str, *, quotes: bool) -> Floats | Fault:
    present = column.notna().to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype) and present.any():
        return fault(Reason.FEATURE_INVALID, name, "holds numbers, not times")
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    wrong = present & times.isna().to_numpy() & ~_are_gaps(column)
    if wrong.any():
        return _wrong(column, name, wrong, "where a time belongs", quotes=quotes)
    # A unit that has room for all years that Python and PostgreSQL know.
    moments = times.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    seconds: Floats = moments.astype(np.int64) / _SECOND
    seconds[np.isnat(moments)] = np.nan
    return seconds


def _read_truths(column: "pd.Series[Any]", name: str, *, quotes: bool) -> Floats | Fault:
    texts = pd.Series(_read_texts(column)).str.strip().str.lower()
    values = np.asarray(texts.map(_TRUTHS), dtype=np.float64)
    wrong = np.isnan(values) & ~texts.map(is_gap).to_numpy(dtype=bool)
    if wrong.any():
        return _wrong(column, name, wrong, "where true or false belongs", quotes=quotes)
    return values


def without_texts(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Turn texts of numbers into these; what is none stays, for a fault to name."""
    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return column
    values = column.astype(object)
    is_text = values.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    if not is_text.any():
        return column
    numbers = pd.to_numeric(values.where(is_text), errors="coerce")
    read = values.where(~(is_text & numbers.notna().to_numpy()), numbers)
    return read.where(~_are_gaps(column), None).infer_objects()


def _are_gaps(column: "pd.Series[Any]") -> npt.NDArray[np.bool_]:
    return column.astype(object).map(is_gap).to_numpy(dtype=bool)


def _wrong(
    column: "pd.Series[Any]", name: str, rows: npt.NDArray[np.bool_], said: str, *, quotes: bool
) -> Fault:
    return fault(Reason.FEATURE_INVALID, name, holding(column, rows, said, quotes=quotes))
