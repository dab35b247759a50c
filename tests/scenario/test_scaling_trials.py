"""A/B tests and bandits whose versions' pods follow the load: every arm has its pods first."""

import json
from datetime import timedelta
from typing import Any

import pytest

from support.trials import count
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
LOOK = timedelta(seconds=10)
MOST = 20
LOAD = 10  # pods that all of the traffic needs
HINT = "if it stays so, look whether the cluster has room for them"
BASE = {key: value for key, value in model_manifest()["spec"]["rollout"].items() if key != "steps"}
GOAL = {"metric": "success-rate"}
AB_TEST = {"strategy": "abTest", "abTest": {"goal": GOAL, "weight": 20, "maxDuration": "1h"}}
BANDIT = {"strategy": "bandit", "bandit": {"goal": GOAL, "maxDuration": "4h"}}


class Watched(World):
    """A world in which every route that is written is held against the pods there are."""

    def __init__(self) -> None:
        super().__init__()
        self.short: list[str] = []
        self.kube.after_write = self._look  # type: ignore[method-assign]

    def _look(self) -> None:
        for version, weight in self.weights().items():
            needed = -(-LOAD * weight // 100)
            if weight and (there := self.ready(version)) < needed:
                self.short.append(f"{version}: {weight} % and {there} of {needed} pods")

    def server(self, version: str) -> dict[str, Any]:
        name = f"nsw-price-{version.replace('.', '-')}"
        return self.kube.objects.get(("Deployment", NAMESPACE, name)) or {}

    def ready(self, version: str) -> int:
        return int(self.server(version).get("status", {}).get("availableReplicas", 0))

    def asked(self, version: str) -> int:
        return int(self.server(version).get("spec", {}).get("replicas", 0))

    def status(self) -> dict[str, Any]:
        return dict(self.rollout()["status"])


async def start(room: dict[str, int], **policy: Any) -> Watched:
    """1.0.0 is in charge under a load of ten pods; 1.1.0 and 1.2.0 are tried against it."""
    world = Watched()
    serving = {"autoscaling": {"minReplicas": 1, "maxReplicas": MOST}}
    world.kube.put(model_manifest(serving=serving, rollout=BASE | policy))
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(6 * MINUTE)
    world.demand = LOAD
    world.prometheus.healthy()
    await world.run()
    world.short.clear()  # the load has only just come
    world.room = room
    for version in ("1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    wish = {"version": "1.1.0", "alternatives": ["1.2.0"]}
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": wish})
    count(world)
    await world.run()
    return world


async def test_a_split_begins_when_every_arm_has_its_pods() -> None:
    world = await start({"1.2.0": 1}, **AB_TEST)
    await world.pass_time(MINUTE)
    waiting, weights = world.status(), world.weights()
    world.room.clear()
    await world.pass_time(MINUTE)

    assert waiting["reason"] == "WaitingForReplicas"
    assert waiting["message"] == f"1 of 2 pods of 1.2.0 ready for 20 %; {HINT}"
    assert weights == {"1.1.0": 0, "1.2.0": 0, "1.0.0": 100}
    assert world.weights() == {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60}
    assert [world.asked(version) for version in ("1.1.0", "1.2.0", "1.0.0")] == [2, 2, LOAD]
    assert world.short == []


async def test_a_winner_gets_everything_when_it_has_the_pods_for_it() -> None:
    world = await start({}, **AB_TEST)
    await world.pass_time(MINUTE)
    world.room["1.2.0"] = 7
    count(world, total=5000, v100=1000, v110=1000, v120=50)
    await world.pass_time(MINUTE)
    waiting, weights = world.status(), world.weights()
    world.room.clear()
    await world.pass_time(LOOK)
    guarded = world.weights(), world.asked("1.0.0")
    await world.pass_time(5 * MINUTE)

    assert waiting["message"] == f"7 of 10 pods of 1.2.0 ready for 100 %; {HINT}"
    assert weights == {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60}
    assert guarded == ({"1.1.0": 0, "1.2.0": 100, "1.0.0": 0}, LOAD)
    assert world.status()["phase"] == "Succeeded"
    assert world.weights() == {"1.2.0": 100}
    assert world.server("1.0.0") == world.server("1.1.0") == {}
    assert world.short == []


async def test_going_back_from_a_trial_waits_for_nothing() -> None:
    world = await start({}, **AB_TEST)
    await world.pass_time(MINUTE)
    count(world, total=5000, v100=50, v110=1000, v120=1000)
    await world.pass_time(MINUTE)

    assert (world.status()["phase"], world.status()["reason"]) == ("RolledBack", "TrialLost")
    assert world.weights() == {"1.0.0": 100}
    assert world.asked("1.0.0") == LOAD
    assert world.short == []


async def test_an_arm_that_left_a_trial_keeps_no_pods_for_a_weight() -> None:
    world = await start({}, **AB_TEST)
    await world.pass_time(MINUTE)
    route = json.loads(
        world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]["data"]["route.json"]
    )
    trip = {"guard": route["guard"]["id"], "at": world.clock().isoformat(), "message": "12 of 14"}
    world.trips["1.1.0"] = trip
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.1.0": 0, "1.2.0": 20, "1.0.0": 80}
    assert [world.asked(version) for version in ("1.1.0", "1.2.0", "1.0.0")] == [1, 2, LOAD]
    assert world.short == []


def moments(minutes: int) -> range:
    """Looks, one after the other."""
    return range(minutes * 6)


async def test_a_bandits_arm_grows_as_its_pods_come() -> None:
    world = await start({}, **BANDIT)
    await world.pass_time(MINUTE)
    seen = [world.weights()]
    for at in moments(10):
        count(world, total=150 + at, v100=18, v110=22, v120=14)
        await world.pass_time(LOOK)
        seen.append(world.weights())

    assert seen[0] == {"1.1.0": 33, "1.2.0": 33, "1.0.0": 34}
    assert max(weights["1.2.0"] for weights in seen) > 50
    assert world.short == []


@pytest.mark.parametrize("room", [4, 5])
async def test_an_arm_without_room_is_not_fed_and_holds_no_other_up(room: int) -> None:
    world = await start({}, **BANDIT)
    await world.pass_time(MINUTE)
    world.room["1.2.0"] = room
    for at in moments(20):
        count(world, total=150 + at, v100=18, v110=30, v120=14)
        await world.pass_time(LOOK)
    stuck, status = world.weights(), world.status()
    world.room.clear()
    for at in moments(10):
        count(world, total=300 + at, v100=18, v110=30, v120=14)
        await world.pass_time(LOOK)

    assert stuck["1.2.0"] <= 10 * room
    assert stuck["1.1.0"] < 33, "a bad arm keeps its traffic while a good one waits for pods"
    assert status["reason"] == "WaitingForReplicas"
    assert world.weights()["1.2.0"] > 10 * room
    assert world.short == []
