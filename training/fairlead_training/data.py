"""Turn raw rows into a checked, ordered, numeric table, and name the snapshot it is.  Pure.

The order is total (time, then every other column), so that the same rows give the same digest
however the source happened to return them.
"""

import dataclasses
import decimal
import hashlib
import json
import numbers
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_training.config import DataConfig, Task, TrainingConfig
from fairlead_training.failure import Reason, TrainingFailure

_LOOKED_AT: Final = 1000  # rows that a message takes its examples from
_NAMED: Final = 12  # columns or values a message lists at most
_MOST_CLASSES: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in time order."""

    times: npt.NDArray[np.int64]  # nanoseconds since 1970 in UTC, ascending
    features: pd.DataFrame  # float64 columns; NaN is a missing value
    target: npt.NDArray[np.float64]  # 0 and 1, class numbers, or the value

    def __len__(self) -> int:
        return len(self.target)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Which rows a training used."""

    rows: int
    first: int  # time of the first row, nanoseconds
    last: int
    digest: str


def check(frame: pd.DataFrame, config: TrainingConfig, *, refused_in_names: str) -> Table:
    """Check the rows and bring them in order.

    Args:
        refused_in_names: characters that the learner allows in no feature's name.

    Raises:
        TrainingFailure: naming the column and what to do.
    """
    names = _name_columns(frame, config.data)
    times = _parse_times(frame[config.data.timestamp_column], config.data.timestamp_column)
    target = _parse_target(frame[config.data.target], config.data.target, config.task)
    features = pd.DataFrame(
        {name: _parse_feature(frame[name], name, refused_in_names) for name in names}
    )
    columns = [features[name].to_numpy() for name in reversed(names)]
    order = np.lexsort([*columns, target, times])
    table = Table(
        times=times[order],
        features=features.iloc[order].reset_index(drop=True),
        target=target[order],
    )
    _check_rows(table, config.data)
    return table


def take_snapshot(table: Table) -> Snapshot:
    """Name these rows: count, time range, and a digest of every value in order."""
    digest = hashlib.sha256(json.dumps(list(table.features.columns)).encode())
    for column in (table.times, *(table.features[name] for name in table.features), table.target):
        digest.update(np.ascontiguousarray(column).tobytes())
    return Snapshot(
        rows=len(table),
        first=int(table.times[0]),
        last=int(table.times[-1]),
        digest=f"sha256:{digest.hexdigest()}",
    )


def restore(table: Table, snapshot: Snapshot) -> Table:
    """Return the rows of a snapshot, from a source that has grown since.

    Raises:
        TrainingFailure: DataChanged when its rows are not there as they were.
    """
    # Everything that follows compares models on the same rows: other rows are another training.
    kept = slice_rows(table, 0, int(np.searchsorted(table.times, snapshot.last, side="right")))
    if not len(kept) or take_snapshot(kept) != snapshot:
        raise TrainingFailure(
            Reason.DATA_CHANGED,
            f"the rows up to {format_time(snapshot.last)} are not those the training began with "
            f"({len(kept)} rows now, {snapshot.rows} then); start another training",
        )
    return kept


def slice_rows(table: Table, start: int, stop: int) -> Table:
    return Table(
        times=table.times[start:stop],
        features=table.features.iloc[start:stop],
        target=table.target[start:stop],
    )


def format_time(nanoseconds: int) -> str:
    """Write a time as RFC 3339 in UTC, to the second."""
    return pd.Timestamp(nanoseconds, unit="ns").strftime("%Y-%m-%dT%H:%M:%SZ")


def _name_columns(frame: pd.DataFrame, config: DataConfig) -> list[str]:
    """Return the feature columns, after a check that every column is there once."""
    columns = [str(column) for column in frame.columns]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"column {twice[0]} appears more than once in the data; rename all but one",
        )
    if not len(frame):
        raise TrainingFailure(Reason.DATA_EMPTY, "the data holds no rows; check spec.data.source")
    wanted = [
        (config.target, "spec.data.target"),
        (config.timestamp_column, "spec.data.timestampColumn"),
        *((name, "spec.data.features") for name in config.features),
    ]
    for column, field in wanted:
        if column not in columns:
            raise TrainingFailure(
                Reason.COLUMN_MISSING,
                f"column {column} is not in the data (columns: {_list(columns)}); correct {field}",
            )
    others = [c for c in columns if c not in {config.target, config.timestamp_column}]
    names = list(config.features) or others
    if not names:
        raise TrainingFailure(
            Reason.COLUMN_MISSING,
            "the data has only the target and the timestamp; "
            "add columns to learn from to spec.data.source",
        )
    return names


def _parse_times(column: "pd.Series[Any]", name: str) -> npt.NDArray[np.int64]:
    advice = "use RFC 3339 times such as 2026-01-31T12:00:00Z or correct spec.data.timestampColumn"
    if pd.api.types.is_numeric_dtype(column):
        raise TrainingFailure(
            Reason.TIMESTAMP_INVALID, f"column {name} holds numbers, not times; {advice}"
        )
    try:
        if pd.api.types.is_datetime64_any_dtype(column):
            times = pd.to_datetime(column, utc=True)
        else:
            times = pd.to_datetime(column, utc=True, format="ISO8601")
        missing = int(times.isna().sum())
        nanoseconds = times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    except (ValueError, TypeError, OverflowError) as error:
        raise TrainingFailure(
            Reason.TIMESTAMP_INVALID, f"column {name} holds values that are not times; {advice}"
        ) from error
    if missing:
        raise TrainingFailure(
            Reason.TIMESTAMP_INVALID, f"column {name} is empty in {missing} rows; {advice}"
        )
    return nanoseconds.astype(np.int64)


def _parse_target(column: "pd.Series[Any]", name: str, task: Task) -> npt.NDArray[np.float64]:
    values = _to_numbers(column)
    if values is None:
        raise _target_failure(
            name, f"holds {_list(_distinct(column))}, which are not numbers", task
        )
    unusable = int((~np.isfinite(values)).sum())
    if unusable:
        raise _target_failure(name, f"is empty or infinite in {unusable} rows", task)
    distinct = np.unique(values)
    if len(distinct) == 1:
        raise TrainingFailure(
            Reason.TARGET_CONSTANT,
            f"column {name} is {distinct[0]:g} in every row; "
            "use a longer period or correct spec.data.target",
        )
    if task is Task.BINARY and not np.array_equal(distinct, (0, 1)):
        raise _target_failure(name, f"holds {_list([f'{v:g}' for v in distinct])}", task)
    if task is Task.MULTICLASS and not _are_class_numbers(distinct):
        raise _target_failure(name, f"holds {_list([f'{v:g}' for v in distinct])}", task)
    return values


def _are_class_numbers(distinct: npt.NDArray[np.float64]) -> bool:
    return len(distinct) <= _MOST_CLASSES and np.array_equal(distinct, np.arange(len(distinct)))


def _target_failure(name: str, trouble: str, task: Task) -> TrainingFailure:
    needed = {
        Task.BINARY: "0 and 1",
        Task.MULTICLASS: "the class numbers 0, 1, 2, … without a gap",
        Task.REGRESSION: "a finite number in each row",
    }[task]
    return TrainingFailure(
        Reason.TARGET_INVALID,
        f"column {name} {trouble}; {task} needs {needed}; correct the data or spec.data.target",
    )


def _parse_feature(column: "pd.Series[Any]", name: str, refused: str) -> npt.NDArray[np.float64]:
    values = _to_numbers(column)
    trouble = None
    if set(refused) & set(name):
        trouble = f"has one of the characters {' '.join(refused)} in its name"
    elif values is None:
        trouble = f"holds {_list(_distinct(column))}, which are not numbers"
    elif np.isnan(values).all():
        trouble = "is empty in every row"
    elif np.isinf(values).any():
        trouble = f"is infinite in {int(np.isinf(values).sum())} rows"
    if trouble is not None or values is None:
        raise TrainingFailure(
            Reason.FEATURE_INVALID,
            f"column {name} {trouble}; "
            "correct the data or list other columns in spec.data.features",
        )
    return values


def _to_numbers(column: "pd.Series[Any]") -> npt.NDArray[np.float64] | None:
    """Return the column as float64, NaN where missing; None when it holds more than numbers."""
    present = column.dropna().infer_objects()
    if present.dtype == object:
        # Decimals, and booleans mixed with numbers.
        if not all(isinstance(value, numbers.Real | decimal.Decimal) for value in present):
            return None
    elif not pd.api.types.is_numeric_dtype(present):
        return None
    values = np.full(len(column), np.nan)
    values[column.notna().to_numpy()] = present.to_numpy(dtype=np.float64)
    return values


def _check_rows(table: Table, config: DataConfig) -> None:
    if len(table) < config.min_rows:
        raise TrainingFailure(
            Reason.TOO_FEW_ROWS,
            f"the data has {len(table)} rows but spec.data.minRows is {config.min_rows}; "
            "use a longer period or lower it",
        )


def _distinct(column: "pd.Series[Any]") -> list[str]:
    return list(dict.fromkeys(repr(value) for value in column.dropna().head(_LOOKED_AT)))


def _list(names: list[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_NAMED])
    return f"{shown}, …" if len(names) > _NAMED else shown
