"""The queue: once each, never twice at a time, back with back-off."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.keys import Key
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures

KEY = Key("Model", "energy", "m")
Handle = Callable[[Key], Awaitable[timedelta | None]]


async def drain(queue: WorkQueue, handle: Handle, *, until: Callable[[], bool]) -> None:
    """Work with two workers until the condition holds."""
    workers = [asyncio.create_task(queue.work(handle, lambda *_: None)) for _ in range(2)]
    async with asyncio.timeout(60):
        while not until():  # noqa: ASYNC110  the condition is the test's, not an event
            await asyncio.sleep(0)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def test_a_key_added_many_times_is_worked_on_once() -> None:
    queue, seen = WorkQueue(), []

    async def handle(key: Key) -> None:
        seen.append(key)

    for _ in range(5):
        queue.add(KEY)
    await drain(queue, handle, until=lambda: bool(seen) and len(queue) == 0)

    assert seen == [KEY]


async def test_a_key_is_never_worked_on_twice_at_once_and_comes_back() -> None:
    queue, running, most, turns = WorkQueue(), 0, 0, 0

    async def handle(key: Key) -> None:
        nonlocal running, most, turns
        running += 1
        most = max(most, running)
        if turns == 0:
            queue.add(key)
            await asyncio.sleep(0)
        running -= 1
        turns += 1

    queue.add(KEY)
    await drain(queue, handle, until=lambda: turns == 2)

    assert most == 1


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        pytest.param(4.0, ["urgent", "b", "a"], id="what came shortly before is overtaken"),
        pytest.param(6.0, ["b", "a", "urgent"], id="nothing is overtaken for ever"),
    ],
)
@pytest.mark.usefixtures("quick_time")
async def test_what_is_urgent_has_a_head_start(pause: float, expected: list[str]) -> None:
    queue, taken = WorkQueue(lambda key: 5.0 if key.name == "urgent" else 0.0), []

    async def handle(key: Key) -> None:
        taken.append(key.name)

    for name in ("b", "a"):
        queue.add(Key("Model", "energy", name))
    await asyncio.sleep(pause)
    queue.add(Key("Rollout", "energy", "urgent"))
    await drain(queue, handle, until=lambda: len(taken) == 3)

    assert taken == expected


async def test_what_becomes_urgent_while_it_waits_is_taken_early_and_once() -> None:
    head_starts, taken = {"b": 2.0, "a": 1.0, "last": -3600.0}, []
    queue = WorkQueue(lambda key: head_starts[key.name])

    async def handle(key: Key) -> None:
        taken.append(key.name)

    for name in head_starts:
        queue.add(Key("Model", "energy", name))
    head_starts["a"] = 3600.0
    queue.add(Key("Model", "energy", "a"))
    length = len(queue)
    await drain(queue, handle, until=lambda: "last" in taken)

    assert length == 3
    assert taken == ["a", "b", "last"]


async def test_a_failure_comes_back_and_a_success_forgives() -> None:
    queue, turns = WorkQueue(), 0

    async def handle(key: Key) -> None:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise RuntimeError("not yet")

    queue.add(KEY)
    await drain(queue, handle, until=lambda: turns == 3)

    assert queue.failures(KEY) == 0


async def test_the_soonest_of_several_wishes_is_kept() -> None:
    queue, seen = WorkQueue(), []

    async def handle(key: Key) -> None:
        seen.append(key)

    queue.add_after(KEY, timedelta(hours=1))
    queue.add_after(KEY, timedelta(milliseconds=1))
    queue.add_after(KEY, timedelta(hours=2))
    await drain(queue, handle, until=lambda: bool(seen))
    queue.forget(KEY)

    assert seen == [KEY]


async def test_all_that_wait_for_a_moment_can_be_hurried() -> None:
    queue, seen = WorkQueue(), []
    keys = [Key("Model", "energy", name) for name in ("a", "b")]

    async def handle(key: Key) -> None:
        seen.append(key)

    for key in keys:
        queue.add_after(key, timedelta(days=300))
    queue.hurry()
    queue.hurry()
    await drain(queue, handle, until=lambda: len(seen) == 2 and len(queue) == 0)

    assert seen == keys
