"""The record's upkeep: how often, how far back, and what a dead database changes."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

import pytest

from fairlead_operator.errors import TransientError
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.retention import keep_record
from support.fakes import START, Clock


class OldRows:
    """A record that answers each removal with the next of these."""

    def __init__(self, *answers: int | TransientError) -> None:
        self._answers = list(answers)
        self.removed_before: list[datetime] = []

    async def remove_old(self, before: datetime) -> int:
        self.removed_before.append(before)
        answer = self._answers.pop(0)
        if isinstance(answer, TransientError):
            raise answer
        return answer


AWAY = TransientError("record database: away")


@pytest.mark.parametrize(
    ("answers", "pauses"),
    [
        pytest.param((12,), [3600], id="old rows went: in an hour again"),
        pytest.param((0,), [3600], id="nothing was old: in an hour again"),
        pytest.param((AWAY,), [5], id="away: soon again, since servers wait for the tables"),
        pytest.param((AWAY, AWAY, 0), [5, 5, 3600], id="away until it is back"),
    ],
)
async def test_when_it_is_tidied_again(
    answers: tuple[int | TransientError, ...], pauses: list[float]
) -> None:
    record, clock, slept = OldRows(*answers), Clock(), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(timedelta(seconds=seconds))
        if len(slept) == len(answers):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_record(
            cast("RecordClient", record), retention=timedelta(days=30), now=clock, sleep=sleep
        )

    assert slept == pauses


async def test_what_is_removed_is_older_than_the_retention_by_the_clock_of_each_round() -> None:
    record, clock, rounds = OldRows(0, 0), Clock(), iter((True, False))

    async def sleep(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))
        if not next(rounds):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await keep_record(
            cast("RecordClient", record), retention=timedelta(days=30), now=clock, sleep=sleep
        )

    first = START - timedelta(days=30)
    assert record.removed_before == [first, first + timedelta(hours=1)]


async def test_a_bug_is_not_taken_for_a_database_that_is_away() -> None:
    with pytest.raises(IndexError):
        await keep_record(cast("RecordClient", OldRows()), retention=timedelta(1), now=Clock())
