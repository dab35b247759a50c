"""Who may run code: by the fields who begins, and by what it began with who has traffic."""

from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.servers.manifests import build_server
from fairlead_operator.rollout.servers.permission import may_run_code
from support.world import SETTINGS


def deployment(*, began: bool | None) -> dict[str, Any]:
    """A version's Deployment; None of a release that knew no permission."""
    _, built = build_server(
        VersionReference(version="1.0.0", registry_version="1", digest="sha256:1"),
        ServingSpec(),
        task="regression",
        owner=Owner(kind="Model", namespace="energy", name="nsw-price", uid="m1"),
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
        may_run_code=bool(began),
    )
    if began is None:
        for container in built["spec"]["template"]["spec"]["containers"]:
            container["env"] = [
                entry for entry in container["env"] if "ARTIFACT_CODE" not in entry["name"]
            ]
    return built


@pytest.mark.parametrize(
    ("began", "begins", "allowed", "may"),
    [
        pytest.param(None, True, False, False, id="begins, and may not, whatever ran before"),
        pytest.param(True, True, False, False, id="begins, and may no longer"),
        pytest.param(False, True, True, True, id="begins, and may now"),
        pytest.param(True, False, False, True, id="has traffic: it goes on as it began"),
        pytest.param(False, False, True, False, id="has traffic: no field restarts it"),
        pytest.param(None, False, False, True, id="of an earlier release: it goes on"),
    ],
)
def test_may_run_code(began: bool | None, begins: bool, allowed: bool, may: bool) -> None:
    assert may_run_code(deployment(began=began), begins=begins, allowed=allowed) is may


@pytest.mark.parametrize(
    ("begins", "allowed", "may"),
    [
        pytest.param(True, False, False, id="a candidate that may not"),
        pytest.param(True, True, True, id="a candidate that may"),
        pytest.param(False, False, True, id="the way back, stopped for a candidate"),
    ],
)
def test_without_a_deployment(begins: bool, allowed: bool, may: bool) -> None:
    assert may_run_code(None, begins=begins, allowed=allowed) is may
