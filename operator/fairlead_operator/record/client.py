"""``ports.Record`` on PostgreSQL."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from fairlead_contract import search
from fairlead_contract.record import FEEDBACK, PREDICTIONS
from fairlead_operator.api.builtins import Loss
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.ports import Moments, Rating, Subject, Tally
from fairlead_operator.record import queries
from fairlead_operator.record.connect import Connection
from fairlead_operator.record.connections import Connections

# Predicted rows of a Model that one question looks at: a second's work on a busy server.
_MOST: Final = 200_000
_BATCH: Final = 5000  # rows removed at once
_STUDY_SECONDS: Final = 5.0
_BATCH_SECONDS: Final = 30.0  # nobody waits for it


class RecordClient:
    """Reads what the model servers wrote; keeps the history of rollouts."""

    def __init__(self, url: str) -> None:
        self._connections = Connections(url)

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

        async def forget(connection: Connection) -> None:
            await connection.execute(f"SET LOCAL statement_timeout = '{_STUDY_SECONDS - 1:g}s'")
            ((table,),) = await (await connection.execute(queries.STUDIES)).fetchall()
            if table is None:
                return
            named = {"start": start, "end": end}
            found = await (await connection.execute(queries.FIND_STUDY, named)).fetchall()
            studies = {"studies": [study for (study,) in found]}
            for statement in queries.REMOVE_STUDY if found else ():
                await connection.execute(statement, studies)

        await self._connections.call(forget, deadline=_STUDY_SECONDS)

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
