"""Read the column that orders the rows in time.  Pure.

A form is declared, or inferred from all values together where these leave no doubt: ISO 8601, days
before or after months where one of them is above 12, names of months, years, and numbers whose
size can only be seconds, milliseconds or microseconds since 1970.
"""

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_training.columns import (
    Fault,
    emptiness,
    fault,
    holding,
    join,
    read_numbers,
    show,
    show_names,
)
from fairlead_training.failure import Reason

Times = npt.NDArray[np.int64]

_EARLIEST, _LATEST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
# Nanoseconds in a unit of spec.data.timestampFormat.
_UNITS: Final = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3, "nanoseconds": 1}
_FROM, _TO = 10**8, 4_102_444_800  # seconds since 1970 that are taken for such: 1973 to 2100
_DAYS: Final = (19_000_101, 22_001_231)  # 20260131, as a number
_DIGITS: Final = re.compile(r"-?\d+(\.\d+)?")
_DIGIT: Final = re.compile(r"[0-9]")
_ZONE: Final = re.compile(r"\s+(UTC|GMT|Z)$", re.IGNORECASE)
_DAY_AND_MONTH: Final = (
    r"^(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})"
    r"(?:[ T,]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?))?$"
)
_NAMED_MONTHS: Final = tuple(
    f"{day}{time}"
    for day in ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y")
    for time in ("", " %H:%M", " %H:%M:%S")
)
_DECLARE: Final = "set spec.data.timestampFormat"
_MONTHS: Final = 12


def read_times(
    column: "pd.Series[Any]", name: str, *, form: str | None = None, quotes: bool = True
) -> Times | Fault:
    """Return the times in nanoseconds since 1970 in UTC.

    Args:
        column: as the source gives it.
        name: how a fault calls it.
        form: a unit of numbers, or directives such as %d; None: it is inferred.
        quotes: whether a fault may show values.
    """
    read = _read(column, form, quotes=quotes)
    if isinstance(read, str):
        return fault(Reason.TIMESTAMP_INVALID, name, read)
    times = read
    empty = column.isna().to_numpy()
    # In the column's own unit: as nanoseconds, a year such as 9999 would be another one.
    unit = times.dtype
    outside = (times < _EARLIEST.astype(unit)) | (times >= _LATEST.astype(unit))
    wrong = (np.isnat(times) & ~empty) | outside
    if wrong.any() or empty.any():
        said = f"where a time from {_EARLIEST} to {_LATEST - 1} belongs"
        if form is not None:
            said = f"where a time of the form {show_names([form])} belongs"
        trouble = join(holding(column, wrong, said, quotes=quotes), emptiness(empty))
        return fault(Reason.TIMESTAMP_INVALID, name, trouble)
    return times.astype("datetime64[ns]").astype(np.int64)


def _read(
    column: "pd.Series[Any]", form: str | None, *, quotes: bool
) -> npt.NDArray[np.datetime64] | str:
    """Return the times, none where a value is no time; or what is wrong with all of them."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _parse(column)
    if form in _UNITS:
        numbers = _as_numbers(column)
        if numbers is None:
            return f"holds other values than numbers, and spec.data.timestampFormat is {form}"
        return _since_1970(numbers, _UNITS[form])
    if form is not None:
        return _by_directives(column, form)
    if pd.api.types.is_bool_dtype(column):
        return "holds true and false, not times"
    numbers = _as_numbers(column)
    if numbers is not None and not column.isna().all():
        return _infer_numbers(numbers, quotes=quotes)
    if pd.api.types.is_numeric_dtype(column):
        return "is empty in every row"
    return _infer_texts(column, quotes=quotes)


def _parse(column: "pd.Series[Any]") -> npt.NDArray[np.datetime64]:
    """Read ISO 8601, such as 2026-01-31 beside 2026-01-31T12:00:00+01:00; none where it is not."""
    column = _without_words(column)
    try:
        times = pd.to_datetime(column, utc=True, format="ISO8601", errors="raise")
    except (ValueError, TypeError, OverflowError):
        times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    naive: npt.NDArray[np.datetime64] = times.dt.tz_localize(None).to_numpy()
    return naive


def _by_directives(column: "pd.Series[Any]", form: str) -> npt.NDArray[np.datetime64] | str:
    texts = _without_words(column.map(_whole, na_action="ignore"))
    try:
        times = pd.to_datetime(texts, utc=True, format=form, errors="coerce")
    except (ValueError, TypeError, re.error):
        return (
            f"cannot be read by spec.data.timestampFormat {show(form)}, which is no form of a time"
        )
    naive: npt.NDArray[np.datetime64] = times.dt.tz_localize(None).to_numpy()
    return naive


def _without_words(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Leave out texts without a digit: pandas takes ``now`` and ``today`` for the time it is."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    return column.where(
        ~column.map(lambda value: isinstance(value, str) and not _DIGIT.search(value))
    )


def _whole(value: object) -> str:
    """Return a value as a text, a whole number without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_numbers(column: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """Return whole or other numbers, also of texts; None where there are other values."""
    if pd.api.types.is_integer_dtype(column) and not column.isna().any():
        return column
    values = read_numbers(column)
    if values is None:
        present = column.dropna()
        if not all(isinstance(text, str) and _DIGITS.fullmatch(text.strip()) for text in present):
            return None
        values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return pd.Series(values, index=column.index)


def _since_1970(numbers: "pd.Series[Any]", nanoseconds: int) -> npt.NDArray[np.datetime64]:
    """Turn numbers of a unit into times; what is beyond all times is none."""
    values = numbers.to_numpy()
    most = np.iinfo(np.int64).max // nanoseconds
    inside = np.isfinite(values.astype(np.float64)) & (np.abs(values.astype(np.float64)) < most)
    times = np.full(len(values), "NaT", dtype="datetime64[ns]")
    if values.dtype.kind in "iu":
        whole = values[inside].astype(np.int64) * nanoseconds
    else:
        # In two steps: a double holds no nanosecond of this century.
        whole = np.floor(values[inside])
        rest = np.round((values[inside] - whole) * nanoseconds)
        whole = whole.astype(np.int64) * nanoseconds + rest.astype(np.int64)
    times[inside] = whole.astype("datetime64[ns]")
    return times


def _infer_numbers(numbers: "pd.Series[Any]", *, quotes: bool) -> npt.NDArray[np.datetime64] | str:
    present = numbers.dropna()
    low, high = float(present.min()), float(present.max())
    are_whole = bool((present == present.round()).all()) if np.isfinite(high - low) else False
    first, last = int(str(_EARLIEST)[:4]), int(str(_LATEST)[:4])
    if are_whole and first <= low and high < last:
        return _parse(numbers.map(lambda year: f"{int(year)}-01-01", na_action="ignore"))
    if are_whole and _DAYS[0] <= low and high <= _DAYS[1]:
        days = numbers.map(lambda day: str(int(day)), na_action="ignore")
        times = pd.to_datetime(days, utc=True, format="%Y%m%d", errors="coerce")
        naive: npt.NDArray[np.datetime64] = times.dt.tz_localize(None).to_numpy()
        return naive
    for nanoseconds in _UNITS.values():
        unit = 10**9 // nanoseconds
        if _FROM * unit <= low and high < _TO * unit:
            return _since_1970(numbers, nanoseconds)
    some = f" from {low:.15g} to {high:.15g}" if quotes else ""
    return (
        f"holds numbers{some}, which are neither all years nor all seconds, milliseconds or "
        f"microseconds since 1970; {_DECLARE} if they are times, for example to seconds"
    )


def _infer_texts(column: "pd.Series[Any]", *, quotes: bool) -> npt.NDArray[np.datetime64] | str:
    texts = column.map(_without_zone, na_action="ignore")
    times = _parse(texts)
    is_missing = column.isna().to_numpy()
    if not (np.isnat(times) & ~is_missing).any():
        return times
    words = texts[~is_missing]
    if not words.map(lambda value: isinstance(value, str)).all():
        return times
    parts = words.str.extract(_DAY_AND_MONTH)
    if parts["year"].notna().all():
        return _by_day_and_month(texts, parts, quotes=quotes)
    for form in _NAMED_MONTHS:
        found = pd.to_datetime(texts, utc=True, format=form, errors="coerce")
        if not (found.isna().to_numpy() & ~is_missing).any():
            naive: npt.NDArray[np.datetime64] = found.dt.tz_localize(None).to_numpy()
            return naive
    return times


def _without_zone(value: object) -> object:
    return _ZONE.sub("", value.strip()) if isinstance(value, str) else value


def _by_day_and_month(
    texts: "pd.Series[Any]", parts: pd.DataFrame, *, quotes: bool
) -> npt.NDArray[np.datetime64] | str:
    """Tell days from months by those that are above 12; where none is, nobody can."""
    first, second = parts["first"].astype(int), parts["second"].astype(int)
    by_first, by_second = first > _MONTHS, second > _MONTHS
    words = texts[parts.index]
    if by_first.any() and by_second.any():
        shown = _both(words[by_first].iloc[0], words[by_second].iloc[0], quotes=quotes)
        return f"holds times with the day first and with the month first{shown}; {_DECLARE}"
    if not (by_first.any() or by_second.any()):
        shown = _both(words.iloc[0], words.iloc[-1], quotes=quotes)
        return (
            f"holds times of which nobody can tell day and month{shown}; {_DECLARE}, for example "
            f"to %d{parts['mark'].iloc[0]}%m{parts['mark'].iloc[0]}%Y"
        )
    day, month = (first, second) if by_first.any() else (second, first)
    at = parts["time"].fillna("00:00").str.zfill(5).where(parts["time"].isna(), _padded(parts))
    iso = parts["year"] + "-" + _two(month) + "-" + _two(day) + "T" + at
    return _parse(iso.reindex(texts.index))


def _padded(parts: pd.DataFrame) -> "pd.Series[Any]":
    """Write 9:05 as 09:05."""
    return parts["time"].fillna("").str.replace(r"^(\d):", r"0\1:", regex=True)


def _two(number: "pd.Series[Any]") -> "pd.Series[Any]":
    return number.astype(str).str.zfill(2)


def _both(one: str, other: str, *, quotes: bool) -> str:
    return f", such as {show(one)} and {show(other)}" if quotes else ""
