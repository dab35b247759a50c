"""A Model that trains by schedule.

The clock of these lives begins on Thursday, 1 January 2026, at midnight UTC.
"""

from datetime import timedelta

import pytest

from support.world import World, model_manifest

HOUR = timedelta(hours=1)


@pytest.fixture
async def world() -> World:
    """A Model that serves 1.0.0 and trains every day at three."""
    world = World()
    world.kube.put(model_manifest(training={"schedule": {"cron": "0 3 * * *"}}))
    await world.train("nsw-price-training-1", "1.0.0")
    return world


def number(world: World) -> int:
    return int(world.model()["status"]["trainingNumber"])


async def test_each_moment_starts_one_training_and_is_told(world: World) -> None:
    await world.pass_time(2 * HOUR)
    before, said = number(world), world.model()["status"]["nextTraining"]
    await world.pass_time(2 * HOUR)

    assert (before, said) == (1, "2026-01-01T03:00:00.000Z")
    assert number(world) == 2
    assert world.model()["status"]["nextTraining"] == "2026-01-02T03:00:00.000Z"
    why = "Thu 2026-01-01 03:00 UTC of the schedule 0 3 * * * (UTC) has come"
    told = f"nsw-price-training-2 starts (schedule): {why}"
    assert ("TrainingStarted", told) in world.events()


async def test_what_a_downtime_missed_is_trained_once(world: World) -> None:
    world.clock.advance(100 * HOUR)
    world.restart_operator()
    await world.train("nsw-price-training-2", "1.0.1", champion="1.0.0")
    await world.pass_time(10 * HOUR)

    assert number(world) == 2
