"""Going back works whatever the API server refuses, and the refusal is told in its words."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest

from fairlead_operator.alert_note import Note, write_note
from fairlead_operator.errors import (
    ClusterRefusalError,
    TransientError,
    WebhookUnavailableError,
)
from support.world import NAMESPACE, World, model_manifest

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)

STABLE: Final = "nsw-price-1-0-0"
CANDIDATE: Final = "nsw-price-1-1-0"
PREVIEW: Final = "nsw-price-preview"
SENTENCE: Final = "requests: must be less than or equal to memory limit"
ERRORS: Final = {
    "refused": ClusterRefusalError(f"PATCH …: 422 {SENTENCE}"),
    "webhook down": WebhookUnavailableError(f"PATCH …: 500 failed calling webhook: {SENTENCE}"),
    "unavailable": TransientError(f"PATCH …: 503 {SENTENCE}"),
}
REFUSED: Final = ERRORS["refused"]

CANARY: Final = {"steps": [{"weight": 20, "hold": "5m"}, {"weight": 50, "hold": "5m"}]}
BLUE_GREEN: Final = {"strategy": "blueGreen", "blueGreen": {"hold": "5m"}, "steps": None}
SHADOW: Final = {"strategy": "shadow", "shadow": {"hold": "5m"}, "steps": [{"weight": 20}]}
RECREATE: Final = {"strategy": "recreate", "steps": None}
AB_TEST: Final = {
    "strategy": "abTest",
    "steps": None,
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "1h"},
}
SCALED: Final = {"autoscaling": {"maxReplicas": 8, "target": {"cpuUtilization": 60}}}
GATEWAY_API: Final = {
    "gateway": {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "models", "namespace": "gateways"}],
        "hostnames": ["nsw-price.example.com"],
    }
}


# What is refused, and what someone changes so that it has to be written.


def ask_for_more(world: World) -> None:
    change(world, serving={"resources": {"requests": {"memory": "2Gi"}}})


def drift(kind: str, name: str, **spec: Any) -> Callable[[World], None]:
    def by_hand(world: World) -> None:
        meta = {"namespace": NAMESPACE, "name": name}
        world.kube.put({"kind": kind, "metadata": meta, "spec": spec})

    return by_hand


Target = tuple[str, str, Callable[[World], None]]
TARGETS: Final[dict[str, Target]] = {
    "the candidate's Deployment": ("Deployment", CANDIDATE, ask_for_more),
    "the stable Deployment": ("Deployment", STABLE, ask_for_more),
    "the candidate's Service": (
        "Service", CANDIDATE, drift("Service", CANDIDATE, selector={"a": "b"}),
    ),
    "the stable Service": ("Service", STABLE, drift("Service", STABLE, selector={"a": "b"})),
    "the candidate's autoscaler": (
        "HorizontalPodAutoscaler", CANDIDATE,
        drift("HorizontalPodAutoscaler", CANDIDATE, maxReplicas=2),
    ),
    "the stable autoscaler": (
        "HorizontalPodAutoscaler", STABLE,
        drift("HorizontalPodAutoscaler", STABLE, maxReplicas=2),
    ),
    "the preview Service": ("Service", PREVIEW, drift("Service", PREVIEW, selector={"a": "b"})),
}  # fmt: skip
OF_STABLE: Final = {name for name in TARGETS if "stable" in name}


# Why the rollout goes back.


def abort(world: World) -> None:
    annotate(world, "abort", "Ada: wrong data")


def alert(world: World) -> None:
    note = Note(version="1.1.0", message="FairleadVersionSlow", received=world.clock())
    annotate(world, "alert", write_note(note))


def fail_the_analysis(world: World) -> None:
    world.prometheus.success_rate = 0.7


def trip_the_guard(world: World) -> None:
    route = world.kube.objects["ConfigMap", NAMESPACE, "nsw-price-route"]["data"]["route.json"]
    world.trips["1.1.0"] = {
        "guard": json.loads(route)["guard"]["id"],
        "at": world.clock().isoformat(),
        "message": "12 of 14 answers failed in 2 s, allowed 50 %",
        "requests": 14,
        "failures": 12,
    }


CAUSES: Final[dict[str, Callable[[World], None]]] = {
    "Aborted": abort,
    "AlertFired": alert,
    "AnalysisFailed": fail_the_analysis,
    "GuardTripped": trip_the_guard,
}


def annotate(world: World, what: str, text: str) -> None:
    meta = {
        "namespace": NAMESPACE,
        "name": world.model()["status"]["rollout"],
        "annotations": {f"fairlead.dev/{what}": text},
    }
    world.kube.put({"kind": "Rollout", "metadata": meta})


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


async def begin(rollout: dict[str, Any], **serving: Any) -> World:
    """1.0.0 serves, and 1.1.0 is asked for."""
    world = World()
    world.kube.unknown_kinds.clear()
    world.prometheus.healthy()
    for version in ("1.0.0", "1.1.0"):
        world.registry.register(f"{NAMESPACE}.nsw-price", version)
    world.kube.put(model_manifest(version="1.0.0", serving=serving))
    await world.run()
    change(world, version="1.1.0", rollout=rollout)
    return world


async def come_to(world: World, phase: str) -> None:
    await world.run()
    if phase == "Paused":
        annotate(world, "pause", "Ada: a look first")
    if phase == "Guarding":
        annotate(world, "promote", "Ada: it is good --unmeasured")
    await world.pass_time(10 * SECOND)
    assert world.rollout()["status"]["phase"] == phase, world.rollout()["status"]["message"]


def refuse(world: World, target: str, error: Exception = REFUSED) -> None:
    kind, name, force = TARGETS[target]
    world.kube.refusing[kind, name] = error
    force(world)


def applied(world: World, kind: str = "Rollout") -> tuple[str, str]:
    """What the condition says; nothing where there is none."""
    body = world.rollout() if kind == "Rollout" else world.model()
    return said(body, "Applied")


def said(body: dict[str, Any], kind: str) -> tuple[str, str]:
    for condition in body["status"]["conditions"]:
        if condition["type"] == kind:
            return condition["status"], condition["message"]
    return "", ""


def told(world: World) -> list[bool]:
    """Whether Rollout and Model say it, in the API server's words."""
    return [
        status == "False" and SENTENCE in message
        for status, message in (applied(world), applied(world, "Model"))
    ]


async def goes_back(world: World, cause: str) -> None:
    """Give the cause, and hold what follows at once."""
    before = world.clock()
    CAUSES[cause](world)
    if cause == "AnalysisFailed":
        await world.pass_time(30 * SECOND)
    else:
        await world.run()
        assert world.clock() == before
    status = world.rollout()["status"]
    assert world.weights().get("1.1.0", 0) == 0, "the candidate has traffic"
    assert (status["phase"], status["reason"]) == ("RolledBack", cause), status["message"]


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("phase", ["Progressing", "Paused", "Guarding"])
@pytest.mark.parametrize("target", [name for name in TARGETS if "preview" not in name])
async def test_a_canary_goes_back_whatever_is_refused(target: str, phase: str, cause: str) -> None:
    world = await begin(CANARY, **(SCALED if "autoscaler" in target else {}))
    await come_to(world, phase)
    refuse(world, target)
    await world.run()

    assert told(world) == [True, True]
    assert world.rollout()["status"]["phase"] == phase
    await goes_back(world, cause)
    assert told(world) == [target in OF_STABLE] * 2  # the candidate is not needed any more

    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    assert applied(world)[0] == applied(world, "Model")[0] == "True"


@pytest.mark.parametrize("cause", CAUSES)
async def test_it_goes_back_though_somebody_made_the_route_immutable(cause: str) -> None:
    world = await begin(CANARY)
    await come_to(world, "Progressing")
    meta = {"namespace": NAMESPACE, "name": "nsw-price-route"}
    world.kube.put({"kind": "ConfigMap", "metadata": meta, "immutable": True})

    await goes_back(world, cause)
    assert applied(world)[0] != "False"


@pytest.mark.parametrize("error", ["webhook down", "unavailable"])
@pytest.mark.parametrize("target", ["the candidate's Deployment", "the stable Deployment"])
async def test_it_goes_back_while_what_admits_objects_is_away(target: str, error: str) -> None:
    world = await begin(CANARY)
    await come_to(world, "Progressing")
    refuse(world, target, ERRORS[error])
    await world.run()

    assert told(world) == [True, True]
    await goes_back(world, "Aborted")


@pytest.mark.parametrize("cause", ["Aborted", "AlertFired"])
@pytest.mark.parametrize(
    ("rollout", "target"),
    [
        *((BLUE_GREEN, target) for target in TARGETS if "autoscaler" not in target),
        *((SHADOW, target) for target in TARGETS if target.endswith("Deployment")),
        *((AB_TEST, target) for target in TARGETS if target.endswith("Deployment")),
    ],
    ids=lambda value: value.get("strategy") if isinstance(value, dict) else value,
)
async def test_other_strategies_go_back_as_well(
    rollout: dict[str, Any], target: str, cause: str
) -> None:
    world = await begin(rollout)
    await come_to(world, "Progressing")
    refuse(world, target)
    await world.pass_time(10 * SECOND)  # nothing tells a Rollout of its preview address

    assert told(world) == [True, True]
    await goes_back(world, cause)


@pytest.mark.parametrize("cause", CAUSES)
async def test_the_route_is_the_first_thing_written_when_it_goes_back(cause: str) -> None:
    world = await begin(CANARY)
    await come_to(world, "Progressing")
    ask_for_more(world)  # so that servers have to be written in the same look
    CAUSES[cause](world)
    world.kube.writes.clear()
    await world.pass_time(10 * SECOND)

    parts = [kind for verb, kind, _ in world.kube.writes if verb == "apply" and kind != "Event"]
    if cause != "AnalysisFailed":  # it is known at the next measurement only
        assert parts[:2] == ["ConfigMap", "Deployment"]
    assert "ConfigMap" in parts


async def test_traffic_is_not_given_to_a_server_that_is_refused() -> None:
    world = await begin(CANARY)
    await come_to(world, "Progressing")
    refuse(world, "the candidate's Deployment")
    await world.pass_time(9 * MINUTE)
    status = world.rollout()["status"]

    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}
    assert (status["phase"], status["reason"]) == ("Paused", "CandidateNotReady")
    assert SENTENCE in status["message"]
    assert [reason for reason, _ in world.events()].count("ClusterRefused") == 2  # of each, once

    world.kube.refusing.clear()
    await world.pass_time(20 * MINUTE)
    assert world.rollout()["status"]["phase"] == "Succeeded"
    assert applied(world)[0] == applied(world, "Model")[0] == "True"


async def test_a_candidate_that_is_refused_from_the_start_is_late_and_says_why() -> None:
    world = await begin(CANARY)
    world.kube.refusing["Deployment", CANDIDATE] = REFUSED
    await world.run()
    waiting = dict(world.rollout()["status"])
    await world.pass_time(6 * MINUTE)
    status = world.rollout()["status"]

    assert (waiting["phase"], waiting["reason"]) == ("Pending", "WaitingForCandidate")
    assert SENTENCE in waiting["message"]
    assert (status["phase"], status["reason"]) == ("RolledBack", "StartDeadlineExceeded")
    assert SENTENCE in status["message"]
    assert world.weights() == {"1.0.0": 100}


async def test_recreate_does_not_stop_a_version_that_could_not_come_back() -> None:
    world = await begin(RECREATE)
    refuse(world, "the stable Deployment")
    await world.pass_time(4 * MINUTE)
    waiting = dict(world.rollout()["status"])
    await world.pass_time(2 * MINUTE)
    status = world.rollout()["status"]

    assert (waiting["phase"], waiting["reason"]) == ("Pending", "WaitingForCandidate")
    assert "could not come back" in waiting["message"]
    assert (status["phase"], status["reason"]) == ("RolledBack", "StartDeadlineExceeded")
    assert ("Deployment", NAMESPACE, STABLE) in world.kube.objects
    assert world.weights() == {"1.0.0": 100}


@pytest.mark.parametrize("cause", ["Aborted", "AlertFired"])
async def test_recreate_goes_back_as_soon_as_the_stable_server_is_accepted(cause: str) -> None:
    world = await begin(RECREATE)
    await world.pass_time(10 * SECOND)
    assert world.rollout()["status"]["phase"] == "Guarding"
    world.kube.refusing["Deployment", STABLE] = REFUSED
    CAUSES[cause](world)
    await world.run()
    at_once = world.weights(), world.rollout()["status"]["phase"]
    await world.pass_time(5 * SECOND)

    assert at_once == ({"1.0.0": 100, "1.1.0": 0}, "RollingBack")
    assert told(world) == [True, True]
    assert world.rollout()["status"]["phase"] == "RollingBack"

    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    assert world.rollout()["status"]["phase"] == "RolledBack"


@pytest.mark.parametrize("target", ["the candidate's Deployment", "the stable Deployment"])
async def test_the_clusters_own_gateway_is_told_first_too(target: str) -> None:
    world = await begin(CANARY, **GATEWAY_API)
    await world.pass_time(30 * SECOND)
    assert world.http_weights() == {STABLE: 80, CANDIDATE: 20}
    refuse(world, target)
    abort(world)
    await world.run()

    assert world.http_weights().get(CANDIDATE, 0) == 0
    assert world.rollout()["status"]["phase"] in {"RollingBack", "RolledBack"}


async def test_a_route_that_is_refused_is_told_and_tried_until_it_is_taken() -> None:
    """Nothing else takes traffic away: the candidate keeps its pods, or its callers would fail."""
    world = await begin(CANARY, **GATEWAY_API)
    await world.pass_time(30 * SECOND)
    world.kube.refusing["HTTPRoute", "nsw-price-route"] = REFUSED
    abort(world)
    await world.pass_time(2 * MINUTE)

    assert world.rollout()["status"]["phase"] == "RollingBack"
    assert told(world) == [True, True]
    assert world.http_weights() == {STABLE: 80, CANDIDATE: 20}
    assert ("Deployment", NAMESPACE, CANDIDATE) in world.kube.objects

    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    assert world.rollout()["status"]["phase"] == "RolledBack"
    assert world.http_weights().get(CANDIDATE, 0) == 0


async def test_a_model_at_rest_says_that_a_change_is_refused() -> None:
    world = World()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    world.kube.put(model_manifest(version="1.0.0"))
    await world.run()
    refuse(world, "the stable Deployment")
    await world.run()
    refused = {kind: said(world.model(), kind) for kind in ("Ready", "UpToDate", "Applied")}
    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    taken = {kind: said(world.model(), kind)[0] for kind in ("Ready", "UpToDate", "Applied")}

    assert {kind: status for kind, (status, _) in refused.items()} == {
        "Ready": "True", "UpToDate": "False", "Applied": "False",
    }  # fmt: skip
    assert all(SENTENCE in message for _, message in refused.values())
    assert taken == dict.fromkeys(refused, "True")


async def test_what_a_model_cannot_write_stops_nothing_else() -> None:
    """Its gateway is refused: the rollout that ended is folded, and the next one starts."""
    world = await begin(CANARY)
    await come_to(world, "Guarding")
    world.kube.refusing["Deployment", "fairlead-gateway"] = REFUSED
    drift("Deployment", "fairlead-gateway", replicas=0)(world)
    await world.pass_time(5 * MINUTE)
    folded = world.model()["status"]["stable"]["version"]
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")
    world.pin("1.2.0")
    await world.run()

    assert folded == "1.1.0"
    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert applied(world, "Model")[0] == "False"


async def test_a_rollout_that_cannot_be_made_is_not_named_and_is_made_later() -> None:
    world = await begin(CANARY)
    world.kube.refusing["Rollout", "nsw-price-rollout-2"] = REFUSED
    await world.run()
    status = dict(world.model()["status"])

    assert (status["rollout"], status["rolloutNumber"]) == ("nsw-price-rollout-1", 1)
    assert status["phase"] == "Serving"
    assert SENTENCE in applied(world, "Model")[1]

    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    assert world.model()["status"]["rollout"] == "nsw-price-rollout-2"


async def test_a_request_whose_training_cannot_be_made_is_answered_when_it_can() -> None:
    world = World()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    world.kube.refusing["TrainingRun", "nsw-price-training-2"] = REFUSED
    meta = {
        "namespace": NAMESPACE,
        "name": "nsw-price",
        "annotations": {"fairlead.dev/retrain": "Ada: new tariff"},
    }
    world.kube.put({"kind": "Model", "metadata": meta})
    await world.run()
    unanswered = world.model()["status"].get("requests", [])
    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    (answer,) = world.model()["status"]["requests"]

    assert unanswered == []
    assert answer["outcome"] == "Accepted"
    assert world.model()["status"]["trainingRun"] == "nsw-price-training-2"


async def test_a_job_that_is_refused_is_told_and_tried_again() -> None:
    world = World()
    name = "nsw-price-training-1"
    world.kube.refusing["Job", f"{name}-search"] = REFUSED
    world.kube.put(model_manifest())
    await world.run()
    run = world.kube.objects["TrainingRun", NAMESPACE, name]

    assert said(run, "Applied")[0] == "False"
    assert SENTENCE in run["status"]["summary"]
    assert SENTENCE in applied(world, "Model")[1]

    world.kube.refusing.clear()
    await world.pass_time(MINUTE)
    assert ("Job", NAMESPACE, f"{name}-search") in world.kube.objects
    assert said(run, "Applied")[0] == "True"


async def test_an_event_that_is_refused_does_not_keep_the_status_back() -> None:
    world = await begin(CANARY)
    await come_to(world, "Progressing")
    apply = world.kube.apply

    async def refuse_events(manifest: dict[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Event":
            raise ClusterRefusalError("POST …/events: 403 exceeded quota")
        return await apply(manifest)

    world.kube.apply = refuse_events  # type: ignore[method-assign]
    await goes_back(world, "Aborted")
