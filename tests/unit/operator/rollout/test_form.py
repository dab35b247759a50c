"""Which form a server has: as MLflow says before it begins, and as it began from then on."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.form import find_form
from fairlead_operator.rollout.servers.manifests import build_server
from support.fakes import FakeRegistry
from support.world import NAMESPACE, SETTINGS

OWNER = Owner(kind="Model", namespace=NAMESPACE, name="nsw-price", uid="m1")
VERSION = VersionReference(version="1.0.0", registry_version="1", digest="sha256:1")


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.register(f"{NAMESPACE}.nsw-price", "1.0.0", digest="sha256:1")
    registry.form_of["1.0.0"] = "onnx"
    return registry


def deployment(*, form: str, digest: str = "sha256:1") -> dict[str, Any]:
    _, built = build_server(
        VERSION.model_copy(update={"digest": digest}),
        ServingSpec.model_validate({"autoscaling": {"maxReplicas": 3}}),
        task="regression",
        owner=OWNER,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
        form=form,
    )
    return built


@pytest.mark.parametrize(
    ("trouble", "form"),
    [
        pytest.param("", "onnx", id="as MLflow says"),
        pytest.param("down", "", id="MLflow is away"),
        pytest.param("unreadable", "", id="it does not say it"),
    ],
)
async def test_before_there_is_a_server(registry: FakeRegistry, trouble: str, form: str) -> None:
    registry.down = trouble == "down"
    registry.unreadable = {"1.0.0"} if trouble == "unreadable" else set()

    assert await find_form(VERSION, None, owner=OWNER, registry=registry) == form


@pytest.mark.parametrize(
    ("live", "form"),
    [
        pytest.param(deployment(form="onnx"), "onnx", id="a graph"),
        pytest.param(deployment(form="xgboost"), "xgboost", id="whatever MLflow says by now"),
        pytest.param(deployment(form=""), "", id="of an earlier release, or not known then"),
        pytest.param(deployment(form="xgboost", digest="sha256:0"), "onnx", id="another artifact"),
    ],
)
async def test_a_server_keeps_what_it_began_with(
    registry: FakeRegistry, live: dict[str, Any], form: str
) -> None:
    assert await find_form(VERSION, live, owner=OWNER, registry=registry) == form


async def test_of_a_server_mlflow_is_not_asked(registry: FakeRegistry) -> None:
    registry.down = True

    found = await find_form(VERSION, deployment(form="onnx"), owner=OWNER, registry=registry)

    assert found == "onnx"
