"""The gateway of one namespace: Envoy and its agent in one pod, and their rights.  Pure."""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract import cluster
from fairlead_operator.api.group import ANNOTATION_ACCOUNT, GATEWAY_NAME
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.security import container_security, environment, pod_security

_ENVOY: Final = "/opt/fairlead/bin/envoy"
_RUN: Final = {"name": "run", "mountPath": cluster.GATEWAY_DIRECTORY}
_TMP: Final = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  the pod's own emptyDir
# The agent waits as well: while Envoy drains, endpoints still change.
_DRAIN: Final = {
    "preStop": {
        "exec": {
            "command": [
                *("python", "-m", "fairlead_serving.gateway.drain"),
                *("--grace", "5", "--deadline", "25"),
            ]
        }
    }
}
_BOOTSTRAP: Final = f"{cluster.GATEWAY_DIRECTORY}/bootstrap.json"


def build_gateway(namespace: str, *, images: Images, replicas: int) -> tuple[dict[str, Any], ...]:
    """Build everything the gateway of a namespace needs, in the order it is applied."""
    meta = {"name": GATEWAY_NAME, "namespace": namespace, "labels": component_labels(cluster.PROXY)}
    selector = component_labels(cluster.PROXY)
    return (
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": meta,
            "automountServiceAccountToken": False,
        },
        # Without data: the keys are the agents', each its own.
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": GATEWAY_NAME,
            },
            "subjects": [{"kind": "ServiceAccount", "name": GATEWAY_NAME, "namespace": namespace}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "replicas": replicas,
                "revisionHistoryLimit": 2,
                "selector": {"matchLabels": selector},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
                "template": {
                    "metadata": {"labels": selector},
                    "spec": _pod(namespace, images),
                },
            },
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector}},
        },
    )


def bind_to_account(deployment: Mapping[str, Any], account: Mapping[str, Any]) -> dict[str, Any]:
    """Write into the pods whose ServiceAccount they run as.

    A token is of one ServiceAccount: pods that are older than one of the same name are refused,
    and no restart of a container renews their token.  So they are replaced, one after the other.
    """
    spec, template = deployment["spec"], deployment["spec"]["template"]
    annotations = {ANNOTATION_ACCOUNT: account["metadata"]["uid"]}
    bound = {**template, "metadata": {**template["metadata"], "annotations": annotations}}
    return {**deployment, "spec": {**spec, "template": bound}}


def _pod(namespace: str, images: Images) -> dict[str, Any]:
    return {
        "serviceAccountName": GATEWAY_NAME,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": pod_security(),
        "imagePullSecrets": [{"name": name} for name in images.pull_secrets],
        "initContainers": [
            {
                **_container("bootstrap", images),
                "args": ["fairlead_serving.gateway.xds.bootstrap", _BOOTSTRAP],
                "env": _identity(namespace),
                "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "10m"}},
            }
        ],
        "containers": [_agent(namespace, images), _envoy(images)],
        "volumes": [
            {"name": "run", "emptyDir": {"sizeLimit": "512Mi"}},  # the last snapshot, and a new one
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _agent(namespace: str, images: Images) -> dict[str, Any]:
    return {
        **_container("agent", images),
        "args": ["fairlead_serving.gateway"],
        "env": _identity(namespace),
        "ports": [
            {"name": "agent", "containerPort": cluster.GATEWAY_AGENT_PORT, "protocol": "TCP"}
        ],
        "lifecycle": _DRAIN,
        "livenessProbe": {
            "httpGet": {"path": "/livez", "port": "agent"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 3,
        },
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
    }


def _envoy(images: Images) -> dict[str, Any]:
    return {
        **_container("envoy", images),
        "command": [_ENVOY],
        "args": [
            *("-c", _BOOTSTRAP, "--concurrency", "2", "--disable-hot-restart"),
            *("--drain-time-s", "30", "--drain-strategy", "immediate", "--log-level", "warning"),
            # The agent's types have no unknown fields; to look for some takes a quarter of Envoy's
            # time for new routes.
            "--ignore-unknown-dynamic-fields",
        ],
        "ports": [
            {"name": "http", "containerPort": cluster.GATEWAY_TRAFFIC_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": cluster.GATEWAY_METRICS_PORT, "protocol": "TCP"},
        ],
        # Not the agent's word: a gateway whose agent is away serves its last routes.
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "metrics"},
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        },
        "lifecycle": _DRAIN,
        "resources": {
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"memory": f"{cluster.ENVOY_MEBIBYTES}Mi"},
        },
    }


def _identity(namespace: str) -> list[dict[str, Any]]:
    return [
        *environment({"FAIRLEAD_NAMESPACE": namespace}),
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]


def _container(name: str, images: Images) -> dict[str, Any]:
    return {
        "name": name,
        "image": images.serving,
        "imagePullPolicy": images.pull_policy,
        "securityContext": container_security(),
        "volumeMounts": [_RUN, _TMP],
    }
