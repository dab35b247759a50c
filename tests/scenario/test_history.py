"""What the record keeps of a Model's rollouts, also past a database that is away."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.history import HistoryEntry
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def world() -> World:
    """A Model that serves 1.0.0."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    return world


def entries(world: World) -> list[HistoryEntry]:
    """Oldest first."""
    return sorted(world.record.entries.values(), key=lambda entry: (entry.at, entry.transition))


async def start(world: World, **annotations: str) -> None:
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.kube.put(rollout({f"fairlead.dev/{key}": text for key, text in annotations.items()}))
    await world.run()


def rollout(annotations: dict[str, str]) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": "to-1.1.0", "annotations": annotations}
    spec = {"model": "nsw-price", "version": "1.1.0"}
    return {"kind": "Rollout", "metadata": meta, "spec": spec}


async def test_a_promotion_is_kept_with_start_and_end_and_who_asked(world: World) -> None:
    await start(world, request=json.dumps({"by": "ada", "at": "", "why": "try it"}))
    began = world.clock()
    await world.pass_time(10 * MINUTE)

    first, started, promoted = entries(world)
    assert (first.transition, first.version, first.stable) == ("Promoted", "1.0.0", "")
    assert (started.transition, started.version, started.weight) == ("Started", "1.1.0", 10)
    assert (promoted.transition, promoted.stable, promoted.weight) == ("Promoted", "1.0.0", 100)
    assert (promoted.began, promoted.ended, promoted.by) == (began, None, "ada")
    assert promoted.numbers["checks"][0]["name"] == "success-rate"


async def test_a_rollback_is_kept_with_its_cause_and_numbers(world: World) -> None:
    await start(world)
    world.prometheus.success_rate = 0.7
    await world.pass_time(2 * MINUTE)

    ended = entries(world)[-1]
    assert (ended.transition, ended.reason, ended.by) == (
        "RolledBack",
        "AnalysisFailed",
        "a person",
    )
    assert (ended.weight, ended.trigger) == (10, "hand")
    assert ended.began is not None
    assert ended.ended is not None
    assert ended.numbers["checks"][0]["value"] == 0.7
    assert ended.numbers["reactionSeconds"] >= 0


async def test_who_aborted_is_kept(world: World) -> None:
    await start(world)
    world.kube.put(rollout({"fairlead.dev/abort": "Bob: wrong data"}))
    await world.run()

    (ended,) = [entry for entry in entries(world) if entry.transition == "RolledBack"]
    assert (ended.reason, ended.by) == ("Aborted", "Bob")


async def test_a_database_that_is_away_stops_nothing_and_gets_the_end_later(world: World) -> None:
    world.record.down = True
    await start(world)
    await world.pass_time(10 * MINUTE)
    stable, kept = world.model()["status"]["stable"]["version"], len(entries(world))
    world.record.down = False
    await world.pass_time(MINUTE)

    assert (stable, kept) == ("1.1.0", 1)
    assert [entry.transition for entry in entries(world)] == ["Promoted", "Promoted"]
    assert world.rollout()["status"]["recorded"] == "Promoted"


async def test_a_crash_after_the_write_keeps_one_entry(world: World) -> None:
    await start(world)
    status = world.kube.objects["Rollout", NAMESPACE, "to-1.1.0"]["status"]
    del status["recorded"]
    world.restart_operator()
    await world.run()

    assert [entry.transition for entry in entries(world)] == ["Promoted", "Started"]
    assert world.rollout()["status"]["recorded"] == "Started"
