"""``ports.Record`` on PostgreSQL."""

import asyncio
import collections
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from fairlead_contract import search
from fairlead_contract.record import FEEDBACK, PREDICTIONS
from fairlead_operator.api.builtins import Loss
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Limits, Moments, Rating, Subject, Tally
from fairlead_operator.record import logins, queries
from fairlead_operator.record.bounded import connect_bounded
from fairlead_operator.record.connect import PIN, Connection
from fairlead_operator.record.connections import Connections
from fairlead_operator.record.tenants import login_name

# Predicted rows of a Model that one question looks at: a second's work on a busy server.
_MOST: Final = 200_000
_BATCH: Final = 5000  # rows removed at once
_STUDY_SECONDS: Final = 5.0
_BATCH_SECONDS: Final = 30.0  # nobody waits for it
_LONGEST: Final = 300  # characters of an error in a message
_LOGIN_SECONDS: Final = 5.0
_LEFT_ALONE: Final = 10.0  # seconds without a try after a login could not be put right
_REPAIR: Final = 600.0  # seconds after which a login is put right, whatever was done to it


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Provided:
    """A login as it was asked for, and how long that is believed."""

    password: str = dataclasses.field(repr=False)
    limits: Limits
    until: float  # by the loop's clock


class RecordClient:
    """Reads what the model servers wrote; keeps the history of rollouts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connections = Connections(url)
        self._provided: dict[str, _Provided] = {}  # by namespace
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._held_up: dict[str, tuple[float, str]] = {}  # until when, by the loop's clock; why

    async def close(self) -> None:
        await self._connections.close()

    async def tally(self, rating: Rating, subject: Subject) -> Tally:
        query = queries.ACCURACY if rating == "accuracy" else queries.REWARD
        ((successes, trials, newest),) = await self._rows(query, subject)
        return Tally(successes=float(successes), trials=trials, newest=newest)

    async def losses(self, loss: Loss, subject: Subject) -> Moments:
        ((count, total, squares),) = await self._rows(queries.losses(loss), subject)
        return Moments(count=count, total=float(total), squares=float(squares))

    async def agreement(self, candidate: Subject, stable: str) -> Tally:
        ((agreed, trials),) = await self._rows(queries.AGREEMENT, candidate, stable)
        return Tally(successes=float(agreed), trials=trials)

    async def distributions(
        self, candidate: Subject, stable: str
    ) -> tuple[Sequence[int], Sequence[int]]:
        rows = await self._rows(queries.DISTRIBUTIONS, candidate, stable)
        ours, theirs = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
        return (ours, theirs) if any(ours) and any(theirs) else ((), ())

    async def add_history(self, entry: HistoryEntry) -> None:
        values = dataclasses.asdict(entry) | {"numbers": Jsonb(dict(entry.numbers))}

        async def add(connection: Connection) -> None:
            await connection.execute(queries.ADD_HISTORY, values)

        await self._connections.call(add)

    async def history(self, namespace: str, model: str, limit: int) -> Sequence[HistoryEntry]:
        async def read(connection: Connection) -> list[dict[str, Any]]:
            async with connection.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(
                    queries.HISTORY, {"namespace": namespace, "model": model, "limit": limit}
                )
                return await cursor.fetchall()

        return [HistoryEntry(**row) for row in await self._connections.call(read)]

    async def forget_study(self, namespace: str, uid: str) -> None:
        start, end = search.study_name_bounds(namespace, uid)
        study = {"start": start, "end": end}

        async def forget(connection: Connection) -> psycopg.ConnectionInfo | None:
            await _forget(connection, search.SCHEMA, study)
            own = search.search_schema(namespace)
            if await logins.is_closed(connection, own):  # trainers have the operator's own login
                await _forget(connection, own, study)
                return None
            has_studies = await logins.keeps_studies(connection, namespace)
            return connection.info if has_studies else None

        server = await self._connections.call(forget, deadline=_STUDY_SECONDS)
        if server is not None:
            await self._forget_as_tenant(namespace, study, server)

    async def _forget_as_tenant(
        self, namespace: str, study: Mapping[str, str], server: psycopg.ConnectionInfo
    ) -> None:
        """Remove the study with the rights of whom its tables belong to, and no others.

        None of our connections is held meanwhile: how long it takes is the tenant's to say.
        """
        provided = self._provided.get(namespace)
        if provided is None:
            raise TransientError(f"record database: no login of namespace {namespace} is known yet")
        what = f"record database: study of namespace {namespace} not removed"
        try:
            async with (
                asyncio.timeout(_STUDY_SECONDS),
                connect_bounded(
                    self._url, server, user=login_name(namespace), password=provided.password
                ) as tenant,
                tenant.transaction(),
            ):
                await tenant.execute(PIN)
                await _forget(tenant, search.search_schema(namespace), study)
        except TimeoutError as error:
            raise TransientError(f"{what}: no answer within {_STUDY_SECONDS:g} s") from error
        # Of the tenant's making maybe: the server is not to blame.
        except (psycopg.Error, OSError, TransientError) as error:
            words = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TransientError(f"{what}: {words[:_LONGEST]}") from error

    async def provide_login(self, namespace: str, password: str, *, limits: Limits) -> None:
        # One after the other: a tenant that is changing its own role makes each of them wait, and
        # hold a connection that others want.
        async with self._turns[namespace]:
            await self._provide_login(namespace, password, limits=limits)

    async def _provide_login(self, namespace: str, password: str, *, limits: Limits) -> None:
        moment = asyncio.get_running_loop().time()
        last = self._provided.get(namespace)
        if (
            last is not None
            and (last.password, last.limits) == (password, limits)
            and moment < last.until
        ):
            return
        until, trouble = self._held_up.get(namespace, (moment, ""))
        if moment < until:
            raise TransientError(trouble)

        async def provide(connection: Connection) -> None:
            await logins.provide(connection, namespace, password, limits=limits)

        try:
            await self._connections.call(provide, deadline=_LOGIN_SECONDS)
        except TransientError as error:
            self._held_up[namespace] = moment + _LEFT_ALONE, str(error)
            raise
        self._held_up.pop(namespace, None)
        self._provided[namespace] = _Provided(
            password=password, limits=limits, until=moment + _REPAIR
        )

    async def remove_login(self, namespace: str) -> None:
        self._provided.pop(namespace, None)

        async def shut_out(connection: Connection) -> bool:
            return await logins.shut_out(connection, namespace)

        async def remove(connection: Connection) -> None:
            await logins.remove(connection, namespace)

        # Committed before its sessions are ended, so that no new one begins.
        if await self._connections.call(shut_out, deadline=_LOGIN_SECONDS):
            await self._connections.call(remove, deadline=_LOGIN_SECONDS)

    async def tenants(self) -> Sequence[str]:
        async def read(connection: Connection) -> list[tuple[Any, ...]]:
            return await (await connection.execute(queries.TENANTS)).fetchall()

        return [namespace for (namespace,) in await self._connections.call(read)]

    async def remove_old(self, before: datetime) -> int:
        """Remove predictions and feedback from before this moment; answers how many.

        The history stays.

        Raises:
            TransientError: the database did not answer.
        """
        removed = 0
        for table in (PREDICTIONS, FEEDBACK):
            count = _BATCH
            while count == _BATCH:
                count = await self._remove_batch(table, before)
                removed += count

        async def forget_usage(connection: Connection) -> None:
            await connection.execute(queries.FORGET_USAGE, {"before": before})

        await self._connections.call(forget_usage)
        return removed

    async def _remove_batch(self, table: str, before: datetime) -> int:
        async def remove(connection: Connection) -> int:
            async with connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = '25s'")
                cursor = await connection.execute(
                    queries.remove_old(table), {"before": before, "limit": _BATCH}
                )
                return cursor.rowcount

        return await self._connections.call(remove, deadline=_BATCH_SECONDS)

    async def _rows(self, query: str, subject: Subject, stable: str = "") -> list[tuple[Any, ...]]:
        asked = dataclasses.asdict(subject) | {"stable": stable, "most": _MOST}

        async def read(connection: Connection) -> list[tuple[Any, ...]]:
            ((start,),) = await (await connection.execute(queries.START, asked)).fetchall()
            return await (await connection.execute(query, asked | {"since": start})).fetchall()

        return await self._connections.call(read)


async def _forget(connection: Connection, schema: str, study: Mapping[str, str]) -> None:
    """Remove the study from this schema, where there is one."""
    await connection.execute(f"SET LOCAL statement_timeout = '{_STUDY_SECONDS - 1:g}s'")
    has_studies = await connection.execute(queries.HAS_STUDIES, {"schema": schema})
    if not await has_studies.fetchone():
        return
    name = sql.Identifier(schema)
    for statement in queries.REMOVE_STUDY:
        # With parameters, and so without the rows that a rule of the tenant's might answer with.
        await connection.execute(sql.SQL(statement).format(schema=name), study)
