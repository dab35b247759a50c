"""The sources there are, by the scheme of their address in spec.data.source.uri.

A source that delivers files is a function from an address to what can be read, and ``formats`` does
the rest; a source that delivers rows reads them itself.  None of them judges the columns: ``data``
does.  Every failure is a ``TrainingFailure`` whose message names the source without credentials.
"""

import dataclasses
import urllib.parse
from collections.abc import Callable, Mapping
from typing import IO, Final

import pandas as pd

from fairlead_training.config import DataConfig, Environment, JoinConfig, SourceConfig
from fairlead_training.data import may_quote
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.claim import read_claim
from fairlead_training.sources.file import open_path
from fairlead_training.sources.folder import ColumnTypes
from fairlead_training.sources.formats import Columns, parse_file
from fairlead_training.sources.http import open_url
from fairlead_training.sources.join import Second, add_columns
from fairlead_training.sources.postgresql import run_query, warn_of_rights
from fairlead_training.sources.room import make_room, measure
from fairlead_training.sources.store import read_store

Source = Callable[[DataConfig, Environment, Columns], pd.DataFrame]


def _file_from(open_file: Callable[[str, Environment], IO[bytes]]) -> Source:
    """Make a source of what opens a file."""

    def read(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
        room = make_room(public_uri(config.uri), environment.held)
        return parse_file(lambda: open_file(config.uri, environment), config, room, columns=columns)

    return read


# Bytes a row beside its columns, of the room for rows as they are read: to draw an order takes
# hashes and places.
_DRAWN: Final = 40
_FIRST: Final = "spec.data.source"
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
    """Read all rows of all sources as they are, as one table.

    Where there is no room for all columns, those are read that the Model names, if it lists its
    features.  A champion with others is then not compared.

    Raises:
        TrainingFailure: naming the source and what to do.
    """
    try:
        return _read_with_room(config, environment, None)
    except TrainingFailure as failure:
        if failure.reason is not Reason.TOO_MUCH_DATA or not config.features:
            raise
    return _read_with_room(config, environment, config.keys.union(config.fields))


def _read_with_room(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
    """Read all rows, and see whether they can be drawn, too, where they have no times."""
    frame = _read_all(config, environment, columns)
    if config.timestamp_column is None:
        held = measure(frame)
        room = make_room(public_uri(config.uri), held)
        room.take_bytes(held + _DRAWN * len(frame), rows=len(frame))
    return frame


def _read_all(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
    frame = _unite(config, environment, columns)
    for number, join in enumerate(config.joins):
        field = f"spec.data.joins[{number}]"
        name = f"{public_uri(join.source.uri)} ({field})"
        held = measure(frame)
        rows = _read(
            _joined(config, join),
            environment.of(1 + len(config.union) + number, held=held),
            frozenset(join.named) if join.columns else None,
            field=f"{field}.source",
        )
        second = Second(rows=rows, join=join, name=name, field=field, quotes=may_quote(config))
        frame = add_columns(frame, second, config, make_room(f"the data joined with {name}", held))
    return frame


def _unite(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
    """Read the rows of the source and of those of the union, one after the other."""
    if not config.union:
        return _read(config, environment.of(0), columns)
    parts = {
        _FIRST: config,
        **{
            f"spec.data.union[{number}]": _from(each, config)
            for number, each in enumerate(config.union)
        },
    }
    types = ColumnTypes(None if may_quote(config) else frozenset(config.fields))
    frames: list[pd.DataFrame] = []
    for number, (field, part) in enumerate(parts.items()):
        held = sum(map(measure, frames))
        frame = _read(part, environment.of(number, held=held), columns, field=field)
        types.note(frame, f"{public_uri(part.uri)} ({field})")
        frames.append(frame)
    types.refuse("the union", "give each column one type in all of its sources")
    return pd.concat(frames, ignore_index=True)


def _from(source: SourceConfig, config: DataConfig) -> DataConfig:
    """Return what is read of another source."""
    return dataclasses.replace(
        config,
        uri=source.uri,
        format=source.format,
        query=source.query,
        endpoint=source.endpoint,
        region=source.region,
        version=source.version,
        encoding=source.encoding,
        path_style=source.path_style,
        union=(),
        joins=(),
    )


def _joined(config: DataConfig, join: JoinConfig) -> DataConfig:
    """Return what is read of a second table: of its columns, the Model names others."""
    first, *others = join.named
    return dataclasses.replace(
        _from(join.source, config),
        target=first,
        features=tuple(others),
        timestamp_column=None,
        group_by=None,
        columns={},
        ignored=(),
    )


def _read(
    config: DataConfig, environment: Environment, columns: Columns, *, field: str = _FIRST
) -> pd.DataFrame:
    try:
        return _read_one(config, environment, columns)
    except TrainingFailure as failure:
        if field == _FIRST:
            raise
        raise failure.told_as(failure.message.replace(_FIRST, field)) from failure


def _read_one(config: DataConfig, environment: Environment, columns: Columns) -> pd.DataFrame:
    scheme = _scheme(config)
    source = {**SOURCES, **_AT_A_DESK}.get(scheme)
    if source is None:
        *others, last = (f"{scheme}://" for scheme in SOURCES)
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"the trainer cannot read addresses such as {public_uri(config.uri)}; "
            f"use {', '.join(others)} or {last}",
        )
    if config.query is None or scheme in _DATABASES:
        return source(config, environment, columns)
    # Here, since the import takes half a second.
    from fairlead_training.sources.sql import run_sql  # noqa: PLC0415

    name = public_uri(config.uri)
    frame = source(config, environment, None)
    room = make_room(f"what spec.data.source.query makes of {name}", environment.held)
    return run_sql(frame, config.query, room, name=name, quotes=may_quote(config))


def warn_of_source(config: DataConfig, environment: Environment) -> tuple[str, ...]:
    """Say what a person should look at about the sources that were read."""
    others = (*config.union, *(join.source for join in config.joins))
    parts = [config, *(_from(each, config) for each in others)]
    return tuple(
        warning
        for number, part in enumerate(parts)
        if _scheme(part) in _DATABASES
        for warning in warn_of_rights(part, environment.of(number))
    )


def _scheme(config: DataConfig) -> str:
    return urllib.parse.urlsplit(config.uri).scheme
