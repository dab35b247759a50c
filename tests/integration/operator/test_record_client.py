"""The record on a real PostgreSQL, and on one that is dead, silent, slow or not ours."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from typing import Any

import optuna
import psycopg
import pytest

from cluster.ports import refusing_port
from fairlead_contract.record import FEEDBACK, PREDICTIONS
from fairlead_contract.search import study_name
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Subject, Tally
from fairlead_operator.record import connections
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.connect import Connection
from fairlead_operator.record.retention import keep_record
from fairlead_operator.record.tenants import login_name
from fairlead_operator.record.upgrade import read_version
from fairlead_training.study import open_storage
from support.fake_record import Feedback, Prediction
from support.fakes import START
from support.postgres import Postgres, running_postgres
from support.record_conformance import RECORD, RecordCheck, Writer

pytestmark = pytest.mark.integration

CANDIDATE = Subject(namespace="energy", model="nsw-price", version="1.1.0", since=START)


class Desk:
    """``support.conformance.RecordDesk`` on a real server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = RecordClient(url)

    async def write(self, *rows: Prediction | Feedback) -> None:
        await self.port.history("", "", 1)  # creates the tables
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            for row in rows:
                if isinstance(row, Prediction):
                    await connection.execute(_PREDICTION, _values(row))
                else:
                    await connection.execute(_FEEDBACK, _told(row))

    async def search(self, study: str) -> None:
        await asyncio.to_thread(self._search, study)

    def _search(self, name: str) -> None:
        with open_storage(self.url, "fairlead_search") as storage:
            study = optuna.create_study(study_name=name, storage=storage)
            study.set_user_attr("of", "the study")
            study._storage.set_study_system_attr(study._study_id, "of", "the study")
            study.enqueue_trial({"x": 0.5})  # a system attribute of the trial
            study.optimize(_try, n_trials=2)

    async def studies(self) -> Collection[str]:
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            rows = await connection.execute("SELECT study_name FROM fairlead_search.studies")
            return [name for (name,) in await rows.fetchall()]

    async def count_rows(self) -> dict[str, int]:
        """Count the rows of each table that studies are kept in."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            tables = await (await connection.execute(_STUDY_TABLES)).fetchall()
            counted = {}
            for (table,) in tables:
                rows = await connection.execute(f"SELECT 1 FROM fairlead_search.{table}".encode())
                counted[table] = len(await rows.fetchall())
        return counted

    async def opens(self, namespace: str, password: str) -> bool:
        account = {"user": login_name(namespace), "password": password}
        try:
            async with await psycopg.AsyncConnection.connect(self.url, **account):
                return True
        except psycopg.OperationalError:
            return False

    async def go_down(self) -> None:
        await self.port.close()
        self.port = RecordClient(f"postgresql://nobody@127.0.0.1:{refusing_port()}/fairlead")


def _try(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", 0, 1)
    trial.report(x, step=0)
    trial.set_user_attr("of", "the trial")
    return x


_STUDY_TABLES = """SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'fairlead_search' AND table_name NOT IN ('alembic_version', 'version_info')
"""
_PREDICTION = f"""INSERT INTO {PREDICTIONS} VALUES (
    %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_FEEDBACK = f"INSERT INTO {FEEDBACK} VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"


def _values(row: Prediction) -> tuple[object, ...]:
    names = (row.prediction_id, row.row_index, row.request_id, row.namespace, row.model)
    probabilities = None if row.probabilities is None else list(row.probabilities)
    classes = None if row.classes is None else list(row.classes)
    said = (row.value, row.class_, probabilities, classes)
    return (*names, row.version, row.at, row.mirrored, *said)


def _told(row: Feedback) -> tuple[object, ...]:
    value = row.label if isinstance(row.label, float | int) else None
    names = (row.prediction_id, row.row_index, row.namespace, row.model)
    return (*names, START, value, row.label_class, row.reward)


@pytest.fixture(name="database")
def _database(postgres: Postgres, patient_record: None) -> str:
    return postgres.uri(postgres.create_database("record"))


@pytest.fixture(name="shared", scope="module")
def _shared(postgres: Postgres) -> str:
    return postgres.uri(postgres.create_database("record"))


@pytest.fixture(name="desk")
async def _desk(shared: str, patient_record: None) -> AsyncIterator[Desk]:
    desk = Desk(shared)
    yield desk
    await desk.port.close()


@pytest.mark.parametrize("check", RECORD, ids=lambda check: check.__name__)
async def test_record(check: RecordCheck, desk: Desk) -> None:
    await check(desk, check.__name__)


async def test_nothing_of_a_study_stays(database: str) -> None:
    desk = Desk(database)
    await desk.search(study_name("energy", "run", "uid"))
    before = await desk.count_rows()

    await desk.port.forget_study("energy", "uid")

    assert all(before.values()), "the search writes into every table"
    assert await desk.count_rows() == dict.fromkeys(before, 0)
    await desk.port.close()


async def test_operators_that_start_at_once_create_the_tables_once(database: str) -> None:
    clients = [RecordClient(database) for _ in range(8)]

    answers = await asyncio.gather(*(client.history("energy", "m", 1) for client in clients))

    assert answers == [[]] * 8
    for client in clients:
        await client.close()


async def test_old_rows_go_in_batches_and_history_stays(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead_operator.record.client._BATCH", 10)
    desk = Desk(database)
    writer = Writer(desk, "nsw-price")
    for hours in range(25):
        name = await writer.predict("1.1.0", at=START - timedelta(hours=hours), class_="1")
        await writer.tell(name, label=1)

    removed = await desk.port.remove_old(START - timedelta(hours=1))
    again = await desk.port.remove_old(START - timedelta(hours=1))
    late = await desk.port.remove_old(START + timedelta(hours=1))

    assert (removed, again, late) == (23, 0, 2 + 25)
    await desk.port.close()


async def test_of_too_many_rows_the_latest_count(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fairlead_operator.record.client._MOST", 5)
    desk = Desk(database)
    writer = Writer(desk, "nsw-price")
    for at in range(20):
        name = await writer.predict("1.1.0", at=START + timedelta(seconds=at), class_="1")
        await writer.tell(name, label=1 if at >= 14 else 0)

    tally = await desk.port.tally("accuracy", writer.candidate)

    assert tally == Tally(successes=6, trials=6)
    assert tally.newest == START
    await desk.port.close()


@pytest.mark.usefixtures("patient_record")
async def test_tables_are_made_and_kept_tidy_once_the_database_is_there(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PAUSE", 0.0)
    monkeypatch.setattr("fairlead_operator.record.retention._AGAIN", 0.05)
    name = f"record_{uuid.uuid4().hex[:8]}"
    desk = Desk(postgres.uri(name))
    keeping = asyncio.create_task(
        keep_record(desk.port, retention=timedelta(days=30), now=lambda: START)
    )
    with pytest.raises(TransientError, match="does not exist"):
        await desk.port.tally("accuracy", CANDIDATE)

    with psycopg.connect(postgres.uri("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")

    await asyncio.wait_for(_tables(desk.url), 120)
    keeping.cancel()
    await asyncio.wait({keeping})
    await desk.port.close()


async def _tables(url: str) -> None:
    """Wait for the tables as a server does."""
    while True:
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            if await read_version(connection):
                return
        await asyncio.sleep(0.05)


async def test_a_silent_server_costs_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_PAUSE", 600.0)
    holding: list[Any] = []
    over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        holding.append(asyncio.current_task())
        await over.wait()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = RecordClient(f"postgresql://fairlead@127.0.0.1:{port}/fairlead")
        with pytest.raises(TransientError, match=r"no answer within|timeout expired"):
            await client.tally("accuracy", CANDIDATE)
        with pytest.raises(TransientError, match=r"no answer within|timeout expired"):
            await client.tally("accuracy", CANDIDATE)

        assert len(holding) == 1, "the second call did not even try"
        await client.close()
        over.set()
        await asyncio.gather(*holding)


@pytest.mark.usefixtures("patient_record")
async def test_a_server_that_stops_in_mid_life_is_found_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped, so that its sockets live on, then killed, so that idle connections are dead."""
    monkeypatch.setattr(connections, "_PAUSE", 0.0)
    with running_postgres() as server:
        url = server.uri(server.create_database("record"))
        client = RecordClient(url)
        await client.tally("accuracy", CANDIDATE)
        backend = client._connections._idle[0].info.backend_pid
        os.kill(backend, signal.SIGSTOP)
        with pytest.raises(TransientError, match=r"no answer within 1 s"):
            await client._connections.call(nothing, deadline=1)
        os.kill(backend, signal.SIGCONT)

        assert (await client.tally("accuracy", CANDIDATE)).trials == 0
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'fairlead-operator'"
            )
        assert (await client.tally("accuracy", CANDIDATE)).trials == 0, "the dead one is replaced"
        await client.close()


async def nothing(connection: Connection) -> None:
    await connection.execute("SELECT 1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda url: url.replace("fairlead:", "fairlead:x"), "password", id="password"),
        pytest.param(lambda url: url + "_absent", "does not exist", id="database"),
        pytest.param(
            lambda url: "no address, but secret", "the address is not", id="no address at all"
        ),
    ],
)
async def test_a_refusal_is_transient_and_tells_no_secret(
    database: str, change: object, message: str
) -> None:
    assert callable(change)
    client = RecordClient(change(database))

    with pytest.raises(TransientError, match=message) as caught:
        await client.tally("accuracy", CANDIDATE)

    assert "secret" not in str(caught.value)
    await client.close()
