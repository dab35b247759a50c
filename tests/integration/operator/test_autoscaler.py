"""Our autoscalers before a real API server, KEDA's with KEDA's own CRD."""

from typing import Any, cast

import pytest

from cluster.control_plane import ControlPlane
from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.errors import ClusterRefusalError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.kinds import OPTIONAL
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.rollout.servers.autoscaler import build_autoscaler
from images.keda import keda_crds
from support.kube_desk import wait_established

pytestmark = pytest.mark.integration

BOTH = {"cpuUtilization": 70, "requestsPerSecond": 12.5}


@pytest.fixture(scope="module", name="keda")
def _keda(plane: ControlPlane) -> ControlPlane:
    """The control plane with the kind ScaledObject, as KEDA's release has it."""
    plane.kubectl("apply", "--server-side", f"--filename={keda_crds()}")
    wait_established(plane)
    return plane


def build(namespace: str, provider: str, *, floor: int = 2, **target: Any) -> dict[str, Any]:
    scaling = Autoscaling.model_validate(
        {"provider": provider, "maxReplicas": 8, "target": target or {"cpuUtilization": 70}}
    )
    owner = Owner(kind="Model", namespace=namespace, name="nsw-price", uid="1")
    return build_autoscaler(
        "1.1.0", scaling, floor=floor, owner=owner, prometheus_url="http://prometheus:9090"
    )


@pytest.mark.parametrize(
    ("provider", "target"),
    [
        pytest.param("hpa", {"cpuUtilization": 70}, id="hpa: cpu"),
        pytest.param("keda", {"cpuUtilization": 70}, id="keda: cpu"),
        pytest.param("keda", {"requestsPerSecond": 12.5}, id="keda: requests"),
        pytest.param("keda", BOTH, id="keda: both"),
    ],
)
async def test_an_autoscaler_is_taken_whole_and_written_once(
    keda: ControlPlane, kube: KubeClient, namespace: str, provider: str, target: dict[str, Any]
) -> None:
    """A field the schema did not know would be dropped, and be missing here."""
    manifest = build(namespace, provider, **target)

    first = await kube.apply(manifest)
    second = await kube.apply(manifest)

    for key, value in manifest["spec"].items():
        assert first["spec"][key] == value
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@pytest.mark.parametrize("provider", ["hpa", "keda"])
async def test_an_autoscaler_in_force_is_not_sent_again(
    keda: ControlPlane, kube: KubeClient, namespace: str, provider: str
) -> None:
    store, nobody = Store(), cast("Any", None)
    store.cover("ScaledObject", OPTIONAL["ScaledObject"])
    target = {"cpuUtilization": 70} if provider == "hpa" else BOTH
    await WatchedKube(kube, store).apply(build(namespace, provider, **target))

    again = await WatchedKube(nobody, store).apply(build(namespace, provider, **target))

    assert again["metadata"]["name"] == "nsw-price-1-1-0"
    with pytest.raises(AttributeError, match="apply"):
        await WatchedKube(nobody, store).apply(build(namespace, provider, floor=3, **target))


@pytest.mark.parametrize("provider", ["hpa", "keda"])
async def test_a_floor_above_the_most_pods_would_be_refused(
    keda: ControlPlane, kube: KubeClient, namespace: str, provider: str
) -> None:
    """Why every floor is held within the bounds."""
    with pytest.raises(ClusterRefusalError):
        await kube.apply(build(namespace, provider, floor=9))
