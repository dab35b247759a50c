"""A server and its autoscaler, made and removed: the number of pods has one owner at a time."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import ANNOTATION_AUTOSCALER, ANNOTATION_TRIED
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.attempts import Failure
from fairlead_operator.errors import ClusterRefusalError
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.servers.apply import (
    AppliedServer,
    Opening,
    apply_server,
    remove_server,
)
from fairlead_operator.upgrades import Upgrades
from support.fakes import START, Clock, FakeKube
from support.world import NAMESPACE, SETTINGS, model_manifest

OWNER = Owner(kind="Model", namespace=NAMESPACE, name="nsw-price", uid="m1")
VERSION = VersionReference(version="1.1.0", registry_version="7", digest="sha256:7")
NAME = "nsw-price-1-1-0"
HPA = {"autoscaling": {"maxReplicas": 8, "target": {"cpuUtilization": 60}}}
KEDA = {"autoscaling": {"maxReplicas": 8, "provider": "keda", "target": {"requestsPerSecond": 20}}}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(Clock())


async def apply(
    kube: FakeKube, floor: int | None = None, *, now: datetime = START, **serving: Any
) -> AppliedServer:
    """Look at the Deployment, and make the server as it should be."""
    return await apply_server(
        VERSION,
        ModelSpec.model_validate(model_manifest(serving=serving)["spec"]),
        live=await kube.get("Deployment", NAMESPACE, NAME),
        floor=floor,
        owner=OWNER,
        kube=kube,
        settings=SETTINGS,
        turn=Upgrades().turn("energy/nsw-price", "energy", now),
        opening=Opening(form="", may_run_code=False),
    )


def kinds(kube: FakeKube) -> set[str]:
    return {kind for kind, _, _ in kube.objects}


async def replicas(kube: FakeKube) -> int:
    deployment = await kube.get("Deployment", NAMESPACE, NAME)
    assert deployment is not None
    return int(deployment["spec"]["replicas"])


async def test_a_fixed_number_needs_no_autoscaler(kube: FakeKube) -> None:
    assert await apply(kube, replicas=3) == AppliedServer()

    assert kinds(kube) == {"Service", "Deployment", "PodDisruptionBudget"}
    assert await replicas(kube) == 3


@pytest.mark.parametrize(
    ("before", "serving", "budget"),
    [
        pytest.param({}, {}, False, id="one pod"),
        pytest.param({}, {"replicas": 2}, True, id="two pods"),
        pytest.param({}, HPA, True, id="one now, more with the load"),
        pytest.param({"replicas": 2}, {}, False, id="one again"),
        pytest.param({"replicas": 2}, {"replicas": 1}, False, id="one again, written out"),
    ],
)
async def test_drains_leave_some_pods_where_there_are_several(
    kube: FakeKube, before: dict[str, Any], serving: dict[str, Any], *, budget: bool
) -> None:
    await apply(kube, 1, **before)
    await apply(kube, 1, **serving)

    assert ("PodDisruptionBudget" in kinds(kube)) is budget


def refuse(kube: FakeKube, status: str) -> None:
    """Have the cluster say that it refused a pod, or no longer does."""
    condition = {"type": "ReplicaFailure", "status": status, "message": "exceeded quota: small"}
    kube.objects["Deployment", NAMESPACE, NAME]["status"] = {"conditions": [condition]}


async def test_refused_pods_are_tried_again_every_ten_seconds(kube: FakeKube) -> None:
    """When the quota had grown, Kubernetes' own back-off kept them away for minutes more."""
    await apply(kube)
    refuse(kube, "True")

    tried = []
    for seconds in (0, 4, 9, 10, 25):
        await apply(kube, now=START + timedelta(seconds=seconds))
        annotations = kube.objects["Deployment", NAMESPACE, NAME]["metadata"]["annotations"]
        tried.append(datetime.fromisoformat(annotations[ANNOTATION_TRIED]) - START)

    assert [span.total_seconds() for span in tried] == [0, 0, 0, 10, 20]


@pytest.mark.parametrize("status", ["False", "Unknown"])
async def test_pods_that_are_not_refused_are_left_to_kubernetes(
    kube: FakeKube, status: str
) -> None:
    await apply(kube)
    refuse(kube, status)
    writes = len(kube.writes)

    await apply(kube, now=START + timedelta(minutes=1))

    assert len(kube.writes) == writes


async def test_a_new_server_begins_with_its_floor(kube: FakeKube) -> None:
    assert await apply(kube, 4, **HPA) == AppliedServer()

    assert kinds(kube) == {
        "Service",
        "Deployment",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    }
    assert await replicas(kube) == 4


async def test_what_an_autoscaler_has_asked_for_is_not_taken_back(kube: FakeKube) -> None:
    await apply(kube, 2, **HPA)
    kube.put({"kind": "Deployment", "metadata": {"namespace": NAMESPACE, "name": NAME},
              "spec": {"replicas": 6}})  # fmt: skip

    await apply(kube, 2, **HPA)

    assert await replicas(kube) == 6


async def test_an_autoscaler_that_comes_later_keeps_the_pods_there_are(kube: FakeKube) -> None:
    await apply(kube, replicas=3)

    await apply(kube, 1, **HPA)

    assert await replicas(kube) == 3


async def test_another_provider_leaves_one_autoscaler(kube: FakeKube) -> None:
    await apply(kube, 2, **HPA)
    await apply(kube, 2, **KEDA)

    assert kinds(kube) == {"Service", "Deployment", "PodDisruptionBudget", "ScaledObject"}


async def test_without_the_kind_the_floor_is_kept_by_hand(kube: FakeKube) -> None:
    kube.unknown_kinds |= {"ScaledObject"}

    applied = await apply(kube, 3, **KEDA)

    assert "no kind ScaledObject" in (applied.unscaled or "")
    assert await replicas(kube) == 3


async def test_an_annotation_that_names_no_autoscaler_says_nothing(kube: FakeKube) -> None:
    await apply(kube, replicas=2)
    meta = {"namespace": NAMESPACE, "name": NAME, "annotations": {ANNOTATION_AUTOSCALER: "foo"}}
    kube.put({"kind": "Deployment", "metadata": meta})

    applied = await apply(kube, replicas=2)

    assert applied.failures == ()


@pytest.mark.parametrize("serving", [{}, HPA, KEDA], ids=["fixed", "hpa", "keda"])
async def test_a_server_goes_with_its_autoscaler(kube: FakeKube, serving: dict[str, Any]) -> None:
    await apply(kube, 2, **serving)
    server = await kube.get("Deployment", NAMESPACE, NAME)
    assert server is not None

    await remove_server(server, kube)

    assert kinds(kube) == set()


async def test_the_service_of_a_version_that_only_stops_stays(kube: FakeKube) -> None:
    await apply(kube, replicas=1)
    server = await kube.get("Deployment", NAMESPACE, NAME)
    assert server is not None

    await remove_server(server, kube, service=False)

    assert kinds(kube) == {"Service"}


REFUSAL = ClusterRefusalError("PATCH …: 422 no")
FAILURE = (Failure(message="PATCH …: 422 no", refused=True),)


@pytest.mark.parametrize(
    ("refused", "expected", "left"),
    [
        pytest.param("Service", AppliedServer(failures=FAILURE),
                     {"Deployment", "PodDisruptionBudget", "HorizontalPodAutoscaler"},
                     id="the Service"),
        pytest.param("Deployment", AppliedServer(failures=FAILURE),
                     {"Service", "PodDisruptionBudget"}, id="the Deployment: nothing to scale"),
        pytest.param("HorizontalPodAutoscaler", AppliedServer(scaling_failures=FAILURE),
                     {"Service", "Deployment", "PodDisruptionBudget"},
                     id="the autoscaler: the server can start"),
        pytest.param("PodDisruptionBudget", AppliedServer(scaling_failures=FAILURE),
                     {"Service", "Deployment", "HorizontalPodAutoscaler"},
                     id="the disruption budget: the server can start"),
    ],
)  # fmt: skip
async def test_an_object_that_is_refused_stops_no_other(
    kube: FakeKube, refused: str, expected: AppliedServer, left: set[str]
) -> None:
    kube.refusing[refused, NAME] = REFUSAL

    assert await apply(kube, 4, **HPA) == expected
    assert kinds(kube) == left
    if "Deployment" in left:
        assert await replicas(kube) == 4, "the floor is kept by hand"


async def test_pods_are_not_reset_when_their_number_could_not_be_handed_over(
    kube: FakeKube,
) -> None:
    await apply(kube, replicas=3)
    kube.refusing["Deployment", NAME] = REFUSAL

    applied = await apply(kube, 1, **HPA)

    assert applied.failures == FAILURE
    assert await replicas(kube) == 3
