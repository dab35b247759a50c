"""Every pod the operator makes passes Pod Security ``restricted``, and every name fits."""

import json
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.kube.database_secret import Passwords, build_own_secret, build_shared_secret
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.mlflow_secret import build_mlflow_secret
from fairlead_operator.model.manifests import build_address, build_rollout, build_training_run
from fairlead_operator.model.states import Target
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.rollout.servers.manifests import build_preview, build_server
from fairlead_operator.rollout.traffic.route import build_config_map, build_route
from fairlead_operator.training_run.config import build_config
from fairlead_operator.training_run.manifests import Stage, build_job
from support.world import SETTINGS, model_manifest

LONGEST = Owner(kind="Model", namespace="n" * 63, name="m" * 40, uid="1")
RUN = Owner(kind="TrainingRun", namespace="n" * 63, name=f"{'m' * 40}-training-{10**9}", uid="2")
VERSION = VersionReference(
    version="1000000000.1000000000.10000000", registry_version="7", digest="sha256:a"
)
SPEC = ModelSpec.model_validate(model_manifest()["spec"])
SECRET_SPEC = ModelSpec.model_validate(
    model_manifest()["spec"]
    | {
        "data": {
            "source": {
                "uri": "postgresql://market-db/market",
                "query": "select * from rows",
                "credentials": {"name": "market-db"},
            },
            "timestampColumn": "timestamp",
            "target": "price_up",
        },
        "training": {
            "search": {"trials": 8, "parallelism": 4, "timeout": "30m"},
            "resources": {"limits": {"memory": "4Gi"}},
        },
    }
)
CONFIG = build_config(SECRET_SPEC, model=LONGEST.name, run=RUN, mlflow_run_id="r", champion=VERSION)


def job(stage: Stage) -> dict[str, Any]:
    return build_job(
        stage,
        CONFIG,
        SECRET_SPEC,
        model=LONGEST.name,
        owner=RUN,
        images=SETTINGS.images,
        mlflow_url="http://mlflow",
        allows_code=True,
    )


SERVER = build_server(
    VERSION,
    ServingSpec(),
    task="regression",
    owner=LONGEST,
    images=SETTINGS.images,
    mlflow_url="http://mlflow",
)
GATEWAY = build_gateway("energy", images=SETTINGS.images, replicas=1)
EVERYTHING = [
    *SERVER,
    *GATEWAY,
    job("search"),
    job("finish"),
    build_address(LONGEST),
    build_preview(LONGEST),
    build_config_map(
        build_route(((VERSION.version, 100),), owner=LONGEST, timeout=timedelta(seconds=10)),
        owner=LONGEST,
    ),
    build_training_run(LONGEST, number=10**9, trigger=Trigger.INITIAL, task="sha256:task"),
    build_rollout(
        LONGEST,
        SPEC,
        Target(version="1.0.0", trigger="pinned", alternatives=("1.1.0",)),
        number=10**9,
    ),
    build_own_secret("energy", "postgresql://x", user="e", passwords=Passwords(current="p"), ca=""),
    build_mlflow_secret("energy", {"token": "x"}),
]
TEMPLATES = [
    pytest.param(item["spec"]["template"], id=f"{item['kind']} {item['metadata']['name'][-10:]}")
    for item in EVERYTHING
    if "template" in item.get("spec", {})
]


def containers(template: dict[str, Any]) -> list[dict[str, Any]]:
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


MANAGED = {"app.kubernetes.io/managed-by": "fairlead", "fairlead.dev/component": "gateway"}
PINNED = {"fairlead.dev/model": LONGEST.name, "fairlead.dev/version": VERSION.version}


@pytest.mark.parametrize(
    ("manifest", "fixed"),
    [
        pytest.param(SERVER[1], {"selector": {"matchLabels": PINNED}}, id="server: Deployment"),
        pytest.param(GATEWAY[2], {"roleRef": {"apiGroup": "rbac.authorization.k8s.io",
                                              "kind": "ClusterRole", "name": "fairlead-gateway"}},
                     id="gateway: RoleBinding"),
        pytest.param(GATEWAY[3], {"selector": {"matchLabels": MANAGED}}, id="gateway: Deployment"),
        pytest.param(build_shared_secret("energy", "postgresql://x", ca=""), {"type": "Opaque"},
                     id="Secret"),
        *(pytest.param(manifest, {"clusterIP": None}, id=f"{what}: Service")
          for what, manifest in (("server", SERVER[0]), ("address", build_address(LONGEST)),
                                 ("preview", build_preview(LONGEST)))),
    ],
)  # fmt: skip
def test_what_nobody_may_change_is_as_0_1_0_made_it(
    manifest: dict[str, Any], fixed: dict[str, Any]
) -> None:
    """What it made is applied again after an upgrade, and would be refused for ever."""
    fields = manifest | manifest.get("spec", {})

    assert {field: fields.get(field) for field in fixed} == fixed


@pytest.mark.parametrize("template", TEMPLATES)
def test_pod_security_restricted(template: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, row by row."""
    pod = template["spec"]

    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {"hostProcess", "sysctls"}.isdisjoint(pod["securityContext"])
    allowed = {"configMap", "emptyDir", "secret", "projected", "persistentVolumeClaim"}
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= allowed
    for container in containers(template):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert not security.get("privileged", False)
        assert "procMount" not in security
        assert not any("hostPort" in port for port in container.get("ports", []))


@pytest.mark.parametrize("template", TEMPLATES)
def test_beyond_what_is_asked(template: dict[str, Any]) -> None:
    """A read-only root, limits of memory and disk, and a token only for whom talks to the API."""
    pod = template["spec"]
    component = template["metadata"]["labels"]["fairlead.dev/component"]

    assert pod["automountServiceAccountToken"] is (component == "gateway")
    assert pod["enableServiceLinks"] is False
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    mounted = {volume["name"] for volume in pod["volumes"]}
    for container in containers(template):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= mounted


@pytest.mark.parametrize("item", EVERYTHING, ids=lambda item: item["kind"])
def test_names_and_labels_fit(item: dict[str, Any]) -> None:
    meta = item["metadata"]
    labels = [meta.get("labels", {})]
    if "template" in item.get("spec", {}):
        labels.append(item["spec"]["template"]["metadata"]["labels"])

    assert len(meta["name"]) <= 63
    assert all(len(value) <= 63 for some in labels for value in some.values())
    assert meta["labels"]["app.kubernetes.io/managed-by"] == "fairlead"


def test_a_selector_matches_its_pods() -> None:
    for item in (SERVER[1], GATEWAY[3]):
        selector = item["spec"]["selector"]["matchLabels"]
        labels = item["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()
    assert SERVER[0]["spec"]["selector"] == SERVER[1]["spec"]["selector"]["matchLabels"]
    address = build_address(LONGEST)["spec"]
    assert (
        address["selector"].items() <= GATEWAY[3]["spec"]["template"]["metadata"]["labels"].items()
    )


def test_no_secret_is_in_a_pod() -> None:
    text = json.dumps([item for item in EVERYTHING if item["kind"] != "Secret"])

    assert SETTINGS.database_url not in text
    assert "fairlead:secret" not in text
