"""What a namespace's own login can do in a real PostgreSQL, and what it cannot.

The operator's login is what the chart makes: no superuser, but one that may create roles.
"""

import asyncio
import dataclasses
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg import errors, sql

from fairlead_contract.search import search_schema, study_name
from fairlead_operator.errors import LoginNotAllowedError, TransientError
from fairlead_operator.ports import Limits, Subject
from fairlead_operator.record import logins
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.tenants import login_name
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.prediction_log import Answer, LimitReachedError, UnavailableError
from fairlead_serving.server.record_store import RecordStore
from fairlead_serving.server.signature import Task
from fairlead_training.database import DRIVER, engine_options
from support.postgres import Postgres
from support.server_settings import record_settings, server_settings

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
PREDICTED, TOLD = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A database with two tenants, ``mine`` and ``theirs``, and rows of both."""

    server: Postgres  # as the operator's login sees it
    admin: str
    url: str
    mine: str
    theirs: str
    their_object: int = 0  # a large one

    def address(self, namespace: str) -> str:
        """Return the address with the namespace's own login, whose password is its name."""
        login = dataclasses.replace(self.server, user=login_name(namespace), password=namespace)
        return login.uri(self.url.rpartition("/")[2])

    def names(self) -> dict[str, sql.Composable]:
        """Return what statements of the tables below may name."""
        return {
            "mine": sql.Literal(self.mine),
            "theirs": sql.Literal(self.theirs),
            "my_login": sql.Identifier(login_name(self.mine)),
            "their_login": sql.Identifier(login_name(self.theirs)),
            "operator": sql.Identifier(self.server.user),
            "my_schema": sql.Identifier(search_schema(self.mine)),
            "their_schema": sql.Identifier(search_schema(self.theirs)),
            "id": sql.Literal(PREDICTED),
        }


@pytest.fixture(name="house", scope="module")
def _house(postgres: Postgres) -> House:
    token = secrets.token_hex(4)
    name, operator = postgres.create_database("tenants"), f"operator_{token}"
    admin = postgres.uri(name)
    ask(admin, f"CREATE ROLE {operator} LOGIN CREATEROLE PASSWORD '{operator}'")
    ask(admin, f"ALTER DATABASE {name} OWNER TO {operator}")
    ask(admin, f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    server = dataclasses.replace(postgres, user=operator, password=operator)
    house = House(
        server=server,
        admin=admin,
        url=server.uri(name),
        mine=f"mine-{token}",
        theirs=f"theirs-{token}",
    )
    operate(house, lambda record: provide(record, house.mine))
    operate(house, lambda record: provide(record, house.theirs))
    for namespace in (house.mine, house.theirs):
        store = RecordStore(
            record_settings(house.address(namespace)), server_settings(namespace=namespace)
        )
        store.add(
            [Answer(PREDICTED, "r", NOW, False, [0.9, 0.1])],
            [Feedback(prediction_id=PREDICTED, row_index=0, given_at=NOW, reward=0.5)],
        )
        store.close()
        ask(
            house.url,
            "INSERT INTO fairlead_record.history VALUES ("
            f"'{namespace}', 'Started', '{namespace}', 'nsw-price', 'r', now(), '1.1.0', '1.0.0',"
            " NULL, NULL, 5, 'training', '', '', '', '{}')",
        )
    ((made,),) = ask(house.address(house.theirs), "SELECT lo_from_bytea(0, 'theirs')")
    return dataclasses.replace(house, their_object=made)


def ask(url: str, statement: "str | sql.Composable", *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement, values or None)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def operate(house: House, work: "Callable[[RecordClient], Awaitable[object]]") -> None:
    """Let an operator do it, as often as it takes: a busy machine is late."""

    async def try_until_done() -> None:
        deadline = time.monotonic() + 120
        while True:
            record = RecordClient(house.url)
            try:
                await record.history("", "", 1)  # brings the schema up to date
                await work(record)
            except TransientError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            else:
                return
            finally:
                await record.close()

    asyncio.run(try_until_done())


async def provide(record: RecordClient, namespace: str, **limits: Any) -> None:
    await record.provide_login(namespace, namespace, limits=Limits(**limits))


# --- What is its own


def test_a_login_reads_its_own_rows(house: House) -> None:
    of_me = house.address(house.mine)

    of_model = "WHERE model = 'nsw-price' ORDER BY row_index"

    predictions = ask(of_me, f"SELECT namespace, class FROM fairlead_record.predictions {of_model}")
    feedback = ask(of_me, f"SELECT namespace, reward FROM fairlead_record.feedback {of_model}")

    assert predictions == [(house.mine, "1"), (house.mine, "0")]
    assert feedback == [(house.mine, 0.5)]


def test_the_operator_reads_the_rows_of_all(house: House) -> None:
    for table in ("predictions", "feedback", "history"):
        seen = ask(house.url, f"SELECT DISTINCT namespace FROM fairlead_record.{table}")

        assert {(house.mine,), (house.theirs,)} <= set(seen)


def test_a_login_makes_tables_in_its_schema_for_searches(house: House) -> None:
    table = sql.SQL("{my_schema}.own").format(**house.names())

    ask(house.address(house.mine), sql.SQL("CREATE TABLE {} AS SELECT 1 AS x").format(table))
    rows = ask(house.address(house.mine), sql.SQL("DELETE FROM {} RETURNING x").format(table))

    assert rows == [(1,)]


# --- What is not

_INSERT = """
INSERT INTO fairlead_record.predictions (prediction_id, row_index, namespace, model, version, at,
    mirrored) VALUES ({id}, 5, {theirs}, 'nsw-price', '1.1.0', now(), false)
"""
_TELL = """
INSERT INTO fairlead_record.feedback (prediction_id, row_index, namespace, model, at, reward)
VALUES ({id}, 0, {theirs}, 'nsw-price', now(), 1)
"""

REFUSED = [
    # the record of others
    pytest.param(_INSERT, id="predict for another namespace"),
    pytest.param(_INSERT.replace("{theirs}", "NULL"), id="predict for no namespace"),
    pytest.param(
        _INSERT.replace("{theirs}", "{mine}").replace("now()", "now() + interval '2 days'"),
        id="predict for the day after tomorrow, which retention would keep",
    ),
    pytest.param(
        _INSERT.replace("{theirs}", "{mine}").replace("now()", "'infinity'"), id="predict for ever"
    ),
    pytest.param(_TELL, id="label another's prediction"),
    pytest.param(
        _TELL + "ON CONFLICT (prediction_id, row_index, namespace, model) DO UPDATE SET reward = 1",
        id="label it anew",
    ),
    pytest.param(_TELL + "ON CONFLICT DO NOTHING", id="find out whether it has a label"),
    pytest.param(
        "SET search_path = {my_schema}; CREATE FUNCTION tenant() RETURNS text LANGUAGE sql"
        " AS $$ SELECT 'x' $$; " + _INSERT,
        id="predict with a function of the policy's name",
    ),
    pytest.param(
        "UPDATE fairlead_record.feedback SET namespace = {theirs}", id="give a label away"
    ),
    pytest.param("UPDATE fairlead_record.predictions SET class = '1'", id="predict otherwise"),
    pytest.param("DELETE FROM fairlead_record.predictions", id="remove predictions"),
    pytest.param("DELETE FROM fairlead_record.feedback", id="remove feedback"),
    pytest.param("TRUNCATE fairlead_record.feedback", id="empty a table"),
    pytest.param(
        "MERGE INTO fairlead_record.feedback AS f USING (SELECT 1) AS x ON true"
        " WHEN MATCHED THEN DELETE",
        id="remove by merging",
    ),
    pytest.param("SELECT * FROM fairlead_record.history", id="read history"),
    pytest.param(
        "INSERT INTO fairlead_record.history SELECT 'x' FROM fairlead_record.feedback",
        id="write history",
    ),
    pytest.param("SELECT * FROM fairlead_record.tenants", id="read who the tenants are"),
    pytest.param("UPDATE fairlead_record.tenants SET namespace = {theirs}", id="become another"),
    pytest.param("DELETE FROM fairlead_record.usage", id="begin the day anew"),
    pytest.param("SELECT * FROM fairlead_record.usage", id="read what others wrote today"),
    pytest.param("DELETE FROM fairlead_record.schema_version", id="forget the schema's version"),
    # row-level security itself
    pytest.param(
        "SET row_security = off; SELECT * FROM fairlead_record.predictions", id="turn it off"
    ),
    pytest.param(
        "ALTER TABLE fairlead_record.predictions DISABLE ROW LEVEL SECURITY", id="disable it"
    ),
    pytest.param("CREATE POLICY p ON fairlead_record.predictions USING (true)", id="add a policy"),
    pytest.param("DROP POLICY tenants ON fairlead_record.predictions", id="drop a policy"),
    pytest.param(
        "ALTER TABLE fairlead_record.predictions DISABLE TRIGGER ALL", id="disable the counting"
    ),
    pytest.param("SET session_replication_role = replica", id="disable all triggers"),
    pytest.param(
        "ALTER FUNCTION fairlead_record.tenant() RENAME TO other", id="rename the function"
    ),
    pytest.param(
        "CREATE OR REPLACE FUNCTION fairlead_record.tenant() RETURNS text LANGUAGE sql"
        " AS $$ SELECT 'x' $$",
        id="replace the function",
    ),
    # roles
    pytest.param("SET ROLE {operator}", id="be the operator"),
    pytest.param("SET SESSION AUTHORIZATION {operator}", id="have connected as the operator"),
    pytest.param("SET SESSION AUTHORIZATION {their_login}", id="have connected as another"),
    pytest.param("SET ROLE {their_login}", id="be another"),
    pytest.param("GRANT {their_login} TO {my_login}", id="join another"),
    pytest.param("GRANT {operator} TO {my_login}", id="join the operator"),
    pytest.param("GRANT pg_read_all_data TO {my_login}", id="join who reads all"),
    pytest.param("ALTER ROLE {their_login} PASSWORD 'x'", id="set another's password"),
    pytest.param("ALTER ROLE {my_login} CREATEROLE", id="may create roles"),
    pytest.param("ALTER ROLE {my_login} BYPASSRLS", id="bypass row-level security"),
    pytest.param("ALTER ROLE {my_login} SUPERUSER", id="be a superuser"),
    pytest.param("ALTER ROLE {my_login} CONNECTION LIMIT -1", id="have more connections"),
    pytest.param("CREATE ROLE another LOGIN", id="create a role"),
    pytest.param("SELECT * FROM pg_authid", id="read password hashes"),
    pytest.param("SELECT * FROM pg_shadow", id="read them by the old view"),
    # the server and its files
    pytest.param("COPY (SELECT 1) TO PROGRAM 'id'", id="run a program"),
    pytest.param(
        "CREATE TABLE {my_schema}.lines (line text); COPY {my_schema}.lines FROM PROGRAM 'id'",
        id="read from a program",
    ),
    pytest.param("COPY (SELECT 1) TO '/tmp/x'", id="write a file"),
    pytest.param("SELECT pg_read_file('/etc/passwd')", id="read a file"),
    pytest.param("SELECT pg_ls_dir('.')", id="list a folder"),
    pytest.param("SELECT lo_import('/etc/passwd')", id="read a file into a large object"),
    pytest.param("SELECT lo_export(1, '/tmp/x')", id="write a large object into a file"),
    pytest.param("SHOW data_directory", id="learn where the data is"),
    pytest.param("SELECT * FROM pg_hba_file_rules", id="read who may connect"),
    pytest.param("ALTER SYSTEM SET log_statement = 'all'", id="change the server"),
    pytest.param("SELECT pg_reload_conf()", id="reload its settings"),
    pytest.param("SET log_statement = 'none'", id="hide from its log"),
    pytest.param("SET temp_file_limit = -1", id="have no limit of temporary files"),
    pytest.param("LOAD 'dblink'", id="load a library"),
    # what others run or wait for
    pytest.param("CREATE EXTENSION hstore", id="install an extension"),
    pytest.param("CREATE SCHEMA another", id="create a schema"),
    pytest.param("DROP SCHEMA {my_schema}", id="drop its schema"),
    pytest.param("CREATE TABLE public.t ()", id="create a table that others may find"),
    pytest.param(
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        id="create a function that others may find",
    ),
    pytest.param("CREATE TABLE fairlead_record.t ()", id="create a table in the record"),
    pytest.param("CREATE TABLE {their_schema}.t ()", id="create a table among another's searches"),
    pytest.param("SELECT * FROM {their_schema}.studies", id="read another's searches"),
    pytest.param(
        "CREATE TRIGGER t BEFORE INSERT ON fairlead_record.feedback"
        " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        id="add a trigger",
    ),
    pytest.param(
        "CREATE RULE r AS ON INSERT TO fairlead_record.feedback DO INSTEAD NOTHING",
        id="add a rule",
    ),
    pytest.param(
        "CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION"
        " fairlead_record.count_usage()",
        id="add an event trigger",
    ),
    pytest.param("CREATE PUBLICATION p FOR ALL TABLES", id="publish all tables"),
    pytest.param("CREATE FOREIGN DATA WRAPPER w", id="reach another server"),
    pytest.param("SELECT pg_create_physical_replication_slot('x')", id="keep the log for ever"),
    pytest.param(
        "BEGIN; LOCK TABLE fairlead_record.predictions IN SHARE MODE", id="lock writers out"
    ),
    pytest.param(
        "BEGIN; LOCK TABLE fairlead_record.feedback IN ACCESS EXCLUSIVE MODE", id="lock all out"
    ),
    pytest.param(
        "BEGIN; LOCK TABLE fairlead_record.schema_version IN ACCESS SHARE MODE",
        id="keep the operator from migrating",
    ),
    pytest.param("ALTER DATABASE {database} CONNECTION LIMIT 0", id="close the database"),
    # by what refers to another's table, and is checked with its owner's rights
    pytest.param(
        "CREATE TABLE {my_schema}.f (id uuid, n integer, space text, model text, FOREIGN KEY"
        " (id, n, space, model) REFERENCES fairlead_record.feedback)",
        id="ask by a foreign key whether a row is there",
    ),
    pytest.param(
        "CREATE TABLE {my_schema}.heir () INHERITS (fairlead_record.predictions)", id="inherit"
    ),
    pytest.param("CREATE INDEX ON fairlead_record.predictions (class)", id="add an index"),
    pytest.param(
        "CREATE STATISTICS {my_schema}.s ON namespace, class FROM fairlead_record.predictions",
        id="have statistics made of the rows of all",
    ),
    pytest.param("REINDEX TABLE fairlead_record.predictions", id="hold writers up by an index"),
    pytest.param("ALTER TABLE fairlead_record.feedback OWNER TO {my_login}", id="own a table"),
    pytest.param("COMMENT ON TABLE fairlead_record.feedback IS 'x'", id="comment on a table"),
    pytest.param("COPY fairlead_record.history TO STDOUT", id="copy history"),
    pytest.param("CREATE TYPE fairlead_record.text AS (x integer)", id="shadow a type"),
    pytest.param(
        "CREATE CAST (text AS boolean) WITHOUT FUNCTION", id="change what a comparison means"
    ),
    pytest.param("SELECT lo_get({their_object})", id="read another's large object"),
    pytest.param("SELECT lo_unlink({their_object})", id="remove another's large object"),
    pytest.param("SELECT data FROM pg_largeobject", id="read all large objects"),
    # roles, once more
    pytest.param(
        "ALTER ROLE {their_login} RENAME TO other", id="give another a name that is nobody's"
    ),
    pytest.param("REASSIGN OWNED BY {their_login} TO {my_login}", id="own what another does"),
    pytest.param("DROP OWNED BY {their_login}", id="drop what another owns"),
    pytest.param(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {operator} GRANT SELECT ON TABLES TO PUBLIC",
        id="be given what the operator will make",
    ),
    pytest.param("GRANT SELECT ON fairlead_record.history TO {my_login}", id="give itself more"),
    pytest.param("ALTER ROLE {their_login} SET row_security = off", id="set up another's sessions"),
    pytest.param("ALTER ROLE {their_login} VALID UNTIL 'now'", id="end another's password"),
    # the server, once more
    pytest.param("SELECT pg_terminate_backend({pid})", id="end the operator's session"),
    pytest.param("SELECT pg_cancel_backend({pid})", id="cancel what the operator does"),
    pytest.param("SELECT pg_log_backend_memory_contexts({pid})", id="fill the server's log"),
    pytest.param("SELECT pg_stat_reset()", id="forget the statistics"),
    pytest.param("SELECT pg_switch_wal()", id="fill the log of writes"),
    pytest.param("CHECKPOINT", id="keep the disk busy"),
    pytest.param("SELECT pg_ls_waldir()", id="list the log of writes"),
    pytest.param("SELECT stxdmcv FROM pg_statistic_ext_data", id="read statistics as they are"),
    pytest.param("SELECT stavalues1 FROM pg_statistic", id="and those of columns"),
    pytest.param("SELECT subconninfo FROM pg_subscription", id="read others' addresses"),
    pytest.param("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", id="connect from the server"),
    pytest.param("CREATE TABLESPACE s LOCATION '/tmp'", id="write elsewhere"),
    pytest.param(
        "CREATE FUNCTION {my_schema}.c() RETURNS void LANGUAGE c AS 'libc', 'abort'",
        id="run code of a library",
    ),
    pytest.param("CREATE DATABASE another", id="make a database"),
]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_login_is_refused(house: House, statement: str) -> None:
    with (
        psycopg.connect(house.url, autocommit=True) as operators,
        psycopg.connect(house.address(house.mine), autocommit=True) as connection,
    ):
        more = {
            "database": sql.Identifier(house.url.rpartition("/")[2]),
            "pid": sql.Literal(operators.info.backend_pid),
            "their_object": sql.Literal(house.their_object),
        }
        command = sql.SQL(statement).format(**house.names(), **more)  # type: ignore[arg-type]
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(command)
        operators.execute("SELECT 1")


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(
            "SELECT namespace FROM fairlead_record.predictions UNION ALL"
            " SELECT namespace FROM fairlead_record.feedback",
            id="by the tables",
        ),
        pytest.param(
            "UPDATE fairlead_record.feedback SET reward = 0 WHERE namespace = {theirs}"
            " RETURNING namespace",
            id="by an update",
        ),
        pytest.param(
            "CREATE VIEW {my_schema}.v AS SELECT * FROM fairlead_record.predictions;"
            " SELECT namespace FROM {my_schema}.v",
            id="by a view",
        ),
        pytest.param(
            "CREATE FUNCTION {my_schema}.f() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER"
            " AS $$ SELECT namespace FROM fairlead_record.predictions $$;"
            " SELECT * FROM {my_schema}.f()",
            id="by a function with its owner's rights",
        ),
        pytest.param(
            "CREATE TABLE {my_schema}.leaked (namespace text);"
            " CREATE FUNCTION {my_schema}.leak(text) RETURNS boolean LANGUAGE plpgsql"
            " COST 0.0000001 AS $$ BEGIN INSERT INTO leaked VALUES ($1); RETURN true; END $$;"
            " SET search_path = {my_schema};"
            " SELECT 1 FROM fairlead_record.predictions WHERE leak(namespace);"
            " SELECT namespace FROM {my_schema}.leaked",
            id="by a cheap function that is asked first",
        ),
        pytest.param(
            "SELECT most_common_vals::text FROM pg_stats WHERE schemaname = 'fairlead_record'",
            id="by the planner's statistics",
        ),
        pytest.param(
            "SELECT query FROM pg_stat_activity WHERE usename <> session_user"
            " AND query <> '<insufficient privilege>'",
            id="by what others run",
        ),
        pytest.param("SELECT passwd FROM pg_user WHERE passwd <> '********'", id="by pg_user"),
        pytest.param(
            "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'fairlead_search%'"
            " AND has_schema_privilege(oid, 'USAGE') AND oid <> {my_schema_name}::regnamespace",
            id="by the schemas of others",
        ),
        pytest.param(
            "SELECT set_config('fairlead.namespace', {theirs}, false),"
            " set_config('fairlead_record.tenant', {theirs}, false);"
            " SELECT namespace FROM fairlead_record.predictions",
            id="by settings of a name that a policy might read",
        ),
        pytest.param(
            "CREATE TABLE {my_schema}.tenants AS SELECT session_user::text AS login,"
            " {theirs}::text AS namespace; SET search_path = {my_schema};"
            " SELECT namespace FROM fairlead_record.predictions",
            id="by a table of a name that the policy's function reads",
        ),
        pytest.param(
            "CREATE TEMPORARY TABLE tenants AS SELECT session_user::text AS login,"
            " {theirs}::text AS namespace; SET search_path = pg_temp;"
            " SELECT namespace FROM fairlead_record.predictions",
            id="by a temporary one",
        ),
        pytest.param(
            "CREATE FUNCTION pg_temp.tenant() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
            " SET search_path = pg_temp; SELECT namespace FROM fairlead_record.feedback",
            id="by a temporary function",
        ),
        pytest.param(
            "CREATE FUNCTION {my_schema}.same(text, text) RETURNS boolean LANGUAGE sql"
            " AS $$ SELECT true $$;"
            " CREATE OPERATOR {my_schema}.= (LEFTARG = text, RIGHTARG = text,"
            " FUNCTION = {my_schema}.same);"
            " SET search_path = {my_schema}, pg_catalog;"
            " SELECT namespace FROM fairlead_record.predictions WHERE namespace = {theirs}",
            id="by an operator that finds everything equal",
        ),
        pytest.param(
            "CREATE DOMAIN {my_schema}.text AS pg_catalog.text;"
            " SET search_path = {my_schema}, pg_catalog;"
            " SELECT namespace::pg_catalog.text FROM fairlead_record.feedback",
            id="by a type of another's name",
        ),
        pytest.param(
            "CREATE MATERIALIZED VIEW {my_schema}.m AS SELECT namespace FROM"
            " fairlead_record.predictions; REFRESH MATERIALIZED VIEW {my_schema}.m;"
            " SELECT namespace FROM {my_schema}.m",
            id="by a view that is kept",
        ),
        pytest.param(
            "SELECT namespace FROM fairlead_record.predictions TABLESAMPLE SYSTEM (100)",
            id="by a sample",
        ),
        pytest.param(
            "SELECT namespace FROM fairlead_record.feedback FOR UPDATE", id="by holding rows"
        ),
        pytest.param(
            "SELECT {theirs} FROM (SELECT database_to_xml(true, false, '')::text AS x) AS d"
            " WHERE x LIKE '%<namespace>' || {theirs} || '<%'",
            id="by all of the database as XML",
        ),
        pytest.param(
            "SELECT client_addr::text FROM pg_stat_activity WHERE usename <> session_user"
            " AND client_addr IS NOT NULL",
            id="by where others connect from",
        ),
        pytest.param(
            "SELECT sequencename::text FROM pg_sequences WHERE schemaname = 'fairlead_record'",
            id="by sequences, of which there is none",
        ),
        pytest.param(
            "PREPARE p AS SELECT namespace FROM fairlead_record.predictions;"
            " SET row_security = on; EXECUTE p",
            id="by a plan made before",
        ),
    ],
)
def test_a_login_sees_nothing_of_others(house: House, query: str) -> None:
    ask(house.admin, "ANALYZE")
    schema = sql.Literal(sql.Identifier(search_schema(house.mine)).as_string(None))
    command = sql.SQL(query).format(**house.names(), my_schema_name=schema)  # type: ignore[arg-type]

    with psycopg.connect(house.address(house.mine)) as connection:
        cursor = connection.execute(command)
        while cursor.nextset():
            pass
        seen = {value for (value,) in cursor.fetchall()}
        connection.rollback()

    assert seen <= {house.mine}


def test_a_copy_has_its_own_rows_only(house: House) -> None:
    with (
        psycopg.connect(house.address(house.mine)) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY fairlead_record.predictions (namespace) TO STDOUT") as copy,
    ):
        assert set(copy.rows()) == {(house.mine,)}


def test_what_another_did_with_a_row_cannot_be_told_from_a_refusal(house: House) -> None:
    """A key that is taken would be refused in other words, if policies did not go first."""
    told = []
    for name in (PREDICTED, TOLD):
        names = house.names() | {"id": sql.Literal(name)}
        with pytest.raises(errors.InsufficientPrivilege) as refusal:
            ask(house.address(house.mine), sql.SQL(_TELL).format(**names))
        told.append(str(refusal.value))

    assert told[0] == told[1]


def test_a_login_without_a_row_of_tenants_has_nothing(house: House, postgres: Postgres) -> None:
    """A login that somebody let into the schema, a colleague's for example."""
    name = f"guest_{secrets.token_hex(4)}"
    ask(house.admin, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    database = house.url.rpartition("/")[2]
    ask(house.admin, f"GRANT CONNECT ON DATABASE {database} TO {name}")
    ask(house.admin, f"GRANT USAGE ON SCHEMA fairlead_record TO {name}")
    guest = dataclasses.replace(postgres, user=name, password=name).uri(database)

    assert ask(guest, "SELECT * FROM fairlead_record.predictions") == []
    with pytest.raises(errors.InsufficientPrivilege):
        ask(guest, sql.SQL(_TELL).format(**house.names()))


# --- What the operator does beside them

_TRAP = """
CREATE TABLE {schema}.seen (who text);
CREATE FUNCTION {schema}.trap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        RESET ROLE;
        EXECUTE 'ALTER ROLE ' || quote_ident(session_user) || ' CREATEROLE';
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    INSERT INTO {schema}.seen VALUES (session_user), (current_user);
    RETURN OLD;
END $$;
CREATE TABLE {schema}.trials (trial_id int, study_id int);
CREATE TABLE {schema}.studies (study_id int, study_name text);
INSERT INTO {schema}.studies VALUES (1, {study});
CREATE TRIGGER trap BEFORE DELETE ON {schema}.studies
    FOR EACH ROW EXECUTE FUNCTION {schema}.trap();
"""
_TABLES = (
    "trial_heartbeats", "trial_intermediate_values", "trial_params", "trial_system_attributes",
    "trial_user_attributes", "trial_values", "study_directions", "study_system_attributes",
    "study_user_attributes",
)  # fmt: skip


def test_a_study_is_removed_with_the_rights_of_its_tenant(house: House) -> None:
    """A trigger of the tenant's runs with the rights of whoever deletes."""
    namespace = house.mine
    schema = sql.Identifier(search_schema(namespace))
    study = sql.Literal(study_name(namespace, "run", "uid"))
    ask(house.address(namespace), sql.SQL(_TRAP).format(schema=schema, study=study))
    for table in _TABLES:
        name = sql.Identifier(search_schema(namespace), table)
        ask(
            house.address(namespace),
            sql.SQL("CREATE TABLE {} (trial_id int, study_id int)").format(name),
        )

    async def forget(record: RecordClient) -> None:
        with pytest.raises(TransientError, match=r"no login of namespace \S+ is known yet"):
            await record.forget_study(namespace, "uid")
        await provide(record, namespace)
        await record.forget_study(namespace, "uid")

    operate(house, forget)

    of = house.address(namespace)
    assert ask(of, sql.SQL("SELECT study_id FROM {}.studies").format(schema)) == []
    seen = ask(of, sql.SQL("SELECT DISTINCT who FROM {}.seen").format(schema))
    assert seen == [(login_name(namespace),)]


_HEAP = """
CREATE TABLE {schema}.trials (trial_id text, study_id text);
CREATE TABLE {schema}.studies (study_id text, study_name text);
INSERT INTO {schema}.studies SELECT repeat('a', 1000000), {study} FROM generate_series(1, 4);
"""
_ANSWER = """
CREATE RULE answer AS ON DELETE TO {schema}.studies DO INSTEAD
    SELECT repeat('a', 1000000) FROM generate_series(1, 4)
"""
_SAY = """
CREATE FUNCTION {schema}.say() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE LEVEL '%', repeat('a', LENGTH); RETURN OLD; END $$;
CREATE TRIGGER say BEFORE DELETE ON {schema}.studies FOR EACH ROW EXECUTE FUNCTION {schema}.say()
"""
_WARN = f"ALTER ROLE {{login}} SET default_tablespace = '{'a' * 100_000}'"
_TOO_MUCH = "not removed: it answered with more than 65536 bytes$"


def say(level: str, length: int) -> str:
    return _SAY.replace("LEVEL", level).replace("LENGTH", str(length))


@pytest.mark.parametrize(
    ("more", "message", "left"),
    [
        pytest.param("", None, 0, id="large ids"),
        pytest.param(_ANSWER, None, 4, id="a rule that answers with rows"),
        pytest.param(say("EXCEPTION", 9000), "not removed: a{300}$", 4, id="an error"),
        pytest.param(say("EXCEPTION", 1_000_000), _TOO_MUCH, 4, id="an error without end"),
        pytest.param(say("WARNING", 1_000_000), _TOO_MUCH, 4, id="a warning without end"),
        pytest.param(_WARN, _TOO_MUCH, 4, id="a warning while it connects"),
    ],
)
def test_nothing_large_of_a_tenants_is_fetched(
    house: House,
    guest: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    more: str,
    message: str | None,
    left: int,
) -> None:
    """The ids of studies, which a tenant makes, were read into the operator's memory."""
    monkeypatch.setattr("fairlead_operator.record.client._STUDY_SECONDS", 120.0)
    names = {
        "schema": sql.Identifier(search_schema(guest)),
        "study": sql.Literal(study_name(guest, "run", "uid")),
        "login": sql.Identifier(login_name(guest)),
    }
    tables = "".join(
        f"CREATE TABLE {{schema}}.{table} (trial_id text, study_id text);" for table in _TABLES
    )
    make = _HEAP + tables + more
    ask(house.address(guest), sql.SQL(make).format(**names))  # type: ignore[arg-type]

    async def forget(record: RecordClient) -> None:
        await provide(record, guest)
        if message is None:
            await record.forget_study(guest, "uid")
        else:
            with pytest.raises(TransientError, match=message):
                await record.forget_study(guest, "uid")

    operate(house, forget)

    studies = sql.SQL("SELECT count(*) FROM {schema}.studies").format(**names)
    assert ask(house.address(guest), studies) == [(left,)]


def test_searches_of_the_operators_login_are_handed_over(house: House) -> None:
    """Before a namespace had a login of its own, its trainers made tables as the operator."""
    namespace = f"shared-{secrets.token_hex(4)}"
    schema = sql.Identifier(search_schema(namespace))
    made = [
        "CREATE SCHEMA {schema}",
        "CREATE TABLE {schema}.studies (study_id serial, study_name text)",
        *(
            f"CREATE TABLE {{schema}}.{table} (trial_id int, study_id int)"
            for table in ("trials", *_TABLES)
        ),
    ]
    for statement in made:
        ask(house.url, sql.SQL(statement).format(schema=schema))
    studies = sql.Identifier(search_schema(namespace), "studies")
    add = sql.SQL("INSERT INTO {} (study_name) VALUES (%s)").format(studies)
    names = [study_name(namespace, "run", uid) for uid in ("one", "two")]
    ask(house.url, add, names[0])

    operate(house, lambda record: record.forget_study(namespace, "one"))
    left_of_one = ask(house.url, sql.SQL("SELECT study_name FROM {}").format(studies))
    operate(house, lambda record: provide(record, namespace))
    ask(house.address(namespace), add, names[1])

    async def forget(record: RecordClient) -> None:
        await provide(record, namespace)
        await record.forget_study(namespace, "two")

    operate(house, forget)
    assert left_of_one == []
    assert ask(house.address(namespace), sql.SQL("SELECT * FROM {}").format(studies)) == []
    trigger = sql.SQL(
        "CREATE TRIGGER t BEFORE DELETE ON {} FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ).format(studies)
    with pytest.raises(errors.InsufficientPrivilege):
        ask(house.address(namespace), trigger)
    operate(house, lambda record: record.remove_login(namespace))


def test_no_function_of_a_tenant_runs_with_the_operators_rights(house: House) -> None:
    """Where everybody may create in public, as before PostgreSQL 15, a closer match wins."""
    ask(house.admin, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    try:
        ask(
            house.address(house.mine),
            "CREATE FUNCTION public.cardinality(real[]) RETURNS integer LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE 'run as %', current_user; END $$",
        )
        for url in (house.url, house.admin):
            with pytest.raises(errors.RaiseException):
                ask(url, "SELECT cardinality(ARRAY[1]::real[])")
        store = RecordStore(
            record_settings(house.address(house.mine), task=Task.MULTICLASS),
            server_settings(namespace=house.mine, model="classes"),
        )
        name = str(uuid.uuid4())
        store.add(
            [Answer(name, None, NOW, False, [[0.25, 0.75]])],
            [Feedback(prediction_id=name, row_index=0, given_at=NOW, label_value=1.0,
                      label_class="1")],
        )  # fmt: skip
        store.close()
        subject = Subject(namespace=house.mine, model="classes", version="1.1.0", since=NOW)
        losses: list[Any] = []

        async def judge(record: RecordClient) -> None:
            losses.append(await record.losses("log-loss", subject))

        operate(house, judge)
        assert losses[0].count == 1
    finally:
        ask(house.admin, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        ask(house.admin, "DROP FUNCTION IF EXISTS public.cardinality(real[])")


# --- Limits


@pytest.fixture(name="guest")
def _guest(house: House) -> Iterator[str]:
    """A namespace that a test may do anything with."""
    namespace = f"guest-{secrets.token_hex(4)}"
    operate(house, lambda record: provide(record, namespace))
    yield namespace
    operate(house, lambda record: record.remove_login(namespace))


def store_of(house: House, namespace: str, **settings: Any) -> RecordStore:
    return RecordStore(
        record_settings(house.address(namespace)),
        server_settings(namespace=namespace, **settings),
    )


def answers(rows: int, *, request: str | None = None) -> list[Answer]:
    return [Answer(str(uuid.uuid4()), request, NOW, False, [0.9] * rows)]


def words(rows: int) -> list[Feedback]:
    return [
        Feedback(prediction_id=str(uuid.uuid4()), row_index=0, given_at=NOW, reward=0.5)
        for _ in range(rows)
    ]


def test_a_day_has_so_many_rows(house: House, guest: str) -> None:
    operate(house, lambda record: provide(record, guest, predictions=100, feedback=50))
    store = store_of(house, guest)

    store.add(answers(60), words(30))
    with pytest.raises(LimitReachedError, match="has written its 100 rows of predictions") as one:
        store.add(answers(60), words(1))  # more than a tenth above
    store.add(answers(40), words(20))
    with pytest.raises(LimitReachedError, match="100 rows of predictions") as two:
        store.add(answers(1), [])
    with pytest.raises(LimitReachedError, match="50 rows of feedback") as three:
        store.add([], words(1))

    assert [each.value.of_feedback for each in (one, two, three)] == [False, False, True]
    count = "SELECT count(*) FROM fairlead_record.{} WHERE namespace = '{}'"
    assert ask(house.url, count.format("predictions", guest)) == [(100,)]
    assert ask(house.url, count.format("feedback", guest)) == [(50,)]
    ask(house.url, "UPDATE fairlead_record.usage SET day = day - 1")
    store.add(answers(60), words(30))  # on the next day
    store.close()


def test_one_namespace_is_not_held_to_what_another_wrote(house: House, guest: str) -> None:
    operate(house, lambda record: provide(record, guest, predictions=1, feedback=1))
    store, other = store_of(house, guest), store_of(house, house.theirs)
    store.add(answers(1), words(1))

    other.add(answers(5), words(5))

    with pytest.raises(LimitReachedError):
        store.add(answers(1), [])
    store.close()
    other.close()


def test_a_large_row_counts_as_several(house: House, guest: str) -> None:
    operate(house, lambda record: provide(record, guest, predictions=20))
    store = store_of(house, guest)

    with pytest.raises(LimitReachedError):
        store.add(answers(1, request=secrets.token_hex(50_000)), [])

    store.close()


def test_a_word_that_is_changed_is_counted_again(house: House, guest: str) -> None:
    operate(house, lambda record: provide(record, guest, feedback=10))
    store = store_of(house, guest)
    (word,) = words(1)
    for reward in range(10):
        store.add([], [dataclasses.replace(word, reward=reward / 10)])

    with pytest.raises(LimitReachedError):
        store.add([], [dataclasses.replace(word, reward=1.0)])

    store.close()


def test_servers_that_write_at_once_neither_fail_nor_lose_count(house: House, guest: str) -> None:
    """Of four that tell of the same rows, in other orders, none may wait for all others."""
    stores = [store_of(house, guest) for _ in range(4)]
    shared = words(6)

    def write(at: int) -> None:
        for part in range(10):
            stores[at].add(answers(2) if part % 2 else [], shared[(at + part) % 6 :])

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(4)))

    used = f"SELECT sum(predictions) FROM fairlead_record.usage WHERE namespace = '{guest}'"
    assert ask(house.url, used) == [(4 * 5 * 2,)]
    for store in stores:
        store.close()


def test_a_login_has_so_many_connections_and_so_much_time(house: House, guest: str) -> None:
    operate(
        house,
        lambda record: provide(record, guest, connections=1, statement=timedelta(seconds=7)),
    )
    with psycopg.connect(house.address(guest)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchall() == [("7s",)]

        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            ask(house.address(guest), "SELECT 1")


# --- Made, put right, removed


@pytest.mark.parametrize(
    ("repair", "timeout"),
    [
        pytest.param(600.0, "0", id="not at each look"),
        pytest.param(0.0, "2min", id="after a while"),
    ],
)
def test_what_a_tenant_did_to_its_login_is_put_right(
    house: House, guest: str, monkeypatch: pytest.MonkeyPatch, repair: float, timeout: str
) -> None:
    monkeypatch.setattr("fairlead_operator.record.client._REPAIR", repair)
    login = sql.Identifier(login_name(guest))

    async def look_again(record: RecordClient) -> None:
        await provide(record, guest)
        alter = sql.SQL("ALTER ROLE {} PASSWORD 'other'; ALTER ROLE {} SET statement_timeout = 0")
        ask(house.address(guest), alter.format(login, login))
        await provide(record, guest)

    operate(house, look_again)

    passwords = {"0": "other", "2min": guest}
    address = dataclasses.replace(
        house.server, user=login_name(guest), password=passwords[timeout]
    ).uri(house.url.rpartition("/")[2])
    assert ask(address, "SHOW statement_timeout") == [(timeout,)]


def test_a_login_goes_with_its_sessions_and_searches_and_its_rows_stay(
    house: House, guest: str
) -> None:
    store = store_of(house, guest)
    store.add(answers(3), [])
    table = sql.Identifier(search_schema(guest), "t")
    ask(house.address(guest), sql.SQL("CREATE TABLE {} (x oid)").format(table))
    session = psycopg.connect(house.address(guest))
    session.execute("SELECT lo_create(0)")
    session.commit()
    session.execute(sql.SQL("INSERT INTO {} VALUES (1)").format(table))

    operate(house, lambda record: record.remove_login(guest))

    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    session.close()
    with pytest.raises(UnavailableError):
        store.add(answers(1), [])
    assert left(house, guest) == (0, 0, 3)
    store.close()


def test_a_login_that_is_changing_itself_is_shut_out(house: House, guest: str) -> None:
    """A change that is not committed makes every other change of the role wait."""
    session = psycopg.connect(house.address(guest))
    session.execute(
        sql.SQL("ALTER ROLE {} PASSWORD 'other'").format(sql.Identifier(login_name(guest)))
    )

    operate(house, lambda record: record.remove_login(guest))

    assert left(house, guest) == (0, 0, 0)
    session.close()


def test_a_login_that_is_changing_itself_holds_up_no_other_namespace(
    house: House, guest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at a Model of its namespace waited for it, with one of a few connections."""
    other, tried = f"other-{secrets.token_hex(4)}", list[str]()
    provide_role = logins.provide

    async def provide_noted(connection: Any, namespace: str, *rest: Any, **named: Any) -> None:
        tried.append(namespace)
        await provide_role(connection, namespace, *rest, **named)

    async def look(record: RecordClient) -> None:
        tried.clear()
        *held_up, other_told = await asyncio.gather(
            *(record.provide_login(guest, "another", limits=Limits()) for _ in range(20)),
            provide(record, other),
            return_exceptions=True,
        )
        if other_told is not None:
            raise other_told
        assert [type(error) for error in held_up] == [TransientError] * 20, held_up

    monkeypatch.setattr(logins, "provide", provide_noted)
    monkeypatch.setattr("fairlead_operator.record.client._LEFT_ALONE", 3600.0)
    with psycopg.connect(house.address(guest)) as session:
        session.execute(
            sql.SQL("ALTER ROLE {} PASSWORD 'mine'").format(sql.Identifier(login_name(guest)))
        )
        operate(house, look)
        session.rollback()

    assert sorted(tried) == sorted([guest, other])
    operate(house, lambda record: record.remove_login(other))


def test_searches_that_cannot_be_dropped_keep_a_login_out_and_fail_nobody(
    house: House, guest: str
) -> None:
    """More tables than the server has locks for made the removal fail, again and again."""
    table = sql.Identifier(search_schema(guest), "t")
    ask(house.address(guest), sql.SQL("CREATE TABLE {} (x int)").format(table))

    async def remove(record: RecordClient) -> None:
        await record.remove_login(guest)
        assert guest in await record.tenants()  # by which it is tried again

    with psycopg.connect(house.admin) as other:
        other.execute(sql.SQL("LOCK TABLE {}").format(table))
        operate(house, remove)

    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        ask(house.address(guest), "SELECT 1")
    operate(house, lambda record: record.remove_login(guest))
    assert left(house, guest) == (0, 0, 0)


def test_a_login_that_left_something_in_another_database_is_shut_out_for_good(
    house: House, guest: str, postgres: Postgres
) -> None:
    other = postgres.create_database("other")
    login = dataclasses.replace(postgres, user=login_name(guest), password=guest)
    ask(login.uri(other), "SELECT lo_create(0)")

    operate(house, lambda record: record.remove_login(guest))

    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        ask(house.address(guest), "SELECT 1")
    operate(house, lambda record: provide(record, guest))
    assert ask(house.address(guest), "SELECT 1") == [(1,)]
    ask(login.uri(other), "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")


def left(house: House, namespace: str) -> tuple[Any, ...]:
    """Count roles, schemas and predictions of the namespace."""
    (counted,) = ask(
        house.url,
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = %s),"
        " (SELECT count(*) FROM pg_namespace WHERE nspname = %s),"
        " (SELECT count(*) FROM fairlead_record.predictions WHERE namespace = %s)",
        login_name(namespace),
        search_schema(namespace),
        namespace,
    )
    return counted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            "ALTER ROLE {operator} NOCREATEROLE",
            "permission denied to create role; .* ALTER ROLE .* CREATEROLE",
            id="it may create no roles",
        ),
        pytest.param(
            "ALTER DATABASE {database} OWNER TO {admin}; GRANT CONNECT ON DATABASE {database}"
            " TO {operator}",
            "permission denied for database",
            id="the database is another's",
        ),
        pytest.param(
            "CREATE ROLE {login}", "that another database's operator made", id="the name is taken"
        ),
    ],
)
def test_an_operator_that_may_not_make_a_login_says_so(
    house: House, postgres: Postgres, change: str, message: str
) -> None:
    namespace = f"refused-{secrets.token_hex(4)}"
    database = sql.Identifier(house.url.rpartition("/")[2])
    operator = sql.Identifier(house.server.user)
    names = {
        "login": sql.Identifier(login_name(namespace)),
        "admin": sql.Identifier(postgres.user),
        "operator": operator,
        "database": database,
    }
    ask(house.admin, sql.SQL(change).format(**names))  # type: ignore[arg-type]

    async def refuse(record: RecordClient) -> None:
        with pytest.raises(LoginNotAllowedError, match=f"^record database: .*{message}"):
            await provide(record, namespace)

    try:
        operate(house, refuse)
    finally:
        back = "ALTER ROLE {operator} CREATEROLE; ALTER DATABASE {database} OWNER TO {operator}"
        ask(house.admin, sql.SQL(back).format(**names))
        ask(house.admin, sql.SQL("DROP ROLE IF EXISTS {}").format(names["login"]))


def test_a_login_made_by_hand_is_told_with_what_replaces_it(house: House) -> None:
    """Each look ended in PostgreSQL's words for a duplicate key, which say nothing of a login."""
    namespace = f"by-hand-{secrets.token_hex(4)}"
    row = "INSERT INTO fairlead_record.tenants VALUES (%s, %s, 1, 1)"
    ask(house.url, row, namespace, namespace)
    told: list[str] = []

    async def refuse(record: RecordClient) -> None:
        with pytest.raises(LoginNotAllowedError, match="did not make; to replace it: ") as refusal:
            await provide(record, namespace)
        told.append(str(refusal.value))

    operate(house, refuse)
    roles = left(house, namespace)
    for statement in told[-1].partition("to replace it: ")[2].split("; "):
        ask(house.url, statement)
    operate(house, lambda record: provide(record, namespace))

    assert roles == (0, 0, 0)
    assert ask(house.address(namespace), "SELECT 1") == [(1,)]
    operate(house, lambda record: record.remove_login(namespace))


def test_a_row_that_its_tenant_holds_keeps_nobody_elses_from_being_removed(
    house: House, guest: str
) -> None:
    """Whoever may label may lock, in a transaction without end: no old row of anybody went."""
    old, now = datetime(2001, 1, 1, tzinfo=UTC), datetime(2001, 2, 1, tzinfo=UTC)
    other = f"{guest}-other"
    operate(house, lambda record: provide(record, other))
    for namespace in (guest, other):
        store = store_of(house, namespace)
        store.add([], words(1))
        store.close()
    ask(
        house.admin, "UPDATE fairlead_record.feedback SET at = %s WHERE namespace = ANY (%s)",
        old, [guest, other],
    )  # fmt: skip
    with psycopg.connect(house.address(guest)) as tenant:
        tenant.execute("SET idle_in_transaction_session_timeout = 0")
        tenant.execute("SELECT 1 FROM fairlead_record.feedback FOR UPDATE")
        operate(house, lambda record: record.remove_old(now))
        left_over = "SELECT namespace FROM fairlead_record.feedback WHERE namespace = ANY (%s)"

        assert ask(house.admin, left_over, [guest, other]) == [(guest,)]
    operate(house, lambda record: record.remove_old(now))
    assert ask(house.admin, left_over, [guest, other]) == []
    operate(house, lambda record: record.remove_login(other))


def test_a_channel_and_a_prepared_transaction_of_a_tenant_reach_nobody(
    house: House, guest: str
) -> None:
    """Any login may notify, and nobody of Fairlead listens; what is prepared would hold locks."""
    with psycopg.connect(house.address(guest), autocommit=True) as tenant:
        tenant.execute("NOTIFY fairlead, 'x'")
        listening = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%'"
        assert ask(house.admin, listening) == [(0,)]
        tenant.execute("BEGIN")
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            tenant.execute("PREPARE TRANSACTION 'kept'")


def test_no_row_is_refused_while_a_password_gives_way_to_another(
    house: House, guest: str, tmp_path: Path
) -> None:
    """The database has the new one at once, and a pod's file up to two minutes later."""
    file, following = tmp_path / "own-url", tmp_path / "next-url"
    second = house.address(guest).replace(f":{guest}@", ":second@")
    file.write_text(house.address(guest))
    servers = [
        RecordStore(record_settings("", url_file=file), server_settings(namespace=guest))
        for _ in range(2)
    ]
    engine = sqlalchemy.create_engine(
        DRIVER, **engine_options(house.address(guest), search_schema(guest), file=file)
    )
    written = 0

    def work(*stores: RecordStore) -> None:
        nonlocal written
        for store in stores:
            store.add(answers(1), words(1))
            written += 1
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        engine.dispose()  # as after a lost connection

    work(servers[0])
    following.write_text(second)
    work(*servers)
    operate(house, lambda record: record.provide_login(guest, "second", limits=Limits()))
    with pytest.raises(psycopg.OperationalError):
        ask(house.address(guest), "SELECT 1")
    servers[1].close()  # its container starts anew
    work(*servers)
    file.write_text(second)
    work(*servers)
    following.unlink()
    work(*servers)

    for store in servers:
        store.close()
    assert left(house, guest)[2] == written == 9


def test_the_password_stands_in_no_statement(house: House, guest: str) -> None:
    queries: list[str] = []

    async def look(record: RecordClient) -> None:
        execute = psycopg.AsyncConnection.execute

        async def noted(self: Any, query: Any, *rest: Any, **named: Any) -> Any:
            queries.append(query if isinstance(query, str) else query.as_string(self))
            return await execute(self, query, *rest, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.AsyncConnection, "execute", noted)
            await record.provide_login(guest, "the-password", limits=Limits())

    operate(house, look)

    assert any("SCRAM-SHA-256$" in query for query in queries)
    assert not any("the-password" in query for query in queries)
