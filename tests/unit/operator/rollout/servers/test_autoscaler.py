"""What scales a version."""

from typing import Any

import pytest

from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.servers.autoscaler import build_autoscaler

OWNER = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")


def build(**scaling: Any) -> dict[str, Any]:
    return build_autoscaler(
        "1.1.0",
        Autoscaling.model_validate({"maxReplicas": 8, **scaling}),
        floor=3,
        owner=OWNER,
        prometheus_url="http://prometheus.fairlead.svc:9090",
    )


@pytest.mark.parametrize("provider", ["hpa", "keda"])
def test_it_is_named_as_what_it_scales_and_goes_with_the_model(provider: str) -> None:
    manifest = build(provider=provider)

    assert manifest["metadata"]["name"] == "nsw-price-1-1-0"
    assert manifest["metadata"]["labels"]["fairlead.dev/version"] == "1.1.0"
    assert manifest["metadata"]["ownerReferences"] == [OWNER.reference()]
    assert manifest["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "nsw-price-1-1-0",
    }


def test_an_hpa_keeps_the_floor_and_follows_the_cpu() -> None:
    spec = build(minReplicas=2, target={"cpuUtilization": 60})["spec"]

    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 8)
    (metric,) = spec["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 60}


def test_a_scaled_object_follows_the_requests_the_gateway_counts() -> None:
    spec = build(provider="keda", target={"requestsPerSecond": 12.5})["spec"]

    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 8)
    (trigger,) = spec["triggers"]
    assert trigger["metadata"]["threshold"] == "12.5"
    assert trigger["metadata"]["serverAddress"] == "http://prometheus.fairlead.svc:9090"
    assert 'model="nsw-price",version="1.1.0"' in trigger["metadata"]["query"]


def test_a_silent_prometheus_is_no_sign_of_no_load() -> None:
    (trigger,) = build(provider="keda", target={"requestsPerSecond": 5})["spec"]["triggers"]

    assert trigger["metadata"]["ignoreNullValues"] == "false"


def test_a_scaled_object_may_follow_both() -> None:
    target = {"cpuUtilization": 70, "requestsPerSecond": 1_000_000}
    spec = build(provider="keda", target=target)["spec"]

    assert [trigger["type"] for trigger in spec["triggers"]] == ["cpu", "prometheus"]
    assert spec["triggers"][1]["metadata"]["threshold"] == "1000000"
