"""What every part tells libpq of the record's and the study's database."""

from typing import Any

import psycopg
import pytest

from fairlead_contract.database import InvalidAddressError
from fairlead_contract.libpq import build_parameters, connect

DEFAULTS = {"connect_timeout": 2, "application_name": "fairlead-test"}


def test_the_address_comes_before_the_defaults() -> None:
    parameters = build_parameters("postgresql://u:p@db/x?connect_timeout=9", DEFAULTS)

    assert parameters == {
        "host": "db",
        "user": "u",
        "password": "p",
        "dbname": "x",
        "connect_timeout": "9",
        "application_name": "fairlead-test",
        "prepare_threshold": None,
    }


@pytest.mark.parametrize(
    ("address", "words"),
    [
        pytest.param(
            "postgresql://u@db/x?hush=1",
            "the address has a parameter that PostgreSQL does not know",
            id="no parameter of PostgreSQL",
        ),
        pytest.param("mysql://u:hush@db/x", "not of the form postgresql://", id="another scheme"),
        pytest.param("postgresql://u:a@hush@db/x", "must be percent-encoded", id="an @ as it is"),
    ],
)
def test_an_address_that_cannot_be_meant_is_not_shown(address: str, words: str) -> None:
    with pytest.raises(InvalidAddressError, match=words) as caught:
        build_parameters(address, DEFAULTS)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("open_to", "password"),
    [
        pytest.param({"old", "new"}, "old", id="both open: the first"),
        pytest.param({"new"}, "new", id="the second alone"),
        pytest.param({"old"}, "old", id="the first alone"),
    ],
)
def test_whichever_password_opens_is_used(
    monkeypatch: pytest.MonkeyPatch, open_to: set[str], password: str
) -> None:
    def lock(**parameters: Any) -> Any:
        if parameters["password"] not in open_to:
            raise psycopg.OperationalError("password authentication failed")
        return parameters

    monkeypatch.setattr("psycopg.connect", lock)
    urls = [f"postgresql://u:{each}@db/x" for each in ("old", "new")]
    opened: Any = connect(urls, DEFAULTS)

    assert opened["password"] == password
