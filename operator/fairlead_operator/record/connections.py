"""A few connections to PostgreSQL, and no wait without an end.

The operator works without its database.  So each call has a deadline that holds even
when the server accepts connections and then says nothing, and after a call that met a
dead server the next ones fail at once for a while: a reconcile with many questions waits
for one of them only.  (Why not ``psycopg_pool``: docs/adr, 15.)

A database whose schema lacks a step is migrated apart from the calls, which fail meanwhile;
one that is newer than this operator is used as it is.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

import psycopg

from fairlead_contract.database import redact
from fairlead_operator.errors import TransientError
from fairlead_operator.record.connect import PIN, Connection, connect
from fairlead_operator.record.migrations import STEPS, Migration
from fairlead_operator.record.upgrade import read_version, upgrade
from fairlead_operator.text import shorten

_LOGGER = logging.getLogger(__name__)
_CONNECTIONS: Final = 4
_DEADLINE: Final = 2.0  # seconds a caller waits, connecting included
# PostgreSQL itself gives up a little earlier.
_SETTINGS: Final = "SET LOCAL statement_timeout = '1500ms'; SET LOCAL TimeZone = 'UTC'"
_PAUSE: Final = 5.0  # seconds without a try after a dead server
_DEAD: Final = ("08", "28", "57P")  # no connection, no login, on its way down or up
_FULL: Final = "53300"  # too many connections

T = TypeVar("T")


class Connections:
    """Lends connections to a database whose schema is up to date."""

    def __init__(self, url: str, *, steps: Sequence[Migration] = STEPS) -> None:
        self._url = url
        self._steps = steps
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(_CONNECTIONS)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._upgrade: asyncio.Task[None] | None = None
        self._is_newer = False
        self._resume = 0.0  # by the loop's clock
        self._trouble = ""  # what the dead server, if it is dead, was found to suffer from

    async def call(
        self, work: Callable[[Connection], Awaitable[T]], *, deadline: float | None = None
    ) -> T:
        """Let the work have a connection; it may be done twice.

        A call that brings its own deadline has much to do: that it is late says nothing of the
        server, and the next calls are tried.

        Raises:
            TransientError: the database did not answer within the deadline, or refused.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._resume:
            raise _unreachable(self._trouble)
        limit = _DEADLINE if deadline is None else deadline
        call = self._start(self._use(work))
        try:
            # Not `asyncio.timeout`: psycopg takes its time to cancel what a dead server runs.
            await asyncio.wait({call}, timeout=limit)
        finally:
            call.cancel()
        if not call.done():
            if self._upgrade is not None:
                raise self._pause("its schema is being brought up to date")
            trouble = f"no answer within {limit:g} s"
            raise self._pause(trouble) if deadline is None else _unreachable(trouble)
        try:
            result = call.result()
        except psycopg.errors.QueryCanceled as error:
            raise _unreachable("the query took too long") from error
        except psycopg.Error as error:
            trouble = self._first_line(error)
            raise (self._pause if _is_dead(error) else _unreachable)(trouble) from error
        self._trouble = ""
        return result

    async def close(self) -> None:
        """Give the connections back."""
        for task in self._tasks:
            task.cancel()
        while self._idle:
            await self._idle.pop().close()

    async def _use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._free:
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._do(work, connection)
                except psycopg.OperationalError as error:
                    if not _is_dead(error):
                        raise
                    # It died while it was idle; another may live.
            return await self._do(work, await self._connect())

    async def _do(self, work: Callable[[Connection], Awaitable[T]], connection: Connection) -> T:
        try:
            async with connection.transaction():
                await connection.execute(f"{_SETTINGS}; {PIN}")
                result = await work(connection)
        except BaseException:
            await connection.close()
            raise
        self._idle.append(connection)
        return result

    async def _connect(self) -> Connection:
        connection = await connect(self._url)
        try:
            await self._bring_up_to_date(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _bring_up_to_date(self, connection: Connection) -> None:
        """Wait until the schema has every step we know of; the upgrade outlives the call."""
        version, needed = await read_version(connection), self._steps[-1].version
        if version < needed:
            if self._upgrade is None:
                self._upgrade = self._start(upgrade(self._url, self._steps))
                self._upgrade.add_done_callback(self._upgraded)
            await asyncio.shield(self._upgrade)
        elif version > needed and not self._is_newer:
            self._is_newer = True
            _LOGGER.warning(
                "record schema is newer than this operator, which uses what it knows of it",
                extra={"version": version, "known": needed},
            )

    def _upgraded(self, _: "asyncio.Task[None]") -> None:
        self._upgrade = None
        self._resume = 0.0

    def _start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _pause(self, trouble: str) -> TransientError:
        """Leave the server alone for a while."""
        if not self._trouble:
            _LOGGER.warning("record database cannot be asked", extra={"error": trouble})
        self._trouble = trouble
        self._resume = asyncio.get_running_loop().time() + _PAUSE
        return _unreachable(trouble)

    def _first_line(self, error: psycopg.Error) -> str:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return shorten(redact(line, self._url), 300)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has gone, or has it from the result


def _is_dead(error: psycopg.Error) -> bool:
    """Tell whether nobody can be served; a server that refuses one statement serves others."""
    state = error.sqlstate
    return isinstance(error, psycopg.OperationalError) and (
        state is None or state.startswith(_DEAD) or state == _FULL
    )


def _unreachable(trouble: str) -> TransientError:
    return TransientError(f"record database: {trouble}")
