"""What each port promises, as checks that its fake and its real implementation both pass.

A check is one sentence of ``fairlead_operator.ports``.  The operator's tests stand on
the fakes; this is why they can.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import pytest

from fairlead_operator.api.group import API_VERSION
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.errors import (
    ClusterRefusalError,
    ConflictError,
    SealedError,
    TransientError,
    UnknownKindError,
)
from fairlead_operator.ports import Kube, Prometheus, Registry
from fairlead_operator.signature import Column, Signature
from support.fakes import START

Manifest = dict[str, Any]
KubeCheck = Callable[[Kube, str], Awaitable[None]]


def config_map(namespace: str, name: str = "settings", **parts: Any) -> Manifest:
    meta = {"name": name, "namespace": namespace, **parts.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **parts}


def training_run(namespace: str, *, suspend: bool = False) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": "TrainingRun",
        "metadata": {"name": "run", "namespace": namespace},
        "spec": {"model": "nsw-price", "trigger": "hand", "suspend": suspend},
    }


def model_at(namespace: str, name: str, gateway: Mapping[str, Any]) -> Manifest:
    at = {"kind": "GatewayAPI", "parentRefs": [{"name": "public"}], **gateway}
    data = {"source": {"uri": "https://data/rows.csv"}, "timestampColumn": "t", "target": "y"}
    return {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"task": "regression", "data": data, "serving": {"gateway": at}},
    }


async def must_get(kube: Kube, kind: str, namespace: str, name: str) -> Manifest:
    found = await kube.get(kind, namespace, name)
    assert found is not None, f"{kind} {name} is gone"
    return found


async def what_is_missing_is_none(kube: Kube, namespace: str) -> None:
    assert await kube.get("ConfigMap", namespace, "absent") is None
    assert await kube.get("Rollout", namespace, "absent") is None


async def apply_creates_what_get_finds(kube: Kube, namespace: str) -> None:
    applied = await kube.apply(config_map(namespace, data={"a": "1"}))
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert (found["kind"], found["apiVersion"]) == ("ConfigMap", "v1")
    assert found["data"] == {"a": "1"} == applied["data"]
    assert found["metadata"]["uid"]
    assert found["metadata"]["creationTimestamp"].endswith("Z")


async def apply_twice_is_the_same_as_once(kube: Kube, namespace: str) -> None:
    manifest = config_map(namespace, data={"a": "1"}, metadata={"labels": {"l": "1"}})
    first = await kube.apply(manifest)
    second = await kube.apply(manifest)

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def apply_does_not_change_what_it_is_given(kube: Kube, namespace: str) -> None:
    manifest = config_map(namespace, data={"a": "1"})
    await kube.apply(manifest)

    assert manifest == config_map(namespace, data={"a": "1"})


async def create_makes_what_get_finds_and_no_second(kube: Kube, namespace: str) -> None:
    manifest = config_map(namespace, data={"a": "1"})
    made = await kube.create(manifest)
    with pytest.raises(ConflictError):
        await kube.create(config_map(namespace, data={"a": "2"}))
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert manifest == config_map(namespace, data={"a": "1"})
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
    assert found["data"] == {"a": "1"} == made["data"]
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


async def what_cannot_change_is_refused(kube: Kube, namespace: str) -> None:
    """And stays as it was, however often it is tried."""
    rollout = {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": namespace},
        "spec": {"model": "nsw-price", "version": "1.1.0", "trigger": "pinned"},
    }
    server = deployment(namespace)
    for manifest, other in (
        (rollout, rollout | {"spec": rollout["spec"] | {"version": "1.2.0"}}),
        (server, deployment(namespace, selector={"matchLabels": {"app": "other"}})),
    ):
        born = await kube.apply(manifest)
        for _ in range(2):
            with pytest.raises(ClusterRefusalError):
                await kube.apply(other)
        same = await kube.apply(manifest)

        assert same["metadata"]["resourceVersion"] == born["metadata"]["resourceVersion"]


async def a_field_applied_before_and_left_out_later_is_removed(kube: Kube, namespace: str) -> None:
    labels = {"kept": "1", "dropped": "1"}
    await kube.apply(config_map(namespace, data={"a": "1", "b": "2"}, metadata={"labels": labels}))
    await kube.apply(config_map(namespace, data={"a": "3"}, metadata={"labels": {"kept": "1"}}))
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert found["data"] == {"a": "3"}
    assert found["metadata"]["labels"] == {"kept": "1"}


async def what_others_wrote_is_kept(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace))
    await kube.patch_data(namespace, "settings", {"model.pod": "{}"})
    await kube.annotate("ConfigMap", namespace, "settings", {"example.com/asked": "yes"})
    before = await kube.apply(config_map(namespace))
    after = await must_get(kube, "ConfigMap", namespace, "settings")

    assert after["data"] == {"model.pod": "{}"}
    assert after["metadata"]["annotations"]["example.com/asked"] == "yes"
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def list_finds_all_labels_sorted_by_name(kube: Kube, namespace: str) -> None:
    both = {"component": "route", "model": "m"}
    for name, labels in (("b", both), ("c", {"component": "route"}), ("a", both), ("d", {})):
        await kube.apply(config_map(namespace, name, metadata={"labels": labels}))

    found = await kube.list("ConfigMap", namespace, both)
    every = await kube.list("ConfigMap", namespace, {})

    assert [item["metadata"]["name"] for item in found] == ["a", "b"]
    names = [item["metadata"]["name"] for item in every]
    assert names == sorted(names)
    assert {"a", "b", "c", "d"} <= set(names)
    assert {(item["kind"], item["apiVersion"]) for item in every} == {("ConfigMap", "v1")}


async def list_stays_in_its_namespace(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace, "here", metadata={"labels": {"l": "namespace"}}))

    assert await kube.list("ConfigMap", "default", {"l": "namespace"}) == []


async def a_kind_the_cluster_does_not_know_is_told_apart(kube: Kube, namespace: str) -> None:
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": namespace},
    }

    with pytest.raises(UnknownKindError):
        await kube.list("HTTPRoute", namespace, {})
    with pytest.raises(TransientError):
        await kube.apply(route)
    assert await kube.get("HTTPRoute", namespace, "route") is None
    await kube.delete("HTTPRoute", namespace, "route", uid="1")


async def annotate_merges_and_none_removes(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace))
    await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": "1", "e.com/b": "2"})
    await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": None, "e.com/c": "3"})
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    annotations = found["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key.startswith("e.com/")} == {
        "e.com/b": "2",
        "e.com/c": "3",
    }


async def annotate_minds_the_version_it_is_given(kube: Kube, namespace: str) -> None:
    first = await kube.apply(config_map(namespace))
    second = await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": "1"})
    assert second is not None
    old, new = (body["metadata"]["resourceVersion"] for body in (first, second))

    with pytest.raises(TransientError):
        await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": None}, version=old)
    last = await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": None}, version=new)

    assert last is not None
    assert "e.com/a" not in (last["metadata"].get("annotations") or {})


async def patch_data_merges_and_none_removes(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace))
    await kube.patch_data(namespace, "settings", {"a": "1", "b": "2"})
    await kube.patch_data(namespace, "settings", {"a": None, "c": "3"})
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert found["data"] == {"b": "2", "c": "3"}


async def patch_status_merges_and_none_removes(kube: Kube, namespace: str) -> None:
    await kube.apply(training_run(namespace))
    status = {"phase": "Searching", "message": "x", "progress": {"trial": 1, "trials": 2}}
    await kube.patch_status("TrainingRun", namespace, "run", status)
    await kube.patch_status(
        "TrainingRun", namespace, "run", {"message": None, "progress": {"trial": 2}}
    )
    found = await must_get(kube, "TrainingRun", namespace, "run")

    assert found["status"]["phase"] == "Searching"
    assert "message" not in found["status"]
    assert found["status"]["progress"]["trial"] == 2
    assert found["status"]["progress"]["trials"] == 2


async def a_patch_that_changes_nothing_writes_nothing(kube: Kube, namespace: str) -> None:
    await kube.apply(training_run(namespace))
    await kube.patch_status("TrainingRun", namespace, "run", {"phase": "Searching"})
    before = await must_get(kube, "TrainingRun", namespace, "run")
    await kube.patch_status("TrainingRun", namespace, "run", {"phase": "Searching"})
    after = await must_get(kube, "TrainingRun", namespace, "run")

    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def patches_of_what_is_gone_are_silent(kube: Kube, namespace: str) -> None:
    await kube.annotate("Rollout", namespace, "absent", {"e.com/a": "1"})
    await kube.patch_status("Rollout", namespace, "absent", {"phase": "Pending"})
    await kube.patch_data(namespace, "absent", {"a": "1"})

    assert await kube.get("Rollout", namespace, "absent") is None
    assert await kube.get("ConfigMap", namespace, "absent") is None


async def delete_removes_and_is_silent(kube: Kube, namespace: str) -> None:
    born = await kube.apply(config_map(namespace))
    await kube.delete("ConfigMap", namespace, "settings", uid=born["metadata"]["uid"])
    await kube.delete("ConfigMap", namespace, "settings", uid=born["metadata"]["uid"])

    assert await kube.get("ConfigMap", namespace, "settings") is None


async def what_is_created_again_is_another(kube: Kube, namespace: str) -> None:
    first = await kube.apply(config_map(namespace))
    await kube.delete("ConfigMap", namespace, "settings", uid=first["metadata"]["uid"])
    second = await kube.apply(config_map(namespace))

    assert second["metadata"]["uid"] != first["metadata"]["uid"]


def bound(manifest: Manifest, **to: str) -> Manifest:
    return manifest | {"metadata": manifest["metadata"] | to}


async def apply_to_nothing_creates_once(kube: Kube, namespace: str) -> None:
    """Server-side apply has no word for it; a version that no object ever had does it."""
    born = await kube.apply(bound(config_map(namespace, data={"a": "1"}), resourceVersion="1"))
    with pytest.raises(ConflictError):
        await kube.apply(bound(config_map(namespace, data={"a": "2"}), resourceVersion="1"))
    after = await kube.apply(config_map(namespace))
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert born["data"] == {"a": "1"}
    assert born["metadata"]["resourceVersion"] != "1"
    assert "data" not in after  # it was created as our own manager's
    assert found["metadata"]["uid"] == born["metadata"]["uid"]


async def apply_to_another_is_a_conflict(kube: Kube, namespace: str) -> None:
    other = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(ConflictError):
        await kube.apply(bound(config_map(namespace), uid=other))
    assert await kube.get("ConfigMap", namespace, "settings") is None
    born = await kube.apply(config_map(namespace))
    uid = born["metadata"]["uid"]
    with pytest.raises(ConflictError):
        await kube.apply(bound(config_map(namespace, data={"a": "1"}), uid=other))
    after = await kube.apply(bound(config_map(namespace, data={"a": "2"}), uid=uid))

    assert after["data"] == {"a": "2"}


async def another_is_not_deleted(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace))
    with pytest.raises(ConflictError):
        await kube.delete(
            "ConfigMap", namespace, "settings", uid="11111111-1111-4111-8111-111111111111"
        )

    assert await kube.get("ConfigMap", namespace, "settings") is not None


async def what_was_made_immutable_is_told_apart(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace, data={"a": "1"}, immutable=True))
    with pytest.raises(SealedError):
        await kube.apply(config_map(namespace, data={"a": "2"}, immutable=True))

    sealed = await must_get(kube, "ConfigMap", namespace, "settings")
    assert (sealed["data"], sealed["immutable"]) == ({"a": "1"}, True)


async def a_patch_of_nothing_reads(kube: Kube, namespace: str) -> None:
    """The one way to look at what may be patched and not read."""
    assert await kube.annotate("ConfigMap", namespace, "settings", {}) is None
    born = await kube.apply(config_map(namespace))
    found = await kube.annotate("ConfigMap", namespace, "settings", {})

    assert found is not None
    assert found["metadata"]["resourceVersion"] == born["metadata"]["resourceVersion"]


async def spec_bumps_the_generation_and_status_does_not(kube: Kube, namespace: str) -> None:
    born = await kube.apply(training_run(namespace))
    await kube.patch_status("TrainingRun", namespace, "run", {"phase": "Searching"})
    told = await must_get(kube, "TrainingRun", namespace, "run")
    await kube.annotate("TrainingRun", namespace, "run", {"e.com/a": "1"})
    marked = await must_get(kube, "TrainingRun", namespace, "run")
    changed = await kube.apply(training_run(namespace, suspend=True))

    generations = [item["metadata"]["generation"] for item in (born, told, marked, changed)]
    assert generations == [1, 1, 1, 2]
    versions = {item["metadata"]["resourceVersion"] for item in (born, told, marked, changed)}
    assert len(versions) == 4
    assert changed["status"]["phase"] == "Searching"


async def reread_is_what_get_finds(kube: Kube, namespace: str) -> None:
    assert await kube.reread("Rollout", namespace, "absent") is None
    applied = await kube.apply(training_run(namespace))
    found = await kube.reread("TrainingRun", namespace, "run")

    assert found is not None
    assert found["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]


async def relist_is_what_list_finds(kube: Kube, namespace: str) -> None:
    labels = {"purpose": "relist"}
    run = training_run(namespace)
    run["metadata"]["labels"] = labels
    await kube.apply(run)

    found = await kube.relist("TrainingRun", namespace, labels)
    assert [item["metadata"]["name"] for item in found] == ["run"]
    assert list(await kube.relist("TrainingRun", namespace, {"purpose": "none"})) == []


async def events_are_those_of_one_object(kube: Kube, namespace: str) -> None:
    told = await kube.apply(config_map(namespace))
    other = await kube.apply(config_map(namespace, "other"))
    for name, about in (("b", told), ("c", other), ("a", told)):
        meta = about["metadata"]
        involved = {"kind": "ConfigMap", "apiVersion": "v1", "namespace": namespace}
        await kube.apply({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {**involved, "name": meta["name"], "uid": meta["uid"]},
            "reason": "FailedCreate",
            "message": f"of {meta['name']}",
            "type": "Warning",
            "lastTimestamp": "2026-01-01T00:00:01Z",
        })  # fmt: skip

    found = await kube.events(told)

    assert [event["metadata"]["name"] for event in found] == ["a", "b"]
    assert {event["message"] for event in found} == {"of settings"}
    told_of = {(event["type"], event["reason"], event["lastTimestamp"]) for event in found}
    assert told_of == {("Warning", "FailedCreate", "2026-01-01T00:00:01Z")}


async def children_are_told_by_their_spec(kube: Kube, namespace: str) -> None:
    for name, model in (("b", "nsw-price"), ("c", "other"), ("a", "nsw-price")):
        run = training_run(namespace)
        run["metadata"]["name"], run["spec"]["model"] = name, model
        await kube.apply(run)

    found = await kube.children("TrainingRun", namespace, "nsw-price")

    assert [item["metadata"]["name"] for item in found] == ["a", "b"]
    assert await kube.children("Rollout", namespace, "nsw-price") == []


async def models_are_found_by_their_host(kube: Kube, namespace: str) -> None:
    host, preview = f"a.{namespace}.example.com", f"b.{namespace}.example.com"
    named = {"hostnames": [host]}
    gateways = {"b": named, "c": {"hostnames": ["c.example.com"], "previewHostnames": [preview]}}
    for name, gateway in gateways.items():
        await kube.apply(model_at(namespace, name, gateway))
    await kube.apply(model_at(namespace, "a", {"hostnames": [preview]}))
    left, gone = f"d.{namespace}.example.com", f"e.{namespace}.example.com"
    for model, names in (("b", [left, preview]), ("gone", [gone])):
        await kube.apply(
            {
                "apiVersion": API_VERSION,
                "kind": "Rollout",
                "metadata": {"name": f"{model}-1", "namespace": namespace},
                "spec": {"model": model, "version": "1.0.0"},
            }
        )
        gateway = {"kind": "GatewayAPI", "parentRefs": [{"name": "public"}], "hostnames": names}
        await kube.patch_status("Rollout", namespace, f"{model}-1", {"gateway": gateway})

    found = {
        at: [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
        for at in (host, preview, left, gone, f"f.{namespace}.example.com")
        for items in [await kube.models_at(at)]
    }

    names = {host: "b", preview: "abc", left: "b"}
    assert found == {at: [(namespace, name) for name in names.get(at, "")] for at in found}


async def writes_answer_what_was_written(kube: Kube, namespace: str) -> None:
    await kube.apply(config_map(namespace))
    await kube.apply(training_run(namespace))
    marked = await kube.annotate("ConfigMap", namespace, "settings", {"e.com/a": "1"})
    filled = await kube.patch_data(namespace, "settings", {"a": "1"})
    told = await kube.patch_status("TrainingRun", namespace, "run", {"phase": "Searching"})

    assert marked is not None
    assert marked["metadata"]["annotations"]["e.com/a"] == "1"
    assert filled is not None
    assert filled["data"] == {"a": "1"}
    assert told is not None
    assert told["status"]["phase"] == "Searching"
    assert await kube.annotate("Rollout", namespace, "absent", {"e.com/a": "1"}) is None


async def a_write_of_another_is_seen_by_apply(kube: Kube, namespace: str) -> None:
    """What a person took out comes back."""
    await kube.apply(config_map(namespace, data={"a": "1", "b": "2"}))
    await kube.patch_data(namespace, "settings", {"a": "9", "b": None})
    await kube.apply(config_map(namespace, data={"a": "1", "b": "2"}))
    found = await must_get(kube, "ConfigMap", namespace, "settings")

    assert found["data"] == {"a": "1", "b": "2"}


def deployment(namespace: str, **spec: Any) -> Manifest:
    labels = {"app": "server"}
    container = {"name": "main", "image": "x"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "server", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


async def replicas_that_are_left_out_fall_back_to_one(kube: Kube, namespace: str) -> None:
    """Why they must be handed over before: an autoscaler would find one pod of many."""
    await kube.apply(deployment(namespace, replicas=3))
    fallen = await kube.apply(deployment(namespace))

    assert fallen["spec"]["replicas"] == 1


async def replicas_that_were_scaled_are_left_alone(kube: Kube, namespace: str) -> None:
    born = await kube.apply(deployment(namespace, replicas=3))
    await kube.scale(born, 3)
    handed_over = await kube.apply(deployment(namespace))
    await kube.scale(handed_over, 5)
    scaled = await kube.apply(deployment(namespace))
    taken_back = await kube.apply(deployment(namespace, replicas=2))

    seen = [item["spec"]["replicas"] for item in (handed_over, scaled, taken_back)]
    assert seen == [3, 5, 2]


async def what_has_changed_is_not_scaled(kube: Kube, namespace: str) -> None:
    old = await kube.apply(deployment(namespace))
    await kube.scale(await must_get(kube, "Deployment", namespace, "server"), 5)

    with pytest.raises(TransientError):
        await kube.scale(old, 2)
    assert (await must_get(kube, "Deployment", namespace, "server"))["spec"]["replicas"] == 5


KUBE: tuple[KubeCheck, ...] = (
    what_is_missing_is_none,
    apply_creates_what_get_finds,
    apply_twice_is_the_same_as_once,
    apply_does_not_change_what_it_is_given,
    create_makes_what_get_finds_and_no_second,
    what_cannot_change_is_refused,
    a_field_applied_before_and_left_out_later_is_removed,
    what_others_wrote_is_kept,
    list_finds_all_labels_sorted_by_name,
    list_stays_in_its_namespace,
    annotate_merges_and_none_removes,
    annotate_minds_the_version_it_is_given,
    patch_data_merges_and_none_removes,
    patch_status_merges_and_none_removes,
    a_patch_that_changes_nothing_writes_nothing,
    patches_of_what_is_gone_are_silent,
    delete_removes_and_is_silent,
    what_is_created_again_is_another,
    apply_to_nothing_creates_once,
    apply_to_another_is_a_conflict,
    another_is_not_deleted,
    what_was_made_immutable_is_told_apart,
    a_patch_of_nothing_reads,
    spec_bumps_the_generation_and_status_does_not,
    reread_is_what_get_finds,
    relist_is_what_list_finds,
    events_are_those_of_one_object,
    children_are_told_by_their_spec,
    models_are_found_by_their_host,
    writes_answer_what_was_written,
    a_write_of_another_is_seen_by_apply,
    replicas_that_are_left_out_fall_back_to_one,
    replicas_that_were_scaled_are_left_alone,
    what_has_changed_is_not_scaled,
)


# -- the registry


class RegistryDesk(Protocol):
    """A registry, and what trainers and people do with it."""

    port: Registry

    async def register(self, registered_model: str, version: str, digest: str | None) -> str:
        """Register a version; answers its number."""

    async def log(self, registered_model: str, number: str, mlmodel: str) -> None:
        """Write the ``MLmodel`` file of a registered version."""

    async def report(self, run_id: str, document: str) -> None:
        """Write progress, as the trainer does."""

    async def outcome(self, run_id: str) -> str | None:
        """Return how the run ended; None while it runs."""

    async def begin_elsewhere(self, experiment: str, key: str) -> str:
        """Begin a run as the operator of another cluster with this registry; return its ID."""

    async def go_down(self) -> None:
        """Answer nobody from now on."""


RegistryCheck = Callable[[RegistryDesk, str], Awaitable[None]]


async def a_version_nobody_registered_is_none(desk: RegistryDesk, name: str) -> None:
    assert await desk.port.find_versions(f"energy.{name}", "1.0.0") == []
    await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    assert await desk.port.find_versions(f"energy.{name}", "1.0.1") == []
    assert await desk.port.find_versions(f"energy.{name}-other", "1.0.0") == []


async def a_registered_version_is_found_by_its_tag(desk: RegistryDesk, name: str) -> None:
    await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    number = await desk.register(f"energy.{name}", "1.1.0", "sha256:b")

    (found,) = await desk.port.find_versions(f"energy.{name}", "1.1.0")

    assert (found.version, found.registry_version) == ("1.1.0", number)
    assert found.digest == "sha256:b"


async def all_registrations_are_listed_at_once(desk: RegistryDesk, name: str) -> None:
    first = await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    other = await desk.register(f"energy.{name}-other", "2.0.0", None)

    listed = await desk.port.registrations()

    assert listed[f"energy.{name}", first].digest == "sha256:a"
    assert listed[f"energy.{name}-other", other].version == "2.0.0"
    assert (f"energy.{name}", "99") not in listed


async def every_registration_of_a_version_is_found(desk: RegistryDesk, name: str) -> None:
    first = await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    second = await desk.register(f"energy.{name}", "1.0.0", "sha256:b")

    found = await desk.port.find_versions(f"energy.{name}", "1.0.0")

    told = {one.registry_version: one.digest for one in found}
    assert told == {first: "sha256:a", second: "sha256:b"}


async def a_version_without_a_digest_says_so(desk: RegistryDesk, name: str) -> None:
    await desk.register(f"energy.{name}", "1.0.0", None)

    (found,) = await desk.port.find_versions(f"energy.{name}", "1.0.0")

    assert found.digest == ""


async def a_versions_signature_is_what_it_was_logged_with(desk: RegistryDesk, name: str) -> None:
    plain = await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    with pytest.raises(ValueError, match="MLmodel"):
        await desk.port.signature(f"energy.{name}", "99")
    with pytest.raises(ValueError, match=r"signature|MLmodel"):
        await desk.port.signature(f"energy.{name}", plain)

    await desk.log(
        f"energy.{name}",
        plain,
        """flavors: {xgboost: {data: model.ubj}}
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}]'
  outputs: '[{"type": "long", "required": true}]'
""",
    )

    assert await desk.port.signature(f"energy.{name}", plain) == Signature(
        inputs=(Column(name="a", type="double"),), outputs=(Column(name="", type="long"),)
    )


async def form_and_code_of_a_version_are_what_it_was_logged_with(
    desk: RegistryDesk, name: str
) -> None:
    number = await desk.register(f"energy.{name}", "1.0.0", "sha256:a")
    with pytest.raises(ValueError, match="MLmodel"):
        await desk.port.code(f"energy.{name}", "99")
    with pytest.raises(ValueError, match="MLmodel"):
        await desk.port.form(f"energy.{name}", "99")

    generic = "python_function: {loader_module: mine}"
    for flavors, form, code in (
        (f"{{{generic}}}", "python_function", "python_function, opened by mine"),
        (f"{{{generic}, xgboost: {{data: model.ubj}}}}", "xgboost", ""),
        ("{spark: {}}", "", ""),
    ):
        await desk.log(
            f"energy.{name}",
            number,
            f"""flavors: {flavors}
signature:
  inputs: '[{{"type": "double", "name": "a", "required": true}}]'
""",
        )
        assert await desk.port.form(f"energy.{name}", number) == form
        assert await desk.port.code(f"energy.{name}", number) == code


async def a_run_is_started_once_for_a_key(desk: RegistryDesk, name: str) -> None:
    experiment = f"energy/{name}"
    first = await desk.port.start_run(experiment=experiment, name="run", key=f"{name}-1", now=START)
    again = await desk.port.start_run(experiment=experiment, name="run", key=f"{name}-1", now=START)
    other = await desk.port.start_run(experiment=experiment, name="run", key=f"{name}-2", now=START)

    assert first == again
    assert other != first


async def progress_is_what_was_written_last(desk: RegistryDesk, name: str) -> None:
    run = await desk.port.start_run(experiment=f"energy/{name}", name="run", key=name, now=START)
    before = await desk.port.progress(run)
    await desk.report(run, '{"trial": 1}')
    await desk.report(run, '{"trial": 2}')

    assert before is None
    assert await desk.port.progress(run) == '{"trial": 2}'


async def a_run_ends_once(desk: RegistryDesk, name: str) -> None:
    start = desk.port.start_run
    good = await start(experiment=f"energy/{name}", name="good", key=f"{name}-good", now=START)
    bad = await start(experiment=f"energy/{name}", name="bad", key=f"{name}-bad", now=START)
    before = await desk.outcome(good)
    await desk.port.end_run(good, RunEnd.FINISHED, now=START)
    await desk.port.end_run(good, RunEnd.KILLED, now=START)
    await desk.port.end_run(bad, RunEnd.FAILED, now=START)

    assert before is None
    assert await desk.outcome(good) == "FINISHED"
    assert await desk.outcome(bad) == "FAILED"


async def runs_are_open_until_they_are_closed(desk: RegistryDesk, name: str) -> None:
    start = desk.port.start_run
    ours = await start(experiment=f"{name}/a", name="run", key=f"{name}-a", now=START)
    other = await start(experiment=f"{name}/b", name="run", key=f"{name}-b", now=START)
    elsewhere = await start(experiment=f"{name}-2/a", name="run", key=f"{name}-2", now=START)
    foreign = await desk.begin_elsewhere(f"{name}/a", f"{name}-foreign")
    before = await desk.port.open_runs(name)
    everywhere = {run.run_id for run in await desk.port.open_runs()}
    await desk.port.end_run(other, RunEnd.KILLED, now=START)
    ended = await desk.port.open_runs(name)
    for _ in range(2):
        await desk.port.close_run(other)

    assert ended == before
    assert sorted(run.run_id for run in before) == sorted([ours, other])
    assert everywhere >= {ours, other, elsewhere}
    assert foreign not in everywhere
    assert await desk.port.open_runs(name) == [
        OpenRun(run_id=ours, namespace=name, key=f"{name}-a")
    ]
    assert await desk.outcome(other) == "KILLED"
    assert await desk.port.open_runs(f"{name}-3") == []


async def a_run_that_is_gone_is_silent(desk: RegistryDesk, _: str) -> None:
    absent = "0" * 32

    assert await desk.port.progress(absent) is None
    await desk.port.end_run(absent, RunEnd.FINISHED, now=START)
    await desk.port.close_run(absent)


async def a_registry_that_is_down_is_transient(desk: RegistryDesk, name: str) -> None:
    await desk.go_down()
    for call in (
        desk.port.find_versions(f"energy.{name}", "1.0.0"),
        desk.port.start_run(experiment="e", name="n", key="k", now=START),
        desk.port.progress("0" * 32),
        desk.port.signature(f"energy.{name}", "1"),
        desk.port.code(f"energy.{name}", "1"),
        desk.port.open_runs(),
        desk.port.end_run("0" * 32, RunEnd.FINISHED, now=START),
        desk.port.close_run("0" * 32),
    ):
        with pytest.raises(TransientError, match=r"^mlflow: "):
            await call


REGISTRY: tuple[RegistryCheck, ...] = (
    a_version_nobody_registered_is_none,
    a_registered_version_is_found_by_its_tag,
    all_registrations_are_listed_at_once,
    every_registration_of_a_version_is_found,
    a_version_without_a_digest_says_so,
    a_versions_signature_is_what_it_was_logged_with,
    form_and_code_of_a_version_are_what_it_was_logged_with,
    a_run_is_started_once_for_a_key,
    progress_is_what_was_written_last,
    a_run_ends_once,
    runs_are_open_until_they_are_closed,
    a_run_that_is_gone_is_silent,
    a_registry_that_is_down_is_transient,
)


# -- Prometheus


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """PromQL about a version that has traffic, and about one that has none."""

    busy: Mapping[str, str]  # success-rate, latency, requests
    silent: Mapping[str, str]


class PrometheusDesk(Protocol):
    """A Prometheus that knows a version with healthy traffic."""

    port: Prometheus
    queries: Queries

    async def forget(self) -> None:
        """Take all traffic away, from now on."""

    async def refuse(self) -> str:
        """Answers a query that is refused."""

    async def go_down(self) -> None:
        """Answer nobody from now on."""


PrometheusCheck = Callable[[PrometheusDesk], Awaitable[None]]


async def a_busy_version_has_numbers(desk: PrometheusDesk) -> None:
    rate = await desk.port.query(desk.queries.busy["success-rate"])
    latency = await desk.port.query(desk.queries.busy["latency"])
    requests = await desk.port.query(desk.queries.busy["requests"])

    assert rate == pytest.approx(1.0)
    assert latency is not None
    assert 0 < latency < 100
    assert requests is not None
    assert requests > 20


async def a_silent_version_has_none(desk: PrometheusDesk) -> None:
    await desk.forget()
    for query in desk.queries.silent.values():
        assert await desk.port.query(query) is None


async def a_refused_query_is_a_value_error(desk: PrometheusDesk) -> None:
    query = await desk.refuse()
    for asked in (desk.port.query(query), desk.port.query_by(query, "job")):
        with pytest.raises(ValueError, match=r"\w"):
            await asked


async def a_mistake_is_told_in_its_words_before_anything_depends_on_it(
    desk: PrometheusDesk,
) -> None:
    query = await desk.refuse()

    assert "parse error" in (await desk.port.find_mistake(query) or "")
    for sound in desk.queries.busy.values():
        assert await desk.port.find_mistake(sound) is None


async def a_prometheus_that_is_down_is_transient(desk: PrometheusDesk) -> None:
    await desk.go_down()
    for asked in (
        desk.port.query("up"),
        desk.port.query_by("up", "job"),
        desk.port.find_mistake("up"),
    ):
        with pytest.raises(
            TransientError, match=r"^Prometheus (did not answer|answered with HTTP)"
        ):
            await asked


PROMETHEUS: tuple[PrometheusCheck, ...] = (
    a_busy_version_has_numbers,
    a_silent_version_has_none,
    a_refused_query_is_a_value_error,
    a_mistake_is_told_in_its_words_before_anything_depends_on_it,
    a_prometheus_that_is_down_is_transient,
)
