"""The logins that namespaces have of their own: made, put right, removed.

What a tenant owns is never read or written as the operator: a view, a policy or a trigger of the
tenant's would run with the operator's rights, and nothing that it is told inside a transaction
keeps it from taking them.  So the schema for searches is the operator's, who may drop it with all
that is in it, and the tables are the tenant's; what is in them is the business of its own login.
"""

import logging
from typing import Any, Final

import psycopg
from psycopg import sql

from fairlead_contract.record import SCHEMA
from fairlead_contract.search import search_schema
from fairlead_operator.errors import LoginNotAllowedError
from fairlead_operator.ports import Limits
from fairlead_operator.record.connect import Connection
from fairlead_operator.record.tenants import login_name
from fairlead_operator.text import shorten

_LOGGER = logging.getLogger(__name__)

_IS_ROLE: Final = "SELECT 1 FROM pg_roles WHERE rolname = %s"
_IS_OURS: Final = "SELECT 1 FROM fairlead_record.tenants WHERE login = %s"
_HAS_TABLE: Final = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s"
_OWNER: Final = (
    "SELECT pg_get_userbyid(nspowner) = current_user FROM pg_namespace WHERE nspname = %s"
)
# Nobody but its owner was ever let in, so that whatever is in it is the operator's.
_IS_CLOSED: Final = """
SELECT 1 FROM pg_namespace
WHERE nspname = %s AND pg_get_userbyid(nspowner) = current_user AND nspacl IS NULL
"""
_MAY_CONNECT: Final = "SELECT has_database_privilege(%s, current_database(), 'CONNECT')"
_MAY_USE: Final = "SELECT has_schema_privilege(%s, %s, 'USAGE')"
_DATABASE: Final = "SELECT current_database()"

# A tenant that is changing its own role, in a transaction that it leaves open, is not waited for.
_PATIENCE: Final = "SET LOCAL lock_timeout = '500ms'"
_CREATE: Final = sql.SQL("CREATE ROLE {login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS")
# As a verifier, so that the password itself stands in no log of the server.
_LET_IN: Final = sql.SQL("ALTER ROLE {login} LOGIN CONNECTION LIMIT {most} PASSWORD {verifier}")
_LIMIT: Final = sql.SQL("""
ALTER ROLE {login} SET statement_timeout = {milliseconds};
ALTER ROLE {login} SET idle_in_transaction_session_timeout = '10min'
""")
_ENROL: Final = """
INSERT INTO fairlead_record.tenants (login, namespace, predictions, feedback)
VALUES (%s, %s, %s, %s)
ON CONFLICT (login) DO UPDATE SET
    predictions = excluded.predictions, feedback = excluded.feedback
"""
_ONE_LOGIN: Final = "tenants_namespace_key"  # as PostgreSQL names that it is unique
_MAKE_ROOM: Final = (
    "DELETE FROM fairlead_record.tenants WHERE namespace = '{namespace}'; "
    'DROP SCHEMA IF EXISTS "{searches}" CASCADE'
)
_LET_CONNECT: Final = sql.SQL("GRANT CONNECT ON DATABASE {database} TO {login}")
_LET_USE: Final = sql.SQL("GRANT USAGE ON SCHEMA {record} TO {login}")
_CREATE_SCHEMA: Final = sql.SQL("CREATE SCHEMA {searches}")
# What trainers made there while they had the operator's own login; no right to add a trigger.
_HAND_OVER: Final = sql.SQL("""
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {searches} TO {login};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {searches} TO {login}
""")
_LET_SEARCH: Final = sql.SQL("GRANT USAGE, CREATE ON SCHEMA {searches} TO {login}")

# As a member, the operator may end its sessions and drop what it owns.
_JOIN: Final = sql.SQL("GRANT {login} TO CURRENT_USER")
_SHUT_OUT: Final = sql.SQL("ALTER ROLE {login} NOLOGIN")
_END_SESSIONS: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
_DROP_SCHEMA: Final = sql.SQL("DROP SCHEMA IF EXISTS {searches} CASCADE")
# The first takes back what was granted, too.
_DROP: Final = sql.SQL("DROP OWNED BY {login}; DROP ROLE {login}")
_STRIKE: Final = "DELETE FROM fairlead_record.tenants WHERE login = %s"


async def provide(connection: Connection, namespace: str, password: str, *, limits: Limits) -> None:
    """Make the namespace's login, or put it right, in the transaction that is open.

    Raises:
        LoginNotAllowedError: the operator's own login may not, or a person's has its place.
    """
    try:
        await _provide(connection, namespace, password, limits=limits)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _not_allowed(connection, error) from error
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != _ONE_LOGIN:
            raise  # another process makes the same login at this moment
        raise LoginNotAllowedError(
            f"record database: namespace {namespace} has a login already that the operator did not "
            "make; to replace it: "
            + _MAKE_ROOM.format(namespace=namespace, searches=search_schema(namespace))
        ) from error


async def _provide(
    connection: Connection, namespace: str, password: str, *, limits: Limits
) -> None:
    login, searches = login_name(namespace), search_schema(namespace)
    names = await _names(connection, namespace)
    await connection.execute(_PATIENCE)
    if not await _ask(connection, _IS_ROLE, login):
        await connection.execute(_CREATE.format(**names))
    elif not await _ask(connection, _IS_OURS, login):
        raise LoginNotAllowedError(
            f"record database: its server has a role {login} that another database's operator "
            f"made; drop it if it is left over, or give each operator a server of its own"
        )
    verifier = connection.pgconn.encrypt_password(
        password.encode(), login.encode(), b"scram-sha-256"
    ).decode()
    await connection.execute(
        _LET_IN.format(
            most=sql.Literal(limits.connections), verifier=sql.Literal(verifier), **names
        )
    )
    milliseconds = round(limits.statement.total_seconds() * 1000)
    await connection.execute(_LIMIT.format(milliseconds=sql.Literal(milliseconds), **names))
    await connection.execute(_ENROL, (login, namespace, limits.predictions, limits.feedback))
    if not await _ask(connection, _MAY_CONNECT, login):
        await connection.execute(_LET_CONNECT.format(**names))
    await connection.execute(_LET_USE.format(**names))
    if await _ask(connection, _OWNER, searches) is None:
        await connection.execute(_CREATE_SCHEMA.format(**names))
    elif await _ask(connection, _IS_CLOSED, searches):
        await connection.execute(_HAND_OVER.format(**names))
    await connection.execute(_LET_SEARCH.format(**names))
    await _check(connection, login, searches)


async def _check(connection: Connection, login: str, searches: str) -> None:
    """See that the grants were made: one without the right to is no error in PostgreSQL."""
    if not await _ask(connection, _MAY_CONNECT, login):
        database = await _ask(connection, _DATABASE)
        raise _lacking(connection, f'GRANT CONNECT ON DATABASE "{database}" TO "{login}"')
    if not await _ask(connection, _MAY_USE, login, SCHEMA):
        raise _lacking(connection, f'GRANT USAGE ON SCHEMA {SCHEMA} TO "{login}"')
    if not await _ask(connection, _OWNER, searches):
        raise _lacking(connection, f'ALTER SCHEMA "{searches}" OWNER TO "{connection.info.user}"')


async def is_closed(connection: Connection, searches: str) -> bool:
    """Tell whether the schema is there and all that is in it is the operator's own."""
    return bool(await _ask(connection, _IS_CLOSED, searches))


async def keeps_studies(connection: Connection, namespace: str) -> bool:
    """Tell whether a login that we made has studies; those of a person's logins are not ours."""
    return bool(
        await _ask(connection, _IS_OURS, login_name(namespace))
        and await _ask(connection, _HAS_TABLE, search_schema(namespace), "studies")
    )


async def shut_out(connection: Connection, namespace: str) -> bool:
    """Keep the namespace's login from connecting again; tell whether there is one."""
    login = login_name(namespace)
    if not await _ask(connection, _IS_OURS, login):
        return False
    if await _ask(connection, _IS_ROLE, login):
        try:
            names = await _names(connection, namespace)
            await connection.execute(_JOIN.format(**names))
            # One of them may be changing the role, in a transaction that it leaves open.
            await connection.execute(_END_SESSIONS, (login,))
            await connection.execute(_SHUT_OUT.format(**names))
        except psycopg.errors.InsufficientPrivilege as error:
            raise _not_allowed(connection, error) from error
    return True


async def remove(connection: Connection, namespace: str) -> None:
    """Remove what the login that was shut out has, and the login."""
    login = login_name(namespace)
    names = await _names(connection, namespace)
    await connection.execute(_END_SESSIONS, (login,))
    try:
        async with connection.transaction():
            await connection.execute(_DROP_SCHEMA.format(**names))
            if await _ask(connection, _IS_ROLE, login):
                await connection.execute(_DROP.format(**names))
            await connection.execute(_STRIKE, (login,))
    except psycopg.Error as error:
        # Something of it is left, in another database of the server for example, or more tables
        # than can be dropped at once.  Its row stays, by which it is tried again.
        _LOGGER.warning(
            "login shut out, but its role is left",
            extra={"role": login, "error": shorten(str(error), 300)},
        )


async def _names(connection: Connection, namespace: str) -> dict[str, sql.Identifier]:
    return {
        "login": sql.Identifier(login_name(namespace)),
        "searches": sql.Identifier(search_schema(namespace)),
        "record": sql.Identifier(SCHEMA),
        "database": sql.Identifier(await _ask(connection, _DATABASE)),
    }


async def _ask(connection: Connection, query: str, *values: str) -> Any:
    """Return the only value of the only row; None when there is no row."""
    row = await (await connection.execute(query, values)).fetchone()
    return None if row is None else row[0]


def _not_allowed(connection: Connection, error: psycopg.Error) -> LoginNotAllowedError:
    words = str(error).strip().splitlines()[0]
    return LoginNotAllowedError(
        f"record database: {words}; to make a login for each namespace, the operator's own needs "
        f'ALTER ROLE "{connection.info.user}" CREATEROLE and the right to create schemas'
    )


def _lacking(connection: Connection, statement: str) -> LoginNotAllowedError:
    return LoginNotAllowedError(
        f'record database: role "{connection.info.user}" may not do so itself: {statement}'
    )
