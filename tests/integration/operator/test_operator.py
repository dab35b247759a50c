"""A live operator on a real API server; the test plays everything that is not the operator.

The other end of these lives is ``tests/scenario``: there on fakes and a clock that is told.
"""

import asyncio
import itertools
import signal
import time
from pathlib import Path

import pytest

from cluster.control_plane import ControlPlane
from fairlead_operator.requests import Action
from support.backends import Backends, progress
from support.kube_desk import chart_account, create_namespace
from support.live_operator import (
    Launcher,
    Manifest,
    Operator,
    Stage,
    fetch,
    launching,
    quick_policy,
    until,
)

pytestmark = pytest.mark.integration

SCALED = {"autoscaling": {"minReplicas": 1, "maxReplicas": 9}}
# A canary that the operator looks at again only when something wakes it.
ASLEEP = {
    "steps": [{"weight": 10, "hold": "1h"}],
    "analysis": quick_policy()["analysis"] | {"interval": "1h"},
}


async def serve_first_version(stage: Stage, backends: Backends, **spec: object) -> None:
    await stage.apply_model(**spec)
    await stage.train(1, "1.0.0", backends)
    await stage.wait("Model", "nsw-price", phase="Serving")


async def pin(stage: Stage, backends: Backends, version: str, **policy: object) -> None:
    """Ask for a version that is in the registry."""
    backends.registry.register(f"{stage.namespace}.nsw-price", version)
    await stage.apply_model(version=version, rollout=quick_policy(**policy))


async def test_a_model_is_trained_and_served(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    operator = await launcher.lead("operator-0")
    await stage.apply_model()
    job = await stage.wait("Job", "nsw-price-training-1-search")
    backends.registry.progress_of["run-1"] = progress(3)
    run = await stage.wait("TrainingRun", "nsw-price-training-1", summary="trial 3/40")
    await stage.train(1, "1.0.0", backends)
    await stage.wait("Model", "nsw-price", phase="Serving")
    await until(lambda: _is_registered(stage), "the registration to be looked at")
    model = await stage.get("Model", "nsw-price")

    assert run["metadata"]["ownerReferences"][0]["uid"] == model["metadata"]["uid"]
    for item in (
        job,
        await stage.get("Deployment", "fairlead-gateway"),
        await stage.get("ServiceAccount", "fairlead-gateway"),
        await stage.get("RoleBinding", "fairlead-gateway"),
        await stage.get("PodDisruptionBudget", "fairlead-gateway"),
        await stage.get("Service", "nsw-price"),
        await stage.get("Service", "nsw-price-1-0-0"),
        await stage.get("Deployment", "nsw-price-1-0-0"),
        await stage.get("Rollout", "nsw-price-rollout-1"),
    ):
        fields = item["metadata"]["managedFields"]
        how = {(entry["manager"], entry["operation"]) for entry in fields}
        # What cannot change is created, and never applied again.
        verb = "Update" if item["kind"] in {"Job", "Rollout"} else "Apply"
        assert ("fairlead", verb) in how, item["kind"]
        assert "finalizers" not in item["metadata"]
    conditions = {c["type"]: c["status"] for c in model["status"]["conditions"]}
    assert conditions == {
        "Ready": "True",
        "UpToDate": "True",
        "Progressing": "False",
        "PodsReady": "True",
        "Registered": "True",
        "OwnLogin": "False",  # the launcher shares the operator's
    }
    assert model["status"]["stable"]["version"] == "1.0.0"
    assert model["status"]["url"] == f"http://nsw-price.{stage.namespace}"
    assert await stage.weights() == {"1.0.0": 100}
    assert backends.registry.ended == {"run-1": "FINISHED"}
    assert (await operator.metrics())["fairlead_leader"] == 1
    assert operator.stop() == 0


async def _is_registered(stage: Stage) -> bool:
    """Whether the look after the first one at phase Serving has come."""
    conditions = (await stage.status("Model", "nsw-price"))["conditions"]
    return any(condition["type"] == "Registered" for condition in conditions)


async def test_a_pinned_version_goes_up_step_by_step(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends)

    await pin(stage, backends, "1.1.0")
    await until(lambda: _is_in_charge(stage, "1.1.0"), "1.1.0 to be in charge")
    await stage.wait("Model", "nsw-price", phase="Serving")

    weights = [weights.get("1.1.0", 0) for weights in stage.given]
    assert [weight for weight, _ in itertools.groupby(weights)] == [0, 10, 50, 100]
    assert await stage.weights() == {"1.1.0": 100}
    await until(lambda: _gone(stage, "Deployment", "nsw-price-1-0-0"), "1.0.0 to be removed")


async def _is_in_charge(stage: Stage, version: str) -> bool:
    stable = (await stage.status("Model", "nsw-price")).get("stable") or {}
    return bool(stable.get("version") == version)


async def test_an_alert_takes_the_candidate_back_at_once(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    operator = await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    await pin(stage, backends, "1.1.0", **ASLEEP)
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Progressing", observedWeight=10)
    labels = {"model_namespace": stage.namespace, "model": "nsw-price", "version": "1.1.0"}

    refused = await operator.post_alert(token="wrong", **labels)
    told = time.monotonic()
    status, answer = await operator.post_alert(**labels)
    rollout = await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")
    took = time.monotonic() - told

    assert refused[0] == 401
    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert rollout["status"]["reason"] == "AlertFired"
    assert 0 <= rollout["status"]["reactionSeconds"] < took
    assert await stage.weights() == {"1.0.0": 100}
    model = await stage.wait("Model", "nsw-price", phase="Blocked")
    assert model["status"]["stable"]["version"] == "1.0.0"

    metrics = await operator.metrics()
    assert metrics['fairlead_rollbacks_total{reason="AlertFired"}'] == 1
    assert metrics['fairlead_alerts_total{outcome="rollback"}'] == 1
    assert metrics['fairlead_alerts_total{outcome="unauthorized"}'] == 1


async def test_bad_answers_take_the_candidate_back(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    backends.prometheus.success_rate = 0.5

    await pin(stage, backends, "1.1.0", steps=[{"weight": 10, "hold": "10m"}])
    rollout = await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")

    assert rollout["status"]["reason"] == "AnalysisFailed"
    assert "0.5 over 500 requests" in rollout["status"]["message"]
    assert await stage.weights() == {"1.0.0": 100}


async def _reconciles(operator: Operator) -> dict[str, float]:
    """Return how often the operator has reconciled, by kind and outcome."""
    metrics = await operator.metrics()
    return {k: v for k, v in metrics.items() if k.startswith("fairlead_reconciles_total")}


async def test_a_quiet_operator_writes_nothing_and_said_everything_once(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    operator = await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    await pin(stage, backends, "1.1.0")
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Succeeded")
    await until(lambda: _is_in_charge(stage, "1.1.0"), "1.1.0 to be in charge")

    listed = backends.listed

    async def rests() -> bool:
        before, asked = await stage.versions(), len(backends.requests)
        worked = await _reconciles(operator)
        await asyncio.sleep(2)
        again = await stage.versions(), len(backends.requests), await _reconciles(operator)
        return again == (before, asked, worked)

    async def has_been_listed() -> bool:
        return backends.listed > listed + 1

    await until(has_been_listed, "the version to be found in the registry's list")
    await until(rests, "the operator to be quiet")

    before, asked = await stage.versions(), len(backends.requests)
    reconciles = await _reconciles(operator)
    await asyncio.sleep(8)
    after = await stage.versions()

    assert after == before
    assert len(backends.requests) == asked
    assert reconciles
    assert await _reconciles(operator) == reconciles

    # One for each transition, and no more.
    assert await told(stage, "nsw-price") == [
        *("TrainingStarted", "Training", "GatePassed", "RollingOut", "Promoted", "Serving"),
        *("RollingOut", "Promoted", "Serving"),
    ]
    assert await told(stage, "nsw-price-training-1") == ["Searching", "Finishing", "Registered"]
    rollout = await told(stage, "nsw-price-rollout-2")
    assert rollout[-4:] == ["StepStarted", "StepStarted", "GuardStarted", "Promoted"]
    assert rollout[:-4] == [
        reason for reason in ("WaitingForTurn", "WaitingForCandidate") if reason in rollout
    ]
    assert "failed" not in "".join(reconciles)


async def told(stage: Stage, name: str) -> list[str]:
    """Reasons of the Events about an object, oldest first."""
    events = sorted(await stage.events(), key=lambda item: int(item["metadata"]["resourceVersion"]))
    return [event["reason"] for event in events if event["involvedObject"]["name"] == name]


async def test_a_standby_takes_over(launcher: Launcher, stage: Stage, backends: Backends) -> None:
    first = await launcher.lead("operator-0")
    second = launcher.start("operator-1")

    async def stands_by() -> bool:
        return await second.health() == "standing by"

    await until(stands_by, "the standby to answer", log=second.log)
    assert (await second.metrics())["fairlead_leader"] == 0

    assert first.stop(signal.SIGTERM) == 0
    assert (await lease_of(launcher, stage))["holderIdentity"] in {"", "operator-1"}
    await until(second.leads, "the standby to lead", log=second.log)

    third = launcher.start("operator-2")
    await until(lambda: _answers(third.http_port), "the third to answer", log=third.log)
    assert second.stop(signal.SIGKILL) == -signal.SIGKILL
    await until(third.leads, "the third to lead", log=third.log)
    await serve_first_version(stage, backends)


async def lease_of(launcher: Launcher, stage: Stage) -> Manifest:
    """What the Lease says; how long it is waited for is in the unit tests, by the loop's clock."""
    lease = await stage.kube.get("Lease", launcher.namespace, "fairlead-operator")
    assert lease is not None
    return dict(lease["spec"])


async def test_every_replica_takes_alerts(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    """A standby once was an endpoint of the webhook that refused connections."""
    leader, standby = await launcher.lead("operator-0"), launcher.start("operator-1")
    await until(lambda: _answers(standby.http_port), "the standby to answer", log=standby.log)
    await serve_first_version(stage, backends)
    await pin(stage, backends, "1.1.0", **ASLEEP)
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Progressing", observedWeight=10)
    candidate = {"model_namespace": stage.namespace, "model": "nsw-price", "version": "1.1.0"}
    other = candidate | {"version": "9.9.9"}

    answers = [await each.post_alert(**other) for each in (leader, standby) * 10]
    status, answer = await standby.post_alert(**candidate)
    rollout = await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")

    assert {(code, each["alerts"][0]["outcome"]) for code, each in answers} == {(200, "ignored")}
    assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
    assert rollout["status"]["reason"] == "AlertFired"
    assert await standby.health() == "standing by"
    assert (await standby.metrics())['fairlead_alerts_total{outcome="rollback"}'] == 1


async def test_an_operator_that_lost_its_lease_leads_again_without_a_restart(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    """It once ended, and waited for the kubelet's back-off after each outage of the API server."""
    operator = await launcher.lead("operator-0")
    lease = await stage.kube.get("Lease", launcher.namespace, "fairlead-operator")
    assert lease is not None
    lease["spec"]["holderIdentity"] = "somebody-else"
    await stage.kube.replace(lease)

    async def stands_by() -> bool:
        return await operator.health() == "standing by"

    await until(stands_by, "the operator to stand by", log=operator.log)
    await until(operator.leads, "the operator to lead again", log=operator.log)
    await serve_first_version(stage, backends)

    assert operator.process.poll() is None


async def _answers(port: int) -> bool:
    return (await fetch(f"http://127.0.0.1:{port}/healthz"))[0] == 200


async def test_a_container_that_restarts_goes_on_with_its_lease(
    launcher: Launcher, stage: Stage
) -> None:
    first = await launcher.lead("operator-0")
    first.stop(signal.SIGKILL)

    await launcher.lead("operator-0")

    assert (await lease_of(launcher, stage))["leaseTransitions"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
async def test_a_restart_in_mid_rollout_changes_nothing_for_traffic(
    launcher: Launcher, stage: Stage, backends: Backends, number: signal.Signals
) -> None:
    first = await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    await pin(stage, backends, "1.1.0", steps=[{"weight": 10, "hold": "1h"}])
    await stage.wait("Rollout", "nsw-price-rollout-2", observedWeight=10, measured=True)

    first.stop(number)
    away = await stage.weights()
    await launcher.lead("operator-0")
    back = await stage.weights()
    await stage.kube.annotate(
        "Rollout", stage.namespace, "nsw-price-rollout-2", {Action.PROMOTE.annotation: "Ada: fine"}
    )
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Succeeded", observedWeight=100)

    assert away == back == {"1.1.0": 10, "1.0.0": 90}

    assert (await stage.wait("Model", "nsw-price", phase="Serving"))["status"]["stable"][
        "version"
    ] == "1.1.0"


async def test_an_alert_right_after_a_restart_is_not_lost(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    first = await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    await pin(stage, backends, "1.1.0", steps=[{"weight": 10, "hold": "10m"}])
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="Progressing", observedWeight=10)
    first.stop()
    second = launcher.start("operator-0")
    labels = {"model_namespace": stage.namespace, "model": "nsw-price", "version": "1.1.0"}

    async def accepted() -> bool:
        status, answer = await second.post_alert(**labels)
        if status == 0:
            return False
        assert (status, answer["alerts"][0]["outcome"]) == (200, "rollback")
        return True

    await until(accepted, "the webhook to answer", log=second.log)
    await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")


async def test_models_can_be_deleted_while_the_operator_is_away(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    operator = await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    operator.stop()

    for kind, name in (
        ("Model", "nsw-price"),
        ("Rollout", "nsw-price-rollout-1"),
        ("TrainingRun", "nsw-price-training-1"),
    ):
        await stage.kube.delete(kind, stage.namespace, name)
        assert await stage.kube.get(kind, stage.namespace, name) is None


async def test_the_gateway_goes_with_the_last_model(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends)

    await stage.kube.delete("Model", stage.namespace, "nsw-price")

    async def gone() -> bool:
        kinds = ("Deployment", "ServiceAccount", "RoleBinding", "ConfigMap", "PodDisruptionBudget")
        found = [await stage.kube.get(k, stage.namespace, "fairlead-gateway") for k in kinds]
        return not any(found)

    await until(gone, "the gateway to be removed")


async def test_outages_of_mlflow_are_waited_for(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    backends.registry.down = True
    await stage.apply_model()
    run = await stage.wait("TrainingRun", "nsw-price-training-1", phase="Pending")
    backends.registry.down = False

    assert run["status"]["reason"] == "WaitingForTracking"
    await stage.wait("TrainingRun", "nsw-price-training-1", phase="Searching")


async def test_pods_are_handed_over_to_an_autoscaler_and_taken_back(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends, serving={"replicas": 3})

    await stage.apply_model(serving=SCALED)
    scaler = await stage.wait("HorizontalPodAutoscaler", "nsw-price-1-0-0")
    handed_over = await stage.get("Deployment", "nsw-price-1-0-0")
    await stage.scale("nsw-price-1-0-0", 6)
    await stage.apply_model(serving={**SCALED, "requestTimeout": "20s"})
    await until(lambda: _observes(stage, "nsw-price"), "the change to be seen")
    scaled = await stage.get("Deployment", "nsw-price-1-0-0")
    await stage.apply_model(serving={"replicas": 2})
    await until(
        lambda: _gone(stage, "HorizontalPodAutoscaler", "nsw-price-1-0-0"), "the autoscaler to go"
    )

    async def is_fixed() -> bool:
        deployment = await stage.get("Deployment", "nsw-price-1-0-0")
        return bool(deployment["spec"]["replicas"] == 2)

    await until(is_fixed, "two pods")
    assert scaler["spec"]["minReplicas"] == 1
    assert (handed_over["spec"]["replicas"], scaled["spec"]["replicas"]) == (3, 6)


async def test_a_weight_waits_for_the_pods_it_needs(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends, serving=SCALED)
    await stage.scale("nsw-price-1-0-0", 8)
    stage.room["1.1.0"] = 2

    await pin(stage, backends, "1.1.0")
    said = "2 of 4 pods of 1.1.0 ready for 50 %"
    waiting = await stage.wait("Rollout", "nsw-price-rollout-2", said=said)
    weights, floor = await stage.weights(), await stage.get("Deployment", "nsw-price-1-1-0")
    stage.room.clear()
    await stage.wait("Model", "nsw-price", phase="Serving")
    await until(lambda: _gone(stage, "Deployment", "nsw-price-1-0-0"), "1.0.0 to be removed")

    assert waiting["status"]["reason"] == "WaitingForReplicas"
    assert weights == {"1.1.0": 10, "1.0.0": 90}
    assert floor["spec"]["replicas"] == 4
    assert await stage.weights() == {"1.1.0": 100}
    assert await _gone(stage, "HorizontalPodAutoscaler", "nsw-price-1-0-0")


@pytest.mark.parametrize("everywhere", [True, False], ids=["all namespaces", "one namespace"])
async def test_the_rights_the_chart_gives_are_enough(
    plane: ControlPlane,
    stage: Stage,
    backends: Backends,
    namespace: str,
    tmp_path: Path,
    *,
    everywhere: bool,
) -> None:
    own = create_namespace(plane, "fairlead")
    watch = "" if everywhere else namespace
    kubeconfig = chart_account(plane, namespace=own, watch=watch, folder=tmp_path)
    with launching(
        kubeconfig=kubeconfig, backends=backends, namespace=own, folder=tmp_path, watch=watch
    ) as launcher:
        operator = await launcher.lead("operator-0", FAIRLEAD_LOG_LEVEL="DEBUG")
        await serve_first_version(stage, backends, serving=SCALED)
        await pin(stage, backends, "1.1.0", steps=[{"weight": 10, "hold": "10m"}])
        await stage.wait("Rollout", "nsw-price-rollout-2", phase="Progressing", observedWeight=10)
        labels = {"model_namespace": namespace, "model": "nsw-price", "version": "1.1.0"}
        answers = [await operator.post_alert(**labels), await operator.post_alert(**labels)]
        await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")
        await stage.wait("Model", "nsw-price", phase="Blocked")
        await operator.post_alert(**labels | {"version": "1.0.0"})
        await operator.post_alert(**labels | {"model_namespace": "not-watched"})

        await stage.retrain("again")
        await stage.wait("Job", "nsw-price-training-2-search")
        await stage.change("TrainingRun", "nsw-price-training-2", suspend=True)
        await stage.wait("TrainingRun", "nsw-price-training-2", phase="Suspended")
        await stage.kube.delete("Model", namespace, "nsw-price")
        await until(lambda: _gone(stage, "Deployment", "fairlead-gateway"), "the gateway to go")
        await until(lambda: _gone(stage, "Secret", "fairlead-database"), "the login to go")
        operator.stop()

    assert [status for status, _ in answers] == [200, 200]
    assert "forbidden" not in operator.log.read_text().lower()


async def _observes(stage: Stage, name: str) -> bool:
    """Whether the operator has acted on the Model's newest spec."""
    model = await stage.get("Model", name)
    return bool(model["status"].get("observedGeneration") == model["metadata"]["generation"])


async def _gone(stage: Stage, kind: str, name: str) -> bool:
    return await stage.kube.get(kind, stage.namespace, name) is None


async def test_what_a_person_removes_comes_back_at_once(
    launcher: Launcher, stage: Stage, backends: Backends
) -> None:
    await launcher.lead("operator-0")
    await serve_first_version(stage, backends)
    parts = [
        *((kind, "fairlead-gateway") for kind in ("Deployment", "ServiceAccount", "ConfigMap")),
        *((kind, "fairlead-gateway") for kind in ("RoleBinding", "PodDisruptionBudget")),
        ("Service", "nsw-price"),
        ("Service", "nsw-price-1-0-0"),
        ("Deployment", "nsw-price-1-0-0"),
        ("ConfigMap", "nsw-price-route"),
    ]
    before = {part: (await stage.get(*part))["metadata"]["uid"] for part in parts}

    for kind, name in parts:
        await stage.kube.delete(kind, stage.namespace, name)

    async def all_back() -> bool:
        found = [await stage.kube.get(kind, stage.namespace, name) for kind, name in parts]
        return all(
            item is not None and item["metadata"]["uid"] != before[part]
            for part, item in zip(parts, found, strict=True)
        )

    await until(all_back, "everything removed to be there again")
