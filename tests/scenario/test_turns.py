"""Whose turn it is, who waits for one, and what a person is asked meanwhile."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from fairlead_operator.kube.metadata import component_labels
from support.fakes import copied
from support.world import NAMESPACE, World, model_manifest, pod

MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
CANARY: Final = {
    "steps": [{"weight": 20, "hold": "5m"}, {"weight": 50, "hold": "5m"}],
    "guard": {"duration": "5m"},
}
ASKING: Final = {
    "steps": [{"weight": 20, "hold": "1m", "pause": True}, {"weight": 50, "hold": "5m"}],
    "approvalDeadline": "1h",
}
AB_TEST: Final[dict[str, Any]] = {
    "strategy": "abTest",
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "8h"},
}


async def serving(*, pinned: bool = True, **spec: Any) -> World:
    """Return a Model in which 1.0.0 serves, with further versions in the registry."""
    world = World()
    world.prometheus.healthy()
    for number, version in enumerate(("1.0.0", "1.1.0", "1.2.0", "1.3.0")):
        name = f"{NAMESPACE}.nsw-price"
        world.registry.register(name, version, digest=f"sha256:{number}")
    world.kube.put(model_manifest(**({"version": "1.0.0"} if pinned else {}), **spec))
    if pinned:
        await world.run()
    else:
        await world.train("nsw-price-training-1", "1.0.0")
    return world


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def annotate(world: World, **asked: str) -> None:
    meta = {"namespace": NAMESPACE, "name": world.model()["status"]["rollout"]}
    annotations = {f"fairlead.dev/{action}": text for action, text in asked.items()}
    world.kube.put({"kind": "Rollout", "metadata": {**meta, "annotations": annotations}})


def by_hand(world: World, name: str, version: str, **spec: Any) -> None:
    """Create a Rollout as a person does."""
    body = {"model": "nsw-price", "version": version, **spec}
    meta = {"namespace": NAMESPACE, "name": name}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": body})


def stable(world: World) -> str:
    return str(world.model()["status"]["stable"]["version"])


# Another was promoted while it waited for its turn.


async def test_who_waited_for_a_turn_goes_back_to_what_is_in_charge_by_then() -> None:
    """It went back to what had been in charge when it was made; the good version had nothing."""
    world = await serving(pinned=False, rollout=CANARY)
    by_hand(world, "first", "1.1.0")
    await world.pass_time(MINUTE)
    by_hand(world, "second", "1.2.0")

    await world.pass_time(17 * MINUTE)
    on_trial = world.weights()
    annotate(world, abort="Ada: wrong data")
    await world.pass_time(MINUTE)

    assert (world.model()["status"]["rollout"], stable(world)) == ("second", "1.1.0")
    assert on_trial == {"1.2.0": 20, "1.1.0": 80}
    assert world.weights() == {"1.1.0": 100}


async def _trained_in_the_queue() -> World:
    """Let 1.1.0 be promoted by hand, while a training that was compared with 1.0.0 waits."""
    world = await serving(pinned=False, rollout=CANARY | {"onNewTarget": "queue"})
    by_hand(world, "first", "1.1.0")
    await world.pass_time(MINUTE)
    await _train(world, "nsw-price-training-2", "1.2.0", champion="1.0.0")
    return world


async def _taken_out_of_the_pin() -> World:
    """Let a pin to 1.1.0 take the place of what a training began to ship, and be taken out."""
    world = await serving(pinned=False, rollout=CANARY)
    await _train(world, "nsw-price-training-2", "1.2.0", champion="1.0.0")
    await world.pass_time(MINUTE)
    world.pin("1.1.0")
    await world.pass_time(20 * MINUTE)
    world.pin(None)
    return world


async def _train(world: World, run: str, version: str, *, champion: str) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    annotations = {"fairlead.dev/retrain": f"Ada: for {version}"}
    world.kube.put({"kind": "Model", "metadata": {**meta, "annotations": annotations}})
    await world.train(run, version, champion=champion)


@pytest.mark.parametrize("begin", [_trained_in_the_queue, _taken_out_of_the_pin])
async def test_who_was_compared_with_what_is_not_in_charge_any_more_is_told_and_not_shipped(
    begin: Callable[[], Awaitable[World]],
) -> None:
    world = await begin()
    await world.pass_time(20 * MINUTE)
    status = world.model()["status"]

    assert (stable(world), world.weights()) == ("1.1.0", {"1.1.0": 100})
    assert (status["gate"]["passed"], status["gate"]["reason"]) == (False, "ChampionNotCompared")
    told = f"1.2.0 refused by the gate: {status['gate']['message']}"
    assert "1.2.0 was compared with 1.0.0, and 1.1.0 is in charge by now" in told
    assert "`fairlead retrain nsw-price` compares a new one" in told
    assert ("GateNotPassed", told) in world.events()

    await _train(world, "nsw-price-training-3", "1.3.0", champion="1.1.0")
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.1.0": 80, "1.3.0": 20}


async def test_who_is_superseded_at_its_turn_moves_nothing() -> None:
    world = await serving(rollout=CANARY)
    change(world, version="1.1.0")
    await world.pass_time(MINUTE)
    by_hand(world, "second", "1.2.0")

    await world.pass_time(40 * MINUTE)

    assert stable(world) == "1.1.0"
    assert world.rollout()["status"]["reason"] == "Superseded"
    assert world.weights() == {"1.1.0": 100}


# A person has answered, and something keeps it from being carried out.


async def freeze(world: World) -> None:
    until = world.clock() + 3 * HOUR
    window = {"startsAt": world.clock().isoformat(), "endsAt": until.isoformat()}
    change(world, freezeWindows=[{"name": "weekend", **window}])


async def lose_prometheus(world: World) -> None:
    world.prometheus.down = True
    await world.pass_time(MINUTE)


async def suspend(world: World) -> None:
    change(world, suspend=True)


@pytest.mark.parametrize(
    ("trouble", "end", "why"),
    [
        pytest.param(freeze, {}, "frozen until", id="a freeze window"),
        pytest.param(lose_prometheus, {}, "", id="a Prometheus that is away"),
        pytest.param(suspend, {"suspend": False}, "suspended", id="a suspended Model"),
    ],
)
async def test_an_approval_that_waits_is_told_and_outlasts_the_deadline(
    trouble: Any, end: dict[str, Any], why: str
) -> None:
    """The rollout went back, since "nobody answered", and its version was blocked."""
    world = await serving(rollout=ASKING)
    change(world, version="1.1.0")
    await world.pass_time(5 * MINUTE)
    await trouble(world)
    annotate(world, approve="Ada: it is good")

    await world.pass_time(2 * HOUR)
    status = copied(world.rollout()["status"])
    weights = world.weights()
    world.prometheus.down = False
    change(world, **end)
    await world.pass_time(HOUR + 3 * MINUTE)

    assert (status["phase"], status["reason"]) == ("Paused", "AwaitingApproval")
    assert status["message"].startswith("approve (Ada: it is good) waits: ")
    assert why in status["message"]
    assert "answerBy" not in status
    assert weights == {"1.0.0": 80, "1.1.0": 20}
    assert world.weights().get("1.1.0", 0) >= 50
    assert world.model()["status"].get("blocked", []) == []


async def test_one_approval_is_enough_where_pods_have_to_come_first() -> None:
    """The step began anew in place of the next one, and a second approval was waited for."""
    scaling = {"autoscaling": {"minReplicas": 1, "maxReplicas": 20}}
    world = await serving(rollout=ASKING, serving=scaling)
    world.demand = 8
    change(world, version="1.1.0")
    await world.pass_time(5 * MINUTE)
    world.room["1.1.0"] = 2
    annotate(world, approve="Ada: it is good")
    await world.pass_time(5 * MINUTE)
    held = copied(world.rollout()["status"])
    world.room.clear()

    await world.pass_time(MINUTE)

    assert (held["phase"], held["reason"], held["weight"]) == ("Paused", "AwaitingApproval", 20)
    assert held["message"].startswith("approve (Ada: it is good) waits: 2 of 4 pods of 1.1.0")
    assert world.weights() == {"1.0.0": 50, "1.1.0": 50}


# A trial whose versions are not those that the spec asks for any more.


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        pytest.param({"alternatives": []}, {"1.1.0": 20, "1.0.0": 80}, id="one is taken out"),
        pytest.param(
            {"alternatives": ["1.3.0"]},
            {"1.1.0": 20, "1.3.0": 20, "1.0.0": 60},
            id="one is exchanged",
        ),
        pytest.param(
            {"version": "1.2.0", "alternatives": []},
            {"1.2.0": 20, "1.0.0": 80},
            id="the other one alone",
        ),
        pytest.param({"version": "1.0.0", "alternatives": []}, {"1.0.0": 100}, id="none"),
    ],
)
async def test_a_trial_makes_way_for_one_of_other_versions(
    spec: dict[str, Any], weights: dict[str, int]
) -> None:
    """What was taken out of the spec kept its traffic, for the rollout refused to make way."""
    world = await serving(rollout=AB_TEST)
    change(world, version="1.1.0", alternatives=["1.2.0"])
    await world.pass_time(5 * MINUTE)
    before = world.weights()

    change(world, **spec)
    await world.pass_time(5 * MINUTE)

    assert before == {"1.1.0": 20, "1.2.0": 20, "1.0.0": 60}
    assert world.weights() == weights


async def test_who_has_won_a_trial_keeps_its_traffic_when_the_losers_leave_the_spec() -> None:
    world = await serving(rollout=AB_TEST | {"guard": {"duration": "30m"}})
    change(world, version="1.1.0", alternatives=["1.2.0"])
    await world.pass_time(MINUTE)
    annotate(world, promote="Ada: go --unmeasured")
    await world.pass_time(MINUTE)

    change(world, alternatives=[])
    await world.pass_time(MINUTE)

    assert world.rollout()["status"]["phase"] == "Guarding"
    assert world.weights()["1.1.0"] == 100


# Who cannot begin says so in its row, and keeps nobody else from beginning.


@pytest.mark.parametrize(
    ("policy", "spec", "words"),
    [
        pytest.param(
            AB_TEST, {"alternatives": ["1.0.0"]}, "1.0.0 is in charge", id="a trial of itself"
        ),
        pytest.param(
            CANARY,
            {"alternatives": ["1.2.0"]},
            "have no effect under strategy canary",
            id="alternatives that nothing compares",
        ),
    ],
)
async def test_a_rollout_that_cannot_begin_says_so_in_its_row_and_takes_no_turn(
    policy: dict[str, Any], spec: dict[str, Any], words: str
) -> None:
    world = await serving(pinned=False, rollout=policy)
    by_hand(world, "senseless", "1.1.0", **spec)
    await world.pass_time(MINUTE)
    by_hand(world, "sound", "1.3.0")
    await world.pass_time(MINUTE)

    row = world.kube.objects["Rollout", NAMESPACE, "senseless"]["status"]
    assert (row["phase"], row["reason"]) == ("Pending", "InvalidSpec")
    assert words in row["message"]
    assert stable(world) == "1.0.0"
    assert world.model()["status"]["rollout"] == "sound"
    assert world.weights() == {"1.3.0": 20, "1.0.0": 80}


# What keeps a version from starting is said where people look first.


@pytest.mark.parametrize("which", ["first", "second"])
async def test_a_model_says_what_its_rollout_waits_for(which: str) -> None:
    """It said which Rollout there is, and nothing of why no pod came for ten minutes."""
    world = World()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(model_manifest(version="1.0.0"))
    version = "1.0.0"
    if which == "second":
        await world.run()
        version = "1.1.0"
    world.slow.add(version)
    change(world, version=version)
    await world.run()
    labels = component_labels("server", "nsw-price", version)
    stuck = pod("stuck", labels=labels)
    words = "exceeded quota: limits.memory"
    stuck["status"]["conditions"].append(
        {"type": "PodScheduled", "status": "False", "message": words}
    )
    world.kube.put(stuck)
    await world.run()
    told = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}
    world.slow.clear()
    await world.kube.delete("Pod", NAMESPACE, "stuck")
    await world.pass_time(MINUTE)

    assert f"pod stuck has no node: {words}" in told["UpToDate"]["message"]
    assert told["Ready"]["status"] == ("False" if which == "first" else "True")
    assert words in told["Ready"]["message"]
    after = {entry["type"]: entry for entry in world.model()["status"]["conditions"]}
    assert words not in after["UpToDate"]["message"]
