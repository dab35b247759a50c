"""The agent's own state: what it publishes and reports, news by news."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fairlead_serving.gateway.agent import Agent, Ports
from fairlead_serving.gateway.cluster.applied import Applied
from fairlead_serving.gateway.guard.burst import Burst
from fairlead_serving.gateway.guard.loop import Fallback, Guarded
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.xds.delta import Push, Rejection
from fairlead_serving.gateway.xds.target import ROUTES, Target


@dataclasses.dataclass(slots=True)
class Clock:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclasses.dataclass(slots=True)
class Outside:
    """Envoy and the operator, as the agent sees them."""

    targets: list[Target] = dataclasses.field(default_factory=list)
    applied: Mapping[str, Applied] = dataclasses.field(default_factory=dict)
    guarded: Mapping[str, Guarded] = dataclasses.field(default_factory=dict)
    fallbacks: Mapping[str, Fallback] = dataclasses.field(default_factory=dict)

    def arm(self, guarded: Mapping[str, Guarded], fallbacks: Mapping[str, Fallback]) -> None:
        self.guarded, self.fallbacks = guarded, fallbacks

    def publish(self, target: Target) -> None:
        self.targets.append(target)

    def report(self, applied: Mapping[str, Applied]) -> None:
        self.applied = applied

    def revisions(self) -> dict[str, str]:
        """What was published last, by Model."""
        return {route.model: route.revision for route in self.targets[-1].snapshot.routes}


class World:
    """An agent and all around it."""

    def __init__(self, directory: Path) -> None:
        self.outside, self.clock = Outside(), Clock()
        self.path = directory / "snapshot.json"
        self.metrics = Metrics()
        self.start()

    def start(self) -> None:
        """A new agent in the same place."""
        ports = Ports(
            envoy=self.outside,
            reports=self.outside,
            guards=self.outside,
            metrics=self.metrics,
            now=self.clock,
        )
        self.agent = Agent(ports, namespace="n", snapshot_path=self.path)

    async def routes(self, **revisions: str) -> None:
        """One route per Model, by revision; a revision `bad…` is not valid."""
        self.agent.see_routes(
            {f"{model}-route": config_map(model, each) for model, each in revisions.items()}
        )
        await asyncio.sleep(0)

    async def synced(self, **revisions: str) -> None:
        self.agent.see_slices({})
        await self.routes(**revisions)

    def settle(self) -> None:
        self.agent.settled(self.outside.targets[-1])

    async def refuse(self, message: str = "no") -> None:
        push = Push(type_url=ROUTES, nonce="1", packed={}, target=self.outside.targets[-1])
        self.agent.rejected(Rejection(push=push, message=message))
        await asyncio.sleep(0)

    def report(self, model: str) -> tuple[str | None, str | None]:
        """Revision in force and error."""
        applied = self.outside.applied[model]
        return (applied.route.revision if applied.route else None, applied.error)


def config_map(model: str, revision: str) -> dict[str, Any]:
    document = {
        "model": model,
        "namespace": "n",
        "revision": revision,
        "hosts": [] if revision.startswith("bad") else [model],
        "timeoutSeconds": 1,
        "versions": [{"version": revision, "weight": 100, "service": model}],
    }
    return {
        "metadata": {"name": f"{model}-route", "labels": {"fairlead.dev/model": model}},
        "data": {"route.json": json.dumps(document)},
    }


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_half_of_the_truth_is_not_published(world: World) -> None:
    await world.routes(a="1")

    assert world.outside.targets == []


async def test_what_is_known_is_published(world: World) -> None:
    await world.synced(a="1", b="1")

    assert world.outside.revisions() == {"a": "1", "b": "1"}


async def test_a_cluster_without_models_is_published_too(world: World) -> None:
    await world.synced()

    assert world.outside.revisions() == {}


async def test_the_same_news_twice_is_published_once(world: World) -> None:
    await world.synced(a="1")
    await world.synced(a="1")

    assert len(world.outside.targets) == 1


async def test_a_burst_of_news_is_published_once(world: World) -> None:
    world.agent.see_slices({})
    world.agent.see_routes({"a-route": config_map("a", "1")})
    world.agent.see_routes({"a-route": config_map("a", "2")})
    await asyncio.sleep(0)

    assert len(world.outside.targets) == 1
    assert world.outside.revisions() == {"a": "2"}


async def test_nothing_is_reported_before_envoy_has_it(world: World) -> None:
    await world.synced(a="1")
    assert world.outside.applied == {}

    world.settle()

    assert world.report("a") == ("1", None)


async def test_a_route_keeps_the_time_it_came_into_force(world: World) -> None:
    first = world.clock.now
    await world.synced(a="1", b="1")
    world.settle()
    second = world.clock.advance()

    await world.routes(a="1", b="2")
    world.settle()

    assert world.outside.applied["a"].at == first
    assert world.outside.applied["b"].at == second


async def test_an_invalid_route_is_reported_at_once_beside_the_one_in_force(world: World) -> None:
    await world.synced(a="1")
    world.settle()

    await world.routes(a="bad")

    assert world.report("a") == ("1", "hosts is missing or empty")
    assert len(world.outside.targets) == 1


async def test_an_invalid_first_route_is_reported_alone(world: World) -> None:
    await world.synced(a="bad")
    world.settle()

    assert world.report("a") == (None, "hosts is missing or empty")


async def test_an_invalid_route_falls_back_on_one_envoy_has_not_taken_yet(world: World) -> None:
    await world.synced(a="1")

    await world.routes(a="bad")

    assert world.outside.revisions() == {"a": "1"}


@pytest.mark.parametrize("name", ["0-copy", "a-route-backup", "old-a-route"])
async def test_a_copy_of_a_route_under_another_name_moves_no_traffic(
    world: World, name: str
) -> None:
    await world.synced(a="1")

    copied = config_map("a", "1")
    world.agent.see_routes({"a-route": config_map("a", "2"), name: copied})
    await asyncio.sleep(0)
    world.settle()

    assert world.outside.revisions() == {"a": "2"}
    assert world.report("a") == ("2", None)


async def test_a_route_is_served_whatever_a_person_makes_of_its_labels(world: World) -> None:
    relabelled = config_map("a", "1")
    relabelled["metadata"]["labels"] = {"fairlead.dev/model": "b"}
    world.agent.see_slices({})
    world.agent.see_routes({"a-route": relabelled})
    await asyncio.sleep(0)

    assert world.outside.revisions() == {"a": "1"}


async def test_a_config_map_without_label_or_data_is_named_by_its_name(world: World) -> None:
    world.agent.see_slices({})
    world.agent.see_routes({"a-route": {"metadata": {"name": "a-route"}}})
    await asyncio.sleep(0)

    assert set(world.outside.applied) == {"a"}


async def test_a_refused_route_goes_back_and_is_not_tried_again(world: World) -> None:
    await world.synced(a="1", b="1")
    world.settle()
    await world.routes(a="1", b="2")

    await world.refuse("bad domain")
    world.settle()

    assert world.outside.revisions() == {"a": "1", "b": "1"}
    assert world.report("b") == ("1", "Envoy refused the route: bad domain")


async def test_a_refused_first_route_leaves_nothing(world: World) -> None:
    await world.synced(a="1")

    await world.refuse()

    assert world.outside.revisions() == {}


async def test_a_refusal_ends_with_the_next_revision(world: World) -> None:
    await world.synced(a="1")
    await world.refuse()

    await world.routes(a="2")
    world.settle()

    assert world.report("a") == ("2", None)


async def test_routes_refused_together_are_tried_alone(world: World) -> None:
    """One bad Model must not hold back the others that changed in the same moment."""
    await world.synced(a="1", b="1", c="1")
    world.settle()
    await world.routes(a="2", b="2", c="2")

    await world.refuse()
    first = world.outside.revisions()
    world.settle()
    await asyncio.sleep(0)
    second = world.outside.revisions()
    await world.refuse("b is bad")
    third = world.outside.revisions()
    world.settle()
    await asyncio.sleep(0)

    assert first == {"a": "2", "b": "1", "c": "1"}
    assert second == {"a": "2", "b": "2", "c": "1"}
    assert third == {"a": "2", "b": "1", "c": "2"}
    assert world.report("a") == ("2", None)
    assert world.report("b") == ("1", "Envoy refused the route: b is bad")
    assert world.report("c") == ("2", None)


async def test_a_refusal_of_endpoints_blames_no_route(world: World) -> None:
    await world.synced(a="1")
    world.settle()

    await world.refuse()

    assert world.report("a") == ("1", None)


async def test_the_kept_snapshot_is_served_until_the_cluster_is_read(world: World) -> None:
    await world.synced(a="1")
    world.settle()
    restarted = World(world.path.parent)

    restarted.agent.load()
    restarted.settle()

    assert restarted.outside.revisions() == {"a": "1"}
    assert restarted.outside.applied == {}  # the Models are not known yet


async def test_the_kept_snapshot_is_what_an_invalid_route_falls_back_on(world: World) -> None:
    await world.synced(a="1")
    world.settle()
    restarted = World(world.path.parent)

    restarted.agent.load()
    restarted.settle()
    await restarted.synced(a="bad")

    assert restarted.outside.revisions() == {"a": "1"}
    assert restarted.report("a") == ("1", "hosts is missing or empty")


async def test_only_what_envoy_took_is_kept(world: World) -> None:
    await world.synced(a="1")

    assert not world.path.exists()


async def test_without_a_kept_snapshot_nothing_is_served(world: World) -> None:
    world.agent.load()

    assert world.outside.targets == []


async def test_a_full_disk_does_not_stop_the_routes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.path = world.path.parent / "missing" / "snapshot.json"
    world.start()
    await world.synced(a="1")

    world.settle()

    assert world.report("a") == ("1", None)


BURST = Burst(message="12 of 14 answers failed", requests=14, failures=12)


async def guarded(world: World, weight: int, *, guard_id: str = "g") -> None:
    """A route of Model `a` with a candidate `2` under guard."""
    document = json.loads(config_map("a", f"{guard_id}-{weight}")["data"]["route.json"])
    document["versions"] = [
        {"version": "2", "weight": weight, "service": "a-2"},
        {"version": "1", "weight": 100 - weight, "service": "a-1"},
    ]
    document["guard"] = {
        "id": guard_id,
        "versions": ["2"],
        "fallback": "1",
        "minRequests": 10,
        "maxFailureRatio": 0.5,
        "maxRefusalRatio": 0.5,
        "windowSeconds": 2,
    }
    config = config_map("a", "1") | {"data": {"route.json": json.dumps(document)}}
    world.agent.see_routes({"a-route": config})
    await asyncio.sleep(0)


def both_have_pods(world: World) -> None:
    world.agent.see_slices(
        {
            f"a-{version}": {
                "metadata": {"labels": {"kubernetes.io/service-name": f"a-{version}"}},
                "ports": [{"port": 3000}],
                "endpoints": [{"addresses": ["10.0.0.1"]}],
            }
            for version in "12"
        }
    )


def weights(world: World) -> dict[str, int]:
    """What was published last of Model `a`."""
    return world.outside.targets[-1].snapshot.routes[0].weights


@pytest.fixture
async def rollout(world: World) -> Guarded:
    """A candidate with 20 % that is guarded."""
    both_have_pods(world)
    await guarded(world, 20)
    world.settle()
    return world.outside.guarded["n|a|2"]


async def test_a_version_is_guarded_once_envoy_has_its_route(world: World) -> None:
    both_have_pods(world)
    await guarded(world, 20)
    before = world.outside.guarded
    world.settle()

    assert before == {}
    assert set(world.outside.guarded) == {"n|a|2"}
    assert world.outside.fallbacks["n|a|1"].share == 80


async def test_a_burst_takes_the_version_out(world: World, rollout: Guarded) -> None:
    world.agent.trip(rollout, BURST)
    world.settle()

    applied = world.outside.applied["a"]
    assert weights(world) == {"2": 0, "1": 100}
    assert world.outside.guarded == {}
    assert json.loads(applied.to_text()) == {
        "revision": "g-20",
        "weights": {"2": 0, "1": 100},
        "at": "2026-01-01T00:00:00.000Z",
        "tripped": {
            "2": {
                "guard": "g",
                "at": "2026-01-01T00:00:00.000Z",
                "message": "12 of 14 answers failed",
                "requests": 14,
                "failures": 12,
            }
        },
    }
    assert world.metrics.trips.labels("a", "2")._value.get() == 1


async def test_a_second_burst_before_envoy_has_answered_changes_nothing(
    world: World, rollout: Guarded
) -> None:
    world.agent.trip(rollout, BURST)
    world.agent.trip(rollout, BURST)

    assert len(world.outside.targets) == 2
    assert world.metrics.trips.labels("a", "2")._value.get() == 1


async def test_newer_weights_of_the_same_rollout_do_not_bring_it_back(
    world: World, rollout: Guarded
) -> None:
    world.agent.trip(rollout, BURST)
    await guarded(world, 50)

    assert weights(world) == {"2": 0, "1": 100}


async def test_the_next_rollout_begins_without_the_trip(world: World, rollout: Guarded) -> None:
    world.agent.trip(rollout, BURST)
    await guarded(world, 50, guard_id="next")
    world.settle()

    assert weights(world) == {"2": 50, "1": 50}
    assert world.outside.applied["a"].tripped == {}


async def test_a_late_burst_of_the_last_rollout_does_not_end_the_next(
    world: World, rollout: Guarded
) -> None:
    await guarded(world, 50, guard_id="next")
    world.agent.trip(rollout, BURST)

    assert weights(world) == {"2": 50, "1": 50}


async def test_a_trip_is_kept_before_envoy_has_it(world: World, rollout: Guarded) -> None:
    """And so survives an agent that dies in between, with the API server away."""
    world.agent.trip(rollout, BURST)

    world.start()
    world.agent.load()

    assert weights(world) == {"2": 0, "1": 100}


async def test_a_trip_survives_a_restart_with_the_cluster_back(
    world: World, rollout: Guarded
) -> None:
    world.agent.trip(rollout, BURST)
    world.settle()
    world.start()
    world.agent.load()
    both_have_pods(world)
    await guarded(world, 60)

    assert weights(world) == {"2": 0, "1": 100}


async def test_a_kept_route_is_guarded_without_the_cluster(world: World, rollout: Guarded) -> None:
    world.start()
    world.outside.guarded = {}
    world.agent.load()
    world.settle()
    world.agent.trip(world.outside.guarded["n|a|2"], BURST)

    assert weights(world) == {"2": 0, "1": 100}
