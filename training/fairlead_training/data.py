"""Turn raw rows into a checked, ordered table of numbers and words.  Pure.

The order is total (time, if there is one, then every other column), so that the same rows give the
same table however the source happened to return them.
"""

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.classes import Label, name_in_record, spell
from fairlead_contract.graph import ColumnType
from fairlead_training.columns import (
    Fault,
    Floats,
    emptiness,
    fault,
    is_row_number,
    show_names,
)
from fairlead_training.config import DataConfig, TrainingConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.labels import Target, read_target
from fairlead_training.preparation.raw import PLAIN, Raw, read_raw
from fairlead_training.preparation.types import infer_type, names_rows
from fairlead_training.times import read_times

_MOST_CHARACTERS: Final = 1000  # of a message; a condition holds 1024
_ROUNDING: Final = 1e-9  # of a share
_ADVICE: Final = {
    Reason.DATA_FORMAT_INVALID: "rename all but one",
    Reason.COLUMN_MISSING: "",
    Reason.TARGET_INVALID: "correct the data or spec.data.target",
    Reason.TARGET_CONSTANT: "use a longer period or correct spec.data.target",
    Reason.TIMESTAMP_INVALID: "use RFC 3339 times such as 2026-01-31T12:00:00Z or correct "
    "spec.data.timestampColumn or timestampFormat",
    Reason.GROUP_INVALID: "give each row its group or correct spec.data.groupBy",
    Reason.FEATURE_INVALID: "correct the data (nothing where a value is missing), say in "
    "spec.data.columns what a column holds (ignore: no feature), or list other columns in "
    "spec.data.features",
    Reason.TOO_FEW_ROWS: "use a longer period or lower it",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows in time order, or in that of their values where they have no times."""

    times: npt.NDArray[np.int64]  # nanoseconds since 1970 in UTC, ascending; else all 0
    features: pd.DataFrame  # float64, NaN where missing; words, the empty one where missing
    target: npt.NDArray[np.float64]  # 0 and 1, class numbers, or the value
    rows: npt.NDArray[np.intp]  # where each was in the source, from 0
    left_out: tuple[str, ...] = ()  # columns that only number or name the rows
    classes: tuple[Label, ...] = ()  # by number, where the labels are other than these numbers
    unlabelled: int = 0  # rows that were left out, as they have no label
    by_time: bool = True
    groups: npt.NDArray[np.uint64] | None = None  # of each row: a hash of what is never parted
    types: Mapping[str, ColumnType] = dataclasses.field(default_factory=dict)  # of the features

    def __len__(self) -> int:
        return len(self.target)

    @property
    def units(self) -> npt.NDArray[np.int64] | None:
        """Of each row without a time, the number of what it is drawn with; None with times."""
        return None if self.by_time else self.times

    @property
    def is_plain(self) -> bool:
        """Tell whether learners can be given the columns as they are, by their own names."""
        return PLAIN.issuperset(self.types.values())

    @property
    def columns(self) -> Mapping[str, Raw]:
        """Return the values of each feature."""
        return {str(name): self.features[name].to_numpy() for name in self.features}


class FindSuspicious(Protocol):
    """What says in words which columns help no model, or help one too well."""

    def __call__(
        self, columns: Mapping[str, Raw], target: Floats, *, show: Callable[[str], str] = str
    ) -> Sequence[str]:
        """Look at all columns; ``show`` says how the words call one."""


def check(
    frame: pd.DataFrame,
    config: TrainingConfig,
    *,
    refused_in_names: str,
    find_suspicious: FindSuspicious | None = None,
) -> Table:
    """Check the rows and bring them in order.

    Args:
        refused_in_names: characters that the learner allows in no feature's name.
        find_suspicious: finds what is refused besides, if anything is.

    Raises:
        TrainingFailure: naming every bad column and what to do.
    """
    table, faults = read_rows(
        frame, config, refused_in_names=refused_in_names, find_suspicious=find_suspicious
    )
    if table is None or faults:
        raise tell_faults(faults)
    return table


def read_rows(
    frame: pd.DataFrame,
    config: TrainingConfig,
    *,
    refused_in_names: str,
    find_suspicious: FindSuspicious | None = None,
) -> tuple[Table | None, list[Fault]]:
    """Return all that is wrong with the rows, and what can be read: features may be missing there.

    There is no table where the rows cannot be brought in order, or what they teach is not known.

    Args:
        refused_in_names: characters that the learner allows in no feature's name.
        find_suspicious: finds what is refused besides, if anything is.

    Raises:
        TrainingFailure: DataEmpty.
    """
    if not len(frame):
        raise TrainingFailure(Reason.DATA_EMPTY, "the data holds no rows; check spec.data.source")
    shown = _Shown(frame, config.data)
    names, faults = _name_columns(frame, config.data, shown)
    target: Target | Fault | None = None
    times: npt.NDArray[np.int64] | Fault | None = None
    if _is_there_once(frame, config.data.target):
        name = config.data.target
        target = read_target(
            frame[name],
            name,
            config.task,
            positive=config.data.positive_class,
            amounts=f"the metric {config.search.metric}" if config.is_of_amounts else "",
            quotes=shown.quotes,
        )
    if config.data.timestamp_column is None:
        times = np.zeros(len(frame), dtype=np.int64)
    elif _is_there_once(frame, config.data.timestamp_column):
        name = config.data.timestamp_column
        form = config.data.timestamp_format
        times = read_times(frame[name], name, form=form, quotes=shown.quotes)
    groups = _read_groups(frame, config.data)
    faults += [part for part in (target, times, groups) if isinstance(part, Fault)]
    read = _read_features(frame, names, config.data, shown, refused_in_names)
    features, left_out = read.features, read.left_out
    faults += read.faults
    labelled = np.ones(len(frame), dtype=np.bool_)
    if isinstance(target, Target):
        labelled = ~np.isnan(target.values)
        faults += _find_unlabelled(~labelled, config.data)
        told = {name: values[labelled] for name, values in features.items()}
        answers = target.values[labelled]
        copies = [name for name, values in told.items() if _is_copy(values, target, answers)]
        faults += [_copy_of_target(shown.name(name), config.data.target) for name in copies]
        if find_suspicious is not None and len(answers):
            others = {name: values for name, values in told.items() if name not in copies}
            faults += map(_refuse, find_suspicious(others, answers, show=shown.name))
    if labelled.sum() < config.data.min_rows:
        faults.append(_too_few(int(labelled.sum()), config.data.min_rows))
    if not (features or faults):
        faults.append(_nothing_to_learn_from(left_out, shown, config.data))
    if (
        not isinstance(target, Target)
        or not isinstance(times, np.ndarray)
        or isinstance(groups, Fault)
    ):
        return None, faults
    last = [] if groups is None else [groups]
    ranked = map(_rank, reversed(list(features.values())))
    order = np.lexsort([*last, *ranked, target.values, times])
    order = order[labelled[order]]
    table = Table(
        times=times[order],
        features=pd.DataFrame(
            {name: features[name][order] for name in features},
            index=pd.RangeIndex(len(order)),
            copy=False,
        ),
        target=target.values[order],
        rows=order,
        left_out=left_out,
        classes=target.classes,
        unlabelled=len(frame) - len(order),
        by_time=config.data.timestamp_column is not None,
        groups=None if groups is None else groups[order],
        types=read.types,
    )
    return table, faults


def renumber(table: Table, classes: tuple[Label, ...]) -> Table:
    """Number the classes of a table as these are; one that is none of them gets a number above."""
    if table.classes == classes:
        return table
    numbers = {name_in_record(label): number for number, label in enumerate(classes)}
    labels = table.classes or range(int(table.target.max()) + 1)
    renumbered = [
        numbers.get(name_in_record(label), len(classes) + at) if classes else _as_number(label, at)
        for at, label in enumerate(labels)
    ]
    target = np.array(renumbered, dtype=np.float64)[table.target.astype(np.intp)]
    return order_by(dataclasses.replace(table, target=target, classes=classes), table.features)


def _as_number(label: Label, at: int) -> float:
    """Return a label that is a number; for any other, one that no row of a snapshot has."""
    return -1.0 - at if isinstance(label, str) else float(label)


def order_by(table: Table, features: pd.DataFrame) -> Table:
    """Give a table these features, and bring its rows in order by them."""
    columns = [_rank(features[name].to_numpy()) for name in reversed(list(features))]
    last = [] if table.groups is None else [table.groups]
    order = np.lexsort([*last, *columns, table.target, table.times])
    return take_rows(dataclasses.replace(table, features=features), order)


def take_rows(table: Table, positions: npt.NDArray[np.intp]) -> Table:
    return dataclasses.replace(
        table,
        times=table.times[positions],
        features=table.features.iloc[positions].reset_index(drop=True),
        target=table.target[positions],
        rows=table.rows[positions],
        groups=None if table.groups is None else table.groups[positions],
    )


def slice_rows(table: Table, start: int, stop: int) -> Table:
    return dataclasses.replace(
        table,
        times=table.times[start:stop],
        features=table.features.iloc[start:stop],
        target=table.target[start:stop],
        rows=table.rows[start:stop],
        groups=None if table.groups is None else table.groups[start:stop],
    )


def count_rows(rows: int) -> str:
    """Say a number of rows."""
    return "1 row" if rows == 1 else f"{rows} rows"


def format_time(nanoseconds: int) -> str:
    """Write a time as RFC 3339 in UTC, to the second."""
    return pd.Timestamp(nanoseconds, unit="ns").strftime("%Y-%m-%dT%H:%M:%SZ")


def format_exact_time(nanoseconds: int) -> str:
    """Write a time as RFC 3339 in UTC, with all its digits."""
    return f"{pd.Timestamp(nanoseconds, unit='ns').isoformat()}Z"


def parse_time(text: str) -> int:
    """Read a time in RFC 3339 as nanoseconds since 1970 in UTC."""
    return int(pd.Timestamp(text).tz_convert("UTC").as_unit("ns").value)


def may_quote(config: DataConfig) -> bool:
    """Tell whether messages may show what the data holds: see ``_Shown``."""
    # A database lets the user in, and a file on disk is read at a desk.
    shown = ("postgresql://", "postgres://", "file://")
    return all(uri.lower().startswith(shown) for uri in config.uris)


class _Shown:
    """What a message may show of the data.

    An answer over HTTP may be no table that was meant, but what a service that only the trainer
    can reach has to say; so may a file of a store, and one on a claim be another program's.  So
    nothing of them is shown but the names that the Model has itself.
    """

    def __init__(self, frame: pd.DataFrame, config: DataConfig) -> None:
        self.quotes = may_quote(config)
        self._columns = [str(column) for column in frame.columns]
        self._named = config.fields.keys()

    def name(self, column: str) -> str:
        """Return a column's name, or its place, counted from 1."""
        if self.quotes or column in self._named:
            return column
        return str(self._columns.index(column) + 1)

    def columns(self) -> str:
        if self.quotes:
            return f"columns: {_list(self._columns)}"
        return f"which has {len(self._columns)} columns"

    def some(self, columns: Sequence[str]) -> str:
        return _list(columns) if self.quotes else str(len(columns))


def _name_columns(
    frame: pd.DataFrame, config: DataConfig, shown: _Shown
) -> tuple[list[str], list[Fault]]:
    """Return the feature columns to read, and what is wrong with the columns there are."""
    columns = [str(column) for column in frame.columns]
    times = collections.Counter(columns)
    fields = config.fields
    apart = config.apart
    features = config.features or [name for name in columns if name not in apart]
    twice = sorted({c for c in {*fields, *features} if times[c] > 1})
    missing = [column for column in fields if column not in columns]
    faults = []
    if twice:
        which = _name([shown.name(name) for name in twice], "appears", "appear")
        text = f"{which} more than once in the data"
        faults.append(Fault(reason=Reason.DATA_FORMAT_INVALID, text=text))
    if missing:
        where = " and ".join(dict.fromkeys(fields[column] for column in missing))
        which = _name(missing, "is", "are")
        text = f"{which} not in the data ({shown.columns()}); correct {where}"
        faults.append(Fault(reason=Reason.COLUMN_MISSING, text=text))
    return [name for name in dict.fromkeys(features) if times[name] == 1], faults


def _is_there_once(frame: pd.DataFrame, column: str) -> bool:
    return list(frame.columns).count(column) == 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The columns to learn from, as they were read."""

    features: Mapping[str, Raw]
    types: Mapping[str, ColumnType]
    left_out: tuple[str, ...]  # since they number or name the rows
    faults: Sequence[Fault]


def _read_features(
    frame: pd.DataFrame, names: Sequence[str], config: DataConfig, shown: _Shown, refused: str
) -> _Read:
    features: dict[str, Raw] = {}
    types: dict[str, ColumnType] = {}
    left_out: list[str] = []
    faults: list[Fault] = []
    for name in names:
        kind = config.columns.get(name) or infer_type(frame[name])
        values = read_raw(
            frame[name],
            name,
            kind,
            quotes=shown.quotes,
            label=shown.name(name),
        )
        # What the Model lists by name is what it learns from.
        is_named = name in config.features or name in config.columns
        if not is_named and _says_which_row(frame[name], name, kind, values):
            left_out.append(name)
        elif isinstance(values, Fault):
            faults.append(values)
        else:
            features[name], types[name] = values, kind
    if PLAIN.issuperset(types.values()):  # else names of our own are given to the learner
        faults += [
            fault(
                Reason.FEATURE_INVALID,
                shown.name(name),
                f"has one of the characters {' '.join(refused)} in its name",
            )
            for name in features
            if set(refused) & set(name)
        ]
    return _Read(features=features, types=types, left_out=tuple(left_out), faults=faults)


def _says_which_row(
    column: "pd.Series[Any]", name: str, kind: ColumnType, values: Raw | Fault
) -> bool:
    """Tell whether a column only numbers or names the rows."""
    if kind is ColumnType.TIME:
        return False
    if isinstance(values, Fault) or values.dtype != object:
        return is_row_number(column, name, values)
    is_key = is_row_number(column, name, Fault(reason=Reason.FEATURE_INVALID, text=""))
    return is_key or (kind is ColumnType.CATEGORY and names_rows(values))


def _rank(values: Raw) -> npt.NDArray[Any]:
    """Return what the values are sorted by: numbers, or the places of words in their order."""
    return values if values.dtype != object else pd.factorize(values, sort=True)[0]


def _refuse(said: str) -> Fault:
    text = f"{said}, which spec.data.suspiciousColumns refuses"
    return Fault(reason=Reason.FEATURE_INVALID, text=text)


def _copy_of_target(name: str, target: str) -> Fault:
    return Fault(
        reason=Reason.FEATURE_INVALID,
        text=f"column {name} equals the target {target} in every row, so a model would learn "
        "nothing else",
    )


def _read_groups(frame: pd.DataFrame, config: DataConfig) -> npt.NDArray[np.uint64] | Fault | None:
    """Return a hash of each row's group; None where rows have none."""
    if config.group_by is None or not _is_there_once(frame, config.group_by):
        return None
    column = frame[config.group_by]
    empty = column.isna().to_numpy()
    if empty.any():
        return fault(Reason.GROUP_INVALID, config.group_by, emptiness(empty))
    hashes = pd.util.hash_pandas_object(column.map(str).astype(object), index=False)
    return np.asarray(hashes, dtype=np.uint64)


def _is_copy(values: Raw, target: Target, numbers: Floats) -> bool:
    """Tell whether a feature has the target's value, label or class number in each row."""
    if np.array_equal(values, numbers):
        return True
    if values.dtype == object and target.classes:
        words = np.array([spell(label) for label in target.classes], dtype=object)
        return np.array_equal(values, words[numbers.astype(np.intp)])
    if not target.classes or any(isinstance(label, str) for label in target.classes):
        return False
    return np.array_equal(values, np.array(target.classes, dtype=float)[numbers.astype(np.intp)])


def _find_unlabelled(missing: npt.NDArray[np.bool_], config: DataConfig) -> list[Fault]:
    """Return a fault where more rows than may have no label."""
    if missing.mean() <= config.missing_labels + _ROUNDING:
        return []
    said = (
        f"{emptiness(missing)}, more than the {config.missing_labels:.0%} of the rows that "
        "spec.data.missingLabels lets go"
    )
    return [fault(Reason.TARGET_INVALID, config.target, said)]


def _too_few(rows: int, least: int) -> Fault:
    return Fault(
        reason=Reason.TOO_FEW_ROWS,
        text=f"the data has {count_rows(rows)} with a target but spec.data.minRows is {least}",
    )


def _nothing_to_learn_from(left_out: Sequence[str], shown: _Shown, config: DataConfig) -> Fault:
    roles = ["the target"]
    roles += ["the timestamp"] if config.timestamp_column else []
    roles += ["the groups"] if config.group_by else []
    roles += [f"columns that number or name the rows ({shown.some(left_out)})"] if left_out else []
    return Fault(
        reason=Reason.COLUMN_MISSING,
        text=f"the data has only {' and '.join(roles)}; "
        "add columns to learn from to spec.data.source",
    )


def tell_faults(faults: Sequence[Fault]) -> TrainingFailure:
    """Tell all faults in one message, as far as a condition has room for them."""
    texts = [fault.text for fault in faults]
    asks = [_ADVICE[fault.reason] for fault in faults if not fault.advises]
    advice = [*dict.fromkeys(ask for ask in asks if ask)]
    for told in range(len(texts), 0, -1):
        rest = len(texts) - told
        more = [f"and {rest} more, all in the training's log"] if rest else []
        message = "; ".join([*texts[:told], *more, *advice])
        if len(message) <= _MOST_CHARACTERS:
            break
    return TrainingFailure(faults[0].reason, message, details=texts)


def _name(columns: Sequence[str], one: str, many: str) -> str:
    return f"column {columns[0]} {one}" if len(columns) == 1 else f"columns {_list(columns)} {many}"


def _list(names: Sequence[str]) -> str:
    return show_names(list(names))
