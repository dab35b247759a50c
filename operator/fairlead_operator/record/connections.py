"""A few connections to PostgreSQL, and no wait without an end.

The operator works without its database.  So each call has a deadline that holds even
when the server accepts connections and then says nothing, and after a call that met a
dead server the next ones fail at once for a while: a reconcile with many questions waits
for one of them only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import psycopg

from fairlead_operator.errors import TransientError
from fairlead_operator.record import schema

_LOGGER = logging.getLogger(__name__)
_CONNECTIONS: Final = 4
_DEADLINE: Final = 2.0  # seconds a caller waits, connecting included
_STATEMENT: Final = "1500ms"  # PostgreSQL itself gives up a little earlier
_PAUSE: Final = 5.0  # seconds without a try after a dead server

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
T = TypeVar("T")


class Connections:
    """Lends connections; creates the tables with the first."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._calls: set[asyncio.Task[Any]] = set()
        self._resume = 0.0  # by the loop's clock
        self._trouble = ""  # what the dead server, if it is dead, was found to suffer from

    async def call(
        self, work: Callable[[Connection], Awaitable[T]], *, deadline: float = _DEADLINE
    ) -> T:
        """Let the work have a connection; it may be done twice.

        Raises:
            TransientError: the database did not answer within the deadline, or refused.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._resume:
            raise _unreachable(self._trouble)
        call = loop.create_task(self._use(work))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        try:
            # Not `asyncio.timeout`: psycopg takes its time to cancel what a dead server runs.
            await asyncio.wait({call}, timeout=deadline)
        finally:
            call.cancel()
        if not call.done():
            raise self._pause(f"no answer within {deadline:g} s")
        try:
            result = call.result()
        except psycopg.errors.QueryCanceled as error:
            raise _unreachable("the query took too long") from error
        except psycopg.OperationalError as error:
            raise self._pause(_first_line(error)) from error
        except psycopg.Error as error:
            raise _unreachable(_first_line(error)) from error
        self._trouble = ""
        return result

    async def close(self) -> None:
        """Give the connections back."""
        for call in self._calls:
            call.cancel()
        while self._idle:
            await self._idle.pop().close()

    async def _use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._do(work, connection)
                except psycopg.errors.QueryCanceled:
                    raise
                except psycopg.OperationalError:
                    continue  # it died while it was idle; another may live
            return await self._do(work, await self._connect())

    async def _do(self, work: Callable[[Connection], Awaitable[T]], connection: Connection) -> T:
        try:
            result = await work(connection)
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)
        return result

    async def _connect(self) -> Connection:
        try:
            connection = await psycopg.AsyncConnection.connect(
                self._url,
                autocommit=True,
                connect_timeout=2,
                prepare_threshold=None,  # a pooler in between may not keep what was prepared
                application_name="fairlead-operator",
                options=f"-c statement_timeout={_STATEMENT} -c TimeZone=UTC",
            )
        except psycopg.ProgrammingError:
            # Its message repeats the address, password included.
            raise _unreachable("the address is not of the form postgresql://…") from None
        try:
            await _create_tables(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    def _pause(self, trouble: str) -> TransientError:
        """Leave the server alone for a while."""
        if not self._trouble:
            _LOGGER.warning("record database is away", extra={"error": trouble})
        self._trouble = trouble
        self._resume = asyncio.get_running_loop().time() + _PAUSE
        return _unreachable(trouble)

    def _ended(self, call: "asyncio.Task[Any]") -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # whoever called has gone, or has it from the result


async def _create_tables(connection: Connection) -> None:
    """Create what is missing; operators that start at once wait for each other."""
    if await _answer(connection, schema.IS_COMPLETE):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (schema.LOCK_KEY,))
        if not await _answer(connection, schema.HAS_SCHEMA, schema.SCHEMA):
            await connection.execute(schema.CREATE_SCHEMA)
        await connection.execute(schema.CREATE_TABLES)
    _LOGGER.info("record tables created")


async def _answer(connection: Connection, query: str, *parameters: str) -> bool:
    cursor = await connection.execute(query, parameters or None)
    row = await cursor.fetchone()
    return row is not None and bool(row[0])


def _unreachable(trouble: str) -> TransientError:
    return TransientError(f"record database: {trouble}")


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
