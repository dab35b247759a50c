"""What PostgreSQL's errors mean; tests/integration/training reads from a real server."""

import datetime
import threading
from typing import Any

import pandas as pd
import psycopg
import pytest

from fairlead_contract.libpq import NOTICES_SILENCE
from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure, Trouble
from fairlead_training.sources import postgresql
from fairlead_training.sources.postgresql import (
    describe_rights,
    explain_connection,
    explain_query,
    join_pieces,
    run_query,
    warn_of_rights,
)
from support.reading import environment, use_names

ENVIRONMENT = environment()


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    use_names(
        monkeypatch,
        market="market.energy.svc.cluster.local=10.96.4.4",
        standby="standby.energy.svc.cluster.local=10.96.4.5 10.96.4.6",
        evil__example="169.254.169.254",
        other__example="93.184.216.34",
    )


@pytest.fixture(name="told")
def _told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What libpq is told, instead of connecting."""
    told: list[dict[str, Any]] = []

    def refuse(**parameters: Any) -> None:
        told.append(parameters)
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(psycopg, "connect", refuse)
    return told


def source(uri: str = "postgresql://market/d") -> DataConfig:
    return DataConfig(
        uri=uri,
        format=None,
        query="select 1",
        timestamp_column="at",
        target="price_up",
        features=(),
        min_rows=1,
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
        ("FATAL:  the database system is starting up", Reason.DATA_SOURCE_UNAVAILABLE),
    ],
)
def test_a_failed_connection_is_judged_by_what_libpq_says(said: str, reason: Reason) -> None:
    failure = explain_connection(psycopg.OperationalError(f"{said}\nmore"), "postgresql://h/d")

    assert failure.reason is reason
    assert f"{said}" in failure.message
    assert "more" not in failure.message
    unavailable = reason is Reason.DATA_SOURCE_UNAVAILABLE
    assert failure.trouble == (Trouble("postgresql://h/d", said) if unavailable else None)


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
    failure = explain_query(error, "postgresql://h/d")

    assert failure.reason is reason
    is_cut_off = isinstance(error, psycopg.errors.AdminShutdown)
    assert (failure.trouble is not None) == is_cut_off, "a query that takes too long stays so"


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


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(psycopg.OperationalError("connection refused"), id="it is away"),
        pytest.param(psycopg.errors.InsufficientPrivilege("pg_roles"), id="it does not tell"),
        pytest.param(OSError("no route to host"), id="the network"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), id="other letters"),
    ],
)
def test_no_training_fails_for_a_warning(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise error

    monkeypatch.setattr(psycopg, "connect", refuse)

    assert warn_of_rights(source(), ENVIRONMENT) == ()


def test_no_training_hangs_for_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data source that stands still after the rows were read kept the finishing Job."""
    over = threading.Event()

    def stand_still(**_: object) -> None:
        over.wait()
        raise psycopg.OperationalError("the server closed the connection")

    monkeypatch.setattr(psycopg, "connect", stand_still)
    monkeypatch.setattr(postgresql, "_PATIENCE", 0.01)

    warnings = warn_of_rights(source(), ENVIRONMENT)

    over.set()
    assert warnings == ()


T1, T2 = (datetime.datetime(2026, 1, day, tzinfo=datetime.UTC) for day in (1, 2))


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1, 2, 3, 4], id="whole numbers"),
        pytest.param([1, 2, None, None], id="a piece without a number"),
        pytest.param([None, None, 1.5, 2], id="missing first"),
        pytest.param([1, 2, 3, None], id="one missing"),
        pytest.param([True, False, None, True], id="booleans, one missing"),
        pytest.param(["a", "b", None, None], id="words, then none"),
        pytest.param([None, None, "a", "b"], id="words at last"),
        pytest.param([T1, T2, None, None], id="times, then none"),
        pytest.param([None, None, T1, T2], id="times at last"),
        pytest.param([T1.date(), None, T2.date(), T2.date()], id="days"),
        pytest.param([None, None, None, None], id="nothing"),
        pytest.param([1, 2, "a", 3], id="numbers and words"),
        pytest.param([[1], [2], [3], None], id="arrays"),
    ],
)
def test_pieces_are_the_rows_that_all_at_once_would_be(values: list[object]) -> None:
    whole = pd.DataFrame([(value,) for value in values], columns=["x"])
    pieces = [pd.DataFrame([(a,), (b,)], columns=["x"]) for a, b in (values[:2], values[2:])]

    pd.testing.assert_frame_equal(join_pieces(pieces), whole)


@pytest.mark.parametrize(
    ("uri", "idle"),
    [
        pytest.param("postgresql://market/d", NOTICES_SILENCE["keepalives_idle"], id="by default"),
        pytest.param("postgresql://market/d?keepalives_idle=90", "90", id="as the address says"),
    ],
)
def test_a_network_that_falls_silent_is_noticed(
    uri: str, idle: int | str, told: list[dict[str, Any]]
) -> None:
    with pytest.raises(TrainingFailure, match="cannot be reached"):
        run_query(source(uri), ENVIRONMENT)
    warn_of_rights(source(uri), ENVIRONMENT)

    assert [parameters["keepalives_idle"] for parameters in told] == [idle, idle]
    assert all(NOTICES_SILENCE.keys() <= parameters.keys() for parameters in told)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        pytest.param(
            "postgresql://market/d",
            {"host": "market", "hostaddr": "10.96.4.4", "port": "5432"},
            id="a name, with the address that was judged",
        ),
        pytest.param(
            "postgresql://market:5433,standby/d",
            {
                "host": "market,standby,standby",
                "hostaddr": "10.96.4.4,10.96.4.5,10.96.4.6",
                "port": "5433,5432,5432",
            },
            id="several, each with its port, one with two addresses",
        ),
        pytest.param(
            "postgresql://market,nowhere/d",
            {"host": "market", "hostaddr": "10.96.4.4", "port": "5432"},
            id="one that nobody knows",
        ),
        pytest.param(
            "postgresql://market/d?hostaddr=93.184.216.34",
            {"host": "market", "hostaddr": "93.184.216.34", "port": "5432"},
            id="an address beside a name: that one",
        ),
        pytest.param(
            "postgresql:///d?host=market&port=5433",
            {"host": "market", "hostaddr": "10.96.4.4", "port": "5433"},
            id="as parameters",
        ),
    ],
)
def test_libpq_connects_to_addresses_that_were_judged(
    uri: str, place: dict[str, str], told: list[dict[str, Any]]
) -> None:
    with pytest.raises(TrainingFailure, match="cannot be reached"):
        run_query(source(uri), ENVIRONMENT)

    assert {name: told[0][name] for name in place} == place


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        pytest.param("postgresql://evil.example/d", "link-local", id="a name"),
        pytest.param("postgresql://market,evil.example/d", "link-local", id="one of several"),
        pytest.param("postgresql://market/d?hostaddr=169.254.1.1", "link-local", id="an address"),
        pytest.param("postgresql:///d?host=evil.example", "link-local", id="a parameter"),
        pytest.param("postgresql://a,b/d?hostaddr=93.184.216.34,127.0.0.1", "loopback", id="two"),
        pytest.param("postgresql:///d", "names no host", id="no host: a socket, or a variable's"),
        pytest.param("postgresql://market,/d", "names no host", id="no second host"),
        pytest.param("postgresql://%2Fvar%2Frun/d", "names no host", id="a socket"),
        pytest.param("postgresql:///d?host=/var/run", "names no host", id="a socket by parameter"),
        pytest.param("postgresql:///d?host=@hidden", "names no host", id="an abstract socket"),
        pytest.param("postgresql://market/d?service=other", "parameter service", id="a service"),
        pytest.param("postgresql://a,b,c/d?port=1,2", "as many ports", id="too few ports"),
        pytest.param("postgresql://a,b/d?hostaddr=10.96.4.4,1,2", "as many", id="too many"),
        pytest.param("postgresql://market/d?port=99999", "port that is none", id="no port"),
    ],
)
def test_libpq_is_told_of_no_other_place(uri: str, said: str, told: list[dict[str, Any]]) -> None:
    with pytest.raises(TrainingFailure, match=said) as caught:
        run_query(source(uri), ENVIRONMENT)

    assert caught.value.reason is Reason.SOURCE_NOT_ALLOWED
    assert told == []


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        pytest.param("postgresql://market/d", True, id="the host of the Secret"),
        pytest.param("postgresql://other.example/d", False, id="another host"),
        pytest.param("postgresql://market:5433/d", False, id="another port"),
        pytest.param("postgresql://market,other.example/d", False, id="another one, too"),
        pytest.param("postgresql://market/d?hostaddr=93.184.216.34", False, id="its name alone"),
    ],
)
def test_the_password_goes_where_its_secret_says(
    uri: str, allowed: bool, told: list[dict[str, Any]]
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        run_query(source(uri), environment(data_password="p", data_hosts="market:5432"))

    assert (caught.value.reason is Reason.SECRET_NOT_ALLOWED) is not allowed
    assert [parameters["password"] for parameters in told] == ["p"] * allowed
