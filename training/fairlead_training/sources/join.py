"""A second table's columns beside the rows, by key, and by what was known at the time of a row.

Each row gets at most one row of the second table: a table that has two for it is refused, as
either would be a guess.  What has no counterpart gets missing values.
"""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_training.columns import Fault, show
from fairlead_training.config import AsOf, DataConfig, JoinConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.folder import find_kind
from fairlead_training.sources.room import Room
from fairlead_training.times import read_times

_log = logging.getLogger(__name__)
_SECOND: Final = 10**9  # nanoseconds
_SHOWN: Final = 3  # examples in one message
_NOTHING: Final = -1
_MIXED: Final = "several types"  # as ``find_kind`` calls it
_EXACT: Final = 2.0**53 - 1  # the last whole number that is a double of its own

Positions = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """The second table, and how messages call it."""

    rows: pd.DataFrame
    join: JoinConfig
    name: str
    field: str  # of the Model
    quotes: bool  # whether messages may show values and names that the Model does not name


def add_columns(
    frame: pd.DataFrame, second: Second, config: DataConfig, room: Room
) -> pd.DataFrame:
    """Return the rows with the second table's columns.

    Raises:
        TrainingFailure: ColumnMissing, DataEmpty, DataFormatInvalid, TimestampInvalid, TooMuchData.
    """
    if not len(second.rows):
        raise TrainingFailure(
            Reason.DATA_EMPTY, f"{second.name} has no rows; check {second.field}.source"
        )
    if not len(frame):
        return frame
    taken = _choose(frame, second, config)
    codes, others = _number_keys(frame, second)
    moment = second.join.as_of
    if moment is None:
        _refuse_twins(others, None, second)
        found = _look_up(codes, others)
    else:
        times = _read_times(frame, config.timestamp_column or "", config.timestamp_format, second,
                            ours=True)  # fmt: skip
        since = _read_times(second.rows, moment.column, moment.format, second, ours=False)
        _refuse_twins(others, since, second)
        found = _look_back(codes, times, others, since, moment)
    _refuse_strangers(found, second)
    added = second.rows[list(taken)]
    each = added.memory_usage(index=False, deep=True).sum() / len(added)
    room.take_bytes(int(each * len(frame)), rows=len(frame))
    beside = added.reset_index(drop=True).reindex(found)
    beside.columns = pd.Index([taken[name] for name in beside.columns])
    beside.index = frame.index
    return pd.concat([frame, beside], axis=1)


def _choose(frame: pd.DataFrame, second: Second, config: DataConfig) -> dict[str, str]:
    """Return the columns to take, with their names beside the rows."""
    join, columns = second.join, [str(name) for name in second.rows.columns]
    twice = sorted({name for name in join.named if columns.count(name) > 1})
    missing = [name for name in join.named if name not in columns]
    if missing or twice:
        raise TrainingFailure(
            Reason.COLUMN_MISSING if missing else Reason.DATA_FORMAT_INVALID,
            f"{_list('column', missing or twice)} {'is' if len(missing or twice) == 1 else 'are'} "
            f"{'not' if missing else 'more than once'} in {second.name}; correct {second.field}",
        )
    time = config.timestamp_column if join.as_of else None
    needed = [*join.keys, *([] if time is None else [time])]
    absent = [name for name in needed if name not in frame.columns]
    doubled = [name for name in needed if list(frame.columns).count(name) > 1]
    if doubled:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{_list('column', doubled)} {'is' if len(doubled) == 1 else 'are'} more than once in "
            f"the rows that {second.name} is joined to; rename all but one",
        )
    if absent:
        raise TrainingFailure(
            Reason.COLUMN_MISSING,
            f"{_list('column', absent)} {'is' if len(absent) == 1 else 'are'} not in the rows that "
            f"{second.name} is joined to; correct {second.field}.keys or spec.data.source",
        )
    others = {*join.keys, *([join.as_of.column] if join.as_of else [])}
    names = list(join.columns) or [name for name in columns if name not in others]
    clashes = [
        name for name in names if f"{join.prefix}{name}" in frame.columns or names.count(name) > 1
    ]
    if clashes:
        shown = [
            name
            if second.quotes or name in join.columns or f"{join.prefix}{name}" in config.fields
            else str(columns.index(name) + 1)
            for name in dict.fromkeys(clashes)
        ]
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{_list('column', shown)} of {second.name} would be there twice; set "
            f"{second.field}.prefix, or list what to take in {second.field}.columns",
        )
    return {name: f"{join.prefix}{name}" for name in names}


def _number_keys(frame: pd.DataFrame, second: Second) -> tuple[Positions, Positions]:
    """Return a number for the keys of each row in both tables; below 0 where one is missing."""
    ours = np.zeros(len(frame), dtype=np.int64)
    theirs = np.zeros(len(second.rows), dtype=np.int64)
    for name in second.join.keys:
        left, right = frame[name], second.rows[name]
        kinds = [find_kind(each) for each in (left, right)]
        _refuse_rounded(left, name, "the rows", second)
        _refuse_rounded(right, name, second.name, second)
        if _MIXED in kinds:
            left, right = (each.map(_spell, na_action="ignore") for each in (left, right))
        elif None not in kinds and kinds[0] != kinds[1]:
            raise TrainingFailure(
                Reason.DATA_FORMAT_INVALID,
                f"column {name} holds {kinds[0]} in the rows and {kinds[1]} in {second.name}; give "
                f"it one type, or correct {second.field}.keys",
            )
        both = pd.concat([_plain(left, kinds), _plain(right, kinds)], ignore_index=True)
        numbers, _ = pd.factorize(both)
        pairs = np.concatenate([ours, theirs]) * (numbers.max(initial=0) + 1) + numbers
        missing = (numbers < 0) | (np.concatenate([ours, theirs]) < 0)
        # Numbered anew, so that many keys do not make numbers without an end.
        pairs = pd.factorize(pairs)[0].astype(np.int64)
        pairs[missing] = _NOTHING
        ours, theirs = pairs[: len(frame)], pairs[len(frame) :]
    return ours, theirs


def _refuse_rounded(column: "pd.Series[Any]", name: str, where: str, second: Second) -> None:
    """Refuse keys that were rounded: beside gaps, whole numbers are kept in 53 bits."""
    if not pd.api.types.is_float_dtype(column):
        return
    if (np.abs(column.to_numpy(dtype=np.float64, na_value=0)) > _EXACT).any():
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"column {name} holds numbers beyond 2^53 beside missing ones in {where}, of which two "
            f"may be one; give the keys as text, or leave out the rows without one",
        )


def _spell(value: object) -> str:
    """Return a key among others of several types as a text, a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def _plain(column: "pd.Series[Any]", kinds: Sequence[str | None]) -> "pd.Series[Any]":
    if _MIXED in kinds:
        return column.astype(object)
    if "times" in kinds:
        moments = pd.Series(pd.to_datetime(column, utc=True))
        try:
            return moments.astype("datetime64[ns, UTC]")
        except pd.errors.OutOfBoundsDatetime:  # 9999-12-31: a day that no nanoseconds reach
            return moments.astype(object)
    if "text" in kinds or isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(object)
    return column


def _read_times(
    frame: pd.DataFrame, name: str, form: str | None, second: Second, *, ours: bool
) -> Positions:
    times = read_times(frame[name], name, form=form, quotes=second.quotes)
    if isinstance(times, Fault):
        where = "the rows" if ours else second.name
        raise TrainingFailure(
            times.reason,
            f"in {where}, {times.text}; correct them, or "
            f"{'spec.data' if ours else f'{second.field}.asOf'}.timestampColumn or timestampFormat",
        )
    return times


def _refuse_twins(codes: Positions, times: Positions | None, second: Second) -> None:
    """Refuse a second table that has two rows for one row, and name them."""
    keyed = pd.DataFrame({"code": codes, "time": 0 if times is None else times})
    twins = keyed[(keyed["code"] >= 0) & keyed.duplicated(keep=False)]
    if not len(twins):
        return
    groups = [rows.index.to_list() for _, rows in twins.groupby(["code", "time"], sort=False)]
    told = []
    for rows in groups[:_SHOWN]:
        names = [*second.join.keys, *([second.join.as_of.column] if second.join.as_of else [])]
        values = ", ".join(f"{name} {show(second.rows[name].iloc[rows[0]])}" for name in names)
        some = [str(row + 1) for row in rows[:_SHOWN]]
        more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        told.append(f"rows {', '.join(some)}{more}{f' ({values})' if second.quotes else ''}")
    more = f"; and so in {len(groups) - _SHOWN} more cases" if len(groups) > _SHOWN else ""
    same = [_list("column", second.join.keys)] if second.join.keys else []
    same += [] if times is None else ["time"]
    raise TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{second.name} has several rows with the same {' and '.join(same)}: {'; '.join(told)}"
        f"{more}; keep one of them, or name more columns in {second.field}.keys",
    )


def _look_up(codes: Positions, others: Positions) -> Positions:
    place = np.full(max(codes.max(initial=0), others.max(initial=0)) + 2, _NOTHING, dtype=np.int64)
    known = np.flatnonzero(others >= 0)
    place[others[known]] = known
    return place[codes]  # the last one, which no key has, for what has none


def _look_back(
    codes: Positions, times: Positions, others: Positions, since: Positions, moment: AsOf
) -> Positions:
    """Return for each row the latest of the second table that was known at its time."""
    left = pd.DataFrame({"time": times, "code": codes, "row": np.arange(len(codes))})
    delay = moment.delay * _SECOND
    # No further than times go: beyond, they would begin anew in the past.
    known = np.minimum(since, np.iinfo(np.int64).max - delay) + delay
    right = pd.DataFrame({"time": known, "code": others, "place": np.arange(len(others))})
    right = right[right["code"] >= 0].sort_values("time", kind="stable")
    joined = pd.merge_asof(
        left.sort_values("time", kind="stable"),
        right,
        on="time",
        by="code",
        tolerance=None if moment.tolerance is None else _age(moment) * _SECOND,
    )
    found = np.full(len(codes), _NOTHING, dtype=np.int64)
    found[joined["row"]] = joined["place"].fillna(_NOTHING).astype(np.int64)
    return found


def _age(moment: AsOf) -> int:
    """Return for how many seconds a row holds once it is known."""
    return (moment.tolerance or 0) - moment.delay


def _refuse_strangers(found: Positions, second: Second) -> None:
    """Refuse a second table that says nothing about any row: its columns would be empty."""
    matched = int((found >= 0).sum())
    _log.info("rows were joined", extra={"source": second.name, "found": matched, "of": len(found)})
    if matched == 0:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"no row has a counterpart in {second.name}; check {second.field}.keys"
            f"{' and asOf' if second.join.as_of else ''}, and how both tables write them",
        )


def _list(word: str, names: Sequence[str]) -> str:
    return f"{word}{'s' if len(names) > 1 else ''} {', '.join(names)}"
