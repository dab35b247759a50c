"""Several files that are one table: which belong to it, and their rows as one frame.

In a folder written hive style, ``country=no/day=2026-01-01/part-0.parquet``, the names of the
folders are columns, too.
"""

import dataclasses
import re
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import IO, Any, Final

import pandas as pd

from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.formats import Columns, find_format, parse_file, tell_format
from fairlead_training.sources.room import Room

_HIVE_NOTHING: Final = "__HIVE_DEFAULT_PARTITION__"
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_HIDDEN: Final = ("_", ".")
_SHOWN: Final = 5  # faults in one message
# How pandas calls what a column of objects holds, in our words.
_KINDS: Final[Mapping[str, str]] = {
    "boolean": "booleans",
    "string": "text",
    "integer": "numbers",
    "floating": "numbers",
    "mixed-integer-float": "numbers",
    "decimal": "numbers",
    "date": "times",
    "datetime": "times",
    "datetime64": "times",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One of the files."""

    path: str  # below the folder
    name: str  # what a message calls it
    open: Callable[[], IO[bytes]]
    partitions: Mapping[str, Any] | None = None  # values of all its rows; None: as folders say


class AbsentError(TrainingFailure):
    """A file that is not there."""


def choose_files(
    files: Sequence[DataFile], config: DataConfig, *, source: str
) -> Sequence[DataFile]:
    """Return the files of a folder that hold its rows, in order.

    Names that begin with ``_`` or ``.``, also of folders, are those of what belongs to a program
    that writes tables, such as ``_SUCCESS``.

    Raises:
        TrainingFailure: DataEmpty or DataFormatInvalid.
    """
    _refuse_tables([each.path for each in files], source)
    chosen = sorted((each for each in files if not _is_hidden(each.path)), key=lambda f: f.path)
    if not chosen:
        beside = f" but {len(files)} whose names begin with _ or ." if files else ""
        raise TrainingFailure(
            Reason.DATA_EMPTY,
            f"the folder {source} holds no files{beside}; check spec.data.source.uri",
        )
    if config.format is None:
        kinds: dict[str, DataFile] = {}
        for each in chosen:
            kinds.setdefault(tell_format(each.name), each)
        if len(kinds) > 1:
            (one, first), (other, second) = list(kinds.items())[:2]
            raise TrainingFailure(
                Reason.DATA_FORMAT_INVALID,
                f"the folder {source} holds files of several formats, {first.name} ({one}) and "
                f"{second.name} ({other}); keep one format in it",
            )
        return chosen
    # The name of a file that tells another format is no file of this table.
    return [each for each in chosen if find_format(each.name) in {None, config.format}] or chosen


def _refuse_tables(paths: Sequence[str], source: str) -> None:
    """Refuse a table whose log says which of its files count: all of them would be too many."""
    if any(path.startswith("_delta_log/") for path in paths):
        what, way_out = "Delta Lake", "set spec.data.source.format to delta"
    elif any(path.startswith(".hoodie/") for path in paths):
        what, way_out = "Hudi", "write its rows to a folder of Parquet files"
    elif any(path.startswith("metadata/") and path.endswith(".metadata.json") for path in paths):
        what, way_out = "Iceberg", "write its rows to a folder of Parquet files"
    else:
        return
    raise TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{source} is a table of {what}, not a folder of files; {way_out}",
    )


def read_files(
    files: Sequence[DataFile],
    config: DataConfig,
    room: Room,
    *,
    source: str,
    columns: Columns = None,
    quotes: bool,
) -> pd.DataFrame:
    """Read files, one after the other, as one frame.

    A column that some of them do not have is empty there.

    Args:
        source: what a message calls all of them.
        columns: those that are wanted, of files with others, too; None: all.
        quotes: whether a message may show the name of a column that the Model does not name.

    Raises:
        TrainingFailure: DataFormatInvalid where a column is of two types, naming both files; and
            what ``parse_file`` raises.
    """
    partitions = _read_partitions(files)
    in_files = None if columns is None else set(columns) - set(partitions)
    types = ColumnTypes(None if quotes else frozenset(config.fields))
    frames = []
    for each in files:
        frame = parse_file(each.open, config, room, source=each.name, columns=in_files)
        frame = frame.drop(columns=[name for name in partitions if name in frame.columns])
        types.note(frame, each.name)
        frames.append(frame)
    types.refuse(source, "write all files with one type for each column")
    rows = [len(frame) for frame in frames]
    joined = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    for name, values in partitions.items():
        joined[name] = pd.Series(values).repeat(rows).array
    return joined


class ColumnTypes:
    """What each column holds, and in which file that was first so."""

    def __init__(self, shown: Collection[str] | None) -> None:
        self._shown = shown  # names that a message may show; None: all
        self._known: dict[str, tuple[str, str]] = {}
        self._faults: dict[str, str] = {}
        self._first: tuple[Sequence[str], str] | None = None

    def note(self, frame: pd.DataFrame, file: str) -> None:
        """Compare a file with those before it.

        Raises:
            TrainingFailure: DataFormatInvalid.
        """
        names = [str(name) for name in frame.columns]
        self._first = self._first or (names, file)
        columns, first = self._first
        if names != columns and max(len(names) - len(set(names)), len(columns) - len(set(columns))):
            raise TrainingFailure(
                Reason.DATA_FORMAT_INVALID,
                f"a column is there twice in {first} or {file}, which have different columns; "
                "rename all but one",
            )
        if names and columns and not set(names) & set(columns):
            raise TrainingFailure(
                Reason.DATA_FORMAT_INVALID,
                f"{file} has none of the columns of {first}, as a file without a first line of "
                "names; give each file the same columns",
            )
        for place, name in enumerate(names):
            kind = find_kind(frame.iloc[:, place])
            if kind is None:
                continue
            before, where = self._known.setdefault(name, (kind, file))
            if kind != before and name not in self._faults:
                called = name if self._shown is None or name in self._shown else place + 1
                self._faults[name] = (
                    f"column {called} holds {before} in {where} and {kind} in {file}"
                )

    def refuse(self, source: str, way_out: str) -> None:
        """Tell all columns that changed.

        Raises:
            TrainingFailure: DataFormatInvalid.
        """
        if not self._faults:
            return
        faults = list(self._faults.values())
        more = [f"and {len(faults) - _SHOWN} more columns"] if len(faults) > _SHOWN else []
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{source}: {'; '.join([*faults[:_SHOWN], *more])}; {way_out}",
            details=faults,
        )


def find_kind(values: "pd.Series[Any]") -> str | None:
    """Return what a column holds; None where it is empty."""
    if values.isna().all():
        return None
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = pd.Series(values.cat.categories)
    if pd.api.types.is_bool_dtype(values.dtype):
        return "booleans"
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "numbers"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "times"
    return _KINDS.get(pd.api.types.infer_dtype(values, skipna=True), "several types")


def _read_partitions(files: Sequence[DataFile]) -> dict[str, list[Any]]:
    """Return the columns that folders are named after, with a value for each file.

    Whole numbers are numbers where all values of a column are; anything else is text.
    """
    told = [each.partitions for each in files if each.partitions is not None]
    if told:
        return {name: [values[name] for values in told] for name in told[0]}
    texts = [_split_path(each.path) for each in files]
    names = dict.fromkeys(name for values in texts for name in values)
    return {name: _type([values.get(name) for values in texts]) for name in names}


def _split_path(path: str) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for part in path.split("/")[:-1]:
        name, mark, value = part.partition("=")
        if mark and name:
            text = urllib.parse.unquote(value)
            values[urllib.parse.unquote(name)] = None if text == _HIVE_NOTHING else text
    return values


def _type(texts: Sequence[str | None]) -> list[int | str | None]:
    if all(text is None or _WHOLE_NUMBER.fullmatch(text) for text in texts):
        return [None if text is None else int(text) for text in texts]
    return list(texts)


def _is_hidden(path: str) -> bool:
    # A folder named after a column may begin so: _year=2026.
    *folders, name = path.split("/")
    return name.startswith(_HIDDEN) or any(
        each.startswith(_HIDDEN) and "=" not in each for each in folders
    )
