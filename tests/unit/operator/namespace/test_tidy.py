"""What is left of a namespace's gateway: nothing without Models, and no report of what is gone."""

from typing import Any

import pytest

from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.namespace.tidy import tidy_gateway
from support.fakes import Clock, FakeKube
from support.world import NAMESPACE, SETTINGS, model_manifest, pod

POD = f"{GATEWAY_NAME}-0"
KINDS = ["PodDisruptionBudget", "Deployment", "RoleBinding", "ConfigMap", "ServiceAccount"]


@pytest.fixture
def kube() -> FakeKube:
    """A namespace with a gateway of one pod, and no Model yet."""
    kube = FakeKube(Clock())
    for manifest in build_gateway(NAMESPACE, images=SETTINGS.images, replicas=1):
        kube.put(manifest)
    kube.put(pod(POD, labels=component_labels("gateway"), ready=True))
    kube.writes.clear()
    return kube


def put_model(kube: FakeKube, name: str, **serving: Any) -> None:
    manifest = model_manifest(serving=serving)
    manifest["metadata"]["name"] = name
    kube.put(manifest)


def put_address(kube: FakeKube, name: str) -> None:
    meta = {"namespace": NAMESPACE, "name": name, "labels": component_labels("address", name)}
    kube.put({"kind": "Service", "metadata": meta})


def put_reports(kube: FakeKube, *keys: str) -> None:
    meta = {"namespace": NAMESPACE, "name": GATEWAY_NAME}
    kube.put({"kind": "ConfigMap", "metadata": meta, "data": dict.fromkeys(keys, "{}")})


def left(kube: FakeKube) -> list[str]:
    return [kind for kind in KINDS if (kind, NAMESPACE, GATEWAY_NAME) in kube.objects]


def reports(kube: FakeKube) -> set[str]:
    return set(kube.objects["ConfigMap", NAMESPACE, GATEWAY_NAME].get("data") or {})


GATEWAY_API = {"kind": "GatewayAPI", "parentRefs": [{"name": "public"}]}


@pytest.mark.parametrize(
    ("gateway", "has_address", "stays"),
    [
        pytest.param({}, False, True, id="a Model that says nothing wants the built-in gateway"),
        pytest.param({"kind": "BuiltIn"}, False, True, id="a Model that says so"),
        pytest.param(GATEWAY_API, False, False, id="a Model behind another gateway"),
        pytest.param(
            GATEWAY_API, True, True, id="a Model that changes over, its old address still there"
        ),
    ],
)
async def test_a_gateway_stays_while_a_model_needs_it(
    kube: FakeKube, gateway: dict[str, Any], has_address: bool, stays: bool
) -> None:
    put_model(kube, "nsw-price", gateway=gateway)
    if has_address:
        put_address(kube, "nsw-price")

    await tidy_gateway(NAMESPACE, kube)

    assert left(kube) == (KINDS if stays else [])


async def test_an_address_that_belongs_to_no_model_keeps_nothing(kube: FakeKube) -> None:
    put_address(kube, "someone-elses")

    await tidy_gateway(NAMESPACE, kube)

    assert left(kube) == []


async def test_pods_go_before_the_rights_they_use(kube: FakeKube) -> None:
    await tidy_gateway(NAMESPACE, kube)

    assert [kind for verb, kind, _ in kube.writes if verb == "delete"] == KINDS


async def test_twice_is_the_same_as_once(kube: FakeKube) -> None:
    await tidy_gateway(NAMESPACE, kube)
    kube.writes.clear()

    await tidy_gateway(NAMESPACE, kube)

    assert kube.writes == []


async def test_a_removal_that_was_cut_off_goes_on(kube: FakeKube) -> None:
    await kube.delete("Deployment", NAMESPACE, GATEWAY_NAME)

    await tidy_gateway(NAMESPACE, kube)

    assert left(kube) == []


async def test_the_gateway_of_another_namespace_is_left_alone(kube: FakeKube) -> None:
    await tidy_gateway("elsewhere", kube)

    assert left(kube) == KINDS


@pytest.mark.parametrize(
    ("key", "stays"),
    [
        pytest.param(f"nsw-price.{POD}", True, id="of a Model and a pod that are there"),
        pytest.param(f"nsw-price.{GATEWAY_NAME}-1", False, id="the pod is gone"),
        pytest.param(f"old-price.{POD}", False, id="the Model is gone"),
        pytest.param(f"elsewhere.{POD}", False, id="the Model is behind another gateway"),
        pytest.param("nonsense", False, id="of nobody"),
    ],
)
async def test_a_report_stays_while_its_model_and_its_pod_do(
    kube: FakeKube, key: str, stays: bool
) -> None:
    put_model(kube, "nsw-price")
    put_model(kube, "elsewhere", gateway=GATEWAY_API)
    put_reports(kube, key)

    await tidy_gateway(NAMESPACE, kube)

    assert reports(kube) == ({key} if stays else set())


async def test_with_all_reports_in_order_nothing_is_written(kube: FakeKube) -> None:
    put_model(kube, "nsw-price")
    put_reports(kube, f"nsw-price.{POD}")
    kube.writes.clear()

    await tidy_gateway(NAMESPACE, kube)

    assert kube.writes == []


async def test_a_cluster_that_does_not_answer_removes_nothing(kube: FakeKube) -> None:
    kube.fail_next.append(TransientError("GET Service: 503"))

    with pytest.raises(TransientError):
        await tidy_gateway(NAMESPACE, kube)

    assert left(kube) == KINDS
