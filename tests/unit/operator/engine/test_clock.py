"""A clock that jumps is seen, and one that goes is not."""

import asyncio
import contextlib
from datetime import datetime, timedelta

import pytest

from fairlead_operator.engine.clock import keep_clock
from support.fakes import START
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures


@pytest.mark.parametrize(
    ("jump", "times"),
    [
        pytest.param(timedelta(), 0, id="it goes"),
        pytest.param(timedelta(seconds=0.5), 0, id="it is corrected"),
        pytest.param(timedelta(hours=3), 1, id="forward"),
        pytest.param(timedelta(days=-400), 1, id="backward"),
    ],
)
@pytest.mark.usefixtures("quick_time")
async def test_each_jump_is_told_once(jump: timedelta, times: int) -> None:
    loop, begun, told = asyncio.get_running_loop(), asyncio.get_running_loop().time(), []

    def now() -> datetime:
        passed = timedelta(seconds=loop.time() - begun)
        return START + passed + (jump if passed > timedelta(seconds=25) else timedelta())

    task = asyncio.create_task(keep_clock(now, lambda: told.append(loop.time())))
    await asyncio.sleep(100)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert len(told) == times
