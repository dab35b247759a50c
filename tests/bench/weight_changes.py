"""Failed requests over weight changes under load, with a real Envoy and the agent beside it.

Each change goes the whole way: ConfigMap → watch → agent → Envoy →
acknowledgement → report; latencies are from the write to each of the last two, and the first
answer by the new weights is measured apart, without load.
"""

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import resident_mebibytes
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from fairlead_contract.cluster import GATEWAY
from support.fake_api import FakeApi
from support.gateway import (
    MODEL,
    NAMESPACE,
    POD,
    Caller,
    EnvoyProcess,
    Tally,
    agent_process,
    endpoint_slice,
    eventually,
    is_ready,
    local_settings,
    model_server,
    route_config_map,
    route_document,
    service_of,
)

NAME = "weight-changes"
CHANGES = 200
RATE = 200.0  # requests a second
OLD, NEW = "1.0.0", "1.1.0"

_EVERY = 50  # changes from one line of progress to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of all changes."""

    answers: list[float]  # seconds from a write to the first answer by the new weights
    reports: list[float]  # seconds from a write to the report that Envoy has it in force
    tally: Tally
    agent_mebibytes: float
    envoy_mebibytes: float


def run(say: Callable[[str], None]) -> Result:
    """Change weights under load and count what clients lost."""
    say(f"{CHANGES} weight changes at {RATE:g} requests a second")
    return to_result(asyncio.run(measure(say)))


async def measure(say: Callable[[str], None]) -> Measured:
    """Bring everything up, measure, take it down."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = FakeApi()
        await api.start()
        stack.push_async_callback(api.stop)
        await api.apply("configmaps", {"metadata": {"name": GATEWAY, "namespace": NAMESPACE}})
        for version in (OLD, NEW):
            port = await stack.enter_async_context(model_server(version))
            service = service_of(MODEL, version)
            await api.apply("endpointslices", endpoint_slice(service, port, {"ready": True}))
        await _write(api, {NEW: 0, OLD: 100})
        settings = local_settings(directory, api)
        envoy = await stack.enter_async_context(EnvoyProcess(settings))
        agent = await stack.enter_async_context(agent_process(settings))
        await eventually(lambda: is_ready(settings.ports.metrics, "/ready"), seconds=60)
        caller = await stack.enter_async_context(Caller(settings))
        answers = [await _until_answered(api, caller, number) for number in range(CHANGES // 2)]
        say(f"{len(answers)} changes without load: first answer by the new weights")
        reports = []
        async with caller.load(RATE) as tally:
            for number in range(CHANGES):
                reports.append(await _until_reported(api, number))
                if (number + 1) % _EVERY == 0:
                    say(f"change {number + 1}/{CHANGES}: {len(tally.failures)} failed requests")
        return Measured(
            answers=answers,
            reports=reports,
            tally=tally,
            agent_mebibytes=resident_mebibytes(agent.pid),
            envoy_mebibytes=resident_mebibytes(envoy.process.pid if envoy.process else 0),
        )


def to_result(measured: Measured) -> Result:
    """Sum up.  Pure."""
    answers, reports = summarize(measured.answers), summarize(measured.reports)
    tally = measured.tally
    return Result(
        name=NAME,
        headers=("Milliseconds", "changes", "min", "median", "p99", "max"),
        rows=(
            _row("route written → first answer by the new weights, no load", answers),
            _row(f"route written → reported in force, {RATE:g} requests/s", reports),
        ),
        goals=(
            Goal(
                wanted=(
                    f"no failed request in {reports.count} changes "
                    f"({len(tally.failures)} of {tally.total:,} failed)"
                ),
                is_met=not tally.failures,
            ),
        ),
        numbers={
            "changes": reports.count,
            "requests": tally.total,
            "failed": len(tally.failures),
            "failures": tally.failures[:5],
            "write_to_new_answer_seconds": asdict(answers),
            "write_to_report_seconds": asdict(reports),
            "resident_mebibytes": {
                "agent": measured.agent_mebibytes,
                "envoy": measured.envoy_mebibytes,
            },
        },
    )


def _row(name: str, seconds: Summary) -> tuple[str, ...]:
    values = (seconds.minimum, seconds.median, seconds.p99, seconds.maximum)
    return (name, str(seconds.count), *(f"{value * 1000:.1f}" for value in values))


async def _write(api: FakeApi, weights: dict[str, int]) -> str:
    document = route_document(weights)
    await api.apply("configmaps", route_config_map(document))
    revision: str = document["revision"]
    return revision


async def _until_answered(api: FakeApi, caller: Caller, number: int) -> float:
    """Seconds from the write to the first answer of the version that got all the traffic."""
    wanted = NEW if number % 2 == 0 else OLD
    began = time.perf_counter()
    await _write(api, {NEW: 100, OLD: 0} if wanted == NEW else {NEW: 0, OLD: 100})
    while (await caller.call())[2].get("x-fairlead-version") != wanted:
        pass
    seconds = time.perf_counter() - began
    await asyncio.sleep(0.02)
    return seconds


async def _until_reported(api: FakeApi, number: int) -> float:
    """Seconds from the write to the report that the weights are in force."""
    weight = number % 100 + 1
    began = time.perf_counter()
    revision = await _write(api, {NEW: weight, OLD: 100 - weight})

    async def is_reported() -> bool:
        data = api.read("configmaps", NAMESPACE, GATEWAY).get("data", {})
        report = json.loads(data.get(f"{MODEL}.{POD}", "{}"))
        return bool(report.get("revision") == revision)

    await eventually(is_reported, pause=0.001)
    seconds = time.perf_counter() - began
    await asyncio.sleep(max(0.0, 0.04 - seconds))
    return seconds
