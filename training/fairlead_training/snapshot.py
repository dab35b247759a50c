"""Which rows a training is about, and those rows again from a source that has changed.  Pure."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.classes import Label
from fairlead_contract.graph import ColumnType
from fairlead_training.data import (
    Table,
    format_time,
    order_by,
    renumber,
    slice_rows,
    take_rows,
)
from fairlead_training.failure import Reason, TrainingFailure

# Rows that are known one by one, some 500 KB in the study.  Where rows have no times, new ones lie
# anywhere among them: so all are known, by hashes of half the size, in some 5 MB at most.
_REMEMBERED: Final = 50_000
_REMEMBERED_OF_ALL: Final = 1_000_000
_SHORT: Final = "short:"  # before the hashes of 4 bytes, which do not all lie at the end


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Which rows a training used."""

    rows: int
    first: int  # time of the first row, nanoseconds
    last: int
    digest: str
    columns: tuple[str, ...] = ()  # the features; those of 0.1.0 named none
    latest: str = ""  # a hash of each of the latest rows, or of all, in base64
    classes: tuple[Label, ...] = ()  # by number, as those of the table
    types: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of the columns


def take_snapshot(table: Table) -> Snapshot:
    """Name these rows: count, time range, columns, and a digest of every value in order."""
    return Snapshot(
        rows=len(table),
        first=int(table.times[0]),
        last=int(table.times[-1]),
        digest=_digest(table),
        columns=tuple(map(str, table.features.columns)),
        latest=_remember(table),
        classes=table.classes,
        types={name: str(kind) for name, kind in table.types.items()},
    )


def read_snapshot(told: Mapping[str, Any]) -> Snapshot:
    """Read a snapshot from the study; another release may say less of it, or more."""
    names = {field.name for field in dataclasses.fields(Snapshot)}
    lists = {name: tuple(told.get(name, ())) for name in ("columns", "classes")}
    return Snapshot(**{name: told[name] for name in told.keys() & names} | lists)


def restore(table: Table, snapshot: Snapshot) -> Table:
    """Return the rows of a snapshot, from a source that has grown since.

    New rows may be of any time when they are among the latest of the snapshot, and there may be
    new columns and classes.

    Raises:
        TrainingFailure: DataChanged when its rows are not there as they were.
    """
    # Everything that follows compares models on the same rows: other rows are another training.
    if snapshot.columns and set(snapshot.columns) < set(table.features.columns):
        table = order_by(table, table.features[list(snapshot.columns)])
    # More rows may look like another type; what is the same in both forms goes on as it began.
    types = {name: ColumnType(kind) for name, kind in snapshot.types.items()}
    table = dataclasses.replace(renumber(table, snapshot.classes), types=types or table.types)
    known = slice_rows(table, 0, int(np.searchsorted(table.times, snapshot.last, side="right")))
    if _is_snapshot(known, snapshot):
        return known
    rows = _without_new(known, snapshot)
    if _is_snapshot(rows, snapshot):
        return rows
    which = f"the rows up to {format_time(snapshot.last)}" if table.by_time else "the rows"
    raise TrainingFailure(
        Reason.DATA_CHANGED,
        f"{which} are not those the training began with "
        f"({len(known)} rows now, {snapshot.rows} then); start another training, {_advise(table)}",
    )


def _advise(table: Table) -> str:
    if table.by_time:
        return (
            "with a fixed beginning of the rows where the source or its query leaves old ones out "
            "as time passes: time >= '2026-01-01', for example, and not "
            "time > now() - interval '30 days'"
        )
    if len(table) > _REMEMBERED_OF_ALL:
        return (
            f"and let no row come, go or change while it runs: of more than {_REMEMBERED_OF_ALL} "
            "rows without times, new ones cannot be told from those that were there"
        )
    return "and let no row go or change while it runs; rows may come"


def _remember(table: Table) -> str:
    """Return what those rows are known by again among which new ones may be."""
    if table.by_time or len(table) <= _REMEMBERED:
        latest = hash_rows(slice_rows(table, max(0, len(table) - _REMEMBERED), len(table)))
        return base64.b64encode(latest.astype("<u8").tobytes()).decode()
    if len(table) > _REMEMBERED_OF_ALL:
        return ""
    return _SHORT + base64.b64encode(_shorten(hash_rows(table)).tobytes()).decode()


def _shorten(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    return np.asarray(hashes & np.uint64(0xFFFFFFFF), dtype="<u4")


def _is_snapshot(table: Table, snapshot: Snapshot) -> bool:
    return len(table) == snapshot.rows and _digest(table) == snapshot.digest


def _without_new(table: Table, snapshot: Snapshot) -> Table:
    """Keep those of the latest rows that the snapshot knows, each as often as it was there."""
    short = snapshot.latest.startswith(_SHORT)
    told = base64.b64decode(snapshot.latest.removeprefix(_SHORT))
    hashes = np.frombuffer(told, dtype="<u4" if short else "<u8")
    start = min(snapshot.rows - len(hashes), len(table))
    rows = hash_rows(slice_rows(table, start, len(table)))
    found = pd.Series(_shorten(rows) if short else rows)
    often = pd.Series(hashes).value_counts()
    is_known = found.groupby(found).cumcount() < found.map(often).fillna(0)
    return take_rows(table, np.r_[:start, start + np.flatnonzero(is_known)])


def _digest(table: Table) -> str:
    digest = hashlib.sha256(json.dumps(list(table.features.columns)).encode())
    columns = [table.times, *(table.features[name] for name in table.features), table.target]
    if table.groups is not None:
        columns.append(table.groups)
    for column in columns:
        digest.update(_as_numbers(column).tobytes())
    return f"sha256:{digest.hexdigest()}"


def _as_numbers(column: Any) -> npt.NDArray[Any]:
    values = np.asarray(column)
    if values.dtype == object:
        return pd.util.hash_array(values, categorize=False)
    return np.ascontiguousarray(values)


def hash_rows(table: Table) -> npt.NDArray[np.uint64]:
    """Return a number for each row that all of its values make."""
    rows = pd.DataFrame({0: table.times, 1: table.target}, index=table.features.index)
    if table.groups is not None:
        rows[2] = table.groups
    hashes = pd.util.hash_pandas_object(pd.concat([rows, table.features], axis=1), index=False)
    return np.asarray(hashes, dtype=np.uint64)
