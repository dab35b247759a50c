"""URL, lock keys and errors of the study database."""

from pathlib import Path

import optuna
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from fairlead_training.database import engine_options, errors_named, lock_key
from fairlead_training.failure import Reason, TrainingFailure, Trouble


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss@db/x?sslmode=require&options=-c%20x%3D1&connect_timeout=9",
        "postgres://u:p%40ss@db/x?options=-c%20x%3D1&sslmode=require&connect_timeout=9",
        pytest.param(
            "host=db user=u password='p@ss' dbname=x connect_timeout=9 sslmode=require "
            "options='-c x=1'",
            id="keywords",
        ),
    ],
)
def test_what_the_address_says_reaches_the_driver_as_it_is(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psycopg.connect", dict)
    parameters = engine_options(url, "s")["creator"]()

    assert {name: str(parameters[name]) for name in ("host", "user", "password", "dbname")} == {
        "host": "db",
        "user": "u",
        "password": "p@ss",
        "dbname": "x",
    }
    assert (parameters["sslmode"], parameters["options"]) == ("require", "-c x=1")
    assert (str(parameters["connect_timeout"]), parameters["prepare_threshold"]) == ("9", None)


def test_a_pooler_is_asked_for_no_settings_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psycopg.connect", dict)

    assert "options" not in engine_options("postgresql://db/x", "s")["creator"]()


def test_each_connection_is_opened_with_what_the_secret_has_by_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A search outlives a password: its next connection, and with it the pod, was refused."""
    monkeypatch.setattr("psycopg.connect", dict)
    file = tmp_path / "own-url"
    connect = engine_options("postgresql://u:first@db/x", "s", file=file)["creator"]

    passwords = [connect()["password"]]
    file.write_text("postgresql://u:second@db/x")
    passwords.append(connect()["password"])

    assert passwords == ["first", "second"]


@pytest.mark.parametrize(
    "url", ["mysql://u:hush@db/x", "postgresql://u:a@hush@db/x", "postgresql://u@db/x?hush=1"]
)
def test_an_address_that_cannot_be_meant_ends_the_training_and_is_not_shown(url: str) -> None:
    with pytest.raises(TrainingFailure) as caught:
        engine_options(url, "s")

    assert caught.value.reason is Reason.CONFIG_INVALID
    assert "hush" not in caught.value.message


@given(st.text())
def test_a_lock_key_fits_postgresql(name: str) -> None:
    assert -(2**63) <= lock_key(name) < 2**63


@pytest.mark.parametrize(
    ("said", "passes"),
    [
        pytest.param("connection refused", True, id="it is not up"),
        pytest.param("password authentication failed", False, id="it lets nobody in"),
    ],
)
def test_a_database_that_is_not_up_is_waited_for(said: str, passes: bool) -> None:
    error = OperationalError("", {}, psycopg.OperationalError(f"{said} at u:pass@db"))

    with pytest.raises(TrainingFailure) as caught, errors_named("postgresql://u:pass@db/x"):
        raise error

    told = Trouble("the study database", f"{said} at u:***@db")
    assert caught.value.trouble == (told if passes else None)


def from_optuna() -> Exception:
    error = optuna.exceptions.StorageInternalError("an exception is raised during the commit")
    error.__cause__ = OperationalError("UPDATE", {}, Exception("server closed"))
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(
            OperationalError("SELECT 'hush'", {"p": "hush"}, Exception("server closed\nmore")),
            "server closed;",
            id="the driver's first line, without statement and values",
        ),
        pytest.param(
            OperationalError("", {}, Exception("no host 'pass@db'")),
            r"no host '\*\*\*@db';",
            id="a password that a library tells",
        ),
        pytest.param(SQLAlchemyError("the pool is empty"), "the pool is empty;", id="SQLAlchemy's"),
        pytest.param(from_optuna(), "server closed;", id="what Optuna wrapped"),
    ],
)
def test_an_error_of_the_database_is_named(error: Exception, said: str) -> None:
    with (
        pytest.raises(TrainingFailure, match=said) as caught,
        errors_named("postgresql://u:pass@db/x"),
    ):
        raise error

    assert caught.value.reason is Reason.DATABASE_UNAVAILABLE
    assert "hush" not in caught.value.message


def test_an_error_of_another_kind_passes() -> None:
    with pytest.raises(KeyError), errors_named(""):
        raise KeyError
