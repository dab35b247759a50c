"""Failed requests over weight changes under load, with a real Envoy and the agent beside it.

    python tests/bench/weight_changes.py [--changes 200] [--rate 200] [--models 1]

Prints one JSON document.  Each change goes the whole way: ConfigMap → watch → agent → Envoy →
acknowledgement → report; latencies are from the write to each of the last two, and the first
answer by the new weights is measured apart, without load.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fairlead_serving.gateway.applied import CONFIG_MAP
from support.fake_api import FakeApi
from support.gateway import (
    MODEL,
    NAMESPACE,
    POD,
    Caller,
    EnvoyProcess,
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

OLD, NEW = "1.0.0", "1.1.0"


async def measure(changes: int, rate: float, models: int) -> dict[str, Any]:
    """Bring everything up, measure, take it down."""
    async with contextlib.AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = FakeApi()
        await api.start()
        stack.push_async_callback(api.stop)
        await api.apply("configmaps", {"metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE}})
        for version in (OLD, NEW):
            port = await stack.enter_async_context(model_server(version))
            service = service_of(MODEL, version)
            await api.apply("endpointslices", endpoint_slice(service, port, {"ready": True}))
        await _write(api, {NEW: 0, OLD: 100})
        await _crowd(api, models - 1)
        settings = local_settings(directory, api)
        envoy = await stack.enter_async_context(EnvoyProcess(settings))
        agent = await stack.enter_async_context(agent_process(settings))
        await eventually(lambda: is_ready(settings.ports.metrics, "/ready"), seconds=60)
        caller = await stack.enter_async_context(Caller(settings))
        answers = [await _until_answered(api, caller, number) for number in range(changes // 2)]
        async with caller.load(rate) as tally:
            reports = [await _until_reported(api, number) for number in range(changes)]
        return {
            "models": models,
            "changes": changes,
            "requests": tally.total,
            "failed": len(tally.failures),
            "failures": tally.failures[:5],
            "write_to_new_answer_ms": _summary(answers),
            "write_to_report_ms": _summary(reports),
            "rss_mb": {
                "agent": _resident(agent.pid),
                "envoy": _resident(envoy.process.pid if envoy.process else 0),
            },
        }


async def _write(api: FakeApi, weights: dict[str, int]) -> str:
    document = route_document(weights)
    await api.apply("configmaps", route_config_map(document))
    revision: str = document["revision"]
    return revision


async def _crowd(api: FakeApi, count: int) -> None:
    """Other Models, that the agent and Envoy must carry too."""
    for number in range(count):
        model = f"other-{number}"
        document = route_document({NEW: 10, OLD: 90}, model=model)
        await api.apply("configmaps", route_config_map(document, model=model))
        for version in (OLD, NEW):
            service = service_of(model, version)
            await api.apply("endpointslices", endpoint_slice(service, 9, {"ready": True}))


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
        data = api.read("configmaps", NAMESPACE, CONFIG_MAP).get("data", {})
        return json.loads(data.get(f"{MODEL}.{POD}", "{}")).get("revision") == revision

    await eventually(is_reported, pause=0.001)
    seconds = time.perf_counter() - began
    await asyncio.sleep(max(0.0, 0.04 - seconds))
    return seconds


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered) * 1000, 2),
        "p99": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
        "max": round(ordered[-1] * 1000, 2),
    }


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--models", type=int, default=1)
    options = parser.parse_args()
    result = asyncio.run(measure(options.changes, options.rate, options.models))
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
