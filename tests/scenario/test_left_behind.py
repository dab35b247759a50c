"""What a training leaves in MLflow and PostgreSQL when it ends otherwise than by itself."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from fairlead_contract.search import study_name
from fairlead_operator.api.runs import OpenRun
from fairlead_operator.mlflow.open_runs import keep_finding
from support.world import NAMESPACE, World, model_manifest

RUN = "nsw-price-training-1"
SOON = timedelta(seconds=10)


@pytest.fixture
async def world() -> World:
    """A first training that searches."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    uid = world.kube.objects["TrainingRun", NAMESPACE, RUN]["metadata"]["uid"]
    world.record.studies.add(study_name(NAMESPACE, RUN, uid))
    return world


async def find_open_runs(world: World) -> None:
    """Look for open runs once, as an operator does that begins to lead."""
    finding = asyncio.create_task(keep_finding(world.registry, world.watches.look_at_trainings))
    for _ in range(5):
        await asyncio.sleep(0)
    finding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await finding


@pytest.mark.parametrize("kind", ["TrainingRun", "Model"])
@pytest.mark.parametrize("is_away", [False, True], ids=["watched", "while no operator was there"])
async def test_a_training_that_is_deleted_leaves_nothing_open(
    world: World, kind: str, *, is_away: bool
) -> None:
    name = RUN if kind == "TrainingRun" else "nsw-price"
    if is_away:
        world.restart_operator()
    await world.kube.delete(kind, NAMESPACE, name)
    if is_away:
        await find_open_runs(world)

    await world.pass_time(SOON)

    assert world.registry.ended == {"run-1": "KILLED"}
    assert world.registry.closed == {"run-1"}
    assert world.record.studies == set()


@pytest.mark.parametrize("is_away", [False, True], ids=["watched", "while no operator was there"])
async def test_a_job_that_is_deleted_is_started_again_and_goes_on(
    world: World, *, is_away: bool
) -> None:
    if is_away:
        world.restart_operator()
    await world.kube.delete("Job", NAMESPACE, f"{RUN}-search")
    await find_open_runs(world)

    await world.pass_time(SOON)

    assert ("Job", NAMESPACE, f"{RUN}-search") in world.kube.objects
    assert world.registry.ended == {}
    assert len(world.record.studies) == 1


async def test_a_study_that_ended_while_the_database_was_away_is_removed_later(
    world: World,
) -> None:
    world.record.down = True
    await world.train(RUN, "1.0.0")
    assert world.registry.ended == {"run-1": "FINISHED"}
    assert world.record.studies

    world.record.down = False
    await find_open_runs(world)
    await world.run()

    assert world.registry.closed == {"run-1"}
    assert world.record.studies == set()


async def test_trainings_of_the_past_cost_nothing_when_they_are_deleted(world: World) -> None:
    await world.train(RUN, "1.0.0")

    async def fail(_: str | None = None) -> list[OpenRun]:
        raise AssertionError("nobody need ask")

    world.registry.open_runs = fail  # type: ignore[method-assign]
    await world.kube.delete("TrainingRun", NAMESPACE, RUN)

    await world.pass_time(SOON)
