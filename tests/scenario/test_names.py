"""What has a name that a Model needs is left alone, and said; it goes on once the name is free."""

import copy
import dataclasses
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from fairlead_contract.mlflow import Access
from fairlead_operator.api.group import LABEL_MANAGED_BY, LABEL_MODEL
from fairlead_operator.keys import Key
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.mlflow.logins import SharedLogins
from fairlead_operator.settings import MlflowSecrets
from support.world import NAMESPACE, World, model_manifest

MODEL = Key("Model", NAMESPACE, "nsw-price")
VERSION = ("Service", NAMESPACE, "nsw-price-1-1-0")
MINUTE = timedelta(minutes=1)


def put(world: World, kind: str, name: str, **parts: Any) -> None:
    """What a person or a chart of theirs makes."""
    meta = {"namespace": NAMESPACE, "name": name, **parts.pop("metadata", {})}
    world.kube.put({"kind": kind, "metadata": meta, **parts})


def condition(world: World, kind: str, name: str, of: str = "Applied") -> tuple[str, str]:
    status = world.kube.objects[kind, NAMESPACE, name]["status"]
    found = {entry["type"]: entry for entry in status["conditions"]}[of]
    return found["reason"], found["message"]


def count(world: World) -> list[tuple[str, str]]:
    """Note each request from now on."""
    asked: list[tuple[str, str]] = []

    def noting(verb: str, method: Any) -> Any:
        async def noted(first: Any, *others: Any, **named: Any) -> Any:
            asked.append((verb, first if isinstance(first, str) else first["kind"]))
            return await method(first, *others, **named)

        return noted

    reads, writes = ("get", "reread", "list"), ("apply", "create", "annotate", "patch_status")
    for verb in (*reads, *writes, "delete", "scale"):
        setattr(world.kube, verb, noting(verb, getattr(world.kube, verb)))
    return asked


def made(world: World) -> set[tuple[str, str]]:
    """What the operator made, without what it says."""
    verbs = {"apply", "create"}
    return {write[1:] for write in world.kube.writes if write[0] in verbs and write[1] != "Event"}


def content(world: World, kind: str, name: str) -> tuple[Any, ...]:
    """What must stay as it is of an object that is not ours."""
    body = world.kube.objects[kind, NAMESPACE, name]
    meta = body["metadata"]
    signs = (meta["uid"], meta.get("labels"), meta.get("ownerReferences"), meta.get("annotations"))
    return (*copy.deepcopy(signs), copy.deepcopy(body.get("spec")))


async def serving() -> World:
    world = World()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    return world


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param("Service", "nsw-price", id="the address"),
        pytest.param("ConfigMap", "nsw-price-route", id="the route"),
        pytest.param("TrainingRun", "nsw-price-training-1", id="the training"),
        *(
            pytest.param(kind, "fairlead-gateway", id=f"the gateway: {kind}")
            for kind in ("ServiceAccount", "ConfigMap", "RoleBinding", "Deployment")
        ),
    ],
)
async def test_a_name_that_is_taken_stops_a_model_before_it_makes_anything(
    kind: str, name: str
) -> None:
    world = World()
    spec = {"model": "other"} if kind == "TrainingRun" else {"selector": {"app": "theirs"}}
    put(world, kind, name, spec=spec)
    before = content(world, kind, name)
    world.kube.put(model_manifest())
    await world.run()

    reason, message = condition(world, "Model", "nsw-price")
    assert reason == "NameTaken"
    assert message.startswith(f"{kind} {name} exists and is not ours")
    assert condition(world, "Model", "nsw-price", "Ready")[0] == "NameTaken"
    assert content(world, kind, name) == before
    if kind != "TrainingRun":
        assert made(world) == set()

    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    assert content(world, kind, name) == before


async def test_a_model_goes_on_by_itself_once_its_name_is_free() -> None:
    world = World()
    put(world, "Service", "nsw-price")
    world.kube.put(model_manifest())
    await world.run()

    await world.kube.delete("Service", NAMESPACE, "nsw-price")
    await world.pass_time(MINUTE)
    await world.train("nsw-price-training-1", "1.0.0")

    assert world.weights() == {"1.0.0": 100}
    assert condition(world, "Model", "nsw-price")[0] == "Applied"
    assert condition(world, "Model", "nsw-price", "Ready")[0] == "Serving"


@pytest.mark.parametrize(
    ("kind", "name", "policy"),
    [
        pytest.param("Service", "nsw-price-1-1-0", {}, id="its Service"),
        pytest.param("Deployment", "nsw-price-1-1-0", {}, id="its Deployment"),
        pytest.param("Service", "nsw-price-preview", {"strategy": "blueGreen"}, id="its preview"),
        pytest.param(
            "Service", "nsw-price-1-1-0", {"strategy": "recreate"}, id="its Service, one at a time"
        ),
        pytest.param("Rollout", "nsw-price-rollout-2", {}, id="its Rollout"),
    ],
)
async def test_a_version_whose_names_are_taken_gets_none_of_them(
    kind: str, name: str, policy: Mapping[str, Any]
) -> None:
    world = await serving()
    if policy:
        put(world, "Model", "nsw-price", spec={"rollout": {**policy, "steps": None}})
    labels = component_labels("address", "nsw-price-1-1-0") if kind == "Service" else {}
    spec = {"replicas": 1} if kind == "Deployment" else {"model": "other", "version": "1.0.0"}
    put(world, kind, name, metadata={"labels": labels}, spec=spec)
    before = content(world, kind, name)
    world.pin("1.1.0")
    await world.run()

    said = [("Model", "nsw-price")]
    if kind != "Rollout":
        said.append(("Rollout", "nsw-price-rollout-2"))
    for told in said:
        reason, message = condition(world, *told)
        assert (reason, message.startswith(f"{kind} {name}")) == ("NameTaken", True)
    assert content(world, kind, name) == before
    assert VERSION[1:] not in [key[1:] for key in world.kube.objects if key[0] != kind]
    assert world.weights() == {"1.0.0": 100}
    assert ("Deployment", NAMESPACE, "nsw-price-1-0-0") in world.kube.objects


def named(name: str, **spec: Any) -> dict[str, Any]:
    manifest = model_manifest(**spec)
    return manifest | {"metadata": manifest["metadata"] | {"name": name}}


PREVIEWED = {"strategy": "blueGreen", "blueGreen": {"hold": "1h"}, "steps": None}


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param("nsw-price-1-0-0", {}, id="the stable version"),
        pytest.param("nsw-price-1-1-0", {}, id="a candidate"),
        pytest.param("nsw-price-1-1-0", {"strategy": "recreate", "steps": None}, id="one of two"),
        pytest.param("nsw-price-preview", PREVIEWED, id="a preview"),
    ],
)
async def test_a_name_that_a_models_version_has_is_no_address(
    name: str, policy: dict[str, Any]
) -> None:
    """An address took over another Model's version, whose traffic got 503."""
    world = await serving()
    if policy:
        put(world, "Model", "nsw-price", spec={"rollout": policy})
    world.pin("1.1.0")
    await world.run()
    if policy.get("strategy") == "recreate":
        await world.pass_time(MINUTE)
    service = ("Service", NAMESPACE, name)
    before = copy.deepcopy(world.kube.objects[service])
    world.kube.put(named(name))
    await world.run()

    reason, message = condition(world, "Model", name)
    assert reason == "NameTaken"
    assert message == (
        f"Service {name} belongs to Model nsw-price, whose name or version makes the same name: "
        f"rename Model {name}, or delete Model nsw-price"
    )
    assert condition(world, "Model", name, "Ready") == (reason, message)
    await world.kube.delete("Model", NAMESPACE, name)
    await world.run()
    assert world.kube.objects[service] == before


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param("nsw-price-1-1-0", {}, id="a candidate"),
        pytest.param("nsw-price-1-1-0", {"strategy": "recreate", "steps": None}, id="one of two"),
        pytest.param("nsw-price-preview", PREVIEWED, id="a preview"),
    ],
)
async def test_a_name_that_is_an_address_is_no_version_of_another_model(
    name: str, policy: dict[str, Any]
) -> None:
    world = await serving()
    if policy:
        put(world, "Model", "nsw-price", spec={"rollout": policy})
    world.kube.put(named(name))
    await world.run()
    service = ("Service", NAMESPACE, name)
    before = copy.deepcopy(world.kube.objects[service])
    world.pin("1.1.0")
    await world.run()

    for told in (("Model", "nsw-price"), ("Rollout", "nsw-price-rollout-2")):
        reason, message = condition(world, *told)
        assert (reason, message.startswith(f"Service {name} belongs to Model {name}, ")) == (
            "NameTaken",
            True,
        )
    assert world.weights() == {"1.0.0": 100}
    assert condition(world, "Model", "nsw-price", "Ready")[0] != "NameTaken", "it serves"
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()
    assert world.kube.objects[service] == before


async def test_of_two_trainings_with_one_name_of_a_job_the_first_has_it() -> None:
    """A dot and a dash of a TrainingRun's name are the same in a Job's."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    before = copy.deepcopy(world.kube.objects["Job", NAMESPACE, "nsw-price-training-1-search"])
    put(world, "TrainingRun", "nsw-price-training.1", spec={"model": "nsw-price"})
    await world.run()

    reason, message = condition(world, "TrainingRun", "nsw-price-training.1")
    assert reason == "NameTaken"
    assert message.startswith("Job nsw-price-training-1-search exists and is not ours")
    assert message.endswith("; rename the TrainingRun, or delete the Job")
    assert world.kube.objects["Job", NAMESPACE, "nsw-price-training-1-search"] == before


async def test_an_object_that_comes_between_look_and_write_is_not_taken() -> None:
    world = World()
    world.kube.put(model_manifest())
    apply = world.kube.apply

    async def come_first(manifest: Mapping[str, Any]) -> dict[str, Any]:
        if manifest["kind"] == "Service":
            put(world, "Service", "nsw-price", spec={"selector": {"app": "theirs"}})
        return await apply(manifest)

    world.kube.apply = come_first  # type: ignore[method-assign]
    await world.run()

    service = world.kube.objects["Service", NAMESPACE, "nsw-price"]
    assert service["spec"]["selector"] == {"app": "theirs"}
    assert "ownerReferences" not in service["metadata"]


@pytest.mark.parametrize("lost", ["labels", "owner", "both"])
async def test_what_lost_one_sign_of_ours_gets_it_back_and_what_lost_both_is_not_ours(
    lost: str,
) -> None:
    world = await serving()
    meta = world.kube.objects["Service", NAMESPACE, "nsw-price"]["metadata"]
    owner = meta["ownerReferences"]
    metadata: dict[str, Any] = {"ownerReferences": [] if lost != "labels" else owner}
    if lost != "owner":
        metadata["labels"] = {LABEL_MANAGED_BY: None, LABEL_MODEL: None}
    put(world, "Service", "nsw-price", metadata=metadata)
    world.deliver()

    await world.controller.handle(MODEL)

    if lost == "both":
        assert condition(world, "Model", "nsw-price")[0] == "NameTaken"
        return
    meta = world.kube.objects["Service", NAMESPACE, "nsw-price"]["metadata"]
    assert meta["ownerReferences"] == owner
    assert meta["labels"] == component_labels("address", "nsw-price")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="for a training"),
        pytest.param({"version": "1.0.0", "serving": {"predictionLog": {"enabled": True}}},
                     id="for a record"),
    ],
)  # fmt: skip
async def test_a_secret_of_a_persons_is_refused_before_anything_is_made(
    spec: dict[str, Any],
) -> None:
    world = World()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    put(world, "Secret", "fairlead-database", data={"url": "theirs"})
    before = content(world, "Secret", "fairlead-database")
    world.kube.put(model_manifest(**spec))
    await world.run()

    reason, message = condition(world, "Model", "nsw-price")
    assert reason == "NameTaken"
    assert message.startswith("Secret fairlead-database exists and is not ours")
    assert content(world, "Secret", "fairlead-database") == before
    assert world.kube.objects["Secret", NAMESPACE, "fairlead-database"]["data"] == {"url": "theirs"}
    assert (made(world), world.record.logins) == (set(), {})


async def test_a_secret_of_a_persons_is_refused_to_a_training() -> None:
    world = await serving()
    await world.kube.delete("Secret", NAMESPACE, "fairlead-database")
    put(world, "Secret", "fairlead-database", data={"url": "theirs"})
    meta = {"namespace": NAMESPACE, "name": "by-hand"}
    world.kube.put(
        {"kind": "TrainingRun", "metadata": meta, "spec": {"model": "nsw-price", "trigger": "hand"}}
    )
    await world.run()

    reason, message = condition(world, "TrainingRun", "by-hand")
    assert reason == "NameTaken"
    assert message.startswith("Secret fairlead-database exists and is not ours")
    assert world.kube.objects["Secret", NAMESPACE, "fairlead-database"]["data"] == {"url": "theirs"}


async def sign_in_to_mlflow(world: World) -> None:
    """Start the operator anew where it sees to the Secrets of namespaces for MLflow."""
    world.settings = dataclasses.replace(world.settings, mlflow_secrets=MlflowSecrets.SHARED)
    logins = SharedLogins(Access(address="http://mlflow", token="hush"))
    world.ports = dataclasses.replace(world.ports, logins=logins)
    world.restart_operator()
    await world.run()


async def test_a_secret_for_mlflow_of_a_persons_is_refused_before_anything_is_made() -> None:
    world = World()
    await sign_in_to_mlflow(world)
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.0.0")
    put(world, "Secret", "fairlead-mlflow", data={"token": "theirs"})
    world.kube.put(model_manifest(version="1.0.0"))
    await world.run()

    reason, message = condition(world, "Model", "nsw-price")
    assert reason == "NameTaken"
    assert message.startswith("Secret fairlead-mlflow exists and is not ours")
    assert made(world) == set()

    await world.kube.delete("Secret", NAMESPACE, "fairlead-mlflow")
    await world.pass_time(MINUTE)
    assert condition(world, "Model", "nsw-price")[0] == "Applied"
    assert world.model()["status"]["phase"] != "Failed"


async def test_a_secret_for_mlflow_of_a_persons_stops_what_is_new_and_nothing_that_goes_back() -> (
    None
):
    world = await serving()
    world.pin("1.1.0")
    await world.pass_time(60 * MINUTE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    put(world, "Secret", "fairlead-mlflow", data={"token": "theirs"})
    await sign_in_to_mlflow(world)
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")

    world.pin("1.2.0")
    await world.pass_time(MINUTE)
    assert condition(world, "Model", "nsw-price")[0] == "NameTaken"
    assert world.weights() == {"1.1.0": 100}

    world.pin("1.0.0")
    await world.pass_time(60 * MINUTE)
    assert condition(world, "Model", "nsw-price")[0] == "NameTaken", "it is still said"
    assert world.weights() == {"1.0.0": 100}
    secret = world.kube.objects["Secret", NAMESPACE, "fairlead-mlflow"]
    assert secret["data"] == {"token": "theirs"}


async def test_a_gateway_of_a_persons_stays_when_the_last_model_goes() -> None:
    world = await serving()
    place = ("RoleBinding", NAMESPACE, "fairlead-gateway")
    await world.kube.delete(*place)
    put(world, "RoleBinding", "fairlead-gateway", subjects=[])
    await world.kube.delete("Model", NAMESPACE, "nsw-price")
    await world.run()

    assert {key for key in world.kube.objects if key[2] == "fairlead-gateway"} == {place}


async def test_a_start_looks_at_each_new_name_once_and_a_weight_costs_one_request() -> None:
    world = await serving()
    asked = count(world)
    world.pin("1.1.0")
    await world.run()
    started = Counter(asked)
    asked.clear()
    await world.pass_time(MINUTE)
    moved = Counter(call for call in asked if call[1] not in {"Event", "Rollout", "Model"})

    assert started["apply", "Service"] == started["apply", "Deployment"] == 1
    assert moved == {("apply", "ConfigMap"): 1}
