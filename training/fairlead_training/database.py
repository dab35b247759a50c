"""The study database: one engine, locks between the pods of a namespace, errors in our words."""

import contextlib
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import optuna
import psycopg
import psycopg.sql
import sqlalchemy
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fairlead_contract.database import ADDRESS, InvalidAddressError, read_addresses, redact
from fairlead_contract.libpq import build_parameters, connect
from fairlead_training.failure import Reason, TrainingFailure, Trouble, first_line
from fairlead_training.passing import database_may_pass

DRIVER: Final = "postgresql+psycopg://"  # the address goes past SQLAlchemy, to libpq as it is
_DEFAULTS: Final = {"connect_timeout": 5, "application_name": "fairlead-training"}
# Of each transaction: a pooler refuses settings of a session, and may give the next another one.
_SETTINGS: Final = "SET LOCAL search_path = {}; SET LOCAL lock_timeout = '60s'"
_SCHEMA: Final = "fairlead_schema"  # marks our engines, as a champion may bring its own


def engine_options(url: str, schema: str, *, file: Path | None = None) -> dict[str, Any]:
    """Return how to create an engine for this schema of the database.

    Args:
        file: where the address is as it is now, and beside it the next one.

    Raises:
        TrainingFailure: ConfigInvalid: the address cannot be meant.
    """
    try:
        build_parameters(url, _DEFAULTS)
    except InvalidAddressError as error:
        raise TrainingFailure(Reason.CONFIG_INVALID, f"{ADDRESS}: {error}") from error
    return {
        "pool_pre_ping": True,
        "creator": functools.partial(_connect, url, file),
        "execution_options": {_SCHEMA: schema},
    }


def _connect(url: str, file: Path | None) -> "psycopg.Connection[Any]":
    return connect(read_addresses(file, url), _DEFAULTS)


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "begin")
def _set_up(connection: sqlalchemy.Connection) -> None:
    schema = connection.get_execution_options().get(_SCHEMA)
    if schema is not None:
        connection.exec_driver_sql(_SETTINGS.format(_quoted(schema)))


@contextlib.contextmanager
def errors_named(url: str) -> Iterator[None]:
    """Turn what the driver and Optuna raise into DatabaseUnavailable."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _unavailable(error, url) from error
    except optuna.exceptions.StorageInternalError as error:
        raise _unavailable(error.__cause__ or error, url) from error


@contextlib.contextmanager
def locked(engine: sqlalchemy.Engine, name: str) -> Iterator[None]:
    """Hold the named lock; only one process of all has it at a time.

    It belongs to a transaction, so that a killed process gives it back.
    """
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(name)}
        )
        yield


def lock_key(name: str) -> int:
    """Return a signed 64-bit number for the name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def create_schema(engine: sqlalchemy.Engine, schema: str) -> None:
    with engine.begin() as connection:
        # Asked first: the user may own a schema that an administrator made, and no right to more.
        exists = connection.execute(
            sqlalchemy.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}
        ).scalar()
        if exists is None:
            connection.exec_driver_sql(f"CREATE SCHEMA {_quoted(schema)}")


def _quoted(name: str) -> str:
    return psycopg.sql.Identifier(name).as_string(None)


def _unavailable(error: BaseException, url: str) -> TrainingFailure:
    # The driver's own words: SQLAlchemy's add the statement and its values.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    said = redact(first_line(cause), url)
    return TrainingFailure(
        Reason.DATABASE_UNAVAILABLE,
        f"the study database failed: {said}; check the Secret fairlead-database and its server",
        trouble=Trouble("the study database", said) if database_may_pass(cause) else None,
    )
