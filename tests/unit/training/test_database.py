"""URL, lock keys and errors of the study database."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from fairlead_training.database import driver_url, errors_named, lock_key
from fairlead_training.failure import Reason, TrainingFailure


def test_the_database_url_names_the_driver_and_no_secret() -> None:
    assert driver_url("postgresql://u:p@db/x") == "postgresql+psycopg://u:p@db/x"
    with pytest.raises(TrainingFailure) as caught:
        driver_url("mysql://u:hush@db/x")
    assert "hush" not in caught.value.message


@given(st.text())
def test_a_lock_key_fits_postgresql(name: str) -> None:
    assert -(2**63) <= lock_key(name) < 2**63


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
        pytest.param(SQLAlchemyError("the pool is empty"), "the pool is empty;", id="SQLAlchemy's"),
        pytest.param(from_optuna(), "server closed;", id="what Optuna wrapped"),
    ],
)
def test_an_error_of_the_database_is_named(error: Exception, said: str) -> None:
    with pytest.raises(TrainingFailure, match=said) as caught, errors_named():
        raise error

    assert caught.value.reason is Reason.DATABASE_UNAVAILABLE
    assert "hush" not in caught.value.message


def test_an_error_of_another_kind_passes() -> None:
    with pytest.raises(KeyError), errors_named():
        raise KeyError
