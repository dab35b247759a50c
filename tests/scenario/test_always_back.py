"""Going back needs no check, no readable policy and no Model that goes on: a person always can."""

import json
from datetime import timedelta
from typing import Any, Final

import pytest

from fairlead_operator.alert_note import Note, write_note
from fairlead_operator.command.going_back import build_back
from support.fakes import copied
from support.world import NAMESPACE, World, model_manifest

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
CANARY: Final = {"steps": [{"weight": 20, "hold": "5m"}, {"weight": 50, "hold": "5m"}]}
AT_ONCE: Final = {"steps": [{"weight": 100, "hold": "0s"}]}
RECREATE: Final = {"strategy": "recreate", "steps": None}


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def annotate(world: World, what: str, text: str) -> None:
    name = world.model()["status"]["rollout"]
    meta = {"namespace": NAMESPACE, "name": name, "annotations": {f"fairlead.dev/{what}": text}}
    world.kube.put({"kind": "Rollout", "metadata": meta})


def go_back(world: World, to: str = "1.0.0") -> None:
    """Create what ``fairlead rollback`` does."""
    back = build_back(world.model(), to, request="{}", by_steps=False)
    del back["metadata"]["generateName"]
    world.kube.put({**back, "metadata": {**back["metadata"], "name": "back"}})


async def begin(rollout: dict[str, Any] = CANARY, **spec: Any) -> World:
    """1.0.0 serves, and 1.1.0 is asked for."""
    world = World()
    world.kube.unknown_kinds.clear()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(model_manifest(version="1.0.0", **spec))
    await world.run()
    change(world, version="1.1.0", rollout=rollout)
    await world.run()
    return world


async def arrive(rollout: dict[str, Any] = AT_ONCE, **spec: Any) -> World:
    """1.1.0 is in charge, and 1.0.0 was before."""
    world = await begin(rollout, **spec)
    await world.pass_time(30 * MINUTE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    return world


def template(name: str, *checks: dict[str, Any]) -> dict[str, Any]:
    meta = {"namespace": NAMESPACE, "name": name}
    return {"kind": "AnalysisTemplate", "metadata": meta, "spec": {"checks": list(checks)}}


COPIES: Final = {"name": "same", "builtin": "prediction-agreement", "atLeast": 0.9}
RECORDED: Final = {"name": "mae", "builtin": "live-mae", "atMost": 9}


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(None, id="there is no such template"),
        pytest.param(COPIES, id="its check needs copies"),
        pytest.param(RECORDED, id="its check needs a prediction log"),
    ],
)
@pytest.mark.parametrize("rollout", [CANARY, RECREATE], ids=["canary", "recreate"])
async def test_a_person_goes_back_though_the_checks_cannot_be_asked(
    rollout: dict[str, Any], found: dict[str, Any] | None
) -> None:
    world = await arrive()
    if found is not None:
        world.kube.put(template("shared", found))
    analysis = {"templateRef": {"name": "shared"}}
    change(world, version=None, rollout=rollout | {"analysis": analysis})
    await world.run()
    go_back(world)
    await world.run()
    await world.pass_time(10 * SECOND)

    assert world.weights().get("1.0.0") == 100


async def test_a_model_of_which_one_version_may_run_goes_back_with_one_at_a_time() -> None:
    world = await arrive(RECREATE)
    running: list[set[str]] = []

    def look() -> None:
        servers = {name for kind, _, name in world.kube.objects if kind == "Deployment"}
        running.append(servers - {"fairlead-gateway"})

    world.kube.after_write = look
    go_back(world)
    await world.run()
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert {"nsw-price-1-0-0"} in running
    assert all(len(servers) <= 1 for servers in running)


async def test_a_guard_window_that_is_paused_starts_no_second_version_under_recreate() -> None:
    world = await begin(RECREATE)
    await world.pass_time(10 * SECOND)
    annotate(world, "pause", "Ada: a look first")
    await world.run()
    await world.pass_time(MINUTE)
    servers = {name for kind, _, name in world.kube.objects if kind == "Deployment"}
    phase = world.rollout()["status"]["phase"]
    annotate(world, "abort", "Ada: stop")
    await world.run()
    await world.pass_time(MINUTE)

    assert phase == "Paused"
    assert servers - {"fairlead-gateway"} == {"nsw-price-1-1-0"}
    assert world.weights() == {"1.0.0": 100}


# The Model is suspended, or its policy has changed.


@pytest.mark.parametrize("policy", ["supersede", "queue", "reject"])
@pytest.mark.parametrize("suspend", [False, True], ids=["", "suspended"])
@pytest.mark.parametrize(
    "pin", [pytest.param("1.0.0", id="to the version in charge"), pytest.param(None, id="out")]
)
async def test_a_pin_that_goes_back_takes_its_rollout_back(
    pin: str | None, suspend: bool, policy: str
) -> None:
    world = await begin(CANARY | {"onNewTarget": policy})
    await world.pass_time(10 * SECOND)
    before = world.weights()
    change(world, version=pin, suspend=suspend)
    await world.run()

    assert before == {"1.0.0": 80, "1.1.0": 20}
    assert world.weights().get("1.1.0", 0) == 0
    assert world.rollout()["status"]["reason"] == "Superseded"


async def test_a_rollout_that_is_deleted_leaves_no_split_while_the_model_is_suspended() -> None:
    world = await begin()
    await world.pass_time(10 * SECOND)
    change(world, suspend=True)
    await world.run()
    await world.kube.delete("Rollout", NAMESPACE, world.model()["status"]["rollout"])
    await world.run()
    await world.pass_time(30 * MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert world.rollout()["spec"]["trigger"] == "restored"
    assert world.rollout()["status"]["phase"] == "Succeeded"


async def test_a_rollout_by_hand_says_that_the_suspension_holds_it() -> None:
    world = await arrive()
    change(world, suspend=True)
    await world.run()
    go_back(world)
    await world.run()
    status = world.kube.objects["Rollout", NAMESPACE, "back"]["status"]
    held = status["reason"], status["message"]
    change(world, suspend=False)
    await world.run()

    assert held == ("Suspended", "the Model is suspended; set spec.suspend to false to go on")
    assert world.weights().get("1.0.0") == 100


AB_TEST: Final = {
    "strategy": "abTest",
    "steps": None,
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "1h"},
}
SPLIT: Final = {"1.0.0": 60, "1.1.0": 20, "1.2.0": 20}
BY_HAND: Final = {"model": "nsw-price", "version": "1.1.0"}


def make(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "hand"}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": BY_HAND | spec})


async def tries(policy: dict[str, Any], **spec: Any) -> World:
    """1.0.0 serves, and a Rollout by hand, without a policy of its own, has begun."""
    world = await begin(policy)
    change(world, version=None)
    await world.run()
    await world.pass_time(MINUTE)
    make(world, **spec)
    await world.run()
    await world.pass_time(20 * SECOND)
    return world


def who_stays(world: World) -> Any:
    route = world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]["data"]["route.json"]
    return json.loads(route).get("sticky", {})


def abort(world: World) -> None:
    annotate(world, "abort", "Ada: stop")


def fire_an_alert(world: World) -> None:
    note = Note(version="1.1.0", message="FairleadVersionSlow", received=world.clock())
    annotate(world, "alert", write_note(note))


def fail_the_analysis(world: World) -> None:
    world.prometheus.success_rate = 0.1


UNREADABLE: Final[dict[str, dict[str, Any]]] = {
    "another strategy": {"rollout": {"strategy": "canary", "abTest": None, "steps": None}},
    "a strategy of a later release": {"rollout": {"strategy": "magic", "abTest": None}},
    "a field of a later release": {"serving": {"magic": 1}},
    "one version at a time": {"rollout": {"strategy": "recreate", "abTest": None, "steps": None}},
}


@pytest.mark.parametrize("cause", [abort, fail_the_analysis])
@pytest.mark.parametrize("edit", UNREADABLE)
@pytest.mark.parametrize("alternatives", [[], ["1.2.0"]], ids=["one", "several"])
async def test_an_edit_of_the_model_stops_no_way_back(
    alternatives: list[str], edit: str, cause: Any
) -> None:
    world = await tries(AB_TEST, alternatives=alternatives)
    before, stays = world.weights(), who_stays(world)
    change(world, **UNREADABLE[edit])
    await world.run()
    await world.pass_time(5 * SECOND)
    during, status = world.weights(), dict(world.rollout()["status"])
    stay = who_stays(world)
    cause(world)
    await world.run()
    await world.pass_time((2 if cause is abort else 60) * SECOND)

    assert before == during == (SPLIT if alternatives else {"1.0.0": 80, "1.1.0": 20})
    assert stays == stay != {}  # each request was dealt anew, and the trial's counts were mixed
    assert (status["phase"], status["reason"]) == ("Paused", "InvalidSpec")
    assert status["strategy"] == "abTest"
    assert world.weights().get("1.0.0") == 100
    assert world.rollout()["status"]["phase"] in {"RollingBack", "RolledBack"}


@pytest.mark.parametrize("cause", [abort, fail_the_analysis, fire_an_alert])
async def test_a_rollout_of_a_later_release_goes_back_as_well(cause: Any) -> None:
    world = await begin()
    await world.pass_time(10 * SECOND)
    name = world.model()["status"]["rollout"]
    meta = {"namespace": NAMESPACE, "name": name}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": {"policy": {"magic": 1}}})
    await world.run()
    held = world.weights(), world.rollout()["status"]["reason"]
    cause(world)
    await world.run()
    await world.pass_time((2 if cause is abort else 60) * SECOND)

    assert held == ({"1.0.0": 80, "1.1.0": 20}, "InvalidSpec")
    assert world.weights().get("1.0.0") == 100


async def test_a_model_that_cannot_be_read_leaves_servers_as_they_are_and_goes_back() -> None:
    world = await begin(RECREATE, serving={"replicas": 2})
    await world.pass_time(10 * SECOND)
    phase = world.rollout()["status"]["phase"]
    change(world, serving={"replicas": 3, "magic": 1})
    await world.run()
    server = world.kube.objects["Deployment", NAMESPACE, "nsw-price-1-1-0"]
    held = world.rollout()["status"]["reason"], server["spec"]["replicas"]
    abort(world)
    await world.run()
    await world.pass_time(MINUTE)

    assert phase == "Guarding"
    assert held == ("InvalidSpec", 2)
    assert world.weights() == {"1.0.0": 100}
    assert world.rollout()["status"]["phase"] == "RolledBack"


async def test_once_the_edit_is_taken_back_the_rollout_goes_on() -> None:
    world = await tries(CANARY)
    change(world, rollout={"strategy": "magic"})
    await world.run()
    held = world.rollout()["status"]["reason"]
    change(world, rollout={"strategy": "canary"})
    await world.run()
    await world.pass_time(30 * MINUTE)

    assert held == "InvalidSpec"
    assert world.rollout()["status"]["phase"] == "Succeeded"


async def test_shares_that_leave_the_stable_version_nothing_are_refused() -> None:
    policy = AB_TEST | {"abTest": {**AB_TEST["abTest"], "weight": 50}}
    world = await tries(policy, alternatives=["1.2.0"])
    place = ("Rollout", NAMESPACE, "hand")
    row = copied(world.kube.objects[place]["status"])
    weights = world.weights()
    meta = {
        "namespace": NAMESPACE,
        "name": "hand",
        "annotations": {"fairlead.dev/abort": "Ada: no"},
    }
    world.kube.put({"kind": "Rollout", "metadata": meta})
    await world.run()

    assert weights == {"1.0.0": 100}
    assert (row["phase"], row["reason"]) == ("Pending", "InvalidSpec")
    assert "abTest.weight: 2 candidates with 50 % each" in row["message"]
    assert world.kube.objects[place]["status"]["phase"] == "RolledBack"
