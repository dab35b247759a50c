"""What the operator is told, and when a key is written again."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairlead_contract.cluster import GATEWAY
from fairlead_serving.gateway.cluster.applied import Applied, Reporter, difference
from fairlead_serving.gateway.cluster.kubernetes import Manifest
from fairlead_serving.gateway.routes.route import Route, Version

NOW = datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
ROUTE = Route(
    namespace="n",
    model="m",
    revision="9f2c",
    hosts=("m",),
    timeout_seconds=1,
    versions=(
        Version(version="1.1.0", weight=10, service="a"),
        Version(version="1.0.0", weight=90, service="b"),
    ),
)
IN_FORCE: dict[str, Any] = {
    "revision": "9f2c",
    "weights": {"1.1.0": 10, "1.0.0": 90},
    "at": "2026-01-01T00:00:00.123Z",
}


@pytest.mark.parametrize(
    ("applied", "document"),
    [
        pytest.param(Applied(route=ROUTE, at=NOW), IN_FORCE, id="in force"),
        pytest.param(
            Applied(route=ROUTE, at=NOW, error="bad"), IN_FORCE | {"error": "bad"}, id="refused"
        ),
        pytest.param(
            Applied(route=ROUTE, at=NOW, waiting="for pods"),
            IN_FORCE | {"waiting": "for pods"},
            id="waiting",
        ),
        pytest.param(
            Applied(route=None, at=NOW, error="bad"),
            {"revision": None, "weights": {}, "at": IN_FORCE["at"], "error": "bad"},
            id="refused, and nothing before it",
        ),
    ],
)
def test_the_document(applied: Applied, document: dict[str, Any]) -> None:
    assert json.loads(applied.to_text()) == document


def test_each_model_has_a_key_of_this_pod() -> None:
    applied = Applied(route=ROUTE, at=NOW)

    assert difference({"m": applied}, {}, pod="p") == {"m.p": applied.to_text()}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param({"m.p": json.dumps(IN_FORCE)}, set(), id="the same"),
        pytest.param({"m.p": json.dumps(IN_FORCE | {"at": "earlier"})}, set(), id="older news"),
        pytest.param({"m.p": json.dumps(IN_FORCE | {"revision": "1"})}, {"m.p"}, id="another"),
        pytest.param({"m.p": json.dumps(IN_FORCE | {"error": "x"})}, {"m.p"}, id="error is over"),
        pytest.param({"m.p": "{"}, {"m.p"}, id="not JSON"),
        pytest.param({"m.p": "7"}, {"m.p"}, id="not an object"),
        pytest.param({"m.p": json.dumps(IN_FORCE), "old.p": "{}"}, {"old.p"}, id="Model is gone"),
    ],
)
def test_only_differences_are_written(written: dict[str, str], expected: set[str]) -> None:
    later = Applied(route=ROUTE, at=NOW + timedelta(hours=1))

    assert set(difference({"m": later}, written, pod="p")) == expected


def test_a_key_is_removed_by_null() -> None:
    assert difference({}, {"old.p": "{}"}, pod="p") == {"old.p": None}


def test_what_is_unchanged_is_neither_written_again_nor_removed() -> None:
    applied = Applied(route=ROUTE, at=NOW)

    patch = difference({"m": applied}, {"m.p": "{}"}, pod="p", unchanged=frozenset({"m"}))

    assert patch == {}


class Cluster:
    """The ConfigMap, and a watch of it that tells the agent when it is told to."""

    def __init__(self) -> None:
        self.data: dict[str, str] = {}
        self.asked: list[str] = []

    async def get(self, _: str) -> Manifest:
        self.asked.append("get")
        return self.item()

    async def merge_patch(self, _: str, patch: Manifest) -> None:
        self.asked.append("patch")
        self.data.update(patch["data"])

    def item(self) -> Manifest:
        return {"data": dict(self.data)}


@contextlib.asynccontextmanager
async def reporting(cluster: Cluster) -> AsyncIterator[Reporter]:
    reporter = Reporter(cluster, namespace="n", pod="p")  # type: ignore[arg-type]
    task = asyncio.create_task(reporter.run())
    yield reporter
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def turns() -> None:
    """Let what is ready run: nothing here waits for anything else."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param({}, id="deleted and made anew"),
        pytest.param({"m.q": "{}"}, id="this pod's keys"),
        pytest.param({"m.p": "{}", "m.q": "{}"}, id="written over"),
    ],
)
async def test_what_somebody_took_away_is_written_again_without_a_new_route(
    left: dict[str, str],
) -> None:
    cluster, applied = Cluster(), Applied(route=ROUTE, at=NOW)
    async with reporting(cluster) as reporter:
        reporter.report({"m": applied})
        await turns()
        cluster.data = dict(left)
        reporter.see({GATEWAY: cluster.item()})
        await turns()

    assert cluster.data == {**left, "m.p": applied.to_text()}


async def test_what_is_there_as_written_costs_no_call() -> None:
    cluster, applied = Cluster(), Applied(route=ROUTE, at=NOW)
    async with reporting(cluster) as reporter:
        reporter.report({"m": applied})
        await turns()
        reporter.see({GATEWAY: cluster.item()})
        reporter.see({GATEWAY: {"data": {**cluster.item()["data"], "m.q": "{}"}}})
        reporter.see({"a-copy": {"data": {}}})
        reporter.see({})
        await turns()

    assert cluster.asked == ["get", "patch"]


async def test_an_old_view_of_it_costs_a_look_and_no_write() -> None:
    cluster = Cluster()
    async with reporting(cluster) as reporter:
        reporter.report({"m": Applied(route=ROUTE, at=NOW)})
        await turns()
        reporter.see({GATEWAY: {"data": {}}})
        await turns()

    assert cluster.asked == ["get", "patch", "get"]


async def test_what_an_earlier_agent_of_the_pod_wrote_stays_until_routes_are_known() -> None:
    cluster = Cluster()
    cluster.data = {"m.p": json.dumps(IN_FORCE)}
    async with reporting(cluster) as reporter:
        reporter.see({GATEWAY: cluster.item()})
        await turns()

    assert cluster.asked == []
