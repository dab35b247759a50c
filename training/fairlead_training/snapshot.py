"""Which rows a training is about, and those rows again from a source that has changed.  Pure."""

import base64
import dataclasses
import hashlib
import json
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.classes import Label
from fairlead_training.data import (
    Table,
    format_time,
    order_by,
    renumber,
    slice_rows,
    take_rows,
)
from fairlead_training.failure import Reason, TrainingFailure

_REMEMBERED: Final = 50_000  # rows that are known one by one, some 500 KB in the study


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Which rows a training used."""

    rows: int
    first: int  # time of the first row, nanoseconds
    last: int
    digest: str
    columns: tuple[str, ...] = ()  # the features; those of 0.1.0 named none
    latest: str = ""  # a hash of each of the latest rows, 8 bytes, in base64
    classes: tuple[Label, ...] = ()  # by number, as those of the table


def take_snapshot(table: Table) -> Snapshot:
    """Name these rows: count, time range, columns, and a digest of every value in order."""
    latest = hash_rows(slice_rows(table, max(0, len(table) - _REMEMBERED), len(table)))
    return Snapshot(
        rows=len(table),
        first=int(table.times[0]),
        last=int(table.times[-1]),
        digest=_digest(table),
        columns=tuple(map(str, table.features.columns)),
        latest=base64.b64encode(latest.astype("<u8").tobytes()).decode(),
        classes=table.classes,
    )


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
    table = renumber(table, snapshot.classes)
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
        f"({len(known)} rows now, {snapshot.rows} then); start another training, with a fixed "
        "beginning of the rows where the source or its query leaves old ones out as time passes: "
        "time >= '2026-01-01', for example, and not time > now() - interval '30 days'",
    )


def _is_snapshot(table: Table, snapshot: Snapshot) -> bool:
    return len(table) == snapshot.rows and _digest(table) == snapshot.digest


def _without_new(table: Table, snapshot: Snapshot) -> Table:
    """Keep those of the latest rows that the snapshot knows, each as often as it was there."""
    hashes = np.frombuffer(base64.b64decode(snapshot.latest), dtype="<u8")
    start = min(snapshot.rows - len(hashes), len(table))
    found = pd.Series(hash_rows(slice_rows(table, start, len(table))))
    often = pd.Series(hashes).value_counts()
    is_known = found.groupby(found).cumcount() < found.map(often).fillna(0)
    return take_rows(table, np.r_[:start, start + np.flatnonzero(is_known)])


def _digest(table: Table) -> str:
    digest = hashlib.sha256(json.dumps(list(table.features.columns)).encode())
    columns = [table.times, *(table.features[name] for name in table.features), table.target]
    if table.groups is not None:
        columns.append(table.groups)
    for column in columns:
        digest.update(np.ascontiguousarray(column).tobytes())
    return f"sha256:{digest.hexdigest()}"


def hash_rows(table: Table) -> npt.NDArray[np.uint64]:
    """Return a number for each row that all of its values make."""
    rows = pd.DataFrame({0: table.times, 1: table.target}, index=table.features.index)
    if table.groups is not None:
        rows[2] = table.groups
    hashes = pd.util.hash_pandas_object(pd.concat([rows, table.features], axis=1), index=False)
    return np.asarray(hashes, dtype=np.uint64)
