"""`helm upgrade` from 0.1.0 is not refused: what nobody may change is as that release had it.

The API server takes no other value for these fields, and Helm stops in the middle of an upgrade.
A field that must change anyway needs an object of another name, and words in docs/day2.md.
"""

from typing import Any

import pytest

from support.chart.rendering import NAMESPACE, Manifest, render

# Of a StatefulSet nothing else may change.
_CHANGEABLE = {
    "replicas", "ordinals", "template", "updateStrategy", "minReadySeconds",
    "persistentVolumeClaimRetentionPolicy",
}  # fmt: skip


def fixed(manifest: Manifest) -> Any:
    """Return what nobody may change of an object; None where it may be changed in any way."""
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Service":
            return {"clusterIP": spec.get("clusterIP")}
        case "Deployment":
            return spec["selector"]
        case "StatefulSet":
            return {key: value for key, value in spec.items() if key not in _CHANGEABLE}
        case "PersistentVolumeClaim":
            return spec
        case "Job":
            return {"selector": spec.get("selector"), "template": spec["template"]}
        case "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding":
            return manifest.get("roleRef")
        case "Secret" | "ConfigMap":
            return {key: manifest.get(key) for key in ("type", "immutable")}
        case "CustomResourceDefinition":
            return {
                "group": spec["group"],
                "scope": spec["scope"],
                "plural": spec["names"]["plural"],
                "kind": spec["names"]["kind"],
            }
    return None


def selector(part: str) -> dict[str, Any]:
    prefix = "app.kubernetes.io"
    labels = {"name": "fairlead", "instance": "fairlead", "component": part}
    return {"matchLabels": {f"{prefix}/{key}": value for key, value in labels.items()}}


def claim(size: str) -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}


def bound(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def crd(kind: str) -> dict[str, str]:
    plural = f"{kind.lower()}s"
    return {"group": "fairlead.dev", "scope": "Namespaced", "plural": plural, "kind": kind}


PARTS = ("operator", "postgresql", "mlflow", "prometheus", "alertmanager")
ANYWHERE: dict[tuple[str, str], Any] = {
    **{("Service", f"fairlead-{part}"): {"clusterIP": None} for part in PARTS},
    **{
        ("Deployment", f"fairlead-{part}"): selector(part) for part in PARTS if part != "postgresql"
    },
    ("StatefulSet", "fairlead-postgresql"): {
        "serviceName": "fairlead-postgresql",
        "selector": selector("postgresql"),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim("8Gi")}],
    },
    ("PersistentVolumeClaim", "fairlead-mlflow"): claim("20Gi"),
    ("PersistentVolumeClaim", "fairlead-prometheus"): claim("8Gi"),
    ("Secret", "fairlead-postgresql"): {"type": "Opaque", "immutable": None},
    ("Secret", "fairlead-webhook"): {"type": "Opaque", "immutable": None},
    ("RoleBinding", "fairlead-operator-lease"): bound("Role", "fairlead-operator-lease"),
    ("ClusterRole", "fairlead-gateway"): None,
    **{
        ("CustomResourceDefinition", f"{kind.lower()}s.fairlead.dev"): crd(kind)
        for kind in ("Model", "TrainingRun", "Rollout", "AnalysisTemplate")
    },
}
WHOLE_CLUSTER = ANYWHERE | {
    ("ClusterRoleBinding", name): bound("ClusterRole", name)
    for name in ("fairlead-operator", "fairlead-prometheus")
}
NAMESPACES = ANYWHERE | {
    ("RoleBinding", name): bound("Role", name)
    for name in ("fairlead-operator", "fairlead-prometheus")
}


@pytest.mark.parametrize(
    ("settings", "installed"),
    [
        pytest.param((), WHOLE_CLUSTER, id="all namespaces"),
        pytest.param((f'watchNamespaces=["{NAMESPACE}"]',), NAMESPACES, id="named namespaces"),
    ],
)
def test_what_0_1_0_installed_takes_an_upgrade(
    settings: tuple[str, ...], installed: dict[tuple[str, str], Any]
) -> None:
    manifests = render("bundled.enabled=true", *settings)
    now = {(item["kind"], item["metadata"]["name"]): fixed(item) for item in manifests}

    missing = "no object of this kind and name any more"
    assert {place: now.get(place, missing) for place in installed} == installed


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        pytest.param({"kind": "Service", "spec": {"clusterIP": "None"}}, True, id="headless"),
        pytest.param({"kind": "Service", "spec": {"selector": {"app": "other"}}}, False,
                     id="other pods behind a Service"),
        pytest.param({"kind": "StatefulSet", "spec": {"podManagementPolicy": "Parallel"}}, True,
                     id="pods at once"),
        pytest.param({"kind": "StatefulSet", "spec": {"template": {}, "replicas": 2}}, False,
                     id="other pods of a StatefulSet"),
        pytest.param({"kind": "RoleBinding", "roleRef": {"name": "other"}}, True,
                     id="another role"),
        pytest.param({"kind": "Secret", "type": "Opaque", "immutable": True}, True,
                     id="a Secret that cannot change"),
    ],
)  # fmt: skip
def test_what_would_be_refused(changed: Manifest, differs: bool) -> None:
    before = {"Service": {"clusterIP": None}, "Secret": {"type": "Opaque", "immutable": None}}

    assert (fixed(changed) != before.get(changed["kind"], {})) is differs
