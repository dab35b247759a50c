"""The life of a dry run: it looks at the data, and leaves everything else as it was."""

from typing import Any

import pytest

from support.world import NAMESPACE, World, model_manifest

CHECKED = {
    "outcome": "Succeeded", "stage": "check",
    "message": "30 rows with 2 features can be learned from",
}  # fmt: skip
FAULTY = {
    "outcome": "Failed", "stage": "check", "reason": "FeatureInvalid",
    "message": "column a holds '?'",
}  # fmt: skip
CHECK = "nsw-price-check-x7k2p"


@pytest.fixture(name="world")
async def _world() -> World:
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    return world


async def check(world: World) -> None:
    world.kube.put(
        {
            "kind": "TrainingRun",
            "metadata": {"namespace": NAMESPACE, "name": CHECK, "uid": "uid-check"},
            "spec": {"model": "nsw-price", "trigger": "hand", "dryRun": True},
        }
    )
    await world.run()


def status(world: World) -> dict[str, Any]:
    return dict(world.kube.objects["TrainingRun", NAMESPACE, CHECK]["status"])


@pytest.mark.parametrize(
    ("result", "failed", "phase", "reason"),
    [
        pytest.param(CHECKED, "", "Succeeded", "DataChecked", id="data that can be used"),
        pytest.param(FAULTY, "PodFailurePolicy", "Failed", "FeatureInvalid", id="data that cannot"),
    ],
)
async def test_a_check_beside_a_training_changes_nothing_of_it(
    world: World, result: dict[str, Any], failed: str, phase: str, reason: str
) -> None:
    before, runs = world.model()["status"], dict(world.registry.runs)

    await check(world)
    working = status(world)
    world.end_job(CHECK, "check", result=result, failed=failed)
    await world.run()

    assert (working["phase"], working["reason"]) == ("Checking", "Checking")
    ended = status(world)
    assert (ended["phase"], ended["reason"], ended["message"]) == (phase, reason, result["message"])
    assert "mlflowRunId" not in ended
    assert "trained" not in ended
    assert world.model()["status"] == before
    assert world.registry.runs == runs
    await world.train("nsw-price-training-1", "1.0.0")
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_a_suspended_model_is_checked(world: World) -> None:
    """Nothing else of it starts."""
    world.kube.put(model_manifest(suspend=True))
    await world.run()

    await check(world)

    assert status(world)["phase"] == "Checking"
    assert ("Job", NAMESPACE, f"{CHECK}-check") in world.kube.objects
    assert world.model()["status"].get("stable") is None


async def test_neither_mlflow_nor_the_database_is_needed(world: World) -> None:
    world.registry.down = True
    world.record.down = True

    await check(world)
    world.end_job(CHECK, "check", result=CHECKED)
    await world.run()

    assert status(world)["phase"] == "Succeeded"
