"""A new serving image reaches one Model, or one namespace's gateway, at a time."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.engine.controller import Controller
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.upgrades import Upgrades
from support.world import NAMESPACE, SETTINGS, World, model_manifest

NAMES = ("nsw-price", "qld-price", "vic-price")
NEW = "fairlead/serving:2"


class Cluster(World):
    """A cluster where the new image may not start beside the old pods."""

    starts = True
    stuck: frozenset[str] = frozenset()  # Deployments whose pods do not start in any case

    def _deployment(self, namespace: str, name: str, item: dict[str, Any]) -> None:
        super()._deployment(namespace, name, item)
        is_new = item["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
        missing = 0 if (self.starts and name not in self.stuck) or not is_new else 1
        meta = {"namespace": namespace, "name": name}
        status = {"unavailableReplicas": missing}
        self.kube.put({"kind": "Deployment", "metadata": meta, "status": status})

    def _gateway(self, namespace: str) -> None:
        super()._gateway(namespace)
        gateway = self.kube.objects["Deployment", namespace, "fairlead-gateway"]
        status = {"observedGeneration": gateway["metadata"]["generation"], "availableReplicas": 1}
        meta = {"namespace": namespace, "name": "fairlead-gateway"}
        self.kube.put({"kind": "Deployment", "metadata": meta, "status": status})


@pytest.fixture
async def world() -> Cluster:
    """Return a cluster in which three Models serve."""
    world = Cluster()
    world.prometheus.healthy()
    for name in NAMES:
        world.registry.register(f"{NAMESPACE}.{name}", "1.0.0")
        manifest = model_manifest(version="1.0.0")
        manifest["metadata"]["name"] = name
        world.kube.put(manifest)
    await world.pass_time(timedelta(minutes=2))
    return world


def upgrade(world: World) -> None:
    world.restart_operator()
    ports = dataclasses.replace(world.ports, upgrades=Upgrades())
    watched = dataclasses.replace(ports, kube=WatchedKube(ports.kube, world.store))
    images = Images(
        training="fairlead/training:2", serving=NEW, pull_policy="IfNotPresent", pull_secrets=()
    )
    settings = dataclasses.replace(SETTINGS, images=images)
    world.controller = Controller(world.queue, watched, settings)


def upgraded(world: World) -> list[str]:
    return [
        key[2]
        for key, item in sorted(world.kube.objects.items())
        if key[0] == "Deployment"
        and item["spec"]["template"]["spec"]["containers"][0]["image"] == NEW
    ]


def told(world: World, name: str) -> dict[str, str]:
    conditions = world.model(name)["status"]["conditions"]
    return next((entry for entry in conditions if entry["type"] == "Upgraded"), {})


async def test_each_waits_for_the_one_before_and_says_so(world: Cluster) -> None:
    world.starts = False
    upgrade(world)
    await world.pass_time(timedelta(seconds=30))

    assert len([name for name in upgraded(world) if name != "fairlead-gateway"]) == 1
    waiting = [told(world, name).get("message", "") for name in NAMES]
    assert sum("one at a time" in message for message in waiting) >= 2

    world.starts = True
    await world.pass_time(timedelta(minutes=5))
    assert len(upgraded(world)) == 4  # and the gateway
    assert {told(world, name)["status"] for name in NAMES} == {"True"}


async def test_an_image_that_does_not_start_reaches_one_and_holds_the_others_up_for_a_time(
    world: Cluster,
) -> None:
    upgrade(world)
    world.starts = False
    await world.pass_time(timedelta(minutes=8))
    (first,) = (name for name in upgraded(world) if name != "fairlead-gateway")
    waiting = "".join(told(world, name)["message"] for name in NAMES)

    world.starts, world.stuck = True, frozenset({first})
    await world.pass_time(timedelta(minutes=3))
    late = told(world, first.removesuffix("-1-0-0"))
    upgraded_meanwhile = upgraded(world)

    world.stuck = frozenset()
    await world.pass_time(timedelta(seconds=30))

    assert "one at a time" in waiting
    assert (late["status"], "are not ready after 10 minutes" in late["message"]) == ("False", True)
    assert len(upgraded_meanwhile) == 4  # and the gateway
    assert {told(world, name)["status"] for name in NAMES} == {"True"}


async def test_a_rollout_brings_the_new_image_to_its_candidate_alone(world: Cluster) -> None:
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.pin("1.1.0")
    await world.pass_time(timedelta(seconds=20))
    upgrade(world)
    await world.pass_time(timedelta(seconds=20))

    assert not [name for name in upgraded(world) if name.startswith("nsw-price")]
    await world.pass_time(timedelta(minutes=10))
    assert [name for name in upgraded(world) if name.startswith("nsw-price")] == ["nsw-price-1-1-0"]


async def test_what_a_person_asks_for_waits_for_nobody(world: Cluster) -> None:
    upgrade(world)
    world.starts = False
    await world.pass_time(timedelta(minutes=1))

    for name in NAMES:
        meta = {"namespace": NAMESPACE, "name": name}
        serving = {"resources": {"requests": {"cpu": "200m"}}}
        world.kube.put({"kind": "Model", "metadata": meta, "spec": {"serving": serving}})
    await world.run()

    assert len([name for name in upgraded(world) if name != "fairlead-gateway"]) == 3
