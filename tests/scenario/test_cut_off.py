"""An operator that is cut off after it made something and before it could say so.

The spec changes before the next look.  What was made cannot change with it, so it is taken up.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.training_run.manifests import read_config
from support.faults import FaultyWorld, Killed
from support.world import NAMESPACE, model_manifest

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
TRAINING = "nsw-price-training-1"
Change = Callable[[FaultyWorld], None]


def edit(**spec: Any) -> Change:
    """Return what changes the Model's spec as a person does."""
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}

    def change(world: FaultyWorld) -> None:
        world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})

    return change


def cut_off(world: FaultyWorld, kind: str, then: Change) -> None:
    """End the process once it has made an object of the kind, and change the spec."""

    def end() -> None:
        if world.kube.writes[-1][:2] == ("create", kind):
            world.kube.after_write = lambda: None
            then(world)
            world.gate.killed = True
            raise Killed

    world.kube.after_write = end


async def serving(**rollout: Any) -> FaultyWorld:
    """Return a cluster where 1.0.0 serves and 1.1.0 and 1.2.0 are registered."""
    world = FaultyWorld()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    manifest = model_manifest(version="1.0.0")
    manifest["spec"]["rollout"] |= rollout
    world.kube.put(manifest)
    await world.run()
    assert world.weights() == {"1.0.0": 100}
    return world


def rollout(world: FaultyWorld, number: int) -> dict[str, Any]:
    return world.kube.objects["Rollout", NAMESPACE, f"nsw-price-rollout-{number}"]


@pytest.mark.parametrize(
    ("policy", "change", "first", "in_charge"),
    [
        pytest.param({}, edit(), "Promoted", "1.1.0", id="nothing: it goes on"),
        pytest.param({}, edit(version="1.2.0"), "Superseded", "1.2.0",
                     id="another target: it makes way"),
        pytest.param({"onNewTarget": "queue"}, edit(version="1.2.0"), "Promoted", "1.2.0",
                     id="another target, in a queue: it goes on, then the other"),
        pytest.param({"onNewTarget": "reject"}, edit(version="1.2.0"), "Promoted", "1.1.0",
                     id="another target, refused meanwhile: it goes on"),
        pytest.param({}, edit(version="1.0.0"), "Superseded", "1.0.0",
                     id="back to what serves: it makes way"),
        pytest.param({}, edit(rollout={"steps": [{"weight": 30, "hold": "1m"}]}), "Promoted",
                     "1.1.0", id="another policy: it goes on with its own"),
    ],
)  # fmt: skip
async def test_a_rollout_that_status_does_not_name_is_taken_up(
    policy: dict[str, Any], change: Change, first: str, in_charge: str
) -> None:
    """The Model came to a standstill: the spec of a Rollout is immutable."""
    world = await serving(**policy)
    cut_off(world, "Rollout", change)
    world.pin("1.1.0")
    await world.pass_time(15 * MINUTE)

    assert world.kills == 1
    assert rollout(world, 2)["spec"]["version"] == "1.1.0"
    assert rollout(world, 2)["status"]["reason"] == first
    assert world.model()["status"]["stable"]["version"] == in_charge
    assert world.weights() == {in_charge: 100}
    rollouts = [key for key in world.kube.objects if key[0] == "Rollout"]
    assert len(rollouts) == (3 if in_charge == "1.2.0" else 2)


async def test_what_an_earlier_model_of_the_name_left_is_not_taken_up() -> None:
    world = await serving()
    labels = component_labels("rollout", "nsw-price")
    meta = {"namespace": NAMESPACE, "name": "nsw-price-rollout-2", "labels": labels}
    spec = {"model": "nsw-price", "version": "1.2.0", "trigger": "pinned"}
    owner = [{"uid": "of-an-earlier-one"}]
    world.kube.put({"kind": "Rollout", "metadata": meta | {"ownerReferences": owner}, "spec": spec})
    world.pin("1.1.0")
    await world.pass_time(MINUTE)
    conditions = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}

    assert conditions["Applied"]["message"] == (
        "Rollout nsw-price-rollout-2 is of an earlier Model of this name, and goes with it"
    )
    assert world.weights() == {"1.0.0": 100}

    await world.kube.delete("Rollout", NAMESPACE, "nsw-price-rollout-2")
    await world.pass_time(15 * MINUTE)

    assert world.weights() == {"1.1.0": 100}


async def train(world: FaultyWorld) -> None:
    await world.pass_time(2 * SECOND)
    await world.train(TRAINING, "1.0.0")


@pytest.mark.parametrize(
    ("change", "gate", "trainings"),
    [
        pytest.param(edit(), "FirstVersion", 1, id="nothing"),
        pytest.param(edit(data={"target": "price_down"}), "RecipeChanged", 2, id="the recipe"),
    ],
)
async def test_a_training_that_status_does_not_name_is_judged_by_its_own_recipe(
    change: Change, gate: str, trainings: int
) -> None:
    """It was taken for one by the recipe of the spec, and its version was shipped as such."""
    world = FaultyWorld()
    world.kube.refusing["Model", "nsw-price"] = TransientError("the API server is away")
    world.kube.put(model_manifest())
    await world.run()
    run = world.kube.objects["TrainingRun", NAMESPACE, TRAINING]
    assert "config" in run["status"]
    assert "status" not in world.model()

    change(world)
    world.kube.refusing.clear()
    await train(world)

    assert world.model()["status"]["gate"]["reason"] == gate
    made = [key for key in world.kube.objects if key[0] == "TrainingRun"]
    assert len(made) == trainings


async def test_a_training_that_nothing_asks_for_any_more_is_noted_all_the_same() -> None:
    """It ran beside the next one, and that could not have its name."""
    world = await serving()
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    asked = {"fairlead.dev/retrain": "Ada: new rows"}

    def take_back(world: FaultyWorld) -> None:
        annotations = dict.fromkeys(asked)
        world.kube.put({"kind": "Model", "metadata": meta | {"annotations": annotations}})

    cut_off(world, "TrainingRun", take_back)
    world.kube.put({"kind": "Model", "metadata": meta | {"annotations": asked}})
    await world.pass_time(2 * SECOND)

    assert world.kills == 1
    assert world.model()["status"]["trainingRun"] == TRAINING


async def test_both_jobs_of_a_training_are_told_the_same() -> None:
    """The search began with one recipe, and the end would have been told another."""
    world = FaultyWorld()
    cut_off(world, "Job", edit(data={"target": "price_down"}))
    world.kube.put(model_manifest())
    await world.run()
    await world.pass_time(2 * SECOND)
    world.end_job(TRAINING, "search", result={"outcome": "Succeeded", "stage": "search"})
    await world.run()

    assert world.kills == 1
    search, finish = (
        read_config(world.kube.objects["Job", NAMESPACE, f"{TRAINING}-{stage}"])
        for stage in ("search", "finish")
    )
    told = json.loads(search or "")["data"]["target"]
    assert (search, told) == (finish, "price_up")
    run = world.kube.objects["TrainingRun", NAMESPACE, TRAINING]
    assert run["status"]["config"] == search
