"""Whole lives of each strategy against fakes: what the gateway is told, and when."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.kube.metadata import component_labels
from support.world import NAMESPACE, World, model_manifest, pod

MINUTE = timedelta(minutes=1)
TEN_SECONDS = timedelta(seconds=10)
STABLE_SERVER = ("Deployment", NAMESPACE, "nsw-price-1-0-0")
CANDIDATE_SERVER = ("Deployment", NAMESPACE, "nsw-price-1-1-0")
PREVIEW = ("Service", NAMESPACE, "nsw-price-preview")
BASE = model_manifest()["spec"]["rollout"]
COMMON = {key: value for key, value in BASE.items() if key != "steps"}


async def moving(**policy: Any) -> World:
    """1.0.0 is in charge, and the Model was just pinned to 1.1.0."""
    world = World()
    world.kube.put(model_manifest(rollout=COMMON | policy))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.pin("1.1.0")
    return world


def route(world: World) -> dict[str, Any]:
    found = world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]
    return dict(json.loads(found["data"]["route.json"]))


def phase(world: World) -> tuple[str, str]:
    status = world.rollout()["status"]
    return status["phase"], status["reason"]


async def ask(world: World, action: str, text: str) -> None:
    current = world.model()["status"]["rollout"]
    await world.kube.annotate("Rollout", NAMESPACE, current, {f"fairlead.dev/{action}": text})
    await world.run()


async def test_a_canary_without_steps_doubles_its_weight() -> None:
    world = await moving()
    seen = []

    for _ in range(60):
        await world.pass_time(TEN_SECONDS)
        seen.append(world.weights()["1.1.0"])

    assert list(dict.fromkeys(seen)) == [5, 10, 20, 40, 80, 100]
    assert phase(world) == ("Succeeded", "Promoted")


async def test_a_step_is_judged_by_its_own_checks_as_well() -> None:
    own = {"name": "own", "query": "sum(x)", "atMost": 5}
    world = await moving(steps=[{"weight": 10, "hold": "1m"}, {"weight": 50, "checks": [own]}])
    world.prometheus.own["sum(x)"] = 9.0

    await world.pass_time(MINUTE)
    at_first_step = phase(world)
    await world.pass_time(MINUTE)

    assert at_first_step[0] == "Progressing"
    assert phase(world) == ("RolledBack", "AnalysisFailed")
    assert "own: 9" in world.rollout()["status"]["message"]


async def test_blue_green_tries_a_preview_and_switches_at_once() -> None:
    world = await moving(strategy="blueGreen", blueGreen={"hold": "1m", "mirror": 50})
    await world.run()
    preview = route(world)
    seen = []
    for _ in range(20):
        await world.pass_time(TEN_SECONDS)
        seen.append(world.weights()["1.1.0"])
        if phase(world)[0] == "Guarding":
            assert STABLE_SERVER in world.kube.objects

    assert preview["mirror"] == {"version": "1.1.0", "percent": 50}
    assert preview["preview"]["hosts"][0] == "nsw-price-preview"
    assert list(dict.fromkeys(seen)) == [0, 100]
    assert phase(world) == ("Succeeded", "Promoted")
    assert PREVIEW not in world.kube.objects
    assert {"mirror", "preview", "guard"}.isdisjoint(route(world))


async def test_blue_green_has_its_preview_address_until_it_ends() -> None:
    world = await moving(strategy="blueGreen", blueGreen={"hold": "1m", "pause": True})

    await world.pass_time(2 * MINUTE)
    waiting = phase(world), PREVIEW in world.kube.objects
    await ask(world, "approve", "Ada: tried it")

    assert waiting == (("Paused", "AwaitingApproval"), True)
    assert world.weights() == {"1.1.0": 100, "1.0.0": 0}


async def test_a_bad_preview_never_takes_traffic() -> None:
    world = await moving(strategy="blueGreen")
    world.prometheus.success_rate = 0.5

    await world.pass_time(MINUTE)

    assert phase(world) == ("RolledBack", "AnalysisFailed")
    assert world.weights() == {"1.0.0": 100}
    assert PREVIEW not in world.kube.objects


async def test_a_preview_leaves_the_address_of_another_model_alone() -> None:
    world = await moving(strategy="blueGreen", blueGreen={"hold": "1m"})
    other = {"labels": component_labels("address", "nsw-price-preview")}
    await world.run()
    await world.kube.delete(*PREVIEW)
    world.kube.put(
        {"kind": "Service", "metadata": {"namespace": NAMESPACE, "name": PREVIEW[2], **other}}
    )

    await world.pass_time(5 * MINUTE)

    assert phase(world)[0] == "Succeeded"
    labels = world.kube.objects[PREVIEW]["metadata"]["labels"]
    assert labels["fairlead.dev/model"] == "nsw-price-preview"


async def test_a_shadow_is_copied_to_before_it_takes_its_steps() -> None:
    world = await moving(
        strategy="shadow",
        shadow={"mirror": 20, "hold": "1m"},
        steps=[{"weight": 30, "hold": "1m"}],
    )
    seen = []

    for _ in range(25):
        await world.pass_time(TEN_SECONDS)
        mirror = route(world).get("mirror", {}).get("percent", 0)
        seen.append((world.weights()["1.1.0"], mirror))

    assert list(dict.fromkeys(seen)) == [(0, 20), (30, 0), (100, 0)]
    assert phase(world)[0] == "Succeeded"


async def test_a_shadow_nobody_asks_for_answers_pauses_in_doubt() -> None:
    world = await moving(strategy="shadow", shadow={"hold": "1m"})
    world.prometheus.requests = 0

    await world.pass_time(10 * MINUTE)

    assert phase(world) == ("Paused", "AnalysisInconclusive")
    assert world.weights() == {"1.1.0": 0, "1.0.0": 100}


async def test_recreate_never_runs_two_versions_and_says_that_it_has_downtime() -> None:
    world = await moving(strategy="recreate")
    lingering = pod("old", labels=component_labels("server", "nsw-price", "1.0.0"), ready=True)
    world.kube.put(lingering)
    await world.pass_time(TEN_SECONDS)
    stopping = phase(world), STABLE_SERVER in world.kube.objects
    both = CANDIDATE_SERVER in world.kube.objects

    await world.kube.delete("Pod", NAMESPACE, "old")
    await world.pass_time(TEN_SECONDS)

    assert stopping == (("Replacing", "StoppingStable"), False)
    assert not both
    assert phase(world)[0] == "Guarding"
    assert world.weights()["1.1.0"] == 100
    assert any("downtime" in message for _, message in world.events())
    await world.pass_time(2 * MINUTE)
    assert phase(world) == ("Succeeded", "Promoted")


async def test_recreate_starts_the_stable_version_again_when_the_candidate_is_really_gone() -> None:
    world = await moving(strategy="recreate")
    words = {"reason": "DigestMismatch", "message": "artifact has another digest"}
    world.broken["1.1.0"] = json.dumps(words)
    await world.pass_time(TEN_SECONDS)
    going_back = phase(world), CANDIDATE_SERVER in world.kube.objects
    both = STABLE_SERVER in world.kube.objects

    await world.kube.delete("Pod", NAMESPACE, "nsw-price-1-1-0-pod")
    await world.pass_time(MINUTE)

    assert going_back == (("RollingBack", "CandidateFailed"), False)
    assert not both
    assert phase(world) == ("RolledBack", "CandidateFailed")
    assert STABLE_SERVER in world.kube.objects
    assert world.weights() == {"1.0.0": 100}


async def test_recreate_goes_back_only_when_a_pod_made_a_moment_ago_must_have_been_seen() -> None:
    """Pods and Deployments are watched apart: a candidate just started may have an unseen pod."""
    world = await moving(strategy="recreate")
    world.slow.add("1.1.0")
    await world.pass_time(timedelta(seconds=3))
    assert phase(world)[0] == "Replacing"

    await ask(world, "abort", "Ada: not now")
    at_once = STABLE_SERVER in world.kube.objects
    await world.pass_time(timedelta(seconds=4))

    assert not at_once
    assert phase(world) == ("RolledBack", "Aborted")
    assert STABLE_SERVER in world.kube.objects
    assert CANDIDATE_SERVER not in world.kube.objects


async def test_recreate_goes_back_from_its_guard_window() -> None:
    world = await moving(strategy="recreate")
    await world.pass_time(TEN_SECONDS)
    assert phase(world)[0] == "Guarding"
    world.prometheus.success_rate = 0.2

    await world.pass_time(2 * MINUTE)

    assert phase(world) == ("RolledBack", "AnalysisFailed")
    assert CANDIDATE_SERVER not in world.kube.objects
    assert STABLE_SERVER in world.kube.objects


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "recreate"])
async def test_a_first_version_needs_no_way_back(strategy: str) -> None:
    world = World()
    world.kube.put(model_manifest(rollout=COMMON | {"strategy": strategy}))

    await world.train("nsw-price-training-1", "1.0.0")

    assert world.weights() == {"1.0.0": 100}
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "recreate"])
async def test_a_restart_of_the_operator_at_any_moment_changes_nothing(strategy: str) -> None:
    world = await moving(strategy=strategy)
    for _ in range(80):
        world.restart_operator()
        await world.run()
        before = world.weights()
        world.restart_operator()
        await world.run()
        assert world.weights() == before
        await world.pass_time(TEN_SECONDS)

    assert phase(world) == ("Succeeded", "Promoted")
    assert world.weights() == {"1.1.0": 100}


# -- the gateway's fast guard


async def test_a_tripped_guard_is_rolled_back_for_good_with_the_agents_numbers() -> None:
    world = await moving(steps=[{"weight": 25, "hold": "5m"}])
    await world.pass_time(TEN_SECONDS)
    guard = route(world)["guard"]
    moment = world.clock()
    world.trips["1.1.0"] = {
        "guard": guard["id"],
        "at": moment.isoformat(),
        "message": "12 of 14 answers failed in 2 s, allowed 50 %",
        "requests": 14,
        "failures": 12,
    }
    await world.pass_time(timedelta(seconds=2))
    status = world.rollout()["status"]

    assert (status["phase"], status["reason"]) == ("RolledBack", "GuardTripped")
    assert status["message"] == "12 of 14 answers failed in 2 s, allowed 50 %"
    assert status["triggeredAt"].startswith(moment.isoformat()[:19])
    assert world.weights() == {"1.0.0": 100}
    assert "guard" not in route(world)


async def test_a_trip_of_an_earlier_rollout_says_nothing_of_this_one() -> None:
    world = await moving(steps=[{"weight": 25, "hold": "5m"}])
    await world.run()
    world.trips["1.1.0"] = {"guard": "old", "at": "2026-01-01T00:00:00Z", "message": "old"}

    await world.pass_time(TEN_SECONDS)

    assert phase(world)[0] == "Progressing"


# -- what people ask


async def test_a_pause_holds_until_the_resume_and_both_are_recorded() -> None:
    world = await moving(steps=[{"weight": 10, "hold": "1m"}])
    await world.run()
    request = {"by": "ada", "at": "2026-01-01T00:00:00Z", "why": "lunch"}

    await ask(world, "pause", json.dumps(request))
    await world.pass_time(30 * MINUTE)
    paused = phase(world), world.weights()["1.1.0"]
    await ask(world, "resume", "Ada: back")
    await world.pass_time(MINUTE + TEN_SECONDS)

    assert paused == (("Paused", "PausedByRequest"), 10)
    assert phase(world)[0] == "Guarding"
    requests = world.rollout()["status"]["requests"]
    assert [(r["action"], r["by"], r["why"], r["outcome"]) for r in requests] == [
        ("pause", "ada", "lunch", "Accepted"),
        ("resume", "Ada", "back", "Accepted"),
    ]


async def test_a_promotion_skips_the_holds_and_its_word_ends_the_guard_window() -> None:
    world = await moving(steps=[{"weight": 10, "hold": "1h"}], guard={"duration": "1h"})
    await world.pass_time(TEN_SECONDS)

    await ask(world, "promote", "Ada: hotfix")
    await ask(world, "promote", "Ada: hotfix, once more")
    guarding = phase(world)[0], world.weights()["1.1.0"]
    await ask(world, "promote", "Ada: sure --end-guard")

    assert guarding == ("Guarding", 100)
    assert phase(world) == ("Succeeded", "Promoted")
    assert "Ada: sure" in world.rollout()["status"]["message"]
    outcomes = [request["outcome"] for request in world.rollout()["status"]["requests"]]
    assert outcomes == ["Accepted", "Refused", "Accepted"]


async def test_a_request_that_does_not_apply_is_refused_once_with_the_reason() -> None:
    world = await moving(steps=[{"weight": 10, "hold": "1h"}])
    await world.run()

    await ask(world, "resume", "Ada: go")
    await world.pass_time(5 * MINUTE)

    (request,) = world.rollout()["status"]["requests"]
    assert (request["outcome"], request["message"]) == ("Refused", "the rollout is not paused")
    refusals = [message for reason, message in world.events() if reason == "RequestRefused"]
    assert refusals == ["resume (Ada: go): the rollout is not paused"]
