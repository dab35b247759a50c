"""Which calls that are late are taken for a dead server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import psycopg
import pytest
from psycopg import errors

from fairlead_operator.errors import TransientError
from fairlead_operator.record import connections
from fairlead_operator.record.connect import Connection
from fairlead_operator.record.connections import Connections


class Lent:
    """A connection whose server does all it is told."""

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def execute(self, _: str) -> None:
        pass

    async def close(self) -> None:
        pass


class Lender(Connections):
    async def _connect(self) -> Connection:
        return cast("Connection", Lent())


async def never(_: Connection) -> None:
    await asyncio.Event().wait()


async def answer(_: Connection) -> str:
    return "answer"


async def test_a_call_that_outlasts_its_own_deadline_stops_no_other() -> None:
    """A study that took too long stopped the analysis of every rollout for a while."""
    lender = Lender("postgresql://database")

    with pytest.raises(TransientError, match=r"no answer within 0\.01 s"):
        await lender.call(never, deadline=0.01)

    assert await lender.call(answer, deadline=60) == "answer"


async def test_a_server_that_does_not_answer_in_time_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_DEADLINE", 0.01)
    monkeypatch.setattr(connections, "_PAUSE", 600.0)
    lender = Lender("postgresql://database")

    with pytest.raises(TransientError, match=r"no answer within 0\.01 s"):
        await lender.call(never)

    with pytest.raises(TransientError, match=r"no answer within 0\.01 s"):
        await lender.call(answer, deadline=60)  # does not even try


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        pytest.param(errors.OutOfMemory, True, id="no lock left for all the tables of a tenant"),
        pytest.param(errors.DiskFull, True, id="no space for what one writes"),
        pytest.param(errors.DeadlockDetected, True, id="two that wait for each other"),
        pytest.param(errors.ProgramLimitExceeded, True, id="a statement that is too large"),
        pytest.param(errors.QueryCanceled, True, id="a query that takes too long"),
        pytest.param(errors.AdminShutdown, False, id="it stops"),
        pytest.param(errors.CannotConnectNow, False, id="it starts"),
        pytest.param(errors.TooManyConnections, False, id="it has no connection left"),
        pytest.param(errors.ConnectionFailure, False, id="the connection broke"),
        pytest.param(psycopg.OperationalError, False, id="it cannot be reached"),
    ],
)
async def test_a_server_that_refuses_one_call_is_asked_by_others(
    error: type[psycopg.Error], goes_on: bool
) -> None:
    async def refuse(_: Connection) -> None:
        raise error("words")

    lender = Lender("postgresql://database")
    with pytest.raises(TransientError):
        await lender.call(refuse, deadline=60)

    try:
        went_on = await lender.call(answer, deadline=60) == "answer"
    except TransientError:
        went_on = False

    assert went_on == goes_on
