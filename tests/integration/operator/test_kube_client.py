"""The client on a real API server: the port's promises, and what only a server can refuse."""

import asyncio
import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.control_plane import ControlPlane
from cluster.ports import refusing_port
from cluster.wait import wait_until
from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.api.common import SecretReference, VersionReference
from fairlead_operator.api.group import API_VERSION
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.prediction_log import PredictionLog
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.errors import (
    ClusterRefusalError,
    ConflictError,
    NamespaceEndingError,
    TakenError,
    TransientError,
    UnknownKindError,
    WebhookUnavailableError,
)
from fairlead_operator.kube import client as kube_client
from fairlead_operator.kube.applied import is_applied, sign
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.credentials import Credentials
from fairlead_operator.kube.database_secret import Passwords, build_own_secret
from fairlead_operator.kube.kinds import RESOURCES, WATCHED, Resource
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.model.manifests import (
    build_address,
    build_rollout,
    build_training_run,
)
from fairlead_operator.model.states import Target
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.rollout.servers.autoscaler import build_autoscaler
from fairlead_operator.rollout.servers.manifests import build_server
from fairlead_operator.rollout.traffic.route import build_config_map, build_route
from fairlead_operator.training_run.manifests import build_job
from support.conformance import KUBE, KubeCheck, config_map, training_run
from support.kube_desk import authority_of, may
from support.world import SETTINGS, model_manifest

pytestmark = pytest.mark.integration

_SECRET = build_own_secret(
    "namespace",
    "postgresql://u:p@database/fairlead",
    user="mine",
    passwords=Passwords(current="hers", made="2026-01-01", next="next", next_made="2026-02-01"),
    ca="CA",
)
_OWNER = Owner(kind="Model", namespace="namespace", name="nsw-price", uid="1")
_SERVED = VersionReference(version="1.0.0", registry_version="1", digest="sha256:0")
_TOKEN = SecretReference(name="token")
MANIFESTS = (
    *build_gateway("namespace", images=SETTINGS.images, replicas=1),
    *build_server(
        _SERVED,
        ServingSpec(
            prediction_log=PredictionLog(enabled=True, feedback_secret=_TOKEN),
            force_version_secret=_TOKEN,
        ),
        task="regression",
        owner=_OWNER,
        images=SETTINGS.images,
        mlflow_url=SETTINGS.mlflow.address,
    ),
    build_address(_OWNER),
    build_config_map(
        build_route((("1.0.0", 100),), owner=_OWNER, timeout=timedelta(seconds=5)), owner=_OWNER
    ),
)


@pytest.mark.parametrize("check", KUBE, ids=lambda check: check.__name__)
async def test_kube(check: KubeCheck, kube: KubeClient, namespace: str) -> None:
    await check(kube, namespace)


@pytest.mark.parametrize("check", KUBE, ids=lambda check: check.__name__)
async def test_kube_through_the_store(check: KubeCheck, kube: KubeClient, namespace: str) -> None:
    await check(WatchedKube(kube, Store()), namespace)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
async def test_what_the_server_made_of_a_manifest_is_known_again(
    kube: KubeClient, namespace: str, manifest: dict[str, Any]
) -> None:
    """Else each look would send it again."""
    manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
    signed = sign(manifest)
    await kube.apply(signed)
    store = Store()
    async for page in kube.pages(manifest["kind"], namespace, WATCHED[manifest["kind"]]):
        for item in page.items:
            store.put(item)
    live = store.get(manifest["kind"], namespace, manifest["metadata"]["name"])

    assert live is not None
    assert is_applied(signed, live)


_RUN = Owner(kind="TrainingRun", namespace="namespace", name="run", uid="2")
_MODEL = ModelSpec.model_validate(model_manifest()["spec"])
_SCALING = Autoscaling.model_validate(
    {"minReplicas": 1, "maxReplicas": 2, "target": {"cpuUtilization": 60}}
)
CHILDREN = (
    *MANIFESTS,
    _SECRET,
    build_autoscaler("1.0.0", _SCALING, floor=1, owner=_OWNER, prometheus_url=""),
    build_training_run(_OWNER, number=1, trigger=Trigger.INITIAL, task="digest"),
    build_rollout(_OWNER, _MODEL, Target(version="1.0.0", trigger="trained"), number=1),
    build_job(
        "finish",
        "{}",
        _MODEL,
        model="nsw-price",
        owner=_RUN,
        images=SETTINGS.images,
        mlflow_url=SETTINGS.mlflow.address,
    ),
)


@pytest.mark.parametrize("manifest", CHILDREN, ids=lambda manifest: manifest["kind"])
async def test_an_object_that_is_not_ours_is_left_as_it_is(
    kube: KubeClient, namespace: str, manifest: dict[str, Any]
) -> None:
    """A person's Service was given our selector, and deleted with our Model."""
    meta = {**manifest["metadata"], "namespace": namespace}
    theirs = {"name": meta["name"], "namespace": namespace, "labels": {"app": "theirs"}}
    born = await kube.create({**manifest, "metadata": theirs})

    with pytest.raises(TakenError, match=f"^{manifest['kind']} {meta['name']} exists and is not "):
        await WatchedKube(kube, Store()).apply({**manifest, "metadata": meta})

    after = await kube.get(manifest["kind"], namespace, meta["name"])
    assert after is not None
    assert after["metadata"]["resourceVersion"] == born["metadata"]["resourceVersion"]


@pytest.mark.parametrize("manifest", CHILDREN, ids=lambda manifest: manifest["kind"])
async def test_what_is_ours_is_made_and_changed_by_one_request_each(
    kube: KubeClient, namespace: str, manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    call = kube._call

    async def counted(method: str, *arguments: Any, **named: Any) -> Any:
        sent.append(method)
        return await call(method, *arguments, **named)

    monkeypatch.setattr(kube, "_call", counted)
    meta = {**manifest["metadata"], "namespace": namespace}
    watched = WatchedKube(kube, Store())

    born = await watched.apply({**manifest, "metadata": meta})
    changed = {**meta, "labels": {**meta["labels"], "changed": "yes"}}
    after = await watched.apply({**manifest, "metadata": changed})
    kept = await watched.apply({**manifest, "metadata": meta})

    assert sent == ["PATCH"] * 3
    assert after["metadata"]["labels"]["changed"] == "yes"
    assert "changed" not in kept["metadata"]["labels"]
    assert {entry["manager"] for entry in kept["metadata"]["managedFields"]} == {"fairlead"}
    assert kept["metadata"]["uid"] == born["metadata"]["uid"]


@pytest.mark.parametrize("manifest", CHILDREN, ids=lambda manifest: manifest["kind"])
async def test_what_was_exchanged_since_it_was_seen_is_left_as_it_is(
    kube: KubeClient, namespace: str, manifest: dict[str, Any]
) -> None:
    """As while the watch has not told of it yet."""
    kind, meta = manifest["kind"], {**manifest["metadata"], "namespace": namespace}
    ours = {**manifest, "metadata": meta}
    store = Store()
    watched = WatchedKube(kube, store)
    uid = (await watched.apply(ours))["metadata"]["uid"]
    await kube.delete(kind, namespace, meta["name"], uid=uid)
    theirs = {"name": meta["name"], "namespace": namespace, "labels": {"app": "theirs"}}
    born = await kube.create({**manifest, "metadata": theirs})

    changed = {**meta, "labels": {**meta["labels"], "changed": "yes"}}
    with pytest.raises(TakenError):
        await watched.apply({**ours, "metadata": changed})
    with pytest.raises(ConflictError):
        await kube.delete(kind, namespace, meta["name"], uid=uid)

    after = await kube.get(kind, namespace, meta["name"])
    assert after is not None
    assert after["metadata"]["uid"] == born["metadata"]["uid"]
    assert after["metadata"]["resourceVersion"] == born["metadata"]["resourceVersion"]


async def test_of_two_that_want_one_name_at_once_one_gets_it(
    kube: KubeClient, namespace: str
) -> None:
    """Two operators, as when one has lost its Lease and does not know yet."""
    addresses = [
        build_address(Owner(kind="Model", namespace=namespace, name=name, uid=name))
        for name in ("first", "second")
    ]
    for manifest in addresses:
        manifest["metadata"]["name"] = "wanted"

    outcomes = await asyncio.gather(
        *(WatchedKube(kube, Store()).apply(manifest) for manifest in addresses),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["TakenError", "dict"]
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, dict)]
    found = await kube.get("Service", namespace, "wanted")
    assert found is not None
    assert found["metadata"]["ownerReferences"] == winner["metadata"]["ownerReferences"]


async def test_a_list_of_many_pages_is_whole(
    kube: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_client, "_PAGE", 3)
    for number in range(8):
        manifest = config_map(namespace, f"c-{number}", metadata={"labels": {"l": "1"}})
        await kube.apply(manifest)

    found = await kube.list("ConfigMap", namespace, {"l": "1"})

    assert [item["metadata"]["name"] for item in found] == [f"c-{n}" for n in range(8)]


@pytest.mark.parametrize(
    "manifest",
    [
        *build_gateway("namespace", images=SETTINGS.images, replicas=1),
        _SECRET,
    ],
    ids=lambda manifest: manifest["kind"],
)
async def test_what_is_applied_in_each_reconcile_is_written_once(
    kube: KubeClient, namespace: str, manifest: dict[str, object]
) -> None:
    manifest = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}  # type: ignore[dict-item]

    first = await kube.apply(manifest)
    second = await kube.apply(manifest)

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    managers = {entry["manager"] for entry in second["metadata"]["managedFields"]}
    assert managers == {"fairlead"}


async def test_a_field_another_has_changed_is_taken_back(
    kube: KubeClient, plane: ControlPlane, namespace: str
) -> None:
    gateway = build_gateway(namespace, images=SETTINGS.images, replicas=2)[3]
    await kube.apply(gateway)
    plane.kubectl(
        f"--namespace={namespace}", "scale", "--replicas=0", "deployment/fairlead-gateway"
    )

    after = await kube.apply(gateway)

    assert after["spec"]["replicas"] == 2


async def test_what_exists_is_not_created_again(kube: KubeClient, namespace: str) -> None:
    await kube.create(config_map(namespace))

    with pytest.raises(TransientError, match="409"):
        await kube.create(config_map(namespace))


async def test_replace_refuses_what_has_changed_meanwhile(kube: KubeClient, namespace: str) -> None:
    first = await kube.create(config_map(namespace, data={"a": "1"}))
    await kube.replace(first | {"data": {"a": "2"}})

    with pytest.raises(TransientError, match="409"):
        await kube.replace(first | {"data": {"a": "3"}})


async def test_a_manifest_that_breaks_a_rule_is_refused_for_good(
    kube: KubeClient, namespace: str
) -> None:
    rollout = {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": namespace},
        "spec": {"model": "m", "version": "one"},
    }

    with pytest.raises(ClusterRefusalError, match=r"spec\.version"):
        await kube.apply(rollout)


# In the place of what we made, with our labels and another value of what never changes again.
_REPLACED: dict[str, tuple[str, Any]] = {
    "Deployment": ("selector", {"matchLabels": {"app": "theirs"}}),
    "RoleBinding": (
        "roleRef",
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    ),
}


@pytest.mark.parametrize("kind", _REPLACED)
async def test_what_was_replaced_by_what_cannot_change_is_told_with_the_way_out(
    kube: KubeClient, namespace: str, kind: str
) -> None:
    gateway = build_gateway(namespace, images=SETTINGS.images, replicas=1)
    ours = next(manifest for manifest in gateway if manifest["kind"] == kind)
    field, value = _REPLACED[kind]
    theirs = copy.deepcopy(ours)
    (theirs if kind == "RoleBinding" else theirs["spec"])[field] = value
    if kind == "Deployment":
        theirs["spec"]["template"]["metadata"]["labels"] = value["matchLabels"]
    await kube.create(theirs)

    with pytest.raises(ClusterRefusalError, match="delete the object, and it is made again"):
        await kube.apply(ours)


async def test_apply_into_a_namespace_that_is_gone_is_told_apart(kube: KubeClient) -> None:
    with pytest.raises(NamespaceEndingError, match="404"):
        await kube.apply(config_map("no-such-namespace"))


async def test_apply_into_a_namespace_that_ends_is_told_apart(
    plane: ControlPlane, kube: KubeClient, namespace: str
) -> None:
    """A finalizer keeps it from its end."""
    await kube.apply(config_map(namespace, metadata={"finalizers": ["fairlead.dev/test"]}))
    plane.kubectl("delete", "namespace", namespace, "--wait=false")

    with pytest.raises(NamespaceEndingError, match="403"):
        await kube.apply(config_map(namespace, "another"))

    await kube.apply(config_map(namespace))


async def test_a_kind_the_cluster_has_not_is_told_apart(
    kube: KubeClient, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KEDA may be missing, which is another thing than a missing namespace."""
    api_version = "absent.example/v1"
    monkeypatch.setitem(RESOURCES, "Absent", Resource(api_version=api_version, plural="absents"))
    meta = {"name": "a", "namespace": namespace}

    with pytest.raises(UnknownKindError, match="404"):
        await kube.apply({"apiVersion": api_version, "kind": "Absent", "metadata": meta})
    with pytest.raises(TransientError) as missing:
        await kube.apply(config_map("no-such-namespace"))

    assert not isinstance(missing.value, UnknownKindError)


async def test_a_field_that_an_older_kind_lacks_is_a_refusal(
    kube: KubeClient, namespace: str
) -> None:
    """The API server calls it an error of its own, which no repetition mends."""
    with pytest.raises(ClusterRefusalError, match="field not declared in schema"):
        await kube.apply(config_map(namespace, percent=20))


async def test_a_webhook_that_must_be_asked_and_is_away_is_told_apart(
    plane: ControlPlane, kube: KubeClient, namespace: str
) -> None:
    rule = {
        "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
        "operations": ["CREATE", "UPDATE"],
    }  # fmt: skip
    webhook = {
        "name": "away.fairlead.dev",
        "clientConfig": {"url": f"https://127.0.0.1:{refusing_port()}/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [webhook],
    }
    plane.kubectl("create", "--filename=-", input=json.dumps(configuration))
    try:
        with pytest.raises(WebhookUnavailableError, match=r"away\.fairlead\.dev"):
            await asyncio.wait_for(write_again_and_again(kube, namespace), 120)
    finally:
        plane.kubectl("delete", "validatingwebhookconfiguration", namespace)


async def write_again_and_again(kube: KubeClient, namespace: str) -> None:
    """Until the API server has read of what refuses it."""
    while True:
        await kube.apply(config_map(namespace))


async def test_a_token_nobody_gave_out_is_transient(plane: ControlPlane) -> None:
    server, context = authority_of(plane.kubeconfig)
    async with KubeClient(server, Credentials(context=context, token="wrong")) as client:
        with pytest.raises(TransientError, match="401"):
            await client.get("ConfigMap", "default", "x")


async def test_missing_rights_are_a_refusal(plane: ControlPlane, namespace: str) -> None:
    server, context = authority_of(plane.kubeconfig)
    plane.kubectl(f"--namespace={namespace}", "create", "serviceaccount", "nobody")
    token = plane.kubectl(f"--namespace={namespace}", "create", "token", "nobody").stdout.strip()
    async with KubeClient(server, Credentials(context=context, token=token)) as client:
        with pytest.raises(ClusterRefusalError, match="403"):
            await client.apply(training_run(namespace))


async def test_a_token_file_is_read_again_when_it_is_rotated(
    plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    server, context = authority_of(plane.kubeconfig)
    plane.kubectl(f"--namespace={namespace}", "create", "serviceaccount", "viewer")
    plane.kubectl(
        *(f"--namespace={namespace}", "create", "role", "viewer"),
        *("--verb=list", "--resource=configmaps"),
    )
    plane.kubectl(
        *(f"--namespace={namespace}", "create", "rolebinding", "viewer", "--role=viewer"),
        f"--serviceaccount={namespace}:viewer",
    )
    wait_until(
        lambda: may(plane, "viewer", namespace, "list", "configmaps", f"--namespace={namespace}"),
        timeout=60,
        otherwise=lambda: "the viewer has no rights after 60 s",
    )
    token = plane.kubectl(f"--namespace={namespace}", "create", "token", "viewer").stdout
    file = tmp_path / "token"
    file.write_text("old")
    async with KubeClient(server, Credentials(context=context, token_file=file)) as client:
        with pytest.raises(TransientError, match="401"):
            await client.list("ConfigMap", namespace, {})
        file.write_text(token)
        found = await client.list("ConfigMap", namespace, {})

    assert list(found) == []


async def test_a_server_that_is_away_is_transient() -> None:
    async with KubeClient(f"http://127.0.0.1:{refusing_port()}", Credentials()) as client:
        with pytest.raises(TransientError, match=r"^GET /apis/fairlead\.dev/"):
            await client.get("Model", "energy", "nsw-price")
