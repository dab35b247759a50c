"""Rollouts of Models whose pods follow the load: weights wait for pods, and the way back stays."""

from datetime import timedelta
from typing import Any

import pytest

from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
LOOK = timedelta(seconds=10)
HPA = "HorizontalPodAutoscaler"
SCALING = {"minReplicas": 1, "maxReplicas": 20}


async def started(**scaling: Any) -> World:
    """The first version serves, and its pods follow a load of eight."""
    world = World()
    serving = {"autoscaling": {**SCALING, **scaling}}
    world.kube.put(model_manifest(serving=serving))
    await world.run()
    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(6 * MINUTE)
    world.demand = 8
    await world.run()
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    return world


@pytest.fixture
async def world() -> World:
    return await started()


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def replicas(world: World, version: str) -> int:
    """Pods the version is asked to have; 0 when it has no Deployment."""
    name = f"nsw-price-{version.replace('.', '-')}"
    found = world.kube.objects.get(("Deployment", NAMESPACE, name))
    return int(found["spec"]["replicas"]) if found else 0


def floor(world: World, version: str) -> int:
    name = f"nsw-price-{version.replace('.', '-')}"
    return int(world.kube.objects[HPA, NAMESPACE, name]["spec"]["minReplicas"])


def condition(world: World, kind: str) -> dict[str, Any]:
    conditions = world.rollout()["status"]["conditions"]
    return next((entry for entry in conditions if entry["type"] == kind), {})


async def test_the_pods_of_a_version_follow_its_load(world: World) -> None:
    assert (replicas(world, "1.0.0"), floor(world, "1.0.0")) == (8, 1)

    world.demand = 3
    await world.pass_time(MINUTE)

    assert replicas(world, "1.0.0") == 3


async def test_a_candidate_has_the_pods_of_its_weight_before_it_gets_it(world: World) -> None:
    change(world, version="1.1.0")
    seen: dict[int, int] = {}

    for _ in range(30):
        await world.pass_time(LOOK)
        weight = world.weights().get("1.1.0", 0)
        seen.setdefault(weight, replicas(world, "1.1.0"))
        if world.rollout()["status"]["phase"] != "Succeeded":
            assert replicas(world, "1.0.0") >= 8

    assert seen == {10: 1, 50: 4, 100: 8}
    assert world.rollout()["status"]["phase"] == "Succeeded"
    assert replicas(world, "1.0.0") == 0
    assert (HPA, NAMESPACE, "nsw-price-1-0-0") not in world.kube.objects


async def test_a_weight_waits_for_pods_and_says_how_many(world: World) -> None:
    world.room["1.1.0"] = 3
    change(world, version="1.1.0")
    await world.pass_time(20 * MINUTE)
    status = world.rollout()["status"]

    assert (status["phase"], status["reason"]) == ("Progressing", "WaitingForReplicas")
    assert status["message"] == (
        "3 of 4 pods of 1.1.0 ready for 50 %; if it stays so, look whether the cluster has room "
        "for them"
    )
    assert world.weights() == {"1.1.0": 10, "1.0.0": 90}

    world.room.clear()
    await world.pass_time(5 * MINUTE)

    assert world.rollout()["status"]["phase"] == "Succeeded"


async def test_a_bad_candidate_that_waits_for_pods_is_taken_back(world: World) -> None:
    world.room["1.1.0"] = 3
    change(world, version="1.1.0")
    await world.pass_time(5 * MINUTE)

    world.prometheus.success_rate = 0.5
    await world.pass_time(MINUTE)

    assert world.rollout()["status"]["reason"] == "AnalysisFailed"
    assert world.weights() == {"1.0.0": 100}


async def test_a_first_step_without_room_is_given_up_in_time(world: World) -> None:
    world.room["1.1.0"] = 1
    policy = model_manifest()["spec"]["rollout"]
    change(world, version="1.1.0", rollout={**policy, "steps": [{"weight": 50, "hold": "1m"}]})
    await world.pass_time(4 * MINUTE)
    waiting = dict(world.rollout()["status"])
    await world.pass_time(3 * MINUTE)
    status = world.rollout()["status"]

    assert (waiting["phase"], waiting["reason"]) == ("Pending", "WaitingForReplicas")
    assert (status["phase"], status["reason"]) == ("RolledBack", "StartDeadlineExceeded")
    assert "1 of 4 pods of 1.1.0 ready for 50 %" in status["message"]
    assert world.weights() == {"1.0.0": 100}


async def test_a_load_that_grows_in_a_rollout_can_go_back_whole(world: World) -> None:
    change(world, version="1.1.0")
    while world.rollout()["status"]["phase"] != "Guarding":
        await world.pass_time(LOOK)

    world.demand = 14  # all of it on the candidate: the stable version sees nothing of it
    await world.pass_time(2 * LOOK)

    assert replicas(world, "1.1.0") == 14
    assert replicas(world, "1.0.0") == 14
    assert world.rollout()["status"]["capacity"] == 14


async def test_the_floor_outlasts_a_rollback_until_the_autoscaler_knows_the_load(
    world: World,
) -> None:
    """Measured under no traffic, it would take the pods away just when the traffic is back."""
    change(world, version="1.1.0")
    while world.rollout()["status"]["phase"] != "Guarding":
        await world.pass_time(LOOK)
    world.prometheus.success_rate = 0.5
    await world.pass_time(MINUTE)
    back = floor(world, "1.0.0")
    await world.pass_time(5 * MINUTE)

    assert world.rollout()["status"]["phase"] == "RolledBack"
    assert (back, floor(world, "1.0.0")) == (8, 1)


async def test_scaling_up_in_mid_step_is_no_doubt(world: World) -> None:
    change(world, version="1.1.0")
    while world.weights().get("1.1.0") != 50:
        await world.pass_time(LOOK)
    world.room["1.1.0"] = 4
    world.demand = 12  # the candidate's autoscaler asks for six; four are ready

    await world.pass_time(LOOK)

    status = world.rollout()["status"]
    assert (status["phase"], status["reason"]) == ("Progressing", "StepHolding")
    assert "doubtSince" not in status


async def test_a_fixed_number_is_handed_over_whole_and_taken_back(world: World) -> None:
    """Leaving the field out without a word would leave one pod of eight."""
    change(world, serving={"autoscaling": None, "replicas": 5})
    await world.run()
    fixed = replicas(world, "1.0.0")
    gone = (HPA, NAMESPACE, "nsw-price-1-0-0") not in world.kube.objects
    world.demand = 5
    lowest = 5
    change(world, serving={"autoscaling": SCALING, "replicas": None})
    await world.run()
    for verb, kind, _ in world.kube.writes:
        if (verb, kind) == ("scale", "Deployment"):
            lowest = min(lowest, replicas(world, "1.0.0"))

    assert (fixed, gone, lowest) == (5, True, 5)
    assert replicas(world, "1.0.0") == 5


async def test_without_keda_the_model_serves_and_says_so() -> None:
    world = await started(provider="hpa")
    world.kube.unknown_kinds.add("ScaledObject")
    change(world, serving={"autoscaling": {**SCALING, "provider": "keda"}})
    await world.run()

    assert world.weights() == {"1.0.0": 100}
    assert condition(world, "Autoscaled")["reason"] == "AutoscalerMissing"
    assert "no kind ScaledObject" in condition(world, "Autoscaled")["message"]
    assert (HPA, NAMESPACE, "nsw-price-1-0-0") not in world.kube.objects

    world.kube.unknown_kinds.clear()
    await world.pass_time(2 * MINUTE)

    assert condition(world, "Autoscaled")["status"] == "True"
    assert ("ScaledObject", NAMESPACE, "nsw-price-1-0-0") in world.kube.objects


NO_REQUEST = "missing request for cpu in container istio-proxy"


def say(world: World, version: str, *state: str) -> None:
    """Let the autoscaler of a version say something of itself."""
    name = f"nsw-price-{version.replace('.', '-')}"
    meta = {"namespace": NAMESPACE, "name": name}
    told = dict(zip(("type", "status", "reason", "message"), state, strict=True))
    world.kube.put({"kind": HPA, "metadata": meta, "status": {"conditions": [told]}})


def of_model(world: World) -> tuple[str, str, str]:
    conditions = world.model()["status"]["conditions"]
    told = next(entry for entry in conditions if entry["type"] == "Autoscaled")
    return told["status"], told["reason"], told["message"]


async def test_an_autoscaler_that_cannot_scale_is_told_at_once_and_until_it_can(
    world: World,
) -> None:
    before = of_model(world)[:2]
    say(world, "1.0.0", "ScalingActive", "False", "FailedGetResourceMetric", NO_REQUEST)
    await world.run()
    stopped = of_model(world)
    say(world, "1.0.0", "ScalingLimited", "True", "TooManyReplicas", "more than the maximum")
    await world.run()
    limited = of_model(world)
    say(world, "1.0.0", "ScalingActive", "True", "ValidMetricFound", "it can")
    await world.run()

    assert before == ("True", "AutoscalerApplied")
    assert stopped[:2] == ("False", "AutoscalerStopped")
    assert NO_REQUEST in stopped[2]
    assert limited[:2] == ("True", "AutoscalerLimited")
    assert of_model(world)[:2] == before
    assert condition(world, "Autoscaled")["status"] == "True"


async def test_a_rollout_that_waits_for_pods_says_that_nothing_scales_them(world: World) -> None:
    world.room["1.1.0"] = 3
    change(world, version="1.1.0")
    await world.pass_time(5 * MINUTE)
    say(world, "1.1.0", "ScalingActive", "False", "FailedGetResourceMetric", NO_REQUEST)
    await world.run()

    status = world.rollout()["status"]
    assert status["reason"] == "WaitingForReplicas"
    assert status["message"].startswith("3 of 4 pods of 1.1.0 ready for 50 % (Horizontal")
    assert NO_REQUEST in status["message"]
    assert (of_model(world)[0], NO_REQUEST in of_model(world)[2]) == ("False", True)


async def test_a_quiet_scaled_model_writes_nothing(world: World) -> None:
    await world.pass_time(10 * MINUTE)
    world.kube.writes.clear()
    world.restart_operator()

    await world.pass_time(60 * MINUTE)

    assert world.kube.writes == []


async def test_a_bad_version_is_not_excused_by_the_pods_that_its_autoscaler_adds(
    world: World,
) -> None:
    change(world, version="1.1.0")
    await world.run()
    world.prometheus.success_rate = 0.5
    for _ in range(3):
        world.demand += 2
        await world.pass_time(timedelta(seconds=10))

    assert world.rollout()["status"]["reason"] == "AnalysisFailed"
