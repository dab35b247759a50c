"""The autoscaler of one version: a HorizontalPodAutoscaler, or KEDA's ScaledObject.  Pure.

Both are named as the Deployment they scale, and both take the floor as their fewest pods: an
autoscaler that knows the floor need not be held back from anything.
"""

from typing import Any, Final

from fairlead_contract.cluster import SERVER
from fairlead_contract.series import match_version
from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.kube.metadata import Owner, component_labels, version_name

KINDS: Final = {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}


def build_autoscaler(
    version: str, scaling: Autoscaling, *, floor: int, owner: Owner, prometheus_url: str
) -> dict[str, Any]:
    """Build what scales one version, complete, ready for server-side apply."""
    name = version_name(owner.name, version)
    meta = owner.metadata(name, component_labels(SERVER, owner.name, version))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    if scaling.provider == "hpa":
        return {
            "apiVersion": "autoscaling/v2",
            "kind": KINDS["hpa"],
            "metadata": meta,
            "spec": {
                "scaleTargetRef": target,
                "minReplicas": floor,
                "maxReplicas": scaling.max_replicas,
                "metrics": [_cpu(scaling)],
            },
        }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": KINDS["keda"],
        "metadata": meta,
        "spec": {
            "scaleTargetRef": target,
            "minReplicaCount": floor,
            "maxReplicaCount": scaling.max_replicas,
            "triggers": _triggers(version, scaling, owner=owner, prometheus_url=prometheus_url),
        },
    }


def _cpu(scaling: Autoscaling) -> dict[str, Any]:
    return {
        "type": "Resource",
        "resource": {
            "name": "cpu",
            "target": {
                "type": "Utilization",
                "averageUtilization": scaling.target.cpu_utilization,
            },
        },
    }


def _triggers(
    version: str, scaling: Autoscaling, *, owner: Owner, prometheus_url: str
) -> list[dict[str, Any]]:
    """Build KEDA's triggers: it takes numbers as strings, and the largest demand of all wins."""
    target, triggers = scaling.target, []
    if target.cpu_utilization is not None:
        triggers.append(
            {
                "type": "cpu",
                "metricType": "Utilization",
                "metadata": {"value": str(target.cpu_utilization)},
            }
        )
    if target.requests_per_second is not None:
        triggers.append(
            {
                "type": "prometheus",
                "metricType": "AverageValue",
                "metadata": {
                    "serverAddress": prometheus_url,
                    "query": request_rate(
                        namespace=owner.namespace, model=owner.name, version=version
                    ),
                    "threshold": f"{target.requests_per_second:.15g}",
                    # No answer is no evidence of no load: the number of pods stays as it is.
                    "ignoreNullValues": "false",
                },
            }
        )
    return triggers


def request_rate(*, namespace: str, model: str, version: str) -> str:
    """Ask for requests a second over the last minute, mirrored ones too: the load of its pods."""
    names = match_version(namespace=namespace, model=model, version=version)
    return f"sum(rate(envoy_cluster_upstream_rq_completed{{{names}}}[1m]))"
