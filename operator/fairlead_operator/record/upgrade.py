"""Apply the steps that the record's schema lacks.

Each step has a transaction of its own, which also adds the step's row: finished steps stay,
locks are held for one step only, and an operator that dies leaves nothing half done.  The lock
that keeps operators apart is the transaction's, because a pooler may give the next one another
session; and it is one on a table of ours, because any login may hold any advisory lock for ever.

Each lock is waited for only briefly.  Writers queue behind a waiting step, and a concurrent
index build waits for all older queries, those that wait for this lock included.  So a
step that meets a long writer or another operator is rolled back and tried again.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

import psycopg

from fairlead_operator.errors import TransientError
from fairlead_operator.record.connect import PIN, Connection, connect
from fairlead_operator.record.migrations import Migration, next_step

_LOGGER = logging.getLogger(__name__)
# Any number, the same in every operator; only until there is a schema, and so a tenant.
LOCK_KEY: Final = 0x6661_6972_6C65_6164
_LONGEST: Final = 3600  # seconds for all missing steps; index builds take the most
_AGAIN: Final = 1.0  # seconds for others between two tries

# Half of PostgreSQL's deadlock_timeout: in a deadlock the step gives way, not the server.
_LIMITS: Final = f"""
SET LOCAL lock_timeout = '500ms';
SET LOCAL statement_timeout = '{_LONGEST}s';
SET LOCAL idle_in_transaction_session_timeout = 0;
{PIN}
"""
_HAS_SCHEMA: Final = "SELECT 1 FROM pg_namespace WHERE nspname = 'fairlead_record'"
# Asked for by itself: the user may own a schema that an administrator made, and no right to more.
_CREATE_SCHEMA: Final = "CREATE SCHEMA fairlead_record"
_HAS_VERSIONS: Final = """
SELECT 1 FROM pg_tables WHERE schemaname = 'fairlead_record' AND tablename = 'schema_version'
"""
# It keeps nobody from reading the version.
_LOCK: Final = "LOCK TABLE fairlead_record.schema_version IN SHARE ROW EXCLUSIVE MODE"
_CREATE_VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS fairlead_record.schema_version (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_VERSION: Final = "SELECT coalesce(max(version), 0) FROM fairlead_record.schema_version"
_ADD_VERSION: Final = "INSERT INTO fairlead_record.schema_version (version, name) VALUES (%s, %s)"


async def read_version(connection: Connection) -> int:
    """Return the schema's version; 0 if there is no schema, or one from before versions."""
    try:
        cursor = await connection.execute(_VERSION)
    except psycopg.errors.UndefinedTable:
        return 0
    ((version,),) = await cursor.fetchall()
    return int(version)


async def upgrade(url: str, steps: Sequence[Migration]) -> None:
    """Apply the steps that the database lacks; other operators may do so at the same time.

    Raises:
        TransientError: it took too long.
        psycopg.Error: the database refused a step, or went away.
    """
    has_waited = False
    try:
        async with asyncio.timeout(_LONGEST), await connect(url) as connection:
            while next_step(steps, await read_version(connection)):
                try:
                    await _apply_next(connection, url, steps)
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                    level = logging.DEBUG if has_waited else logging.INFO
                    _LOGGER.log(
                        level, "record schema waits for others", extra={"error": str(error)}
                    )
                    has_waited = True
                    await asyncio.sleep(_AGAIN)
    except TimeoutError as error:
        raise TransientError(
            f"record database: its schema was not up to date within {_LONGEST} s"
        ) from error


async def _apply_next(connection: Connection, url: str, steps: Sequence[Migration]) -> None:
    async with connection.transaction():
        await connection.execute(_LIMITS)
        if not await (await connection.execute(_HAS_VERSIONS)).fetchone():
            await _create_versions(connection)
        await connection.execute(_LOCK)
        step = next_step(steps, await read_version(connection))
        if step is None:
            return  # another operator applied it
        if step.concurrently:
            async with await connect(url) as builder:
                await _run(builder, step)
        else:
            await _run(connection, step)
        await connection.execute(_ADD_VERSION, (step.version, step.name))
    _LOGGER.info("record schema migrated", extra={"version": step.version, "step": step.name})


async def _create_versions(connection: Connection) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
    if not await (await connection.execute(_HAS_SCHEMA)).fetchone():
        await connection.execute(_CREATE_SCHEMA)
    await connection.execute(_CREATE_VERSIONS)


async def _run(connection: Connection, step: Migration) -> None:
    for statement in step.statements:
        await connection.execute(statement)
