"""Files and folders on a claim of the Model's namespace, which its Jobs mount to be read.

Whoever may write to a volume may put a link on it that leads to the trainer's own files.  So a file
is opened first, and read only if it is one of the volume.
"""

import dataclasses
import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import pandas as pd

from fairlead_contract.data import CLAIM_FOLDER
from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.delta import DELTA, Folder, find_table
from fairlead_training.sources.folder import AbsentError, DataFile, choose_files, read_files
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.room import make_room


def read_claim(
    config: DataConfig, environment: Environment, columns: Columns, *, root: str | None = None
) -> pd.DataFrame:
    """Read a file or a folder of the claim.

    Args:
        root: where the claim is mounted; None: where the operator mounts it.

    Raises:
        TrainingFailure: DataSourceUnavailable or SourceNotAllowed, and what the files give reason
            for.
    """
    source = public_uri(config.uri)
    claim, _, path = config.uri.partition("://")[2].partition("/")
    volume = Path(os.path.realpath(root or f"{CLAIM_FOLDER}/{claim}"))
    try:
        if config.format == DELTA:
            files = _list_table(volume, claim, path.strip("/"), config, environment)
            config = dataclasses.replace(config, format="parquet")
        else:
            files = _list(volume, claim, path.strip("/"), config, source)
    except OSError as error:
        raise _unavailable(source, error) from error
    return read_files(
        files,
        config,
        make_room(source, environment.held),
        source=source,
        columns=columns,
        quotes=False,
    )


def _list(
    volume: Path, claim: str, path: str, config: DataConfig, source: str
) -> Sequence[DataFile]:
    start = volume / path

    def file(found: Path) -> DataFile:
        below = found.relative_to(volume).as_posix()
        name = f"pvc://{claim}/{below}"
        return DataFile(
            path=below if found == start else found.relative_to(start).as_posix(),
            name=name,
            open=lambda: open_within(volume, found, name),
        )

    _refuse_outside(Path(os.path.realpath(start)), volume, source)
    if not stat.S_ISDIR(os.stat(start).st_mode):
        return [file(start)]
    found = [
        Path(folder, name)
        for folder, _folders, names in os.walk(start, onerror=_raise)
        for name in names
    ]
    return choose_files([file(each) for each in found], config, source=source)


def _list_table(
    volume: Path, claim: str, path: str, config: DataConfig, environment: Environment
) -> Sequence[DataFile]:
    root = volume / path
    name = f"pvc://{claim}/{path}".rstrip("/")

    def list_below(below: str) -> Sequence[str]:
        start = root / below
        _refuse_outside(Path(os.path.realpath(start)), volume, f"{name}/{below}")
        return [
            Path(folder, each).relative_to(start).as_posix()
            for folder, _folders, names in os.walk(start)
            for each in names
        ]

    def open_below(below: str) -> IO[bytes]:
        return open_within(volume, root / below, f"{name}/{below}")

    folder = Folder(name=name, list=list_below, open=open_below)
    return find_table(folder, config, scratch=environment.scratch)


def open_within(volume: Path, path: Path, name: str) -> IO[bytes]:
    """Open a file of the volume.

    Raises:
        TrainingFailure: DataSourceUnavailable; SourceNotAllowed where a link leads elsewhere.
    """
    try:
        # Without waiting, as for somebody who writes to a pipe.
        file = io.FileIO(path, opener=lambda each, flags: os.open(each, flags | os.O_NONBLOCK))
    except OSError as error:
        raise _unavailable(name, error) from error
    try:
        _refuse_outside(Path(os.readlink(f"/proc/self/fd/{file.fileno()}")), volume, name)
        _refuse_others(os.fstat(file.fileno()).st_mode, name)
    except BaseException:
        file.close()
        raise
    return cast("IO[bytes]", file)


def _raise(error: OSError) -> None:
    raise error


def _refuse_outside(path: Path, volume: Path, name: str) -> None:
    if not path.is_relative_to(volume):
        raise _outside(name)


def _refuse_others(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        raise _outside(name)


def _outside(name: str) -> TrainingFailure:
    return TrainingFailure(
        Reason.SOURCE_NOT_ALLOWED,
        f"{name} is, or leads to, something else than a file of the claim; "
        "name the file itself in spec.data.source.uri",
    )


def _unavailable(name: str, error: OSError) -> TrainingFailure:
    kind = AbsentError if isinstance(error, FileNotFoundError) else TrainingFailure
    return kind(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{name} cannot be read: {error.strerror}; check spec.data.source.uri, and that the user "
        "65532 may read it",
    )
