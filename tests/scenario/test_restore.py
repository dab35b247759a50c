"""A Model that was deleted and is applied again goes on where it was."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from support.world import NAMESPACE, World, model_manifest

NAME = f"{NAMESPACE}.nsw-price"


@pytest.fixture
async def world() -> World:
    """Return a cluster where 1.0.0 was trained, served and recorded."""
    world = World()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(timedelta(minutes=1))
    assert world.model()["status"]["stable"]["version"] == "1.0.0"
    return world


async def delete(world: World) -> None:
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()
    world.kube.objects = {
        key: item for key, item in world.kube.objects.items() if key[0] == "Event"
    }
    world.deliver()
    world.restart_operator()


async def restore(world: World, **spec: Any) -> dict[str, Any]:
    world.kube.put(model_manifest(**spec))
    await world.pass_time(timedelta(seconds=20))
    return world.model()


def trainings(world: World) -> list[str]:
    return sorted(key[2] for key in world.kube.objects if key[0] == "TrainingRun")


def rollouts(world: World) -> list[tuple[str, str]]:
    specs = [item["spec"] for key, item in world.kube.objects.items() if key[0] == "Rollout"]
    return [(spec["version"], spec["trigger"]) for spec in specs]


async def test_an_unpinned_model_takes_up_what_was_stable_and_trains_nothing(world: World) -> None:
    await delete(world)

    model = await restore(world)

    assert model["status"]["stable"]["version"] == "1.0.0"
    assert rollouts(world) == [("1.0.0", "restored")]
    assert trainings(world) == []
    assert world.weights() == {"1.0.0": 100}
    assert any(reason == "Restored" for reason, _ in world.events())


async def test_a_training_after_it_is_compared_with_it(world: World) -> None:
    await delete(world)
    await restore(world)

    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put(
        {"kind": "Model", "metadata": meta | {"annotations": {"fairlead.dev/retrain": "r"}}}
    )
    await world.train("nsw-price-training-1", "1.1.0", gain=(-0.02, -0.03, -0.01), champion="1.0.0")

    assert world.model()["status"]["gate"]["reason"] == "NotBetter"
    assert world.weights() == {"1.0.0": 100}


async def test_another_recipe_than_the_versions_trains_after_it_serves(world: World) -> None:
    known = world.registry.versions[NAME, "1.0.0"]
    world.registry.versions[NAME, "1.0.0"] = dataclasses.replace(known, recipe="sha256:other")
    await delete(world)
    world.slow.add("1.0.0")

    await restore(world)
    started_before = trainings(world)
    world.slow.clear()
    await world.pass_time(timedelta(seconds=20))

    assert started_before == []
    assert trainings(world) == ["nsw-price-training-1"]
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_a_rollout_that_is_deleted_before_it_serves_starts_again(world: World) -> None:
    await delete(world)
    world.slow.add("1.0.0")
    await restore(world)
    await world.kube.delete("Rollout", NAMESPACE, world.model()["status"]["rollout"])
    world.slow.clear()

    await world.pass_time(timedelta(seconds=20))

    assert world.model()["status"]["stable"]["version"] == "1.0.0"
    assert trainings(world) == []


async def test_an_old_request_in_the_export_starts_nothing(world: World) -> None:
    await delete(world)
    manifest = model_manifest()
    manifest["metadata"]["annotations"] = {"fairlead.dev/retrain": "new rows"}

    world.kube.put(manifest)
    await world.pass_time(timedelta(seconds=20))

    assert trainings(world) == []
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


@pytest.mark.parametrize("answered", ["taken back", "on trial"])
async def test_a_pin_that_was_not_proven_is_tried_as_a_candidate(
    world: World, answered: str
) -> None:
    world.registry.register(NAME, "1.1.0")
    world.pin("1.1.0")
    await world.pass_time(timedelta(seconds=30))
    assert world.weights()["1.1.0"] == 10
    if answered == "taken back":
        name = world.rollout()["metadata"]["name"]
        meta = {"namespace": NAMESPACE, "name": name, "annotations": {"fairlead.dev/abort": "no"}}
        world.kube.put({"kind": "Rollout", "metadata": meta})
        await world.pass_time(timedelta(seconds=30))
    await delete(world)

    await restore(world, version="1.1.0")

    assert rollouts(world) == [("1.0.0", "restored"), ("1.1.0", "pinned")]
    assert world.weights() == {"1.0.0": 90, "1.1.0": 10}


async def test_a_pin_that_a_person_went_back_from_is_tried_as_a_candidate(world: World) -> None:
    """It took all traffic at once, though a person had taken it from there."""
    world.prometheus.healthy()
    world.registry.register(NAME, "1.1.0")
    world.pin("1.1.0")
    await world.pass_time(timedelta(hours=1))
    meta = {"namespace": NAMESPACE, "name": "back"}
    spec = {"model": "nsw-price", "version": "1.0.0", "trigger": "rollback"}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": spec})
    await world.pass_time(timedelta(hours=1))
    assert world.weights() == {"1.0.0": 100}
    await delete(world)

    await restore(world, version="1.1.0")

    assert rollouts(world) == [("1.0.0", "restored"), ("1.1.0", "pinned")]
    assert world.weights() == {"1.0.0": 90, "1.1.0": 10}


async def test_a_version_that_is_gone_from_the_registry_is_said(world: World) -> None:
    await delete(world)
    world.registry.versions.clear()

    model = await restore(world)

    ready = next(c for c in model["status"]["conditions"] if c["type"] == "Ready")
    assert "1.0.0 was in charge of an earlier Model energy/nsw-price" in ready["message"]
    assert "MLflow has no version 1.0.0" in ready["message"]
    assert any(reason == "StableVersionGone" for reason, _ in world.events())


async def test_a_history_that_is_late_is_heard_before_anything_is_shipped(world: World) -> None:
    await delete(world)
    world.record.down = True
    model = await restore(world)
    ready = next(c for c in model["status"]["conditions"] if c["type"] == "Ready")
    assert "it is not known whether a version was in charge" in ready["message"]

    world.record.down = False
    await world.pass_time(timedelta(seconds=20))
    stable = world.model()["status"]["stable"]["version"]
    await world.train("nsw-price-training-1", "1.1.0")
    await world.pass_time(timedelta(minutes=10))

    assert stable == "1.0.0"
    assert world.model()["status"]["gate"]["reason"] == "ChampionNotCompared"
    assert world.weights() == {"1.0.0": 100}


async def test_a_registry_that_is_late_is_waited_for(world: World) -> None:
    await delete(world)
    world.registry.down = True
    await restore(world)

    world.registry.down = False
    await world.pass_time(timedelta(seconds=20))

    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_another_namespace_or_name_has_no_part_in_it(world: World) -> None:
    manifest = model_manifest()
    manifest["metadata"]["name"] = "vic-price"

    world.kube.put(manifest)
    await world.run()

    assert trainings(world) == ["nsw-price-training-1", "vic-price-training-1"]
