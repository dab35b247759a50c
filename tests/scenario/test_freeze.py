"""A freeze window over a rollout: it holds, goes back all the same, and goes on by itself.

The clock of these lives begins on Thursday, 1 January 2026, at midnight UTC.
"""

from datetime import timedelta

import pytest

from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
EARLY = {
    "name": "early",
    "why": "nobody is on call",
    "days": ["Thu"],
    "from": "00:05",
    "to": "00:20",
}
MESSAGE = "frozen until Thu 2026-01-01 00:20 UTC by the window early: nobody is on call"


@pytest.fixture
async def world() -> World:
    """A Model that serves 1.0.0 five minutes before its freeze window."""
    world = World()
    world.kube.put(model_manifest(freezeWindows=[EARLY]))
    await world.run()
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    return world


def said(world: World) -> tuple[str, str, str]:
    status = world.rollout()["status"]
    return status["phase"], status["reason"], status["message"]


async def start(world: World, version: str, *, trigger: str = "hand") -> None:
    world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": f"to-{version}"},
            "spec": {"model": "nsw-price", "version": version, "trigger": trigger},
        }
    )
    await world.run()


async def test_a_rollout_holds_its_weight_and_goes_on_by_itself_at_the_end(world: World) -> None:
    await world.pass_time(4 * MINUTE + timedelta(seconds=30))
    await start(world, "1.1.0")
    await world.pass_time(5 * MINUTE)
    held, words = world.weights(), said(world)
    await world.pass_time(15 * MINUTE)

    assert held == {"1.0.0": 90, "1.1.0": 10}
    assert words == ("Progressing", "Frozen", MESSAGE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"


async def test_bad_evidence_goes_back_in_a_freeze(world: World) -> None:
    await world.pass_time(4 * MINUTE + timedelta(seconds=30))
    await start(world, "1.1.0")
    await world.pass_time(10 * MINUTE)
    world.prometheus.success_rate = 0.7
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert said(world)[:2] == ("RolledBack", "AnalysisFailed")


async def test_a_rollout_that_meets_a_freeze_waits_with_its_servers_ready(world: World) -> None:
    await world.pass_time(10 * MINUTE)
    await start(world, "1.1.0")
    await world.pass_time(5 * MINUTE)
    weights, words = world.weights(), said(world)
    ready = ("Deployment", NAMESPACE, "nsw-price-1-1-0") in world.kube.objects
    await world.pass_time(15 * MINUTE)

    assert weights.get("1.1.0", 0) == 0
    assert words == ("Pending", "Frozen", MESSAGE)
    assert ready
    assert world.model()["status"]["stable"]["version"] == "1.1.0"


async def test_a_person_goes_back_to_an_earlier_version_in_a_freeze(world: World) -> None:
    await start(world, "1.1.0")
    await world.pass_time(4 * MINUTE + timedelta(seconds=30))
    promoted = world.model()["status"]["stable"]["version"]
    await world.pass_time(10 * MINUTE)
    await start(world, "1.0.0", trigger="rollback")
    await world.pass_time(10 * MINUTE)

    assert promoted == "1.1.0"
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_a_promotion_is_refused_in_a_freeze(world: World) -> None:
    await world.pass_time(4 * MINUTE + timedelta(seconds=30))
    await start(world, "1.1.0")
    await world.pass_time(10 * MINUTE)
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {
                "namespace": NAMESPACE,
                "name": "to-1.1.0",
                "annotations": {"fairlead.dev/promote": "Ada: now"},
            },
        }
    )
    await world.run()

    (entry,) = world.rollout()["status"]["requests"]
    assert (entry["outcome"], entry["message"]) == ("Refused", MESSAGE)
    assert world.weights()["1.1.0"] == 10
