"""What is guarded, and what the looks lead to."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Collection, Mapping

import pytest

from fairlead_serving.gateway.guard.burst import Burst, Counts
from fairlead_serving.gateway.guard.counters import CountersError
from fairlead_serving.gateway.guard.loop import (
    Fallback,
    Guarded,
    GuardLoop,
    find_fallbacks,
    find_guarded,
)
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.options import Guard
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.xds.snapshot import Snapshot
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures
pytestmark = pytest.mark.usefixtures("quick_time")

GUARD = Guard(
    guard_id="g",
    versions=("3", "2"),
    fallback="1",
    min_requests=10,
    max_failure_ratio=0.5,
    window_seconds=60,
)
ROUTE = Route(
    namespace="n",
    model="m",
    revision="1",
    hosts=("m",),
    timeout_seconds=1,
    versions=(
        Version(version="3", weight=0, service="m-3"),
        Version(version="2", weight=10, service="m-2"),
        Version(version="1", weight=90, service="m-1"),
    ),
    guard=GUARD,
)
POD = (Endpoint(address="10.0.0.1", port=3000),)
VERSION = Guarded(model="m", version="2", guard=GUARD, share=10, fallback="n|m|1")
GUARDED = {"n|m|2": VERSION}
COMPARING = dataclasses.replace(GUARD, max_refusal_ratio=0.5, window_seconds=0.2)


def test_versions_with_traffic_are_guarded() -> None:
    assert find_guarded(Snapshot(routes=(ROUTE,), endpoints={"m-1": POD})) == GUARDED


def test_without_a_guard_or_a_place_to_fall_back_on_nothing_is() -> None:
    bare = dataclasses.replace(ROUTE, guard=None)

    assert find_guarded(Snapshot(routes=(bare,), endpoints={"m-1": POD})) == {}
    assert find_guarded(Snapshot(routes=(ROUTE,), endpoints={"m-1": (), "m-2": POD})) == {}


def test_the_fallback_is_watched_also_before_another_version_has_traffic() -> None:
    versions = (
        Version(version="2", weight=0, service="m-2"),
        Version(version="1", weight=100, service="m-1"),
    )
    before = dataclasses.replace(ROUTE, versions=versions, guard=COMPARING)
    unasked = dataclasses.replace(before, guard=GUARD)
    bare = dataclasses.replace(before, guard=None)

    assert find_fallbacks(Snapshot(routes=(before,))) == {
        "n|m|1": Fallback(guard=COMPARING, share=100)
    }
    assert find_fallbacks(Snapshot(routes=(unasked,))) == {}
    assert find_fallbacks(Snapshot(routes=(bare,))) == {}


@dataclasses.dataclass(slots=True)
class Envoy:
    """Answers with one thing after the other, the last one for ever."""

    answers: list[Mapping[str, Counts] | None]  # None: does not answer
    asked: list[set[str]] = dataclasses.field(default_factory=list)
    was_asked: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)

    async def read(self, clusters: Collection[str]) -> Mapping[str, Counts]:
        self.asked.append(set(clusters))
        self.was_asked.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise CountersError("away")
        return answer


def counted(finished: int, failed: int) -> dict[str, Counts]:
    return {"n|m|2": Counts(finished=finished, failed=failed)}


@contextlib.asynccontextmanager
async def running(
    envoy: Envoy, metrics: Metrics | None = None
) -> AsyncIterator[tuple[GuardLoop, asyncio.Queue[tuple[Guarded, Burst]]]]:
    tripped: asyncio.Queue[tuple[Guarded, Burst]] = asyncio.Queue()
    loop = GuardLoop(envoy.read, metrics or Metrics())
    task = asyncio.create_task(loop.run(lambda *what: tripped.put_nowait(what)))
    try:
        yield loop, tripped
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def asked(envoy: Envoy, times: int) -> None:
    while len(envoy.asked) < times:
        envoy.was_asked.clear()
        await envoy.was_asked.wait()


async def test_a_burst_is_said() -> None:
    envoy = Envoy([counted(5, 5), counted(20, 20)])
    async with running(envoy) as (loop, tripped):
        loop.arm(GUARDED, {})
        guarded, burst = await tripped.get()

    assert guarded == GUARDED["n|m|2"]
    assert (burst.requests, burst.failures) == (15, 15)
    assert envoy.asked[0] == {"n|m|2"}


async def test_envoy_is_asked_only_while_a_version_is_guarded() -> None:
    envoy = Envoy([counted(0, 0)])
    async with running(envoy) as (loop, _):
        await asyncio.sleep(0.15)
        before = len(envoy.asked)
        loop.arm(GUARDED, {})
        await asked(envoy, 2)
        loop.arm({}, {})
        after = len(envoy.asked)
        await asyncio.sleep(0.25)

    assert before == 0
    assert len(envoy.asked) == after


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([counted(0, 0), None, counted(20, 20)], id="Envoy was away in between"),
        pytest.param([counted(0, 0), {}, counted(20, 20)], id="the cluster was gone in between"),
        pytest.param([counted(50, 0), counted(20, 20)], id="the counters began anew"),
    ],
)
async def test_what_cannot_be_dated_is_no_burst(answers: list[Mapping[str, Counts] | None]) -> None:
    envoy, metrics = Envoy([*answers]), Metrics()
    async with running(envoy, metrics) as (loop, tripped):
        loop.arm(GUARDED, {})
        await asked(envoy, len(answers) + 2)

    assert tripped.empty()
    assert metrics.blind_looks.collect()[0].samples[0].value == answers.count(None)


async def test_a_rollout_that_is_new_begins_with_a_look_of_its_own() -> None:
    newer = dataclasses.replace(GUARD, guard_id="newer")
    envoy = Envoy([counted(0, 0), counted(20, 20)])
    async with running(envoy) as (loop, tripped):
        loop.arm(GUARDED, {})
        await asked(envoy, 1)
        loop.arm({"n|m|2": dataclasses.replace(VERSION, guard=newer)}, {})
        await asked(envoy, 4)

    assert tripped.empty()


def both(candidate: int, refused: int, fallback: int) -> dict[str, Counts]:
    return {
        "n|m|2": Counts(finished=candidate, refused=refused),
        "n|m|1": Counts(finished=fallback),
    }


async def test_refusals_are_held_against_the_fallback() -> None:
    """At first nothing is known of it; once there is, what the candidate refuses is a burst."""
    envoy = Envoy([both(20 * look, 20 * look, 200 * look) for look in range(60)])
    guarded = {"n|m|2": dataclasses.replace(VERSION, guard=COMPARING)}
    async with running(envoy) as (loop, tripped):
        loop.arm(guarded, {"n|m|1": Fallback(guard=COMPARING, share=90)})
        _, burst = await tripped.get()

    assert "1 refused 0 of" in burst.message
    assert envoy.asked[0] == {"n|m|2", "n|m|1"}


async def test_what_was_known_of_the_fallback_outlives_its_traffic() -> None:
    """All traffic at once, as with blueGreen: there is nothing to compare with any more."""
    known = [both(0, 0, 100 * look) for look in range(4)]
    switched = [both(20 * look, 20 * look, 300) for look in range(60)]
    envoy = Envoy([*known, *switched])
    guarded = {"n|m|2": dataclasses.replace(VERSION, guard=COMPARING, share=100)}
    async with running(envoy) as (loop, tripped):
        loop.arm({}, {"n|m|1": Fallback(guard=COMPARING, share=100)})
        await asked(envoy, 3)
        loop.arm(guarded, {"n|m|1": Fallback(guard=COMPARING, share=0)})
        _, burst = await tripped.get()

    assert burst.failures == burst.requests
