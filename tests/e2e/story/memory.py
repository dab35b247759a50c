"""Memory of each component, as the kubelet measures it."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cluster.api import Cluster

_COMPONENT_LABELS = ("fairlead.dev/component", "app.kubernetes.io/component")
_CALLED = {"server": "serving"}  # the report's word, where it differs
_MIB = 1024 * 1024

Json = Mapping[str, Any]


def measure_memory(cluster: Cluster, namespaces: Iterable[str]) -> Mapping[str, float]:
    """MiB of working set by component; of several pods, the largest."""
    pods: list[Json] = []
    for namespace in namespaces:
        found = cluster.kubectl("get", "pods", f"--namespace={namespace}", "--output=json")
        pods += json.loads(found.stdout)["items"]
    nodes = {pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")}
    stats = [
        json.loads(cluster.kubectl("get", f"--raw=/api/v1/nodes/{node}/proxy/stats/summary").stdout)
        for node in sorted(nodes)
    ]
    return by_component(pods, stats)


def by_component(pods: Iterable[Json], stats: Iterable[Json]) -> Mapping[str, float]:
    """Join the kubelets' numbers with the pods' labels.  Pure."""
    used = {
        (pod["podRef"]["namespace"], pod["podRef"]["name"]): _working_set(pod)
        for summary in stats
        for pod in summary["pods"]
    }
    largest: dict[str, float] = {}
    for pod in pods:
        meta = pod["metadata"]
        component = component_of(meta.get("labels") or {})
        mebibytes = used.get((meta["namespace"], meta["name"]))
        if component and mebibytes:
            largest[component] = max(largest.get(component, 0.0), mebibytes)
    return dict(sorted(largest.items()))


def component_of(labels: Mapping[str, str]) -> str | None:
    for label in _COMPONENT_LABELS:
        if label in labels:
            return _CALLED.get(labels[label], labels[label])
    return None


def _working_set(pod: Json) -> float:
    containers = pod.get("containers") or []
    total = sum(c.get("memory", {}).get("workingSetBytes", 0) for c in containers)
    return round(float(total) / _MIB, 1)
