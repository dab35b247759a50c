"""The hard cases a rollout must survive, one named test each."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.prometheus.answers import Answered
from support.world import NAMESPACE, World, model_manifest, pod

MINUTE = timedelta(minutes=1)
POLICY = model_manifest()["spec"]["rollout"]
MODEL = ("Model", NAMESPACE, "nsw-price")


async def serving(**policy: Any) -> World:
    """1.0.0 is in charge; 1.1.0 and 1.2.0 are registered."""
    world = World()
    world.kube.put(model_manifest(rollout=POLICY | policy))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    for version in ("1.1.0", "1.2.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    return world


async def moving(**policy: Any) -> World:
    """10 % of the traffic is on 1.1.0."""
    world = await serving(**policy)
    world.pin("1.1.0")
    await world.run()
    assert world.weights() == {"1.1.0": 10, "1.0.0": 90}
    return world


def condition(world: World, kind: str) -> dict[str, Any]:
    conditions = world.model()["status"]["conditions"]
    return dict(next(known for known in conditions if known["type"] == kind))


def registered(world: World) -> dict[str, Any]:
    return condition(world, "Registered")


def status(world: World) -> dict[str, Any]:
    return dict(world.rollout()["status"])


async def test_an_operator_killed_at_any_instant_resumes_without_harm() -> None:
    world = await moving()
    seen = []

    while status(world)["phase"] != "Succeeded":
        world.restart_operator()
        await world.pass_time(timedelta(seconds=7))
        seen.append(world.weights().get("1.1.0", 0))

    assert list(dict.fromkeys(seen)) == [10, 50, 100]


def said(world: World, kind: str) -> dict[str, Any]:
    conditions = world.model()["status"]["conditions"]
    return dict(next(each for each in conditions if each["type"] == kind))


async def test_a_model_at_rest_whose_pods_are_gone_is_not_ready_and_says_why() -> None:
    world = await serving()
    before = said(world, "Ready")
    world.slow.add("1.0.0")
    labels = component_labels("server", "nsw-price", "1.0.0")
    stuck = pod("stuck", labels=labels)
    stuck["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/3 nodes: Insufficient cpu"}
        ],
    }
    world.kube.put(stuck)

    await world.run()
    silent, phase = said(world, "Ready"), world.model()["status"]["phase"]
    world.slow.discard("1.0.0")
    await world.kube.delete("Pod", NAMESPACE, "stuck")
    await world.pass_time(timedelta(seconds=10))

    assert (before["status"], said(world, "PodsReady")["status"]) == ("True", "True")
    assert (silent["status"], silent["reason"]) == ("False", "NotAnswering")
    assert "Insufficient cpu" in silent["message"]
    assert phase == "Serving"
    assert said(world, "Ready")["status"] == "True"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("down", True, id="Prometheus is down"),
        pytest.param("requests", 0, id="no traffic"),
        pytest.param("requests", None, id="no data"),
        pytest.param("success_rate", None, id="no sample"),
        pytest.param("success_rate", float("nan"), id="NaN"),
        pytest.param("success_rate", float("inf"), id="infinite"),
        pytest.param("refusal", "parse error", id="Prometheus refuses the query"),
    ],
)
async def test_missing_evidence_holds_then_pauses_and_neither_promotes_nor_goes_back(
    field: str, value: Any
) -> None:
    world = await moving()
    setattr(world.prometheus, field, value)

    await world.pass_time(3 * MINUTE)
    held = status(world)["phase"], world.weights()["1.1.0"]
    await world.pass_time(10 * MINUTE)

    assert held == ("Progressing", 10)
    assert (status(world)["phase"], world.weights()["1.1.0"]) == ("Paused", 10)
    assert status(world)["reason"] == "AnalysisInconclusive"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param("artifact has another digest", "DigestMismatch", id="a wrong digest"),
        pytest.param("no such version", "VersionNotFound", id="the artifact is gone"),
        pytest.param("the example is refused", "SelfTestFailed", id="it cannot predict"),
    ],
)
async def test_a_candidate_that_cannot_start_is_rolled_back_before_it_takes_traffic(
    message: str, reason: str
) -> None:
    world = await serving()
    world.broken["1.1.0"] = json.dumps({"reason": reason, "message": message})
    world.pin("1.1.0")

    await world.pass_time(MINUTE)

    assert (status(world)["phase"], status(world)["reason"]) == ("RolledBack", "CandidateFailed")
    assert status(world)["message"] == f"{reason}: {message}"
    assert world.weights() == {"1.0.0": 100}


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("ImagePullBackOff", "no such image"),
        ("CreateContainerConfigError", 'secret "feedback" not found'),
    ],
)
async def test_a_pod_that_cannot_start_yet_is_waited_for_and_told(reason: str, words: str) -> None:
    world = await serving()
    world.slow.add("1.1.0")
    world.pin("1.1.0")
    await world.run()
    labels = component_labels("server", "nsw-price", "1.1.0")
    stuck = pod("candidate", labels=labels)
    waiting = {"waiting": {"reason": reason, "message": words}}
    stuck["status"]["containerStatuses"][0]["state"] = waiting
    world.kube.put(stuck)

    await world.run()
    told = status(world)
    stuck["status"]["containerStatuses"][0]["state"] = {}
    world.kube.put(stuck)
    world.slow.discard("1.1.0")
    await world.run()

    assert (told["phase"], told["reason"]) == ("Pending", "WaitingForCandidate")
    assert f"{reason}: {words}" in told["message"]
    assert status(world)["phase"] == "Progressing"


async def test_pods_that_cannot_start_in_a_canary_are_doubt() -> None:
    """Its pods are replaced: after an upgrade, an eviction, on a full node."""
    world = await serving()
    world.pin("1.1.0")
    await world.run()
    before = (status(world)["phase"], world.weights())
    world.slow.add("1.1.0")
    labels = component_labels("server", "nsw-price", "1.1.0")
    stuck = pod("candidate-new", labels=labels)
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such tag"}}
    stuck["status"]["containerStatuses"][0] |= {"state": waiting, "ready": False}
    world.kube.put(stuck)

    await world.run()

    assert (status(world)["phase"], world.weights()) == before
    assert status(world)["reason"] == "CandidateNotReady"
    assert "ErrImagePull: no such tag" in status(world)["message"]


@pytest.mark.parametrize(
    ("policy", "first", "weights"),
    [
        pytest.param("supersede", ("RolledBack", "Superseded"), {"1.2.0": 10, "1.0.0": 90},
                     id="supersede: the present one goes back first"),
        pytest.param("queue", ("Progressing", "StepHolding"), {"1.1.0": 10, "1.0.0": 90},
                     id="queue: the new one waits"),
        pytest.param("reject", ("Progressing", "StepHolding"), {"1.1.0": 10, "1.0.0": 90},
                     id="reject: the new one is refused"),
    ],
)  # fmt: skip
async def test_a_new_version_during_a_rollout_follows_the_declared_policy(
    policy: str, first: tuple[str, str], weights: dict[str, int]
) -> None:
    world = await moving(onNewTarget=policy)
    world.pin("1.2.0")

    await world.run()

    before = world.kube.objects["Rollout", NAMESPACE, "nsw-price-rollout-2"]["status"]
    assert (before["phase"], before["reason"]) == first
    assert world.weights() == weights
    assert status(world)["stable"]["version"] == "1.0.0"


async def test_a_rejected_target_is_said_and_not_tried_after_the_rollout() -> None:
    world = await moving(onNewTarget="reject")
    world.pin("1.2.0")

    await world.pass_time(30 * MINUTE)
    model = world.model()["status"]

    assert model["stable"]["version"] == "1.1.0"
    assert model["rollout"] == "nsw-price-rollout-2"
    up_to_date = next(c for c in model["conditions"] if c["type"] == "UpToDate")
    assert (up_to_date["status"], up_to_date["reason"]) == ("False", "TargetRefused")
    assert any(reason == "TargetRefused" for reason, _ in world.events())


async def test_of_two_rollouts_for_one_model_one_runs_and_the_other_says_that_it_waits() -> None:
    world = await moving()
    world.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": "mine"},
            "spec": {"model": "nsw-price", "version": "1.2.0"},
        }
    )

    await world.run()

    mine = world.kube.objects["Rollout", NAMESPACE, "mine"]["status"]
    assert (mine["phase"], mine["reason"]) == ("Pending", "WaitingForTurn")
    assert world.weights() == {"1.1.0": 10, "1.0.0": 90}
    assert ("Deployment", NAMESPACE, "nsw-price-1-2-0") not in world.kube.objects


async def test_a_registered_version_that_is_deleted_in_mid_rollout_changes_nothing() -> None:
    world = await moving()
    world.registry.versions.clear()

    await world.pass_time(10 * MINUTE)

    assert status(world)["phase"] == "Succeeded"
    assert world.weights() == {"1.1.0": 100}


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        pytest.param(None, "was deleted", id="deleted"),
        pytest.param("sha256:other", "now says version 1.0.0 with digest sha256:other",
                     id="its tags were changed"),
    ],
)  # fmt: skip
async def test_a_registered_version_that_is_altered_while_it_serves_is_a_condition(
    digest: str | None, words: str
) -> None:
    world = await serving()
    world.registrations.take(await world.registry.registrations())
    world.restart_operator()
    await world.run()
    before = registered(world)
    name = f"{NAMESPACE}.nsw-price"
    del world.registry.versions[name, "1.0.0"]
    if digest is not None:
        altered = RegisteredVersion(version="1.0.0", registry_version="1", digest=digest)
        world.registry.versions[name, "1.0.0"] = altered

    world.registrations.take(await world.registry.registrations())
    world.restart_operator()
    await world.run()

    assert before["status"] == "True"
    assert (registered(world)["status"], registered(world)["reason"]) == (
        "False",
        "RegistrationChanged",
    )
    assert words in registered(world)["message"]
    assert world.weights() == {"1.0.0": 100}
    assert world.model()["status"]["phase"] == "Serving"
    assert [reason for reason, _ in world.events()].count("RegistrationChanged") == 1


async def test_a_first_version_that_only_fails_is_told_and_stays() -> None:
    """It was Ready, without a sign."""
    world = await serving()
    path = f"{NAMESPACE}/nsw-price/1.0.0"

    for failed in (40, 41):
        world.answers.take({("BuiltIn", path): Answered(total=41, failed=failed, refused=0)})
        world.watches.look_at_model(NAMESPACE, "nsw-price")
        await world.run()

    told = condition(world, "Answering")
    assert (told["status"], told["reason"]) == ("False", "OnlyFailures")
    assert "of 41 requests in 10 minutes 1.0.0 answered 1 well, failed 40" in told["message"]
    assert [reason for reason, _ in world.events()].count("OnlyFailures") == 1
    assert world.weights() == {"1.0.0": 100}


async def test_a_gateway_that_does_not_confirm_a_route_is_told_at_the_model() -> None:
    """Its token was refused: the route stayed as it was, and nothing said so."""
    world = await serving()
    world.gateway_reports = False
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put(
        {"kind": "Model", "metadata": meta, "spec": {"serving": {"requestTimeout": "7s"}}}
    )

    await world.pass_time(timedelta(seconds=9))
    before = condition(world, "PodsReady")["status"]
    await world.pass_time(timedelta(seconds=6))
    late = condition(world, "PodsReady")
    world.gateway_reports = True
    await world.pass_time(timedelta(seconds=6))

    assert (before, late["status"], late["reason"]) == ("True", "False", "PodsMissing")
    assert "has not confirmed the route for 10 s" in late["message"]
    assert condition(world, "PodsReady")["status"] == "True"
    assert condition(world, "Ready")["status"] == "True", "the route of before answers"


async def test_a_version_that_is_newer_than_the_list_is_not_said_to_be_deleted() -> None:
    """A version that was registered and promoted since the list was taken once seemed gone."""
    world = World()
    world.registrations.take({})
    world.kube.put(model_manifest(rollout=POLICY))
    await world.train("nsw-price-training-1", "1.0.0")
    world.restart_operator()
    await world.run()

    assert registered(world)["status"] == "True"


async def test_git_that_still_asks_for_the_bad_version_is_blocked_and_causes_no_loop() -> None:
    world = await moving()
    world.prometheus.success_rate = 0.2
    await world.pass_time(MINUTE)
    world.prometheus.success_rate = 1.0

    for _ in range(4):
        world.pin("1.1.0")  # Argo CD applies it again and again
        await world.pass_time(3 * MINUTE)

    assert world.model()["status"]["phase"] == "Blocked"
    assert world.model()["status"]["rollout"] == "nsw-price-rollout-2"
    assert world.weights() == {"1.0.0": 100}


async def test_a_bad_stable_version_never_blocks_the_fix() -> None:
    world = await serving()
    world.broken["1.0.0"] = json.dumps({"reason": "InternalError", "message": "crashes"})
    world.pin("1.1.0")

    await world.pass_time(10 * MINUTE)

    assert status(world)["phase"] == "Succeeded"
    assert world.model()["status"]["stable"]["version"] == "1.1.0"


async def test_a_model_deleted_in_mid_rollout_takes_everything_with_it() -> None:
    world = await moving()
    assert "finalizers" not in world.kube.objects[MODEL]["metadata"]

    await world.kube.delete(*MODEL)
    await world.run()
    await world.pass_time(10 * MINUTE)

    left = {key[0] for key in world.kube.objects}
    assert left <= {"Event", "Pod"}


async def test_a_namespace_deleted_in_mid_rollout_leaves_the_operator_at_rest() -> None:
    world = await moving()
    for key in list(world.kube.objects):  # in whatever order
        await world.kube.delete(*key)

    await world.pass_time(10 * MINUTE)

    assert not [key for key in world.kube.objects if key[0] in {"Model", "Rollout", "Deployment"}]


@pytest.mark.parametrize(
    ("policy", "trouble", "end"),
    [
        pytest.param({}, "slow", ("RolledBack", "StartDeadlineExceeded"), id="the start"),
        pytest.param({"strategy": "recreate"}, "slow", ("RolledBack", "StartDeadlineExceeded"),
                     id="the start, while nothing serves"),
        pytest.param({}, "silence", ("Paused", "AnalysisInconclusive"), id="a step in doubt"),
        pytest.param({"steps": [{"weight": 10, "hold": "1m", "pause": True}]}, "",
                     ("RolledBack", "ApprovalDeadlineExceeded"), id="an approval"),
    ],
)  # fmt: skip
async def test_every_phase_has_a_deadline(
    policy: dict[str, Any], trouble: str, end: tuple[str, str]
) -> None:
    known = POLICY | policy | {"approvalDeadline": "10m"}
    if known.get("strategy") == "recreate":
        del known["steps"]
    world = World()
    world.kube.put(model_manifest(rollout=known))
    await world.train("nsw-price-training-1", "1.0.0")
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.prometheus.healthy()
    if trouble == "slow":
        world.slow.add("1.1.0")
    if trouble == "silence":
        world.prometheus.requests = 0
    world.pin("1.1.0")

    await world.pass_time(15 * MINUTE)

    assert (status(world)["phase"], status(world)["reason"]) == end


async def test_what_fails_with_pods_that_are_taken_away_is_doubt_and_no_verdict() -> None:
    world = await moving()
    await world.pass_time(timedelta(seconds=5))
    world.lose_pods("nsw-price-1-1-0")
    world.prometheus.success_rate = 0.9  # requests that were under way in them

    await world.pass_time(timedelta(seconds=20))
    lost = status(world)
    world.prometheus.success_rate = 1.0
    await world.pass_time(timedelta(hours=1))

    assert (lost["phase"], lost["weight"], lost["verdict"]) == ("Progressing", 10, "Inconclusive")
    assert "pods of it are being replaced" in lost["checks"][0]["message"]
    assert status(world)["phase"] == "Succeeded"


async def test_a_version_that_goes_on_failing_after_its_pods_were_replaced_goes_back() -> None:
    world = await moving()
    await world.pass_time(timedelta(seconds=5))
    world.lose_pods("nsw-price-1-1-0")
    world.prometheus.success_rate = 0.9

    await world.pass_time(timedelta(seconds=60))

    assert (status(world)["phase"], status(world)["reason"]) == ("RolledBack", "AnalysisFailed")
