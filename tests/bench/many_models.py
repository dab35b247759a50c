"""Weight changes of one Model among a thousand in one gateway, and what they take of memory.

Set up as for `weight_changes`, with a client that asks one request after the other.
"""

import asyncio
import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.machine import processor_seconds, resident_mebibytes
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from fairlead_contract.cluster import GATEWAY
from support.fake_api import FakeApi
from support.gateway import (
    NAMESPACE,
    Caller,
    EnvoyProcess,
    agent_process,
    eventually,
    local_settings,
    model_server,
)
from support.gateway_world import NEW, OLD, READY, World

NAME = "many-models"
SIZES = (1, 100, 1000)  # Models
CHANGES = 200
GOAL_SECONDS = 0.05

_REST_SECONDS = 0.1  # after each change


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One size of gateway."""

    models: int
    answers: list[float]  # seconds from a write to the first answer by the new weights
    lost: int
    agent_processor_seconds: float  # of all changes together
    envoy_processor_seconds: float
    agent_mebibytes: float
    envoy_mebibytes: float


def run(say: Callable[[str], None]) -> Result:
    """Change weights in gateways of growing size."""
    return to_result([asyncio.run(measure(models, say)) for models in SIZES])


async def measure(models: int, say: Callable[[str], None]) -> Measured:
    """Bring up a gateway with so many Models, measure, take it down."""
    names = [f"model-{number}" for number in range(models)]
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = FakeApi()
        await api.start()
        stack.push_async_callback(api.stop)
        await api.apply("configmaps", {"metadata": {"name": GATEWAY, "namespace": NAMESPACE}})
        servers = {
            version: await stack.enter_async_context(model_server(version))
            for version in (OLD, NEW)
        }
        world = World(api=api, settings=local_settings(directory, api), servers=servers)
        for name in names:
            for version in servers:
                await world.pods(version, READY, model=name)
            await world.route({NEW: 0, OLD: 100}, model=name)
        envoy = await stack.enter_async_context(EnvoyProcess(world.settings))
        agent = await stack.enter_async_context(agent_process(world.settings))
        caller = await stack.enter_async_context(Caller(world.settings))

        async def serves() -> bool:
            return world.applied(names[-1]) != {}

        await eventually(serves, seconds=120, pause=0.1)
        say(f"{models} Models are served; {CHANGES} weight changes")
        pids = (agent.pid, envoy.process.pid if envoy.process else 0)
        busy = [processor_seconds(pid) for pid in pids]
        answers, lost = [], 0
        for number in range(CHANGES):
            # Each Model in its turn, from all of its traffic on one version to all on the other.
            name, turn = names[number % models], number // models
            seconds, failed = await _until_answered(world, caller, name, turn)
            answers.append(seconds)
            lost += failed
        agent_seconds, envoy_seconds = (
            processor_seconds(pid) - before for pid, before in zip(pids, busy, strict=True)
        )
        agent_mebibytes, envoy_mebibytes = (resident_mebibytes(pid) for pid in pids)
        return Measured(
            models=models,
            answers=answers,
            lost=lost,
            agent_processor_seconds=agent_seconds,
            envoy_processor_seconds=envoy_seconds,
            agent_mebibytes=agent_mebibytes,
            envoy_mebibytes=envoy_mebibytes,
        )


async def _until_answered(world: World, caller: Caller, model: str, turn: int) -> tuple[float, int]:
    """Seconds until the version that got all the traffic answers, and failed requests before."""
    wanted = NEW if turn % 2 == 0 else OLD
    lost = 0
    began = time.perf_counter()
    await world.route({NEW: 100, OLD: 0} if wanted == NEW else {NEW: 0, OLD: 100}, model=model)
    while True:
        status, _, headers = await caller.call(model)
        lost += status != 200
        if headers.get("x-fairlead-version") == wanted:
            break
    seconds = time.perf_counter() - began
    await asyncio.sleep(_REST_SECONDS)
    return seconds, lost


def to_result(measured: list[Measured]) -> Result:
    """Sum up.  Pure."""
    largest = measured[-1]
    seconds = {each.models: summarize(each.answers) for each in measured}
    lost = sum(each.lost for each in measured)
    p99 = seconds[largest.models].p99
    return Result(
        name=NAME,
        headers=(
            *("Models", "changes", "min ms", "median ms", "p99 ms", "max ms"),
            *("agent CPU ms", "Envoy CPU ms", "agent MiB", "Envoy MiB"),
        ),
        rows=tuple(_row(each, seconds[each.models]) for each in measured),
        goals=(
            Goal(
                wanted=f"p99 of a weight change among {largest.models:,} Models below "
                f"{GOAL_SECONDS * 1000:g} ms ({p99 * 1000:.0f} ms)",
                is_met=p99 < GOAL_SECONDS,
            ),
            Goal(wanted=f"no failed request ({lost} failed)", is_met=not lost),
        ),
        numbers={
            str(each.models): {
                "write_to_new_answer_seconds": dataclasses.asdict(seconds[each.models]),
                "processor_seconds": {
                    "agent": each.agent_processor_seconds,
                    "envoy": each.envoy_processor_seconds,
                },
                "resident_mebibytes": {
                    "agent": each.agent_mebibytes,
                    "envoy": each.envoy_mebibytes,
                },
            }
            for each in measured
        },
    )


def _row(measured: Measured, seconds: Summary) -> tuple[str, ...]:
    values = (
        *(seconds.minimum, seconds.median, seconds.p99, seconds.maximum),
        measured.agent_processor_seconds / seconds.count,
        measured.envoy_processor_seconds / seconds.count,
    )
    return (
        f"{measured.models:,}",
        str(seconds.count),
        *(f"{value * 1000:.1f}" for value in values),
        f"{measured.agent_mebibytes:.0f}",
        f"{measured.envoy_mebibytes:.0f}",
    )
