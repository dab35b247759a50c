"""The databases of the bundled PostgreSQL, made on a real server as the chart has them made."""

import dataclasses
import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from support.documents import ROOT
from support.postgres import Postgres, running_postgres

SCRIPT = ROOT / "charts/fairlead/templates/postgresql/postgresql.yaml"
TENANT = "energy"


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Postgres]:
    told = re.search(r"<<'SQL'\n(.*?)\n *SQL\n", SCRIPT.read_text(), re.DOTALL)
    assert told is not None
    text = re.sub(r":'(\w+)'", r"'\1'", re.sub(r"--.*", "", told[1]))
    with running_postgres() as server:
        with psycopg.connect(server.uri("postgres"), autocommit=True) as connection:
            connection.execute("CREATE ROLE first LOGIN SUPERUSER PASSWORD 'first'")
        first = dataclasses.replace(server, user="first", password="first")
        with psycopg.connect(first.uri("postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {server.user} RENAME TO nobody".encode())
            for statement in filter(str.strip, text.split(";")):
                connection.execute(statement.encode())
            connection.execute(f"CREATE ROLE {TENANT} LOGIN PASSWORD '{TENANT}'".encode())
            connection.execute(f"GRANT CONNECT ON DATABASE fairlead TO {TENANT}".encode())
        yield first


def connect(server: Postgres, user: str, database: str) -> psycopg.Connection:
    address = f"postgresql://{user}:{user}@127.0.0.1:{server.port}/{database}"
    return psycopg.connect(address, autocommit=True)


def test_a_namespaces_login_gets_into_no_other_database(server: Postgres) -> None:
    """A large object in ``template1`` would be in every database that is made later."""
    with psycopg.connect(server.uri("postgres")) as connection:
        query = "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname"
        names = [name for (name,) in connection.execute(query)]
    assert {"fairlead", "mlflow", "postgres", "template1"} <= set(names)

    entered = []
    for name in names:
        try:
            connect(server, TENANT, name).close()
        except psycopg.OperationalError as error:
            if "permission denied for database" not in str(error):
                raise
        else:
            entered.append(name)

    assert entered == ["fairlead"]


def test_and_makes_no_temporary_table_there(server: Postgres) -> None:
    with (
        connect(server, TENANT, "fairlead") as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TEMPORARY TABLE t ()")


@pytest.mark.parametrize("owner", ["fairlead", "mlflow"])
def test_who_owns_one_makes_tables_in_it(server: Postgres, owner: str) -> None:
    with connect(server, owner, owner) as connection:
        connection.execute("CREATE TABLE public.own (x integer); CREATE TEMPORARY TABLE t ()")
