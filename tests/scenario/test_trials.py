"""Whole lives of A/B tests and bandits with several candidates."""

import json
from datetime import timedelta
from typing import Any

from support.trials import count
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
TEN_SECONDS = timedelta(seconds=10)
BASE = model_manifest()["spec"]["rollout"]
COMMON = {key: value for key, value in BASE.items() if key != "steps"}
GOAL = {"metric": "success-rate"}
AB_TEST = {"strategy": "abTest", "abTest": {"goal": GOAL, "weight": 20, "maxDuration": "1h"}}
BANDIT = {"strategy": "bandit", "bandit": {"goal": GOAL, "maxDuration": "1h"}}


async def trying(**policy: Any) -> World:
    """1.0.0 is in charge; 1.1.0 and 1.2.0 are tried against it."""
    world = World()
    world.kube.put(model_manifest(rollout=COMMON | policy))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    for version in ("1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    wish = {"version": "1.1.0", "alternatives": ["1.2.0"]}
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": wish,
        }
    )
    count(world)
    await world.run()
    return world


def status(world: World) -> dict[str, Any]:
    return dict(world.rollout()["status"])


def route(world: World) -> dict[str, Any]:
    found = world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]
    return dict(json.loads(found["data"]["route.json"]))


async def test_an_ab_test_holds_its_split_until_a_candidate_has_won() -> None:
    world = await trying(**AB_TEST)
    await world.pass_time(5 * MINUTE)
    split, sticky = world.weights(), route(world)["sticky"]
    count(world, total=5000, v100=1000, v110=1000, v120=50)

    await world.pass_time(MINUTE)
    winning = world.weights()
    await world.pass_time(3 * MINUTE)

    assert split == {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60}
    uid = world.rollout()["metadata"]["uid"]
    assert sticky == {"by": "cookie", "maxAgeSeconds": 86400, "id": uid}
    assert winning == {"1.1.0": 0, "1.2.0": 100, "1.0.0": 0}
    assert status(world)["phase"] == "Succeeded"
    model = world.model()["status"]
    assert model["stable"]["version"] == "1.2.0"
    assert [(entry["version"], entry["message"]) for entry in model["blocked"]] == [
        (
            "1.1.0",
            "lost the trial to 1.2.0; 1.1.0: 80.00 % good of 5,000, 1.2.0: 99.00 % good of 5,000",
        )
    ]
    assert model["phase"] == "Serving"
    assert world.weights() == {"1.2.0": 100}
    assert ("Deployment", NAMESPACE, "nsw-price-1-1-0") not in world.kube.objects


async def test_an_ab_test_that_the_stable_version_wins_goes_back() -> None:
    world = await trying(**AB_TEST)
    count(world, total=5000, v100=50, v110=1000, v120=1000)

    await world.pass_time(MINUTE)

    assert (status(world)["phase"], status(world)["reason"]) == ("RolledBack", "TrialLost")
    assert world.weights() == {"1.0.0": 100}
    assert world.model()["status"]["phase"] == "Blocked"


async def test_an_undecided_ab_test_asks_a_person_who_promotes_the_leader() -> None:
    world = await trying(**AB_TEST | {"approvalDeadline": "24h"})
    count(world, total=100, v100=5, v110=5, v120=4)

    await world.pass_time(61 * MINUTE)
    asked = status(world)["phase"], status(world)["reason"], world.weights()
    current = world.model()["status"]["rollout"]
    await world.kube.annotate(
        "Rollout", NAMESPACE, current, {"fairlead.dev/approve": "Ada: the new one"}
    )
    await world.run()

    assert asked == ("Paused", "TrialUndecided", {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60})
    assert status(world)["winner"] == "1.2.0"
    assert world.weights()["1.2.0"] == 100


async def test_a_candidate_that_trips_the_guard_leaves_and_the_trial_goes_on() -> None:
    world = await trying(**AB_TEST)
    guard = route(world)["guard"]
    world.trips["1.1.0"] = {
        "guard": guard["id"],
        "at": world.clock().isoformat(),
        "message": "12 of 14 answers failed",
    }

    await world.pass_time(TEN_SECONDS)

    assert guard["versions"] == ["1.1.0", "1.2.0"]
    assert status(world)["phase"] == "Progressing"
    assert world.weights() == {"1.1.0": 0, "1.2.0": 20, "1.0.0": 80}
    assert status(world)["arms"][0]["reason"] == "GuardTripped"
    assert any("left the trial" in message for _, message in world.events())


async def test_a_goal_that_cannot_be_read_decides_nothing() -> None:
    world = await trying(**AB_TEST)
    count(world, total=5000, v100=1000, v110=50, v120=50)
    world.prometheus.down = True

    await world.pass_time(30 * MINUTE)

    assert status(world)["phase"] == "Progressing"
    assert world.weights() == {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60}


async def test_a_bandits_shares_follow_the_reward_within_their_bounds() -> None:
    world = await trying(**BANDIT)
    count(world, total=150, v100=18, v110=22, v120=14)
    seen = [world.weights()]

    for _ in range(30):
        await world.pass_time(TEN_SECONDS)
        seen.append(world.weights())
    count(world, total=5000, v100=800, v110=1000, v120=200)
    await world.pass_time(MINUTE)

    first, last = seen[0], seen[-1]
    assert first == {"1.1.0": 33, "1.2.0": 33, "1.0.0": 34}
    assert last["1.2.0"] > first["1.2.0"]
    assert min(min(weights.values()) for weights in seen) >= 5
    assert all(sum(weights.values()) == 100 for weights in seen)
    assert status(world)["winner"] == "1.2.0"
    assert world.weights()["1.2.0"] == 100


async def test_a_restart_at_any_moment_of_a_trial_changes_nothing() -> None:
    world = await trying(**BANDIT)
    count(world, total=150, v100=18, v110=22, v120=14)
    for _ in range(20):
        world.restart_operator()
        await world.run()
        before = world.weights()
        world.restart_operator()
        await world.run()
        assert world.weights() == before
        await world.pass_time(TEN_SECONDS)


async def test_a_clock_that_was_set_back_does_not_delay_a_trial() -> None:
    world = await trying(**AB_TEST)
    await world.pass_time(5 * MINUTE)
    world.clock.moment -= timedelta(hours=1)
    count(world, total=5000, v100=1000, v110=1000, v120=50)

    world.restart_operator()
    await world.pass_time(MINUTE)

    assert status(world)["winner"] == "1.2.0"


async def test_rewards_that_stop_move_no_share_and_are_told() -> None:
    world = await trying(**BANDIT)
    count(world, total=150, v100=18, v110=22, v120=14)
    await world.pass_time(TEN_SECONDS)
    before = world.weights()

    await world.pass_time(5 * MINUTE)
    silent, told = world.weights(), status(world)["trial"]["message"]
    count(world, total=160, v100=18, v110=24, v120=14)
    await world.pass_time(MINUTE)

    assert silent == before
    assert "no new outcome of 1.0.0 for 5m" in told
    assert told.endswith("so the shares stay")
    assert "no new outcome" not in status(world)["trial"]["message"]
    moved = max(abs(share - before[version]) for version, share in world.weights().items())
    assert 0 < moved <= 10
