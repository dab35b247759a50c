"""From the first bad answer a client sees to the last, with the gateway's guard alone at work.

A real Envoy and the real agent as local processes; no operator and no Prometheus, and in one case
no API server either.  50 requests a second, each over a new connection, 25 % of them to a
candidate that answers 500 from some moment on.
"""

import asyncio
import contextlib
import dataclasses
import enum
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from fairlead_contract.cluster import GATEWAY
from fairlead_serving.gateway.settings import Settings
from support.fake_api import FakeApi
from support.gateway import (
    MODEL,
    NAMESPACE,
    Conduct,
    EnvoyProcess,
    agent_process,
    eventually,
    local_settings,
    model_server,
)
from support.gateway_world import NEW, OLD, READY, World

NAME = "guard"
RUNS = 30  # of each case
RATE = 50.0  # requests a second
CANDIDATE_PERCENT = 25
GOAL_SECONDS = 1.5

_LIMITS: Mapping[str, Any] = {
    "versions": [NEW],
    "fallback": OLD,
    "minRequests": 10,
    "maxFailureRatio": 0.5,
    "windowSeconds": 2,
}
_GOOD_SECONDS = 2.5  # longer than the window, so that it is full of good answers
_QUIET_SECONDS = 1.5  # without a bad answer before a run is over
_LONGEST_SECONDS = 30.0
_EVERY = 10  # runs from one line of progress to the next


class Case(enum.StrEnum):
    """What differs between the rows."""

    TURNS_BAD = "turns bad"
    TURNS_BAD_ALONE = "turns bad, API server away"
    BAD_FROM_START = "bad from its first request"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What clients saw in one run."""

    seconds: float  # from the first bad answer to the last
    bad: int  # answers 500
    lost: int  # any other failure
    requests: int


@dataclasses.dataclass(slots=True)
class _Answers:
    requests: int = 0
    lost: int = 0
    bad: list[float] = dataclasses.field(default_factory=list)  # when they came

    def have_ended(self) -> bool:
        return bool(self.bad) and time.perf_counter() - self.bad[-1] > _QUIET_SECONDS


def run(say: Callable[[str], None]) -> Result:
    """Let candidates go bad and count what clients saw."""
    say(f"{RUNS} runs of each of {len(Case)} cases at {RATE:g} requests a second")
    return to_result(asyncio.run(measure(say)))


async def measure(say: Callable[[str], None]) -> dict[Case, list[Run]]:
    """Bring everything up, measure each case, take it down."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api, candidate = FakeApi(), Conduct()
        await api.start()
        stack.push_async_callback(api.stop)
        await api.apply("configmaps", {"metadata": {"name": GATEWAY, "namespace": NAMESPACE}})
        servers = {
            OLD: await stack.enter_async_context(model_server(OLD)),
            NEW: await stack.enter_async_context(model_server(NEW, candidate)),
        }
        world = World(api=api, settings=local_settings(directory, api), servers=servers)
        for version in servers:
            await world.pods(version, READY)
        await world.route({NEW: 0, OLD: 100})
        await stack.enter_async_context(EnvoyProcess(world.settings))
        await stack.enter_async_context(agent_process(world.settings))
        await world.until_ready()
        found: dict[Case, list[Run]] = {}
        for case in Case:
            runs = found[case] = []
            for number in range(RUNS):
                runs.append(await _run_once(world, candidate, case, f"{case}-{number}"))
                if (number + 1) % _EVERY == 0:
                    say(f"{case}, run {number + 1}/{RUNS}: {runs[-1].seconds:.2f} s")
        return found


async def _run_once(world: World, candidate: Conduct, case: Case, guard_id: str) -> Run:
    candidate.status = 500 if case is Case.BAD_FROM_START else 200
    split = {NEW: CANDIDATE_PERCENT, OLD: 100 - CANDIDATE_PERCENT}
    async with _load(world.settings) as answers:
        await world.until_applied(await world.route(split, guard={"id": guard_id, **_LIMITS}))
        if case is not Case.BAD_FROM_START:
            await asyncio.sleep(_GOOD_SECONDS)
        if case is Case.TURNS_BAD_ALONE:
            await world.api.stop()
        candidate.status = 500

        async def is_over() -> bool:
            return answers.have_ended()

        await eventually(is_over, seconds=_LONGEST_SECONDS)
    if case is Case.TURNS_BAD_ALONE:
        await world.api.start()
    await world.until_applied(await world.route({NEW: 0, OLD: 100}))
    return Run(
        seconds=answers.bad[-1] - answers.bad[0],
        bad=len(answers.bad),
        lost=answers.lost,
        requests=answers.requests,
    )


@contextlib.asynccontextmanager
async def _load(settings: Settings) -> AsyncIterator[_Answers]:
    """Requests at a fixed rate, each over a connection of its own, for the length of the block."""
    answers = _Answers()
    url = f"http://127.0.0.1:{settings.ports.traffic}/predict"
    tasks: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:

        async def call() -> None:
            answers.requests += 1
            try:
                async with http.post(
                    url, json={"instances": [{}]}, headers={"Host": MODEL}
                ) as response:
                    status = response.status
            except (aiohttp.ClientError, TimeoutError):
                status = 0
            if status == 500:
                answers.bad.append(time.perf_counter())
            elif status != 200:
                answers.lost += 1

        async def run() -> None:
            began, number = time.perf_counter(), 0
            while True:
                tasks.add(task := asyncio.create_task(call()))
                task.add_done_callback(tasks.discard)
                number += 1
                await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))

        runner = asyncio.create_task(run())
        try:
            yield answers
        finally:
            runner.cancel()
            await asyncio.gather(runner, *tasks, return_exceptions=True)


def to_result(found: Mapping[Case, list[Run]]) -> Result:
    """Sum up.  Pure."""
    seconds = {case: summarize([run.seconds for run in runs]) for case, runs in found.items()}
    every = [run for runs in found.values() for run in runs]
    lost = sum(run.lost for run in every)
    total = sum(run.requests for run in every)
    worst = max(summary.p95 for summary in seconds.values())
    rows = []
    for case, runs in found.items():
        rows.append(_row(f"{case}: seconds from first to last", seconds[case], digits=2))
        rows.append(
            _row(f"{case}: bad answers", summarize([float(run.bad) for run in runs]), digits=0)
        )
    return Result(
        name=NAME,
        headers=("The candidate", "runs", "min", "median", "p95", "max"),
        rows=tuple(rows),
        goals=(
            Goal(
                wanted=f"p95 from first to last bad answer below {GOAL_SECONDS:g} s in every case",
                is_met=worst < GOAL_SECONDS,
            ),
            Goal(
                wanted=f"no other failed request ({lost} of {total:,} failed)",
                is_met=not lost,
            ),
        ),
        numbers={case: [dataclasses.asdict(run) for run in runs] for case, runs in found.items()},
    )


def _row(name: str, summary: Summary, *, digits: int) -> tuple[str, ...]:
    values = (summary.minimum, summary.median, summary.p95, summary.maximum)
    return (name, str(summary.count), *(f"{value:.{digits}f}" for value in values))
