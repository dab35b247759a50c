"""Of which namespaces is told when an operator begins to lead."""

import asyncio
import contextlib

import pytest

from fairlead_operator.mlflow import open_runs
from support.fakes import START, FakeRegistry


@pytest.mark.parametrize("is_down", [False, True], ids=["MLflow answers", "at first it does not"])
async def test_each_namespace_with_an_open_run_is_told_once(
    monkeypatch: pytest.MonkeyPatch, *, is_down: bool
) -> None:
    monkeypatch.setattr(open_runs, "_EVERY", 0.0)
    registry, told = FakeRegistry(), list[str]()
    for key, namespace in (("a", "energy"), ("b", "energy"), ("c", "other")):
        await registry.start_run(experiment=f"{namespace}/m", name="run", key=key, now=START)
    registry.down = is_down

    finding = asyncio.create_task(open_runs.keep_finding(registry, told.append))
    await asyncio.sleep(0)
    registry.down = False
    while len(told) < 2:  # noqa: ASYNC110  the condition is the test's, not an event
        await asyncio.sleep(0)
    finding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await finding

    assert told[:2] == ["energy", "other"]
