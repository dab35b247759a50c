"""The route of a Model, the ConfigMap that carries it, and what is read back.  Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_contract.cluster import ROUTE, ROUTE_KEY, report_key, route_name
from fairlead_operator.api.base import read_moment
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.api.strategy import FastGuard, Sticky
from fairlead_operator.kube.metadata import (
    CLUSTER_DOMAIN,
    Owner,
    component_labels,
    preview_name,
    version_name,
)
from fairlead_operator.rollout.decision.plan import Plan, Step
from fairlead_operator.rollout.decision.states import Decision, is_finished

Route = Mapping[str, Any]  # the document of docs/contracts.md §3

_COOKIE_AGE: Final = timedelta(hours=24)
_GUARDED: Final = frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING, Phase.ROLLING_BACK})


def split(decision: Decision, *, stable: str | None) -> tuple[tuple[str, int], ...]:
    """Return versions and their weights, candidates first; empty when nobody may be served.

    A weight of 0 keeps a version warm and reachable by header.
    """
    shares = decision.shares
    promoted = tuple(share for share in shares if share[1])
    if stable is None:
        return promoted if decision.phase is Phase.SUCCEEDED else ()
    if decision.phase is Phase.ROLLED_BACK or any(version == stable for version, _ in shares):
        return ((stable, 100),)
    if decision.phase is Phase.SUCCEEDED:
        return promoted
    return (*shares, (stable, 100 - decision.weight))


def options(
    decision: Decision,
    step: Step | None,
    plan: Plan,
    *,
    stable: str | None,
    owner: Owner,
    rollout_uid: str,
    cluster_domain: str = CLUSTER_DOMAIN,
) -> dict[str, Any]:
    """Return what the route says beside its weights: mirror, sticky, preview, guard.

    ``step`` is the one the decision leads to.
    """
    versions = [version for version, _ in decision.shares]
    extra: dict[str, Any] = {}
    if stable is None or stable in versions or is_finished(decision.phase):
        return extra
    if decision.mirror:
        extra["mirror"] = {"version": versions[0], "percent": decision.mirror}
    if step is not None and step.preview:
        extra["preview"] = {
            "version": versions[0],
            "hosts": _hosts(preview_name(owner.name), owner.namespace, cluster_domain),
        }
    if step is not None and step.sticky is not None:
        extra["sticky"] = _sticky(step.sticky, rollout_uid=rollout_uid)
    if plan.fast_guard is not None and decision.phase in _GUARDED:
        extra["guard"] = _guard(plan.fast_guard, versions, stable=stable, rollout_uid=rollout_uid)
    return extra


def _sticky(sticky: Sticky, *, rollout_uid: str) -> dict[str, Any]:
    if sticky.by == "header":
        return {"by": "header", "header": sticky.header}
    age = sticky.max_age or _COOKIE_AGE
    return {"by": "cookie", "maxAgeSeconds": int(age.total_seconds()), "id": rollout_uid}


def _guard(
    guard: FastGuard, versions: Sequence[str], *, stable: str, rollout_uid: str
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": rollout_uid,
        "versions": list(versions),
        "fallback": stable,
        "minRequests": guard.min_requests,
        "maxFailureRatio": guard.max_failure_ratio,
        "maxRefusalRatio": guard.max_refusal_ratio,
        "windowSeconds": int(guard.window.total_seconds()),
    }
    if guard.slow_milliseconds is not None:
        document["slowMilliseconds"] = guard.slow_milliseconds
        document["maxSlowRatio"] = guard.max_slow_ratio
    return document


def build_route(
    versions: Sequence[tuple[str, int]],
    *,
    owner: Owner,
    timeout: timedelta,
    forcing: bool = False,
    options: Mapping[str, Any] | None = None,
    cluster_domain: str = CLUSTER_DOMAIN,
) -> Route:
    """Build one Model's route; with ``forcing`` a request may choose its version."""
    route: dict[str, Any] = {
        "model": owner.name,
        "namespace": owner.namespace,
        "hosts": _hosts(owner.name, owner.namespace, cluster_domain),
        "timeoutSeconds": int(timeout.total_seconds()),
        "versions": [
            {
                "version": version,
                "weight": weight,
                "service": version_name(owner.name, version),
            }
            for version, weight in versions
        ],
        **({"forcing": True} if forcing else {}),
        **(options or {}),
    }
    return route | {"revision": _digest(route)}


def build_config_map(route: Route, *, owner: Owner) -> dict[str, Any]:
    """Build the ConfigMap in which the gateway agent reads a route."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": owner.metadata(route_name(owner.name), component_labels(ROUTE, owner.name)),
        "data": {ROUTE_KEY: json.dumps(route, sort_keys=True)},
    }


def read_weight(
    route: Mapping[str, Any] | None,
    applied: Mapping[str, str],
    *,
    model: str,
    version: str,
    gateway_pods: Sequence[str],
) -> int | None:
    """Return the percent that every live gateway pod gives the version.

    None while there is no gateway pod, one has not reported the route in force,
    or its report names another one, because it refused this or waits for endpoints.
    """
    if route is None or not gateway_pods:
        return None
    try:
        wanted = json.loads(route["data"][ROUTE_KEY])["revision"]
        reports = [json.loads(applied[report_key(model, pod)]) for pod in gateway_pods]
        weights = {int(report["weights"].get(version, 0)) for report in reports}
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    if any(report.get("revision") != wanted for report in reports):
        return None
    return weights.pop() if len(weights) == 1 else None


def read_trip(
    applied: Mapping[str, str],
    *,
    model: str,
    version: str,
    guard: str,
    gateway_pods: Sequence[str],
) -> tuple[str, datetime] | None:
    """Return what the first gateway pod whose fast guard tripped says of the version, and when.

    A trip counts whatever route is in force: it can only take traffic away.
    """
    trips = []
    for pod in gateway_pods:
        try:
            trip = json.loads(applied[report_key(model, pod)])["tripped"][version]
            moment = read_moment(trip["at"])
            if trip["guard"] == guard and moment is not None:
                trips.append((moment, str(trip["message"])))
        except (KeyError, ValueError, TypeError, RecursionError):
            continue
    if not trips:
        return None
    at, message = min(trips)
    return message, at


def _hosts(name: str, namespace: str, cluster_domain: str) -> list[str]:
    host = f"{name}.{namespace}"
    return [name, host, f"{host}.svc", f"{host}.svc.{cluster_domain}"]


def _digest(route: Mapping[str, Any]) -> str:
    text = json.dumps(route, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
