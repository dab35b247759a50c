"""The route of a Model as the gateway agent reads it, and the weight read back.  Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fairlead_operator.kube.metadata import Owner, component_labels, route_name, version_name
from fairlead_operator.rollout.state_machine import Phase


def split(
    phase: Phase, weight: int, *, candidate: str | None, stable: str | None
) -> tuple[tuple[str, int], ...]:
    """Versions and their weights, candidate first; empty when nobody may be served.

    A weight of 0 keeps a version warm and reachable by header.
    """
    if stable is None:
        return ((candidate, 100),) if candidate and phase is Phase.SUCCEEDED else ()
    if candidate is None or candidate == stable or phase is Phase.ROLLED_BACK:
        return ((stable, 100),)
    if phase is Phase.SUCCEEDED:
        return ((candidate, 100),)
    return ((candidate, weight), (stable, 100 - weight))


def build_route(
    versions: Sequence[tuple[str, int]], *, owner: Owner, timeout: timedelta
) -> dict[str, Any]:
    """The ConfigMap that carries one Model's route."""
    host = f"{owner.name}.{owner.namespace}"
    route: dict[str, Any] = {
        "model": owner.name,
        "namespace": owner.namespace,
        "hosts": [owner.name, host, f"{host}.svc", f"{host}.svc.cluster.local"],
        "timeoutSeconds": int(timeout.total_seconds()),
        "versions": [
            {
                "version": version,
                "weight": weight,
                "service": version_name(owner.name, version),
            }
            for version, weight in versions
        ],
    }
    route["revision"] = _digest(route)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owner.metadata(route_name(owner.name), component_labels("route", owner.name)),
        "data": {"route.json": json.dumps(route, sort_keys=True)},
    }


def read_weight(
    route: Mapping[str, Any] | None,
    applied: Mapping[str, str],
    *,
    model: str,
    version: str,
    gateway_pods: Sequence[str],
) -> int | None:
    """Percent that every live gateway pod gives the version.

    None while there is no gateway pod, one has not reported the route in force,
    or its report names another one, because it refused this or waits for endpoints.
    """
    if route is None or not gateway_pods:
        return None
    try:
        wanted = json.loads(route["data"]["route.json"])["revision"]
        reports = [json.loads(applied[f"{model}.{pod}"]) for pod in gateway_pods]
        weights = {int(report["weights"].get(version, 0)) for report in reports}
    except (KeyError, ValueError, TypeError, AttributeError):
        return None
    if any(report.get("revision") != wanted for report in reports):
        return None
    return weights.pop() if len(weights) == 1 else None


def _digest(route: Mapping[str, Any]) -> str:
    text = json.dumps(route, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
