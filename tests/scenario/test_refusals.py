"""What a user sees when the cluster, a spec or another object stands in the way."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.group import LABEL_TRAINING_RUN
from fairlead_operator.engine.controller import Controller
from fairlead_operator.engine.work_queue import Key
from fairlead_operator.errors import ClusterRefusalError, TransientError
from support.world import GATEWAY_POD, NAMESPACE, SETTINGS, World, model_manifest

MINUTE = timedelta(minutes=1)
MODEL = Key("Model", NAMESPACE, "nsw-price")


@pytest.fixture
async def serving() -> World:
    world = World()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    return world


def conditions(world: World, kind: str, name: str) -> dict[str, tuple[str, str]]:
    status = world.kube.objects[kind, NAMESPACE, name]["status"]
    return {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}


def put(world: World, kind: str, name: str, **parts: object) -> None:
    world.kube.put({"kind": kind, "metadata": {"namespace": NAMESPACE, "name": name}, **parts})


async def test_a_refusal_of_the_cluster_is_shown_once_and_tried_again(serving: World) -> None:
    refusal = ClusterRefusalError("PATCH …/deployments/fairlead-gateway: 403 forbidden by policy")
    apply = serving.kube.apply

    async def refuse(manifest: dict) -> dict:
        if manifest["kind"] != "Event":
            raise refusal
        return await apply(manifest)

    serving.kube.apply = refuse
    await serving.kube.delete("Deployment", NAMESPACE, "fairlead-gateway")
    serving.deliver()
    for _ in range(3):
        await serving.controller.handle(MODEL)
    shown = conditions(serving, "Model", "nsw-price")

    assert shown["Applied"] == ("False", "ClusterRefused")
    assert shown["Ready"] == ("True", "ClusterRefused")
    assert shown["UpToDate"] == ("False", "ClusterRefused")
    assert shown["Progressing"] == ("False", "Serving")
    assert [reason for reason, _ in serving.events()].count("ClusterRefused") == 1

    serving.kube.apply = apply
    await serving.controller.handle(MODEL)

    shown = conditions(serving, "Model", "nsw-price")
    assert shown["Applied"] == ("True", "Applied")
    assert shown["UpToDate"] == ("True", "Serving")


async def test_what_may_not_be_read_is_told(serving: World) -> None:
    async def refuse(*_: str) -> None:
        raise ClusterRefusalError("GET …/rollouts: 403 forbidden")

    serving.kube.children = refuse
    unwatched = Controller(serving.queue, serving.ports, SETTINGS)
    with pytest.raises(ClusterRefusalError):
        await unwatched.handle(MODEL)

    assert conditions(serving, "Model", "nsw-price")["Progressing"] == ("Unknown", "ClusterRefused")


async def test_a_spec_no_schema_could_refuse_is_told_and_nothing_changes(serving: World) -> None:
    put(serving, "Model", "nsw-price", spec={"task": "divination"})
    await serving.run()
    before = serving.weights()
    await serving.run()

    assert conditions(serving, "Model", "nsw-price")["Progressing"] == ("False", "InvalidSpec")
    assert conditions(serving, "Model", "nsw-price")["Ready"][0] == "True"
    assert serving.model()["status"]["stable"]["version"] == "1.0.0"
    assert serving.weights() == before == {"1.0.0": 100}
    told = [message for reason, message in serving.events() if reason == "InvalidSpec"]
    assert any("spec.task" in message for message in told)

    put(serving, "Model", "nsw-price", spec={"task": "binary-classification"})
    await serving.run()
    assert conditions(serving, "Model", "nsw-price")["Progressing"] == ("False", "Serving")


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Rollout", {"model": "absent", "version": "1.0.0"}),
        ("TrainingRun", {"model": "absent"}),
    ],
)
async def test_a_child_of_a_model_that_is_not_there_says_so_once(
    kind: str, spec: dict[str, str]
) -> None:
    world = World()
    put(world, kind, "lonely", spec=spec)

    await world.run()
    await world.run()

    assert conditions(world, kind, "lonely")["Progressing"] == ("False", "WaitingForModel")
    row = world.kube.objects[kind, NAMESPACE, "lonely"]["status"]
    assert (row["phase"], row["reason"]) == ("Pending", "WaitingForModel")
    assert "there is no Model absent" in row["message"]
    assert [reason for reason, _ in world.events()] == ["WaitingForModel"]
    assert "there is no Model absent" in world.events()[0][1]


@pytest.mark.parametrize("kind", ["Rollout", "TrainingRun"])
async def test_a_child_of_a_model_that_cannot_be_read_says_so(serving: World, kind: str) -> None:
    put(serving, "Model", "nsw-price", spec={"task": "divination"})
    spec = {"model": "nsw-price"} | ({"version": "1.0.0"} if kind == "Rollout" else {})
    put(serving, kind, "by-hand", spec=spec)
    await serving.run()

    assert conditions(serving, kind, "by-hand")["Progressing"] == ("False", "InvalidSpec")


async def test_a_rollout_made_by_hand_waits_for_its_turn_and_gets_it(serving: World) -> None:
    serving.prometheus.healthy()
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.5.0")
    put(
        serving,
        "Rollout",
        "by-hand",
        spec={"model": "nsw-price", "version": "1.5.0", "trigger": "hand"},
    )

    await serving.pass_time(10 * MINUTE)

    assert serving.model()["status"]["rollout"] == "by-hand"
    assert serving.model()["status"]["stable"]["version"] == "1.5.0"
    assert serving.weights() == {"1.5.0": 100}


async def test_a_registration_without_a_digest_is_refused_by_name(serving: World) -> None:
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.5.0", digest="")
    put(serving, "Model", "nsw-price", spec={"version": "1.5.0"})
    await serving.run()
    status = serving.rollout()["status"]

    assert (status["phase"], status["reason"]) == ("RolledBack", "VersionNotFound")
    assert "fairlead.digest" in status["message"]


async def test_a_registry_that_is_away_is_waited_for(serving: World) -> None:
    serving.prometheus.healthy()
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.5.0")
    serving.registry.down = True
    put(serving, "Model", "nsw-price", spec={"version": "1.5.0"})
    await serving.run()
    waiting = dict(serving.rollout()["status"])
    serving.registry.down = False
    await serving.pass_time(10 * MINUTE)

    assert (waiting["phase"], waiting["reason"]) == ("Pending", "WaitingForRegistry")
    assert serving.weights() == {"1.5.0": 100}


async def test_a_suspended_run_stops_its_job_and_goes_on_with_the_same_study() -> None:
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    name = "nsw-price-training-1"
    put(world, "TrainingRun", name, spec={"suspend": True})
    await world.run()

    assert world.kube.objects["TrainingRun", NAMESPACE, name]["status"]["phase"] == "Suspended"
    assert ("Job", NAMESPACE, f"{name}-search") not in world.kube.objects

    put(world, "TrainingRun", name, spec={"suspend": False})
    await world.run()
    assert ("Job", NAMESPACE, f"{name}-search") in world.kube.objects
    assert len(world.registry.runs) == 1


async def test_progress_is_shown_and_an_outage_keeps_the_last() -> None:
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    document = {"stage": "search", "trial": 3, "trials": 40, "best": 0.91, "metric": "roc_auc"}
    world.registry.progress_of["run-1"] = json.dumps(document)
    await world.pass_time(timedelta(seconds=3))
    world.registry.down = True
    await world.pass_time(timedelta(seconds=3))

    status = world.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert status["summary"].startswith("trial 3/40, best roc_auc 0.91")


async def test_a_quota_that_lets_a_training_make_no_pod_is_told_within_seconds() -> None:
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    job = world.kube.objects["Job", NAMESPACE, "nsw-price-training-1-search"]["metadata"]
    words = 'Error creating: pods "p" is forbidden: exceeded quota: compute'
    world.kube.put({
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": "e"},
        "involvedObject": {"uid": job["uid"]},
        "reason": "FailedCreate",
        "message": words,
    })  # fmt: skip

    await world.pass_time(timedelta(seconds=8))

    run = world.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert run["reason"] == "WaitingForPods"
    assert all(words in condition["message"] for condition in run["conditions"])
    told = [condition["message"] for condition in world.model()["status"]["conditions"]]
    assert any(words in message for message in told), told
    assert ("WaitingForPods", run["message"]) in world.events()


async def test_a_result_is_read_though_the_watch_of_pods_is_behind_that_of_jobs() -> None:
    """A training that had ended well was declared failed, its pod's last word not seen yet."""
    world = World()
    world.kube.put(model_manifest())
    listed = world.kube.list

    async def behind(kind: str, namespace: str, labels: dict[str, str]) -> Any:
        return [] if LABEL_TRAINING_RUN in labels else await listed(kind, namespace, labels)

    world.kube.list = behind
    world.kube.relist = listed
    await world.train("nsw-price-training-1", "1.0.0")

    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_only_the_latest_children_are_kept(serving: World) -> None:
    for number in range(2, 15):
        put(
            serving,
            "Model",
            "nsw-price",
            metadata={
                "namespace": NAMESPACE,
                "name": "nsw-price",
                "annotations": {"fairlead.dev/retrain": str(number)},
            },
        )
        serving.clock.advance(MINUTE)
        await serving.run()
        run = f"nsw-price-training-{number}"
        document = {"outcome": "Failed", "reason": "DataEmpty", "message": "no rows"}
        serving.end_job(run, "search", result=document, failed="PodFailurePolicy")
        await serving.run()

    names = [key[2] for key in serving.kube.objects if key[0] == "TrainingRun"]
    assert len(names) <= 11
    assert "nsw-price-training-14" in names
    assert "nsw-price-training-1" not in names


async def test_reports_of_gateway_pods_that_are_gone_are_removed(serving: World) -> None:
    await serving.kube.patch_data(
        NAMESPACE, "fairlead-gateway", {"nsw-price.gone": "{}", "other.gone": "{}"}
    )
    serving.restart_operator()
    await serving.run()

    data = serving.kube.objects["ConfigMap", NAMESPACE, "fairlead-gateway"]["data"]
    assert set(data) == {f"nsw-price.{GATEWAY_POD}"}


async def test_reports_that_somebody_made_immutable_are_exchanged(serving: World) -> None:
    place = ("ConfigMap", NAMESPACE, "fairlead-gateway")
    before = serving.kube.objects[place]["metadata"]["uid"]
    put(serving, "ConfigMap", "fairlead-gateway", immutable=True)
    await serving.run()

    live = serving.kube.objects[place]
    assert "immutable" not in live
    assert live["metadata"]["uid"] != before


async def test_the_gateway_goes_with_the_last_model(serving: World) -> None:
    await serving.kube.delete("Model", NAMESPACE, "nsw-price")
    serving.deliver()
    await serving.controller.handle(MODEL)

    assert ("Deployment", NAMESPACE, "fairlead-gateway") not in serving.kube.objects
    assert ("Service", NAMESPACE, "nsw-price") not in serving.kube.objects


async def test_the_gateway_goes_with_a_model_that_went_while_no_operator_ran(
    serving: World,
) -> None:
    await serving.kube.delete("Model", NAMESPACE, "nsw-price")
    serving.restart_operator()
    await serving.run()

    left = {key[0] for key in serving.kube.objects if key[2] == "fairlead-gateway"}
    assert left == set()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *((kind, "fairlead-gateway") for kind in ("Deployment", "ServiceAccount", "ConfigMap")),
        *((kind, "fairlead-gateway") for kind in ("RoleBinding", "PodDisruptionBudget")),
        ("Service", "nsw-price"),
        ("Service", "nsw-price-1-0-0"),
        ("Deployment", "nsw-price-1-0-0"),
        ("ConfigMap", "nsw-price-route"),
    ],
)
async def test_what_a_person_removes_comes_back(serving: World, kind: str, name: str) -> None:
    await serving.kube.delete(kind, NAMESPACE, name)
    await serving.run()

    assert (kind, NAMESPACE, name) in serving.kube.objects


async def test_what_a_person_changes_is_taken_back(serving: World) -> None:
    put(serving, "Deployment", "nsw-price-1-0-0", spec={"replicas": 0})
    put(serving, "Service", "nsw-price", spec={"selector": {"wrong": "yes"}})
    put(serving, "Deployment", "fairlead-gateway", spec={"replicas": 0})
    await serving.run()

    objects = serving.kube.objects
    assert objects["Deployment", NAMESPACE, "nsw-price-1-0-0"]["spec"]["replicas"] == 1
    assert objects["Deployment", NAMESPACE, "fairlead-gateway"]["spec"]["replicas"] == 1


async def test_the_gateway_stays_while_another_model_is_there(serving: World) -> None:
    other = model_manifest()
    other["metadata"]["name"] = "other"
    serving.kube.put(other)
    await serving.run()
    await serving.kube.delete("Model", NAMESPACE, "nsw-price")
    await serving.run()

    assert ("Deployment", NAMESPACE, "fairlead-gateway") in serving.kube.objects


@pytest.mark.parametrize("error", [TransientError("away", retry_after=0.01), ValueError("a bug")])
async def test_a_failure_comes_back_until_it_passes(serving: World, error: Exception) -> None:
    """The real queue and a worker, as in the process."""
    await serving.kube.delete("Service", NAMESPACE, "nsw-price")  # so that there is work
    serving.deliver()
    serving.kube.fail_next = [error, error]
    serving.queue.add(MODEL)
    worker = asyncio.create_task(serving.controller.run())
    async with asyncio.timeout(60):
        while serving.kube.fail_next or serving.queue.failures(MODEL):  # noqa: ASYNC110  no event tells of it
            await asyncio.sleep(0.01)
    worker.cancel()

    assert serving.model()["status"]["phase"] == "Serving"


async def test_a_request_that_does_not_apply_is_refused_once_and_says_why(serving: World) -> None:
    put(serving, "Model", "nsw-price", metadata=asked(retry="Ada: try it again"))
    await serving.run()
    await serving.pass_time(MINUTE)

    (entry,) = serving.model()["status"]["requests"]
    assert (entry["action"], entry["by"], entry["outcome"]) == ("retry", "Ada", "Refused")
    assert entry["message"] == "no version was rolled back; there is nothing to retry"
    refusals = [message for reason, message in serving.events() if reason == "RequestRefused"]
    assert refusals == [f"retry (Ada: try it again): {entry['message']}"]


async def test_a_second_training_is_refused_while_one_is_under_way(serving: World) -> None:
    put(serving, "Model", "nsw-price", metadata=asked(retrain="Ada: new tariff"))
    await serving.run()
    put(serving, "Model", "nsw-price", metadata=asked(retrain="Bob: newer tariff"))
    await serving.run()

    requests = serving.model()["status"]["requests"]
    assert [entry["outcome"] for entry in requests] == ["Accepted", "Refused"]
    assert "nsw-price-training-2 is under way" in requests[1]["message"]


def asked(**requests: str) -> dict[str, Any]:
    annotations = {f"fairlead.dev/{action}": text for action, text in requests.items()}
    return {"namespace": NAMESPACE, "name": "nsw-price", "annotations": annotations}


async def test_a_way_back_that_the_cluster_refuses_is_told_with_what_candidates_have(
    serving: World,
) -> None:
    """The Model said weight 0, and its PodsReady sent the reader to the gateway's log."""
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.pin("1.1.0")
    await serving.run()
    refusal = ClusterRefusalError("PATCH nsw-price-route: 403 denied by policy freeze")
    serving.kube.refusing["ConfigMap", "nsw-price-route"] = refusal
    name = serving.rollout()["metadata"]["name"]
    abort = asked(abort="Ada: wrong data") | {"name": name}
    serving.kube.put({"kind": "Rollout", "metadata": abort})

    await serving.pass_time(timedelta(seconds=15))

    model, rollout = serving.model()["status"], serving.rollout()
    assert rollout["status"]["phase"] == "RollingBack"
    assert (model["weight"], rollout["status"]["observedWeight"]) == (10, 10)
    for kind, name in (("Model", "nsw-price"), ("Rollout", rollout["metadata"]["name"])):
        shown = conditions(serving, kind, name)
        assert shown["PodsReady"] == ("True", "PodsReady")
        assert shown["Applied"] == ("False", "ClusterRefused")
    ready = next(each for each in model["conditions"] if each["type"] == "Ready")
    assert "the cluster refuses a change: PATCH nsw-price-route: 403" in ready["message"]

    serving.kube.refusing.clear()
    await serving.pass_time(MINUTE)

    assert serving.weights() == {"1.0.0": 100}
    model = serving.model()["status"]
    assert model.get("weight") is None
    ready = next(each for each in model["conditions"] if each["type"] == "Ready")
    assert "`fairlead retry nsw-price` tries it again" in ready["message"]


async def test_a_pinned_model_whose_rollout_may_not_be_made_says_so() -> None:
    """Its row said that nothing is trained yet."""
    world = World()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    refusal = ClusterRefusalError("POST nsw-price-rollout-1: 403 denied by policy freeze")
    world.kube.refusing["Rollout", "nsw-price-rollout-1"] = refusal
    world.kube.put(model_manifest(version="1.0.0"))

    await world.run()

    ready = next(each for each in world.model()["status"]["conditions"] if each["type"] == "Ready")
    assert "the rollout of 1.0.0 is not started" in ready["message"]
    assert "403 denied by policy freeze" in ready["message"]
