"""What PostgreSQL's errors mean; tests/integration/training reads from a real server."""

import psycopg
import pytest

from fairlead_training.failure import Reason
from fairlead_training.sources.postgresql import (
    describe_rights,
    explain_connection,
    explain_query,
)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('password authentication failed for user "reader"', Reason.CREDENTIALS_REFUSED),
        ("fe_sendauth: no password supplied", Reason.CREDENTIALS_REFUSED),
        ('no pg_hba.conf entry for host "10.0.0.7"', Reason.CREDENTIALS_REFUSED),
        ('database "market" does not exist', Reason.CREDENTIALS_REFUSED),
        ("connection refused", Reason.DATA_SOURCE_UNAVAILABLE),
        ("connection timeout expired", Reason.DATA_SOURCE_UNAVAILABLE),
    ],
)
def test_a_failed_connection_is_judged_by_what_libpq_says(said: str, reason: Reason) -> None:
    failure = explain_connection(psycopg.OperationalError(f"{said}\nmore"), "postgresql://h/d")

    assert failure.reason is reason
    assert f"{said}" in failure.message
    assert "more" not in failure.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.UndefinedColumn("x"), Reason.QUERY_INVALID),
        (psycopg.errors.DivisionByZero("x"), Reason.QUERY_INVALID),
        (psycopg.errors.ReadOnlySqlTransaction("x"), Reason.QUERY_INVALID),
        (psycopg.errors.ActiveSqlTransaction("x"), Reason.QUERY_INVALID),
        (psycopg.errors.InsufficientPrivilege("x"), Reason.CREDENTIALS_REFUSED),
        (psycopg.errors.QueryCanceled("x"), Reason.DATA_SOURCE_UNAVAILABLE),
        (psycopg.errors.AdminShutdown("x"), Reason.DATA_SOURCE_UNAVAILABLE),
    ],
)
def test_a_failed_query_is_judged_by_its_error(error: psycopg.Error, reason: Reason) -> None:
    assert explain_query(error, "postgresql://h/d").reason is reason


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        pytest.param((False, None, None), None, id="it only reads"),
        pytest.param((True, "pg_write_server_files", "public.a"), "superuser", id="everything"),
        pytest.param(
            (False, "pg_write_server_files", "public.a"), "pg_write_server_files", id="the server"
        ),
        pytest.param((False, None, 'public."A b"'), 'to public."A b"', id="a table"),
    ],
)
def test_what_a_user_may_write(
    rights: tuple[bool, str | None, str | None], words: str | None
) -> None:
    warnings = describe_rights(*rights)

    assert len(warnings) == (words is not None)
    for warning in warnings:
        assert str(words) in warning
        assert "spec.data.source.credentials" in warning
        assert len(warning) <= 250, "more would be cut"
