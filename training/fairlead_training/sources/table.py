"""The sources there are, by the scheme of their address in spec.data.source.uri.

A source that delivers files is a function from an address to what can be read, and ``formats`` does
the rest; a source that delivers rows reads them itself.  None of them judges the columns: ``data``
does.  Every failure is a ``TrainingFailure`` whose message names the source without credentials.
"""

import urllib.parse
from collections.abc import Callable, Mapping
from typing import IO, Final

import pandas as pd

from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.claim import read_claim
from fairlead_training.sources.file import open_path
from fairlead_training.sources.formats import Columns, parse_file
from fairlead_training.sources.http import open_url
from fairlead_training.sources.postgresql import run_query, warn_of_rights
from fairlead_training.sources.room import make_room
from fairlead_training.sources.store import read_store

Source = Callable[[DataConfig, Environment, Columns], pd.DataFrame]


def _file_from(open_file: Callable[[str, Environment], IO[bytes]]) -> Source:
    """Make a source of what opens a file."""

    def read(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
        room = make_room(public_uri(config.uri))
        with open_file(config.uri, environment) as file:
            return parse_file(file, config, room, columns=columns)

    return read


_DATABASES: Final = ("postgresql", "postgres")
# A Model may name each of these: operator/fairlead_operator/api/training.py lists the same.
SOURCES: Final[Mapping[str, Source]] = {
    "http": _file_from(open_url),
    "https": _file_from(open_url),
    **dict.fromkeys(_DATABASES, run_query),
    "s3": read_store,
    "gs": read_store,
    "az": read_store,
    "pvc": read_claim,
}
# For a trainer at a desk; the API refuses the scheme.
_AT_A_DESK: Final[Mapping[str, Source]] = {"file": _file_from(open_path)}


def read_frame(config: DataConfig, environment: Environment) -> pd.DataFrame:
    """Read all rows as they are.

    Where there is no room for all columns, those are read that the Model names, if it lists its
    features.  A champion with others is then not compared.

    Raises:
        TrainingFailure: naming the source and what to do.
    """
    scheme = _scheme(config)
    source = {**SOURCES, **_AT_A_DESK}.get(scheme)
    if source is None:
        *others, last = (f"{scheme}://" for scheme in SOURCES)
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"the trainer cannot read addresses such as {public_uri(config.uri)}; "
            f"use {', '.join(others)} or {last}",
        )
    if config.query is not None and scheme not in _DATABASES:
        raise TrainingFailure(
            Reason.QUERY_INVALID,
            f"spec.data.source.query works on postgresql:// only, not on {scheme}://; remove it",
        )
    try:
        return source(config, environment, None)
    except TrainingFailure as failure:
        if failure.reason is not Reason.TOO_MUCH_DATA or not config.features:
            raise
    return source(config, environment, frozenset(config.fields))


def warn_of_source(config: DataConfig, environment: Environment) -> tuple[str, ...]:
    """Say what a person should look at about a source that was read."""
    return warn_of_rights(config, environment) if _scheme(config) in _DATABASES else ()


def _scheme(config: DataConfig) -> str:
    return urllib.parse.urlsplit(config.uri).scheme
