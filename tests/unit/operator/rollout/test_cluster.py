"""What is listed of a Model, and whose word of the gateway's pods counts."""

import json
from typing import Any

import pytest

from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.kube.metadata import Owner, component_labels, version_name
from fairlead_operator.rollout.cluster import Cluster, look_at_cluster
from fairlead_operator.rollout.traffic.accepted import MISSING
from fairlead_operator.rollout.traffic.route import build_config_map, build_route
from support.builders import MINUTE, NOW
from support.fakes import Clock, FakeKube
from support.world import NAMESPACE

OWNER = Owner(kind="Model", namespace=NAMESPACE, name="nsw-price", uid="m1")
ROUTE = build_route((("1.1.0", 10), ("1.0.0", 90)), owner=OWNER, timeout=MINUTE)
BUILT_IN = GatewaySpec.model_validate({"kind": "BuiltIn"})
OTHER = GatewaySpec.model_validate(
    {
        "kind": "GatewayAPI",
        "parentRefs": [{"name": "models"}],
        "hostnames": ["nsw-price.example.com"],
    }
)
SCALING = Autoscaling.model_validate(
    {"minReplicas": 1, "maxReplicas": 20, "target": {"cpuUtilization": 60}}
)


@pytest.fixture
def kube() -> FakeKube:
    """A cluster with a route that the pod ``a`` reports."""
    kube = FakeKube(Clock())
    kube.put(build_config_map(ROUTE, owner=OWNER))
    report = {"revision": ROUTE["revision"], "weights": {"1.1.0": 10}}
    put(kube, "ConfigMap", GATEWAY_NAME, data={"nsw-price.a": json.dumps(report)})
    return kube


def put(kube: FakeKube, kind: str, name: str, *, labels: Any = None, **parts: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": name, "labels": labels or {}}
    kube.put({"kind": kind, "metadata": meta, **parts})


def put_gateway_pod(kube: FakeKube, name: str, *, phase: str, ready: bool) -> None:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    status = {"phase": phase, "conditions": conditions}
    put(kube, "Pod", name, labels=component_labels("gateway"), status=status)


def put_server(kube: FakeKube, version: str, *, replicas: int, available: int) -> None:
    labels = component_labels("server", "nsw-price", version)
    spec, status = {"replicas": replicas}, {"availableReplicas": available}
    name = version_name("nsw-price", version)
    put(kube, "Deployment", name, labels=labels, spec=spec, status=status)


async def look(
    kube: FakeKube, gateway: GatewaySpec = BUILT_IN, scaling: Autoscaling | None = None
) -> Cluster:
    return await look_at_cluster(
        "nsw-price", NAMESPACE, kube, gateway=gateway, scaling=scaling, now=NOW
    )


@pytest.mark.parametrize(
    ("name", "phase", "ready", "weight"),
    [
        pytest.param("a", "Running", True, 10, id="ready, and it reports"),
        pytest.param("a", "Running", False, 10,
                     id="not ready, but it has served: it may answer with what it last had"),
        pytest.param("a", "Failed", False, None, id="ended: nobody is left to give the weight"),
        pytest.param("b", "Running", True, None, id="ready, and it has not reported"),
        pytest.param("b", "Running", False, None, id="it starts: it answers nobody"),
    ],
)  # fmt: skip
async def test_the_weight_is_what_every_pod_that_may_answer_reports(
    kube: FakeKube, name: str, phase: str, ready: bool, weight: int | None
) -> None:
    put_gateway_pod(kube, name, phase=phase, ready=ready)

    assert (await look(kube)).arm("1.1.0").weight == weight


async def test_a_pod_that_only_starts_holds_up_no_weight(kube: FakeKube) -> None:
    put_gateway_pod(kube, "a", phase="Running", ready=True)
    put_gateway_pod(kube, "b", phase="Running", ready=False)

    assert (await look(kube)).arm("1.1.0").weight == 10


@pytest.mark.parametrize(
    ("has_deployment", "pod", "gone"),
    [
        pytest.param(False, None, True, id="nothing is left"),
        pytest.param(True, None, False, id="its Deployment is there"),
        pytest.param(False, "Running", False, id="a pod still ends"),
        pytest.param(False, "Succeeded", True, id="a pod has ended"),
    ],
)
async def test_when_a_version_is_gone(
    kube: FakeKube, has_deployment: bool, pod: str | None, gone: bool
) -> None:
    if has_deployment:
        put_server(kube, "1.1.0", replicas=1, available=1)
    if pod is not None:
        labels = component_labels("server", "nsw-price", "1.1.0")
        put(kube, "Pod", "server-1.1.0-x", labels=labels, status={"phase": pod})

    cluster = await look(kube)

    assert cluster.arm("1.1.0").gone is gone
    assert cluster.stable("1.1.0").gone is gone


@pytest.mark.parametrize("name", ["a-copy", "nsw-price-1-1-0-copy", "nsw-price-1-0-0"])
async def test_a_copy_of_a_server_is_none_whatever_its_labels(kube: FakeKube, name: str) -> None:
    put_server(kube, "1.1.0", replicas=2, available=2)
    labels = component_labels("server", "nsw-price", "1.1.0")
    put(kube, "Deployment", name, labels=labels, spec={"replicas": 1})

    servers = (await look(kube)).servers

    assert {version: server["spec"]["replicas"] for version, server in servers.items()} == {
        "1.1.0": 2
    }


async def test_a_fixed_number_of_pods_has_no_capacity(kube: FakeKube) -> None:
    assert (await look(kube)).capacity(None, RolloutStatus(), stable="1.0.0") is None


@pytest.mark.parametrize(
    ("status", "full"),
    [
        pytest.param({}, 6, id="what the stable version is asked to have"),
        pytest.param({"phase": "Progressing", "capacity": 9}, 9, id="it never falls in flight"),
        pytest.param({"phase": "Progressing", "arms": [{"version": "1.1.0", "prepared": 50}]}, 7,
                     id="what a candidate's demand says of the whole"),
        pytest.param({"phase": "Succeeded", "capacity": 4}, 4, id="at rest it stays"),
    ],
)  # fmt: skip
async def test_the_capacity(kube: FakeKube, status: dict[str, Any], full: int) -> None:
    put_server(kube, "1.0.0", replicas=6, available=5)
    put_server(kube, "1.1.0", replicas=4, available=4)

    cluster = await look(kube)
    capacity = cluster.capacity(SCALING, RolloutStatus.model_validate(status), stable="1.0.0")

    assert capacity is not None
    assert capacity.full == full
    assert capacity.ready == {"1.0.0": 5, "1.1.0": 4}


@pytest.mark.parametrize(
    ("kind", "state", "provider", "told"),
    [
        pytest.param("HorizontalPodAutoscaler", ("ScalingActive", "False", "NoMetric"), "hpa",
                     (["1.1.0"], []), id="an autoscaler without a metric"),
        pytest.param("HorizontalPodAutoscaler", ("ScalingActive", "False", "NoMetric"), "keda",
                     (["1.1.0"], []), id="the one that KEDA made"),
        pytest.param("ScaledObject", ("Ready", "False", "TriggerError"), "keda",
                     (["1.1.0"], []), id="KEDA's own"),
        pytest.param("HorizontalPodAutoscaler", ("ScalingLimited", "True", "TooManyReplicas"),
                     "hpa", ([], ["1.1.0"]), id="at the most"),
        pytest.param("HorizontalPodAutoscaler", ("ScalingActive", "True", "ValidMetric"), "hpa",
                     ([], []), id="all is well"),
    ],
)  # fmt: skip
async def test_what_the_autoscalers_say(
    kube: FakeKube, kind: str, state: tuple[str, ...], provider: Any, told: tuple[Any, Any]
) -> None:
    labels = component_labels("server", "nsw-price", "1.1.0")
    condition = dict(zip(("type", "status", "reason"), state, strict=True))
    put(kube, kind, "keda-hpa-nsw-price-1-1-0", labels=labels, status={"conditions": [condition]})

    cluster = await look(kube, scaling=Autoscaling(max_replicas=8, provider=provider))
    capacity = cluster.capacity(SCALING, RolloutStatus(), stable="1.0.0")

    assert capacity is not None
    assert (list(capacity.stopped), list(cluster.limited())) == told


async def test_without_keda_there_is_no_scaled_object_to_ask(kube: FakeKube) -> None:
    kube.unknown_kinds.add("ScaledObject")

    assert (await look(kube, scaling=Autoscaling(max_replicas=8, provider="keda"))).scalers == {}


async def test_a_kind_that_is_not_installed_is_no_outage(kube: FakeKube) -> None:
    assert (await look(kube, OTHER)).routed is MISSING


async def test_the_built_in_gateway_has_no_word_of_others(kube: FakeKube) -> None:
    assert (await look(kube)).routed is None
