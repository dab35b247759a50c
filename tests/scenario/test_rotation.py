"""Another address of the database reaches the namespaces of all Models at once."""

import dataclasses
from base64 import b64decode

import pytest

from fairlead_operator.engine.controller import Controller
from fairlead_operator.kube.watched import WatchedKube
from support.world import NAMESPACE, SETTINGS, World, model_manifest

OTHER = "postgresql://fairlead:other@elsewhere:5432/fairlead"


def start_with(world: World, url: str) -> None:
    """Start the operator anew, as the kubelet does when a Secret of it has changed."""
    world.restart_operator()
    watched = dataclasses.replace(world.ports, kube=WatchedKube(world.ports.kube, world.store))
    settings = dataclasses.replace(SETTINGS, database_url=url)
    world.controller = Controller(world.queue, watched, settings)


def addresses(world: World) -> dict[str, str]:
    """Return what the pods of each namespace are told."""
    return {
        key[1]: b64decode(item["data"]["url"]).decode()
        for key, item in world.kube.objects.items()
        if key[0] == "Secret"
    }


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"version": "1.0.0", "serving": {"predictionLog": {"enabled": True}}},
                     id="its servers keep a record"),
        pytest.param({}, id="it is in training"),
    ],
)  # fmt: skip
async def test_nobody_has_to_touch_a_model(spec: dict[str, object]) -> None:
    world = World()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    world.registry.register("other.nsw-price", "1.0.0")
    for namespace in (NAMESPACE, "other"):
        manifest = model_manifest(**spec)
        manifest["metadata"]["namespace"] = namespace
        world.kube.put(manifest)
    await world.run()
    before = addresses(world)

    start_with(world, OTHER)
    await world.run()

    assert before.keys() == {NAMESPACE, "other"}
    assert addresses(world) == {
        namespace: url.replace("@database:", "@elsewhere:") for namespace, url in before.items()
    }
