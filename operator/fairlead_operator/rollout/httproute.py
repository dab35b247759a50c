"""The route of a Model as HTTPRoutes of the Gateway API, and what its Gateways say.  Pure.

The same document that the gateway agent reads (``traffic.build_route``) becomes rules that
every conformant implementation understands: the split, one for each version that is asked
for by name, one for each that has users who stay with it.  A rule with a header match wins
over one without, and of two the first, so a forced version is never overruled.  The split
comes first because implementations name what they make of a rule by its place: a rule that
moves up when a version leaves is another one to them, and its requests fail for a moment.
A preview has hosts of its own, so it is an HTTPRoute of its own.

A mirror cannot change the copies it sends, so they go to a port of their own, where the server
takes all that comes for copies; the header that marks them elsewhere is taken from clients.

An implementation confirms a route by conditions, not by what its proxies do: ``Accepted`` and
``ResolvedRefs`` of every parent, for the generation in force.  Proxies follow a moment later,
so a route counts as in force only ``SETTLE`` after it was last written.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from fairlead_operator.api.gateway import GatewaySpec, ParentReference
from fairlead_operator.api.group import FIELD_MANAGER
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.kube.metadata import (
    SHADOW_PORT,
    Owner,
    component_labels,
    preview_name,
    route_name,
    version_name,
)

SETTLE: Final = timedelta(seconds=3)

_FORCE: Final = "x-fairlead-version"
_ANY_PATH: Final = {"type": "PathPrefix", "value": "/"}
_PORT: Final = 80
_NEEDED: Final = ("Accepted", "ResolvedRefs")
_UNMARKED: Final = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"remove": ["x-fairlead-shadow"]},  # ours to say
}


class RouteReason(StrEnum):
    """Why the route is in force or not; part of the API, so never renamed."""

    ACCEPTED = "RouteAccepted"
    PENDING = "RoutePending"
    REFUSED = "RouteRefused"
    KIND_MISSING = "GatewayApiMissing"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What the Gateways of the cluster have accepted."""

    reason: RouteReason
    message: str
    weights: Mapping[str, int] | None = None  # by name of the Service; None when not in force
    preview: bool = False  # there is a route for the preview

    def weight_of(self, model: str, version: str) -> int | None:
        """Percent the version has; None while it is not known."""
        if self.weights is None:
            return None
        return self.weights.get(version_name(model, version), 0)


MISSING: Final = Routed(
    reason=RouteReason.KIND_MISSING,
    message="the cluster does not know the kind HTTPRoute: install the Gateway API CRDs "
    "(https://gateway-api.sigs.k8s.io) and an implementation, or set spec.serving.gateway.kind "
    "to BuiltIn",
)


def find_unsupported(policy: RolloutPolicy, gateway: GatewaySpec) -> str | None:
    """What an HTTPRoute cannot do of the policy, and the way out; None when it can do all.

    The Model's own policy is refused by the API server; a Rollout may bring another.
    """
    if policy.fast_guard is not None and policy.fast_guard.enabled:
        return (
            "fastGuard needs the agent of the built-in gateway: remove it, or set "
            "spec.serving.gateway.kind of the Model to BuiltIn"
        )
    if policy.strategy == "blueGreen" and not gateway.preview_hostnames:
        return (
            "blueGreen has a preview address: name its hosts in "
            "spec.serving.gateway.previewHostnames of the Model, or choose strategy shadow"
        )
    trial = policy.ab_test or policy.bandit
    if trial is not None and trial.sticky is not None and trial.sticky.by == "header":
        return (
            "the Gateway API cannot keep a user by the hash of a header: choose sticky by: cookie, "
            "or set spec.serving.gateway.kind of the Model to BuiltIn"
        )
    return None


def build_http_routes(
    route: Mapping[str, Any], *, owner: Owner, gateway: GatewaySpec
) -> tuple[dict[str, Any], ...]:
    """The HTTPRoutes that say the same as a route document (docs/contracts.md §4)."""
    live = _route(
        route_name(owner.name),
        gateway.hostnames or (),
        _live_rules(route),
        timeout=route["timeoutSeconds"],
        owner=owner,
        gateway=gateway,
    )
    if "preview" not in route or not gateway.preview_hostnames:
        return (live,)
    preview = _route(
        preview_name(owner.name),
        gateway.preview_hostnames,
        [_rule(_entry(route, route["preview"]["version"]))],
        timeout=route["timeoutSeconds"],
        owner=owner,
        gateway=gateway,
    )
    return (live, preview)


def _live_rules(route: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The split, forced versions, and users who stay."""
    versions = route["versions"]
    arms = [entry for entry in versions if entry["weight"]]
    cookie = _Cookie.of(route)
    split: dict[str, Any] = {
        "matches": [{"path": _ANY_PATH}],
        "filters": [_UNMARKED],
        "backendRefs": [
            _backend(entry, weight=entry["weight"])
            | ({} if cookie is None else {"filters": [cookie.assign(entry["version"])]})
            for entry in arms
        ],
    }
    if mirror := route.get("mirror"):
        split["filters"] += [_mirror(_entry(route, mirror["version"]), mirror["percent"])]
    rules = [split, *(_rule(entry, _forced(entry["version"])) for entry in versions)]
    if cookie is not None:
        rules += [_rule(entry, cookie.match(entry["version"])) for entry in arms]
    return rules


def _route(
    name: str,
    hosts: Sequence[str],
    rules: Sequence[Mapping[str, Any]],
    *,
    timeout: int,
    owner: Owner,
    gateway: GatewaySpec,
) -> dict[str, Any]:
    timeouts = {"request": f"{timeout}s"}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": owner.metadata(name, component_labels("route", owner.name)),
        "spec": {
            "parentRefs": [_parent(parent) for parent in gateway.parent_refs or ()],
            "hostnames": list(hosts),
            "rules": [{**rule, "timeouts": timeouts} for rule in rules],
        },
    }


def read_http_routes(routes: Iterable[Mapping[str, Any]], model: str, *, now: datetime) -> Routed:
    """What every parent has accepted of a Model's routes as they stand; doubt is no weight.

    A preview that nobody can reach is doubt as well.
    """
    known = {route["metadata"]["name"]: route for route in routes}
    found = _read(known.get(route_name(model)), now=now)
    preview = known.get(preview_name(model))
    if preview is None:
        return found
    if found.weights is not None and (tried := _read(preview, now=now)).weights is None:
        found = dataclasses.replace(tried, message=f"preview: {tried.message}")
    return dataclasses.replace(found, preview=True)


def _read(route: Mapping[str, Any] | None, *, now: datetime) -> Routed:
    if route is None:
        return _pending("the HTTPRoute is not written yet")
    meta, spec = route["metadata"], route["spec"]
    statuses = (route.get("status") or {}).get("parents") or []
    for parent in spec.get("parentRefs") or []:
        mine = [entry for entry in statuses if _same(entry["parentRef"], parent, meta["namespace"])]
        problem = _problem(_name(parent, meta["namespace"]), mine, meta.get("generation", 0))
        if problem is not None:
            return problem
    written = _last_written(meta.get("managedFields") or ())
    # The time is the API server's.  A clock far behind it must not keep a route pending.
    if written is not None and abs(now - written) < SETTLE:
        return _pending(f"accepted; proxies have {SETTLE.seconds} s to follow")
    weights = {ref["name"]: int(ref.get("weight", 1)) for ref in _split(spec)["backendRefs"]}
    return Routed(
        reason=RouteReason.ACCEPTED,
        message=f"accepted by {_listed(spec, meta['namespace'])}",
        weights=weights,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cookie:
    """Keeps a user at the version that answered first."""

    name: str
    max_age: int  # seconds

    @classmethod
    def of(cls, route: Mapping[str, Any]) -> "_Cookie | None":
        sticky = route.get("sticky")
        if sticky is None:
            return None
        return cls(name=f"fairlead-{route['model']}", max_age=sticky["maxAgeSeconds"])

    def match(self, version: str) -> dict[str, Any]:
        """Header match of who carries it; written to mean the same in full and partial match."""
        value = version.replace(".", r"\.")
        pattern = f"^(.*; ?)?{self.name}={value}(;.*)?$"
        return {"type": "RegularExpression", "name": "cookie", "value": pattern}

    def assign(self, version: str) -> dict[str, Any]:
        value = f"{self.name}={version}; Max-Age={self.max_age}; Path=/; HttpOnly; SameSite=Lax"
        return {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"add": [{"name": "set-cookie", "value": value}]},
        }


def _forced(version: str) -> dict[str, Any]:
    return {"type": "Exact", "name": _FORCE, "value": version}


def _rule(entry: Mapping[str, Any], *headers: Mapping[str, Any]) -> dict[str, Any]:
    """All requests with these headers to one version."""
    match = {"path": _ANY_PATH, "headers": list(headers)} if headers else {"path": _ANY_PATH}
    return {
        "matches": [match],
        "filters": [_UNMARKED],
        "backendRefs": [_backend(entry, weight=1)],
    }


def _entry(route: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """What a route document says of one version."""
    entries: Sequence[Mapping[str, Any]] = route["versions"]
    return next(entry for entry in entries if entry["version"] == version)


def _backend(entry: Mapping[str, Any], *, weight: int) -> dict[str, Any]:
    return {"name": entry["service"], "port": _PORT, "weight": weight}


def _mirror(entry: Mapping[str, Any], percent: int) -> dict[str, Any]:
    backend = {"name": entry["service"], "port": SHADOW_PORT}
    return {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": backend, "percent": percent},
    }


def _parent(parent: ParentReference) -> dict[str, Any]:
    return parent.model_dump(mode="json", by_alias=True, exclude_none=True)


def _split(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    rules: Sequence[Mapping[str, Any]] = spec["rules"]
    return rules[0]


def _problem(name: str, statuses: Sequence[Mapping[str, Any]], generation: int) -> Routed | None:
    """Why a parent does not carry the route, or None when it does."""
    if not statuses:
        return _pending(f"{name} says nothing of the route yet; is there such a Gateway?")
    conditions = [
        {entry["type"]: entry for entry in status.get("conditions") or ()} for status in statuses
    ]
    for known in conditions:
        for kind in _NEEDED:
            condition = known.get(kind)
            if condition is None or condition.get("observedGeneration", 0) < generation:
                return _pending(f"{name} has not looked at the route yet")
            if condition["status"] != "True":
                why = f"{condition.get('reason', '')}: {condition.get('message', '')}"
                return Routed(
                    reason=RouteReason.REFUSED, message=f"{name}: {kind} is not true, {why}"[:900]
                )
    return None


def _pending(message: str) -> Routed:
    return Routed(reason=RouteReason.PENDING, message=message)


def _same(left: Mapping[str, Any], right: Mapping[str, Any], namespace: str) -> bool:
    return _key(left, namespace) == _key(right, namespace)


def _key(parent: Mapping[str, Any], namespace: str) -> tuple[str, str, str]:
    """What tells one parent from another; its namespace may be left out."""
    return parent.get("namespace") or namespace, parent["name"], parent.get("sectionName") or ""


def _name(parent: Mapping[str, Any], namespace: str) -> str:
    owner, name, section = _key(parent, namespace)
    return f"Gateway {owner}/{name}" + (f" listener {section}" if section else "")


def _listed(spec: Mapping[str, Any], namespace: str) -> str:
    return ", ".join(_name(parent, namespace) for parent in spec.get("parentRefs") or ())


def _last_written(fields: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When we last changed the spec, as the API server has it."""
    moments = [
        datetime.fromisoformat(entry["time"])
        for entry in fields
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
    ]
    return max(moments, default=None)
