"""A Delta Lake table: which files hold the rows of one of its versions.

``deltalake`` reads the log from a copy on the trainer's own disk and connects to nothing.  Log and
rows are brought by the source that the table lies in, so that the rules for addresses, credentials
and links hold as for every other file.
"""

import dataclasses
import re
import tempfile
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa

from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.folder import AbsentError, DataFile

DELTA: Final = "delta"  # of spec.data.source.format
_LOG: Final = "_delta_log"
_COMMIT: Final = re.compile(r"([0-9]{20})[.]json")
_CHECKPOINT: Final = re.compile(
    r"([0-9]{20})[.]checkpoint"
    r"(?:[.]([0-9]{10})[.]([0-9]{10})[.]parquet|[.][0-9a-f-]{36}[.](?:json|parquet)|[.]parquet)"
)
_SIDECAR: Final = re.compile(r"_sidecars/[^/]+[.]parquet")  # within the copy: a store says names
_FEATURE: Final = re.compile(r"[Ff]eature '?\"?(\w+)")
_MAPPING: Final = "columnMapping"
_DELETIONS: Final = "deletionVectors"
_READ: Final = frozenset(  # features of tables whose rows are those of their files
    {
        *("timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "typeWidening"),
        *("typeWidening-preview", _MAPPING, _DELETIONS),
    }
)
_PIECE: Final = 2**20
_ENDS: Final = 8  # bytes of Parquet's marks at both ends


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What a source knows of the folder that a table is."""

    name: str  # what a message calls it
    list: Callable[[str], Sequence[str]]  # paths of the files below a folder of it
    open: Callable[[str], IO[bytes]]  # raises AbsentError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The files of a log that say what a version holds."""

    version: int
    commits: tuple[str, ...]
    others: tuple[str, ...]  # checkpoints


def find_table(folder: Folder, config: DataConfig, *, scratch: str) -> Sequence[DataFile]:
    """Return the files that hold the rows of the version, the latest where none is pinned.

    Args:
        scratch: where the log may lie meanwhile.

    Raises:
        TrainingFailure: DataFormatInvalid, DataEmpty, and what reading the log gives reason for.
    """
    names = folder.list(_LOG)
    log = choose_log(names, config.version, table=folder.name)
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        copy = Path(place)
        for name in (*log.others, *filter(_SIDECAR.fullmatch, names)):
            _check_checkpoint(_copy(folder, name, copy), name, folder.name)
        for name in log.commits:
            _check_commit(_copy(folder, name, copy), name, folder.name)
        parts = _read_log(copy, log.version, folder.name)
    if not parts:
        raise TrainingFailure(
            Reason.DATA_EMPTY,
            f"version {log.version} of {folder.name} holds no rows; check spec.data.source.version",
        )
    return [
        DataFile(
            path=path,
            name=f"{folder.name}/{path}",
            open=lambda path=path: _open_rows(folder, path, log.version),  # type: ignore[misc]
            partitions=values,
        )
        for path, values in sorted(parts.items())
    ]


def choose_log(names: Sequence[str], version: int | None, *, table: str) -> Log:
    """Choose the checkpoint that is nearest to a version, and the commits that follow it.

    Args:
        names: of the files in the log.
        version: None: the latest.
        table: what a message calls the table.

    Raises:
        TrainingFailure: DataFormatInvalid.
    """
    commits = {int(found[1]): name for name in names if (found := _COMMIT.fullmatch(name))}
    checkpoints = _find_checkpoints(names)
    if not (commits or checkpoints):
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{table} is no Delta Lake table: it has no {_LOG}; correct spec.data.source.uri, or "
            "spec.data.source.format for a folder of files",
        )
    latest = max((*commits, *checkpoints))
    wanted = latest if version is None else version
    if wanted > latest:
        raise _no_version(table, wanted, f"the latest is {latest}")
    start = max((each for each in checkpoints if each <= wanted), default=-1)
    missing = [each for each in range(start + 1, wanted + 1) if each not in commits]
    if missing:
        first = min((each for each in checkpoints if each > wanted), default=None)
        if first is None:
            raise _damaged(table, f"commit {missing[0]} is missing from its {_LOG}")
        raise _no_version(table, wanted, f"the log begins with {first}; older commits were removed")
    return Log(
        version=wanted,
        commits=tuple(commits[each] for each in range(start + 1, wanted + 1)),
        others=tuple(checkpoints.get(start, ())),
    )


def _find_checkpoints(names: Sequence[str]) -> Mapping[int, Sequence[str]]:
    """Return the files of each checkpoint that is complete, one checkpoint of a version."""
    whole: dict[int, Sequence[str]] = {}
    parts: dict[tuple[int, int], list[str]] = {}
    for name in sorted(names):
        found = _CHECKPOINT.fullmatch(name)
        if found is None:
            continue
        number = int(found[1])
        if found[3] is None:
            whole[number] = (name,)
        else:
            parts.setdefault((number, int(found[3])), []).append(name)
    for (number, count), files in parts.items():
        if len(files) == count:
            whole.setdefault(number, files)
    return whole


def _copy(folder: Folder, name: str, copy: Path) -> Path:
    target = copy / _LOG / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with folder.open(f"{_LOG}/{name}") as source, target.open("wb") as file:
        while piece := source.read(_PIECE):
            file.write(piece)
    return target


def _check_checkpoint(path: Path, name: str, table: str) -> None:
    """Refuse a checkpoint that its writer did not end.

    Raises:
        TrainingFailure: DataFormatInvalid.
    """
    is_whole = path.stat().st_size > _ENDS and _ends_with(path, b"PAR1")
    if path.suffix == ".parquet" and not is_whole:
        raise _damaged(table, f"checkpoint {name} is half written")


def _ends_with(path: Path, end: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(end)))
        return file.read() == end


def _check_commit(path: Path, name: str, table: str) -> None:
    """Refuse a commit that its writer did not end: the library takes an empty one for no change.

    Raises:
        TrainingFailure: DataFormatInvalid.
    """
    with path.open("rb") as file:
        last = b""
        for line in file:
            last = line.strip() or last
    if not last.endswith(b"}"):
        raise _half_written(table, name)


def _read_log(copy: Path, version: int, table: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the paths of the files of a version, with the values of its partitions in each.

    Raises:
        TrainingFailure: DataFormatInvalid.
    """
    # Here, since the import takes half a second.
    from deltalake import DeltaTable  # noqa: PLC0415
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        log = DeltaTable(str(copy), version=version)
        features = set(log.protocol().reader_features or ())
        if log.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
            raise _unknown(table, _MAPPING)
        others = sorted(features - _READ)
        if others:
            raise _unknown(table, others[0])
        if _DELETIONS in features and _has_deletions(log):
            raise _unknown(table, _DELETIONS)
        rows = pa.table(log.get_add_actions()).select
        paths = [urllib.parse.unquote(path) for path in rows(["path"])["path"].to_pylist()]
        columns = list(log.metadata().partition_columns)
        values = rows(["partition"])["partition"].to_pylist() if columns else [{}] * len(paths)
    except (DeltaError, pa.ArrowException, ValueError, OSError) as error:
        raise _explain(error, table, version) from error
    for path in paths:
        _refuse_elsewhere(path, table)
    return {
        path: {name: of_file[name] for name in columns}
        for path, of_file in zip(paths, values, strict=True)
    }


def _has_deletions(log: Any) -> bool:
    from deltalake.exceptions import DeltaError  # noqa: PLC0415

    try:
        return bool(pa.table(log.deletion_vectors()).num_rows)
    except (DeltaError, OSError):  # as their files lie beside the rows, which are not copied
        return True


def _refuse_elsewhere(path: str, table: str) -> None:
    """Refuse rows of another table, as a shallow clone has them: the Model names only this one."""
    if "://" in path or path.startswith("/") or ".." in path.split("/"):
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{table} has rows in files outside of its folder, as a shallow clone has; read the "
            "table that it was cloned from, or make a deep clone",
        )


def _open_rows(folder: Folder, path: str, version: int) -> IO[bytes]:
    try:
        return folder.open(path)
    except AbsentError as error:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{folder.name}/{path} is not there any more, but version {version} needs it: it was "
            "vacuumed; set spec.data.source.version to a later one, or leave it out for the latest",
        ) from error


def _explain(error: Exception, table: str, version: int) -> TrainingFailure:
    """Say what a message of the library means that quotes nothing of the table."""
    said = str(error)
    if "olumn mapping" in said:
        return _unknown(table, _MAPPING)
    if found := _FEATURE.search(said):
        return _unknown(table, found[1])
    if "Json error" in said:
        return _half_written(table, f"up to version {version}")
    return _damaged(table, f"version {version} cannot be made out from its {_LOG}")


def _unknown(table: str, feature: str) -> TrainingFailure:
    way_out = {
        _DELETIONS: "rewrite it without them: REORG TABLE … APPLY (PURGE)",
        _MAPPING: "write it without delta.columnMapping.mode",
    }.get(feature, "write it without that, or to Parquet")
    return TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{table} uses Delta Lake's {feature}, which the trainer does not read; {way_out}",
    )


def _half_written(table: str, what: str) -> TrainingFailure:
    return _damaged(table, f"commit {what} is half written")


def _damaged(table: str, what: str) -> TrainingFailure:
    return TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{table} cannot be read as delta: {what}; repair it, or set spec.data.source.version to "
        "one before that",
    )


def _no_version(table: str, version: int, why: str) -> TrainingFailure:
    return TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{table} has no version {version}: {why}; correct spec.data.source.version",
    )
