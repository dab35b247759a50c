"""Files and folders on a claim of the Model's namespace, which its Jobs mount to be read.

Whoever may write to a volume may put a link on it that leads to the trainer's own files.  So a file
is opened first, and read only if it is one of the volume.
"""

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
from fairlead_training.sources.folder import DataFile, choose_files, read_files
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.room import make_room


def read_claim(
    config: DataConfig, _environment: Environment, columns: Columns, *, root: str = CLAIM_FOLDER
) -> pd.DataFrame:
    """Read a file or a folder of the claim.

    Args:
        root: where the claim is mounted.

    Raises:
        TrainingFailure: DataSourceUnavailable or SourceNotAllowed, and what the files give reason
            for.
    """
    source = public_uri(config.uri)
    claim, _, path = config.uri.partition("://")[2].partition("/")
    volume = Path(os.path.realpath(root))
    try:
        files = _list(volume, claim, path.strip("/"), config, source)
    except OSError as error:
        raise _unavailable(source, error) from error
    return read_files(
        files, config, make_room(source), source=source, columns=columns, quotes=False
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
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{name} cannot be read: {error.strerror}; check spec.data.source.uri, and that the user "
        "65532 may read it",
    )
