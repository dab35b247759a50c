"""The sources there are, by the scheme of their address in spec.data.source.uri.

A source that delivers a file is a function from an address to bytes, and ``formats`` does the
rest; a source that delivers rows reads them itself.  None of them judges the columns: ``data``
does.  Every failure is a ``TrainingFailure`` whose message names the source without credentials.
"""

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.file import read_file
from fairlead_training.sources.formats import parse_file
from fairlead_training.sources.http import download
from fairlead_training.sources.postgresql import run_query, warn_of_rights

Source = Callable[[DataConfig, Environment], pd.DataFrame]


def _file_from(fetch: Callable[[str, Environment], bytes]) -> Source:
    """Make a source of what fetches a file; only the others take a query."""

    def read(config: DataConfig, environment: Environment) -> pd.DataFrame:
        if config.query is not None:
            scheme = urllib.parse.urlsplit(config.uri).scheme
            raise TrainingFailure(
                Reason.QUERY_INVALID,
                f"spec.data.source.query works on postgresql:// only, not on {scheme}://; "
                "remove it",
            )
        return parse_file(fetch(config.uri, environment), config)

    return read


# A Model may name each of these: operator/fairlead_operator/api/training.py lists the same.
SOURCES: Final[Mapping[str, Source]] = {
    "http": _file_from(download),
    "https": _file_from(download),
    "postgresql": run_query,
    "postgres": run_query,
}
# For a trainer at a desk; a pod has no data on its disk, and the API refuses the scheme.
_AT_A_DESK: Final[Mapping[str, Source]] = {"file": _file_from(read_file)}


def read_frame(config: DataConfig, environment: Environment) -> pd.DataFrame:
    """Read all rows as they are.

    Raises:
        TrainingFailure: naming the source and what to do.
    """
    source = _find(config)
    if source is None:
        *others, last = (f"{scheme}://" for scheme in SOURCES)
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"the trainer cannot read addresses such as {public_uri(config.uri)}; "
            f"use {', '.join(others)} or {last}",
        )
    return source(config, environment)


def warn_of_source(config: DataConfig, environment: Environment) -> tuple[str, ...]:
    """Say what a person should look at about a source that was read."""
    return warn_of_rights(config, environment) if _find(config) is run_query else ()


def _find(config: DataConfig) -> Source | None:
    return {**SOURCES, **_AT_A_DESK}.get(urllib.parse.urlsplit(config.uri).scheme)
