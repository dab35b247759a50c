"""Deployment and Service of one model version.  Pure: values in, manifests out."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fairlead_contract import cluster, mlflow
from fairlead_contract.artifact import ALLOWS_CODE
from fairlead_operator.api.common import Task, VersionReference
from fairlead_operator.api.group import (
    ANNOTATION_AUTOSCALER,
    ANNOTATION_FORM,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    LABEL_VERSION,
    MANAGED_BY,
    name_registered_model,
)
from fairlead_operator.api.prediction_log import PredictionLog
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.kube.database_secret import (
    OWN_LOGINS,
    Logins,
    database_file,
    database_mount,
    database_volume,
)
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.metadata import (
    SHADOW_PORT,
    Owner,
    component_labels,
    preview_name,
    version_name,
)
from fairlead_operator.kube.mlflow_secret import mlflow_folder, mlflow_mount, mlflow_volume
from fairlead_operator.kube.security import (
    container_security,
    environment,
    pod_security,
    resources,
    scratch,
    secret_variable,
)
from fairlead_operator.rollout.servers.autoscaler import KINDS

# Keys of their own, so that a Secret is meant for this and no other one reaches a server: a key
# `token` has that of a ServiceAccount or a webhook, too.
_TOKEN_KEYS: Final = {
    "FAIRLEAD_FEEDBACK_TOKEN": "feedback-token",
    "FAIRLEAD_FORCE_TOKEN": "force-version-token",
}
_TOKENS_MOUNT: Final = {"mountPath": "/var/run/fairlead/tokens", "readOnly": True}


def build_server(
    reference: VersionReference,
    serving: ServingSpec,
    *,
    task: Task,
    owner: Owner,
    images: Images,
    mlflow_url: str,
    form: str = "",
    may_run_code: bool = False,
    logins: Logins = OWN_LOGINS,
) -> tuple[dict[str, Any], ...]:
    """Build what serves one version, complete, ready for server-side apply.

    ``owner`` is the Model: a version outlives the Rollout that brought it.

    Args:
        form: of the version's artifact; empty where it is not known.
        may_run_code: whether the server may run code from the version's artifact.
    """
    labels = component_labels(cluster.SERVER, owner.name, reference.version)
    name = version_name(owner.name, reference.version)
    selector = _selector(labels)
    server = _server(
        reference,
        serving,
        task=task,
        owner=owner,
        images=images,
        mlflow_url=mlflow_url,
        form=form,
        may_run_code=may_run_code,
        logins=logins,
    )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owner.metadata(name, labels),
        "spec": {
            "selector": selector,
            "ports": [
                {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                # Copies of requests, from Gateways that cannot mark them.
                {"name": "shadow", "port": SHADOW_PORT, "targetPort": "shadow", "protocol": "TCP"},
            ],
        },
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": owner.metadata(name, labels) | _notes(serving, form),
        "spec": {
            # An autoscaler's number is not ours to set.
            **({} if serving.autoscaling else {"replicas": serving.replicas or 1}),
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": selector},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(server, serving, labels=labels, images=images, logins=logins),
            },
        },
    }
    return service, deployment


def is_server(deployment: Mapping[str, Any], model: str) -> bool:
    """Tell the Deployment of a version from a copy that a person made of it, labels and all."""
    meta = deployment["metadata"]
    version = (meta.get("labels") or {}).get(LABEL_VERSION, "")
    return bool(meta["name"] == version_name(model, version))


def has_several_pods(serving: ServingSpec) -> bool:
    """Tell whether a version may have more than one pod."""
    if serving.autoscaling is not None:
        return serving.autoscaling.max_replicas > 1
    return (serving.replicas or 1) > 1


def build_budget(version: str, owner: Owner) -> dict[str, Any]:
    """Build what lets a drain of nodes take the pods of a version a quarter at a time."""
    labels = component_labels(cluster.SERVER, owner.name, version)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": owner.metadata(version_name(owner.name, version), labels),
        "spec": {
            "maxUnavailable": "25%",  # rounded up
            "selector": {"matchLabels": _selector(labels)},
            # A pod that is not ready serves nobody: it must not keep a node from being emptied.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def _selector(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: labels[key] for key in (LABEL_MODEL, LABEL_VERSION)}


def _spread(labels: Mapping[str, str]) -> dict[str, Any]:
    """Spread pods over nodes as far as there is room."""
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _selector(labels)},
        "matchLabelKeys": ["pod-template-hash"],
    }


def _notes(serving: ServingSpec, form: str) -> dict[str, Any]:
    """Note for a later look which autoscaler the Deployment has, and what its image was for."""
    notes = {ANNOTATION_FORM: form} if form else {}
    if serving.autoscaling is not None:
        notes[ANNOTATION_AUTOSCALER] = KINDS[serving.autoscaling.provider]
    return {"annotations": notes} if notes else {}


def build_preview(owner: Owner) -> dict[str, Any]:
    """Build the address at which a candidate can be tried before it is live: the gateway's."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owner.metadata(
            preview_name(owner.name), component_labels("address", owner.name)
        ),
        "spec": {
            "selector": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "gateway"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def _pod(
    server: Mapping[str, Any],
    serving: ServingSpec,
    *,
    labels: Mapping[str, str],
    images: Images,
    logins: Logins,
) -> dict[str, Any]:
    record = database_volume(logins)
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": pod_security(),
        "imagePullSecrets": [{"name": name} for name in images.pull_secrets],
        "topologySpreadConstraints": [_spread(labels)],
        "containers": [server],
        "volumes": [
            scratch(server["resources"]["limits"]["memory"]),
            mlflow_volume(),
            *((record,) if serving.prediction_log.enabled else ()),
            *_token_volumes(serving),
        ],
    }


def _server(
    reference: VersionReference,
    serving: ServingSpec,
    *,
    task: Task,
    owner: Owner,
    images: Images,
    mlflow_url: str,
    form: str,
    may_run_code: bool,
    logins: Logins,
) -> dict[str, Any]:
    ready = {"path": "/readyz", "port": "http"}
    return {
        "name": cluster.SERVER,
        "image": images.of_server(form),
        "imagePullPolicy": images.pull_policy,
        "args": ["fairlead_serving.server"],
        "env": [
            *environment(
                {
                    "FAIRLEAD_NAMESPACE": owner.namespace,
                    "FAIRLEAD_MODEL": owner.name,
                    "FAIRLEAD_VERSION": reference.version,
                    "FAIRLEAD_REGISTERED_MODEL": name_registered_model(owner.namespace, owner.name),
                    "FAIRLEAD_REGISTRY_VERSION": reference.registry_version,
                    "FAIRLEAD_DIGEST": reference.digest,
                    "FAIRLEAD_REQUEST_TIMEOUT_SECONDS": (
                        f"{serving.request_timeout.total_seconds():g}"
                    ),
                    "FAIRLEAD_WARMUP_REQUESTS": str(serving.warmup_requests),
                    ALLOWS_CODE: "true" if may_run_code else "false",
                    mlflow.ADDRESS: mlflow_url,
                }
            ),
            mlflow_folder(),
            *_record(serving.prediction_log, task, logins),
            *_largest_body(serving),
            *_tokens(serving),
        ],
        "ports": [
            {"name": "http", "containerPort": cluster.SERVER_PORT, "protocol": "TCP"},
            {"name": "shadow", "containerPort": cluster.SERVER_SHADOW_PORT, "protocol": "TCP"},
        ],
        # The server says here why it could not start; the Rollout shows it.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": {
            "httpGet": ready,
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 600,
        },
        "readinessProbe": {
            "httpGet": ready,
            "periodSeconds": 1,
            "timeoutSeconds": 2,
            "failureThreshold": 3,
        },
        "livenessProbe": {
            "httpGet": {"path": "/livez", "port": "http"},
            "periodSeconds": 10,
            "timeoutSeconds": 5,
            "failureThreshold": 6,
        },
        # Endpoints lag behind a deletion; without the wait, requests meet a closed port.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "securityContext": container_security(),
        "resources": resources(
            serving.resources,
            requests={"cpu": "100m", "memory": "256Mi"},
            limits={"memory": "1Gi"},
        ),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own emptyDir
            mlflow_mount(),
            *((database_mount(),) if serving.prediction_log.enabled else ()),
            *({"name": each["name"], **_TOKENS_MOUNT} for each in _token_volumes(serving)),
        ],
    }


def _largest_body(serving: ServingSpec) -> list[dict[str, Any]]:
    """Return what the server needs to refuse more than the Model allows."""
    if serving.max_body_mebibytes is None:
        return []
    return environment({"FAIRLEAD_MAX_BODY_MEBIBYTES": str(serving.max_body_mebibytes)})


def _token_secrets(serving: ServingSpec) -> dict[str, str]:
    """Return the Secrets with the tokens that callers need, by the variables they go into."""
    secrets = {}
    log = serving.prediction_log
    if log.enabled and log.feedback_secret is not None:
        secrets["FAIRLEAD_FEEDBACK_TOKEN"] = log.feedback_secret.name
    if serving.force_version_secret is not None:
        secrets["FAIRLEAD_FORCE_TOKEN"] = serving.force_version_secret.name
    return secrets


def _tokens(serving: ServingSpec) -> Iterator[dict[str, Any]]:
    """Yield the tokens themselves, without which no server starts, and where they are renewed."""
    for variable, secret in _token_secrets(serving).items():
        yield secret_variable(variable, secret, _TOKEN_KEYS[variable])
        yield {"name": f"{variable}_FILE", "value": f"{_TOKENS_MOUNT['mountPath']}/{variable}"}


def _token_volumes(serving: ServingSpec) -> list[dict[str, Any]]:
    """Return the volume that holds those files, if there are any."""
    sources = [
        # Optional: a Secret that is missing is told by the variable, in clearer words.
        {
            "secret": {
                "name": secret,
                "optional": True,
                "items": [{"key": _TOKEN_KEYS[variable], "path": variable}],
            }
        }
        for variable, secret in _token_secrets(serving).items()
    ]
    return [{"name": "tokens", "projected": {"sources": sources}}] if sources else []


def _record(log: PredictionLog, task: Task, logins: Logins) -> list[dict[str, Any]]:
    """Return what the server needs to keep its predictions."""
    if not log.enabled:
        return []
    return [
        *environment({"FAIRLEAD_TASK": task, "FAIRLEAD_PREDICTION_SAMPLE": f"{log.sample:g}"}),
        database_file(logins),
    ]
