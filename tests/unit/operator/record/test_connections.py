"""Which calls that are late are taken for a dead server."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

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
