"""The record's schema comes forward on a real PostgreSQL, with data in it and others at work."""

import asyncio
import contextlib
import dataclasses
import secrets
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Subject
from fairlead_operator.record import connections
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.connect import Connection
from fairlead_operator.record.connections import Connections
from fairlead_operator.record.migrations import STEPS, Migration
from fairlead_operator.record.upgrade import LOCK_KEY
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.prediction_log import Answer, UnavailableError
from fairlead_serving.server.record_store import RecordStore
from fairlead_serving.server.settings import RecordSettings, Settings
from support.fakes import START
from support.pgbouncer import pooled
from support.postgres import Postgres
from support.server_settings import record_settings, server_settings

pytestmark = pytest.mark.integration

# What operators without versions created, to the letter.
BEFORE_VERSIONS = """
CREATE SCHEMA fairlead_record;

CREATE TABLE fairlead_record.predictions (
    prediction_id uuid NOT NULL,
    row_index integer NOT NULL,
    request_id text,
    namespace text NOT NULL,
    model text NOT NULL,
    version text NOT NULL,
    at timestamptz NOT NULL,
    mirrored boolean NOT NULL,
    value double precision,
    class text,
    probabilities real[]
);
CREATE INDEX predictions_of_model
    ON fairlead_record.predictions (namespace, model, at, version);
CREATE INDEX predictions_age ON fairlead_record.predictions USING brin (at);

CREATE TABLE fairlead_record.feedback (
    prediction_id uuid NOT NULL,
    row_index integer NOT NULL,
    namespace text NOT NULL,
    model text NOT NULL,
    at timestamptz NOT NULL,
    label_value double precision,
    label_class text,
    reward double precision,
    PRIMARY KEY (prediction_id, row_index, namespace, model)
);
CREATE INDEX feedback_age ON fairlead_record.feedback USING brin (at);

CREATE TABLE fairlead_record.history (
    rollout_uid text NOT NULL,
    transition text NOT NULL,
    namespace text NOT NULL,
    model text NOT NULL,
    rollout text NOT NULL,
    at timestamptz NOT NULL,
    version text NOT NULL,
    stable text NOT NULL,
    began timestamptz,
    ended timestamptz,
    weight integer NOT NULL,
    trigger text NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    message text NOT NULL,
    numbers jsonb NOT NULL,
    PRIMARY KEY (rollout_uid, transition)
);
CREATE INDEX history_of_model ON fairlead_record.history (namespace, model, at DESC);
"""
ROWS = f"""
INSERT INTO fairlead_record.predictions VALUES
    ('{uuid.UUID(int=1)}', 0, 'r-1', 'energy', 'nsw-price', '1.0.0', '2026-01-01Z', false,
     0.75, '1', NULL),
    ('{uuid.UUID(int=2)}', 1, NULL, 'energy', 'nsw-price', '1.1.0', '2026-01-02Z', true,
     NULL, '2', '{{0.25, 0, 0.75}}');
INSERT INTO fairlead_record.feedback VALUES
    ('{uuid.UUID(int=1)}', 0, 'energy', 'nsw-price', '2026-01-03Z', 1, '1', 0.5);
INSERT INTO fairlead_record.history VALUES
    ('uid', 'Started', 'energy', 'nsw-price', 'nsw-price-1', '2026-01-01Z', '1.1.0', '1.0.0',
     NULL, NULL, 5, 'training', 'Ada', '', '', '{{"latency": 1}}');
"""

# What a later release might bring.
COLUMNS = Migration(
    version=5,
    name="two columns",
    statements=(
        "ALTER TABLE fairlead_record.predictions ADD COLUMN seconds double precision",
        "ALTER TABLE fairlead_record.feedback ADD COLUMN source text NOT NULL DEFAULT 'client'",
    ),
)
INDEX = Migration(
    version=6,
    name="an index",
    concurrently=True,
    statements=(
        "DROP INDEX CONCURRENTLY IF EXISTS fairlead_record.predictions_of_request",
        """
        CREATE INDEX CONCURRENTLY predictions_of_request
            ON fairlead_record.predictions (request_id)
        """,
    ),
)
LATER = (*STEPS, COLUMNS, INDEX)


@pytest.fixture(name="database")
def _database(postgres: Postgres) -> str:
    """A database of before versions, with rows in each table."""
    url = postgres.uri(postgres.create_database("record"))
    ask(url, BEFORE_VERSIONS + ROWS)
    return url


@pytest.fixture(name="empty")
def _empty(postgres: Postgres) -> str:
    return postgres.uri(postgres.create_database("record"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, patient_record: None) -> None:
    monkeypatch.setattr(connections, "_PAUSE", 0.0)
    monkeypatch.setattr("fairlead_operator.record.upgrade._AGAIN", 0.02)


class Operators:
    """Operators of any release, closed at the end."""

    def __init__(self) -> None:
        self._started: list[Connections] = []

    def start(self, url: str, *steps: Migration) -> Connections:
        self._started.append(Connections(url, steps=steps))
        return self._started[-1]

    async def close(self) -> None:
        for operator in self._started:
            await operator.close()


@pytest.fixture(name="operators")
async def _operators() -> AsyncIterator[Operators]:
    operators = Operators()
    yield operators
    await operators.close()


class Server:
    """A model server, of the first version of the schema unless said, which never stops writing."""

    def __init__(self, url: str, store: "type[OldStore | RecordStore] | None" = None) -> None:
        settings = server_settings(model="watched", version="1.0.0")
        self._store = (store or OldStore)(record_settings(url), settings)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0
        self.failures: list[Exception] = []

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._store.close()

    async def go_on(self) -> None:
        """Wait for some more to be written."""
        enough = self.written + 5
        await until(lambda: self.written >= enough or bool(self.failures))

    def _run(self) -> None:
        while not self._stopping.is_set() and not self.failures:
            try:
                self._write(str(uuid.uuid4()))
            except Exception as error:
                self.failures.append(error)
            else:
                self.written += 1

    def _write(self, name: str) -> None:
        answer = Answer(name, f"r-{name}", datetime.now(UTC), False, [0.9])
        row: Any = {"prediction_id": name, "row_index": 0, "given_at": answer.at}
        self._store.add([answer], [Feedback(**row, label_value=1, label_class="1")])
        self._store.add([], [Feedback(**row, reward=0.5)])


class OldStore:
    """What servers of release 0.1.0 write, to the letter."""

    def __init__(self, record: RecordSettings, settings: Settings) -> None:
        self._url = record.url
        self._names = {"namespace": settings.namespace, "model": settings.model}

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            with cursor.copy(_OLD_PREDICTIONS) as copy:
                for one in answers:
                    names = (*self._names.values(), "1.0.0")
                    row = (one.prediction_id, 0, one.request_id, *names, one.at, False)
                    copy.write_row((*row, 0.9, "1", None))
            for each in feedback:
                cursor.execute(_OLD_FEEDBACK, dataclasses.asdict(each) | self._names)

    def close(self) -> None:
        """Keep nothing open."""


_OLD_PREDICTIONS = """
COPY fairlead_record.predictions (prediction_id, row_index, request_id, namespace, model, version,
    at, mirrored, value, class, probabilities) FROM STDIN
"""
_OLD_FEEDBACK = """
INSERT INTO fairlead_record.feedback AS stored (prediction_id, row_index, namespace, model, at,
    label_value, label_class, reward) VALUES (
    %(prediction_id)s, %(row_index)s, %(namespace)s, %(model)s, now(), %(label_value)s,
    %(label_class)s, %(reward)s
) ON CONFLICT (prediction_id, row_index, namespace, model) DO UPDATE SET
    label_value = CASE WHEN excluded.label_class IS NULL
        THEN stored.label_value ELSE excluded.label_value END,
    label_class = coalesce(excluded.label_class, stored.label_class),
    reward = coalesce(excluded.reward, stored.reward)
"""


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def versions(url: str) -> list[int]:
    query = "SELECT version FROM fairlead_record.schema_version ORDER BY applied_at, version"
    try:
        return [version for (version,) in ask(url, query)]
    except psycopg.errors.UndefinedTable:
        return []


def columns(url: str) -> list[tuple[Any, ...]]:
    return ask(
        url,
        """
        SELECT table_name, ordinal_position, column_name, data_type, udt_name, is_nullable,
            column_default
        FROM information_schema.columns
        WHERE table_schema = 'fairlead_record' AND table_name <> 'schema_version'
        ORDER BY table_name, ordinal_position
        """,
    )


def indexes(url: str) -> list[tuple[Any, ...]]:
    """Those that are valid."""
    return ask(
        url,
        """
        SELECT indexdef FROM pg_indexes
        WHERE schemaname = 'fairlead_record' AND tablename <> 'schema_version'
            AND (SELECT indisvalid FROM pg_index
                 WHERE indexrelid = format('%I.%I', schemaname, indexname)::regclass)
        ORDER BY indexdef
        """,
    )


def contents(url: str) -> list[list[tuple[Any, ...]]]:
    """The rows of each table."""
    tables = ("predictions", "feedback", "history")
    return [ask(url, f"SELECT * FROM fairlead_record.{table} ORDER BY at") for table in tables]


async def until(is_so: Callable[[], bool]) -> None:
    """Wait as long as a busy machine may take."""
    deadline = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def nothing(connection: Connection) -> None:
    await connection.execute("SELECT 1")


async def ready(operator: Connections) -> None:
    await operator.call(nothing)


async def test_a_database_of_before_versions_is_adopted_as_it_is(
    database: str, operators: Operators
) -> None:
    before = contents(database), columns(database), indexes(database)

    await ready(operators.start(database, STEPS[0]))

    assert (contents(database), columns(database), indexes(database)) == before
    assert versions(database) == [1]


async def test_the_first_version_is_what_was_created_before_versions(
    database: str, empty: str, operators: Operators
) -> None:
    await ready(operators.start(empty, STEPS[0]))

    assert columns(empty) == columns(database)
    assert indexes(empty) == indexes(database)


async def test_rows_of_before_versions_are_read_and_written_on(database: str) -> None:
    client = RecordClient(database)
    known = await client.history("energy", "nsw-price", 10)
    ended = dataclasses.replace(known[0], transition="Promoted", at=START + timedelta(days=999))
    await client.add_history(ended)

    assert known == [
        HistoryEntry(
            namespace="energy",
            model="nsw-price",
            rollout="nsw-price-1",
            rollout_uid="uid",
            transition="Started",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            version="1.1.0",
            stable="1.0.0",
            weight=5,
            trigger="training",
            by="Ada",
            numbers={"latency": 1},
        )
    ]
    assert list(await client.history("energy", "nsw-price", 1)) == [ended]
    stable = Subject(
        namespace="energy",
        model="nsw-price",
        version="1.0.0",
        since=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert (await client.tally("accuracy", stable)).trials == 1
    await client.close()


async def test_steps_keep_the_rows_that_are_there(database: str, operators: Operators) -> None:
    before = contents(database)

    await ready(operators.start(database, *LATER))

    predictions, feedback, history = contents(database)
    assert [row[:11] for row in predictions] == before[0]
    assert [row[:8] for row in feedback] == before[1]
    assert history == before[2]
    assert {row[11:] for row in predictions} == {(None, None)}
    assert {row[8:] for row in feedback} == {(None, None, "client")}
    assert versions(database) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("through", ["directly", "through a pooler"])
async def test_operators_that_start_at_once_take_each_step_once(
    database: str, postgres: Postgres, operators: Operators, through: str
) -> None:
    """Each step but the first would fail if it were taken twice."""
    with contextlib.ExitStack() as stack:
        url = database
        if through == "through a pooler":
            pooler = stack.enter_context(pooled(postgres))
            url = pooler.uri(database.rpartition("/")[2])

        await asyncio.gather(*(ready(operators.start(url, *LATER)) for _ in range(5)))

        assert versions(database) == [1, 2, 3, 4, 5, 6]
        with Server(url) as server:
            await server.go_on()
        assert server.failures == []
        await operators.close()


async def test_an_old_server_writes_all_the_time(database: str, operators: Operators) -> None:
    with Server(database) as server:
        await server.go_on()
        await ready(operators.start(database, *LATER))
        await server.go_on()

    assert server.failures == []
    assert versions(database) == [1, 2, 3, 4, 5, 6]
    watched = "WHERE model = 'watched' AND"
    assert ask(
        database,
        f"""
        SELECT
            (SELECT count(*) FROM fairlead_record.predictions {watched} value = 0.9),
            (SELECT count(*) FROM fairlead_record.feedback
             {watched} label_class = '1' AND reward = 0.5)
        """,
    ) == [(server.written, server.written)]


async def test_a_server_newer_than_the_schema_waits_for_it(
    database: str, operators: Operators
) -> None:
    with Server(database, RecordStore) as server:
        await until(lambda: bool(server.failures))
    await ready(operators.start(database, *STEPS))
    with Server(database, RecordStore) as again:
        await again.go_on()

    assert [type(failure) for failure in server.failures] == [UnavailableError]
    assert again.failures == []


async def test_a_step_behind_a_long_writer_lets_the_others_pass(
    database: str, operators: Operators
) -> None:
    operator = operators.start(database, *LATER)
    with psycopg.connect(database) as writer, Server(database) as server:
        writer.execute("UPDATE fairlead_record.predictions SET value = 0")
        await begin_upgrade(operator)
        with pytest.raises(
            TransientError, match=r"^record database: its schema is being brought up to date$"
        ):
            await operator.call(nothing, deadline=1)
        for _ in range(3):
            await server.go_on()
        assert versions(database) == [], "it still waits"

        writer.commit()
        await ready(operator)

    assert server.failures == []
    assert versions(database) == [1, 2, 3, 4, 5, 6]


async def test_a_lock_that_any_login_may_hold_holds_no_step_up(
    database: str, operators: Operators
) -> None:
    """A tenant could keep the operator from ever migrating, with one advisory lock."""
    await ready(operators.start(database, STEPS[0]))
    with psycopg.connect(database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))

        await ready(operators.start(database, *LATER))

    assert versions(database) == [1, 2, 3, 4, 5, 6]


async def test_a_step_may_take_longer_than_a_call(
    database: str, operators: Operators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_SETTINGS", "SET LOCAL statement_timeout = '1s'")
    slow = dataclasses.replace(
        COLUMNS, statements=("SELECT pg_sleep(1.5)", _UNTIL_TOLD, *COLUMNS.statements)
    )
    operator = operators.start(database, *STEPS, slow)
    await begin_upgrade(operator)

    for _ in range(2):
        with pytest.raises(TransientError, match="being brought up to date"):
            await operator.call(nothing, deadline=0.1)
    ask(database, "CREATE TABLE go_on ()")
    await ready(operator)

    assert versions(database) == [1, 2, 3, 4, 5]


_UNTIL_TOLD = """
DO $$ BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'go_on') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$
"""


async def begin_upgrade(operator: Connections) -> None:
    """Make the call that begins it, and that does not wait for its end."""
    call = asyncio.create_task(ready(operator))
    await until(lambda: operator._upgrade is not None)
    call.cancel()
    await asyncio.wait({call})


async def test_calls_go_on_as_soon_as_the_schema_is_up_to_date(
    database: str, operators: Operators, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PAUSE", 600.0)
    operator = operators.start(database, *STEPS)
    with psycopg.connect(database) as writer:
        writer.execute("UPDATE fairlead_record.predictions SET value = 0")
        await begin_upgrade(operator)
        with pytest.raises(TransientError):
            await operator.call(nothing, deadline=0.5)
        with pytest.raises(TransientError, match="being brought up to date"):
            await operator.call(nothing, deadline=600)  # does not even wait

    await until(lambda: operator._upgrade is None)
    assert versions(database) == [1, 2, 3, 4]

    await ready(operator)


async def test_a_newer_database_is_used_as_it_is(
    database: str, operators: Operators, caplog: pytest.LogCaptureFixture
) -> None:
    await ready(operators.start(database, *LATER))
    older = operators.start(database, *STEPS)

    await asyncio.gather(*(ready(older) for _ in range(4)))
    with Server(database) as server:
        await server.go_on()

    assert server.failures == []
    assert versions(database) == [1, 2, 3, 4, 5, 6]
    told = [record for record in caplog.records if "newer than this operator" in record.message]
    assert [(record.version, record.known) for record in told] == [(6, 4)]


@pytest.fixture(name="login")
def _login(postgres: Postgres) -> Postgres:
    """A login of no rights but to connect."""
    name = f"login_{secrets.token_hex(4)}"
    ask(postgres.uri("postgres"), f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    return dataclasses.replace(postgres, user=name, password=name)


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        pytest.param(
            "SELECT 1", "permission denied for database", id="no right to create a schema"
        ),
        pytest.param(
            "CREATE SCHEMA fairlead_record; GRANT USAGE ON SCHEMA fairlead_record TO {user}",
            "permission denied for schema",
            id="no right to create tables",
        ),
        pytest.param(
            BEFORE_VERSIONS + "GRANT ALL ON SCHEMA fairlead_record TO {user}",
            "must be owner of",
            id="tables of another owner",
        ),
    ],
)
async def test_a_login_without_the_rights_is_told(
    empty: str, login: Postgres, operators: Operators, grant: str, message: str
) -> None:
    ask(empty, grant.format(user=login.user))
    operator = operators.start(login.uri(empty.rpartition("/")[2]), *STEPS)

    for _ in range(2):
        with pytest.raises(TransientError, match=f"^record database: {message}"):
            await ready(operator)


@pytest.mark.parametrize(
    "grant",
    [
        pytest.param(
            "CREATE SCHEMA fairlead_record AUTHORIZATION {user}", id="a schema of its own"
        ),
        pytest.param("GRANT CREATE ON DATABASE {database} TO {user}", id="a right to create one"),
    ],
)
async def test_a_login_with_the_rights_needs_no_more(
    empty: str, login: Postgres, operators: Operators, grant: str
) -> None:
    database = empty.rpartition("/")[2]
    ask(empty, grant.format(user=login.user, database=database))

    await ready(operators.start(login.uri(database), *LATER))

    assert versions(empty) == [1, 2, 3, 4, 5, 6]


async def test_a_login_of_fewer_rights_uses_what_another_brought_up_to_date(
    empty: str, login: Postgres, operators: Operators
) -> None:
    await ready(operators.start(empty, *STEPS))
    ask(
        empty,
        f"""
        GRANT USAGE ON SCHEMA fairlead_record TO {login.user};
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA fairlead_record TO {login.user}
        """,
    )
    url = login.uri(empty.rpartition("/")[2])

    await ready(operators.start(url, *STEPS))
    with Server(url, RecordStore) as server:
        await server.go_on()

    assert server.failures == []


@pytest.mark.parametrize("end", ["the session is cut", "the operator stops"])
async def test_a_step_that_ends_half_way_is_taken_back_and_later_completed(
    database: str, operators: Operators, end: str
) -> None:
    stuck = dataclasses.replace(COLUMNS, statements=(*COLUMNS.statements, "SELECT pg_sleep(600)"))
    operator = operators.start(database, *STEPS, stuck)
    await ready(operators.start(database, *STEPS))
    before = columns(database)
    call = asyncio.create_task(ready(operator))
    await until(lambda: bool(sessions(database, "SELECT pg_sleep")))

    if end == "the operator stops":
        await operator.close()
        await asyncio.wait({call})
    else:
        cut(database, "SELECT pg_sleep")
        with pytest.raises(TransientError, match="terminating connection"):
            await call
    await until(lambda: not sessions(database, "SELECT pg_sleep"))

    assert columns(database) == before
    assert versions(database) == [1, 2, 3, 4]
    await ready(operators.start(database, *LATER))
    assert versions(database) == [1, 2, 3, 4, 5, 6]


async def test_an_index_that_was_not_finished_is_built_again(
    database: str, operators: Operators
) -> None:
    operator = operators.start(database, *LATER)
    await ready(operators.start(database, *STEPS, COLUMNS))
    building = "CREATE INDEX CONCURRENTLY"
    with psycopg.connect(database) as writer:
        writer.execute("UPDATE fairlead_record.predictions SET value = 0")
        call = asyncio.create_task(ready(operator))
        await until(lambda: bool(sessions(database, building)))
        cut(database, building)
        with pytest.raises(TransientError, match="terminating connection"):
            await call

    assert versions(database) == [1, 2, 3, 4, 5]
    assert len(indexes(database)) == 9
    await ready(operator)
    assert versions(database) == [1, 2, 3, 4, 5, 6]
    assert len(indexes(database)) == 10


def sessions(url: str, query: str) -> list[tuple[Any, ...]]:
    """Those in which the operator has begun such a query, and waits."""
    return ask(url, f"SELECT pid {_IN_SESSIONS} AND query ~ '^\\s*{query}'")


def cut(url: str, query: str) -> None:
    ask(url, f"SELECT pg_terminate_backend(pid) {_IN_SESSIONS} AND query ~ '^\\s*{query}'")


_IN_SESSIONS = """
FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
    AND wait_event IS NOT NULL AND application_name = 'fairlead-operator'
"""
