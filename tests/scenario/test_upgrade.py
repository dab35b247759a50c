"""Another image reaches one Model, or one namespace's gateway, at a time; which is by the form."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.engine.controller import Controller
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


def upgrade(world: World, **images: str) -> None:
    """Restart the operator with other images: a new one to serve, if none are given."""
    world.restart_operator()
    ports = dataclasses.replace(world.ports, upgrades=Upgrades())
    watched = dataclasses.replace(ports, kube=WatchedKube(ports.kube, world.store))
    changed = dataclasses.replace(SETTINGS.images, **(images or {"serving": NEW}))
    settings = dataclasses.replace(SETTINGS, images=changed)
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


class Forms(Cluster):
    """A cluster in which an operator without an image for graphs began to serve versions."""

    async def begin(self, forms: dict[str, str], *, version: str = "1.0.0") -> None:
        for name, form in forms.items():
            self.registry.register(f"{NAMESPACE}.{name}", version)
            self.registry.form_of[version] = form
            manifest = model_manifest(version=version)
            manifest["metadata"]["name"] = name
            self.kube.put(manifest)
            await self.pass_time(timedelta(minutes=2))

    def image(self, server: str) -> str:
        deployment = self.kube.objects["Deployment", NAMESPACE, server]
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
async def forms() -> Forms:
    world = Forms()
    world.prometheus.healthy()
    await world.begin({"nsw-price": "xgboost", "qld-price": "onnx", "vic-price": "onnx"})
    return world


async def test_an_image_for_graphs_reaches_one_graph_after_the_other_and_nothing_else(
    forms: Forms,
) -> None:
    forms.starts = False
    upgrade(forms, onnx=NEW)
    await forms.pass_time(timedelta(seconds=30))
    first = upgraded(forms)

    forms.starts = True
    await forms.pass_time(timedelta(minutes=5))

    assert len(first) == 1
    assert upgraded(forms) == ["qld-price-1-0-0", "vic-price-1-0-0"]
    assert {told(forms, name)["status"] for name in NAMES[1:]} == {"True"}


@pytest.mark.parametrize(
    ("form", "image"),
    [
        pytest.param("onnx", NEW, id="a graph"),
        pytest.param("python_function", SETTINGS.images.serving, id="what is none"),
    ],
)
async def test_each_candidate_gets_the_image_of_its_own_form(
    forms: Forms, form: str, image: str
) -> None:
    upgrade(forms, onnx=NEW)
    forms.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    forms.registry.form_of["1.1.0"] = form
    forms.pin("1.1.0")
    await forms.pass_time(timedelta(minutes=1))

    assert forms.image("nsw-price-1-1-0") == image
    assert forms.image("nsw-price-1-0-0") == SETTINGS.images.serving


async def test_a_server_whose_form_was_not_known_keeps_the_image_that_opens_all(
    forms: Forms,
) -> None:
    """No answer of MLflow's, however late, replaces the pods of what serves."""
    upgrade(forms, onnx=NEW)
    forms.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    forms.registry.unreadable.add("1.1.0")
    forms.pin("1.1.0")
    await forms.pass_time(timedelta(seconds=20))

    forms.registry.unreadable.clear()
    forms.registry.form_of["1.1.0"] = "onnx"
    await forms.pass_time(timedelta(minutes=30))

    assert forms.model()["status"]["stable"]["version"] == "1.1.0"
    assert forms.image("nsw-price-1-1-0") == SETTINGS.images.serving
