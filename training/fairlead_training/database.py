"""The study database: one engine, locks between the pods of a namespace, errors in our words."""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any, Final

import optuna
import sqlalchemy
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fairlead_training.failure import Reason, TrainingFailure, first_line

# Apart from ``public``: MLflow may live in the same database, and both own an alembic_version.
SCHEMA: Final = "fairlead_search"
_LOCK_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 5


def driver_url(url: str) -> str:
    """Return the URL with the driver that is installed."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise TrainingFailure(
            Reason.CONFIG_INVALID, "FAIRLEAD_DATABASE_URL must begin with postgresql://"
        )
    return f"postgresql+psycopg://{rest}"


def engine_options() -> dict[str, Any]:
    return {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": _CONNECT_SECONDS,
            "application_name": "fairlead-training",
            "options": f"-c search_path={SCHEMA} -c lock_timeout={_LOCK_SECONDS}s",
        },
    }


@contextlib.contextmanager
def errors_named() -> Iterator[None]:
    """Turn what the driver and Optuna raise into DatabaseUnavailable."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _unavailable(error) from error
    except optuna.exceptions.StorageInternalError as error:
        raise _unavailable(error.__cause__ or error) from error


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


def create_schema(engine: sqlalchemy.Engine) -> None:
    with engine.begin() as connection:
        # Asked first: the user may own a schema that an administrator made, and no right to more.
        exists = connection.execute(
            sqlalchemy.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}
        ).scalar()
        if exists is None:
            connection.execute(sqlalchemy.text(f"CREATE SCHEMA {SCHEMA}"))


def _unavailable(error: BaseException) -> TrainingFailure:
    # The driver's own words: SQLAlchemy's add the statement and its values.
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return TrainingFailure(
        Reason.DATABASE_UNAVAILABLE,
        f"the study database failed: {first_line(cause)}; "
        "check the Secret fairlead-database and its server",
    )
