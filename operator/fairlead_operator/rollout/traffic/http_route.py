"""The route of a Model as HTTPRoutes of the Gateway API.  Pure; ``accepted`` reads it back.

The same document that the gateway agent reads (``route.build_route``) becomes rules that
every conformant implementation understands: the split, one for each version that is asked
for by name, one for each that has users who stay with it.  A rule with a header match wins
over one without, and of two the first, so a forced version is never overruled.  The split
comes first because implementations name what they make of a rule by its place: a rule that
moves up when a version leaves is another one to them, and its requests fail for a moment.
A preview has hosts of its own, so it is an HTTPRoute of its own.

A mirror cannot change the copies it sends, so they go to a port of their own, where the server
takes all that comes for copies; the header that marks them elsewhere is taken from clients.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.cluster import ROUTE, route_name
from fairlead_contract.http import (
    SHADOW_HEADER,
    UNCOUNTED_HEADER,
    UNCOUNTED_VALUE,
    VERSION_HEADER,
    cookie_value,
    public_paths,
    version_cookie,
)
from fairlead_operator.api.gateway import (
    GUARD_UNSUPPORTED,
    HEADER_UNSUPPORTED,
    PREVIEW_UNSUPPORTED,
    GatewaySpec,
    ParentReference,
)
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.kube.metadata import (
    SHADOW_PORT,
    Owner,
    component_labels,
    preview_name,
)
from fairlead_operator.rollout.decision.plan import Plan
from fairlead_operator.rollout.traffic.route import Route

_PORT: Final = 80
_UNMARKED: Final = {
    "type": "RequestHeaderModifier",
    "requestHeaderModifier": {"remove": [SHADOW_HEADER, UNCOUNTED_HEADER]},  # ours to say
}


def find_unsupported(policy: RolloutPolicy, plan: Plan, gateway: GatewaySpec) -> str | None:
    """Say what an HTTPRoute cannot do of the policy, and the way out; None when it can do all.

    The Model's own policy is refused by the API server; a Rollout may bring another.
    """
    if policy.fast_guard is not None and policy.fast_guard.enabled:
        return f"{GUARD_UNSUPPORTED} in the Model"
    if plan.preview and not gateway.preview_hostnames:
        return f"{PREVIEW_UNSUPPORTED} in the Model"
    if any(step.sticky is not None and step.sticky.by == "header" for step in plan.steps):
        return f"{HEADER_UNSUPPORTED} in the Model"
    return None


def build_http_routes(
    route: Route, *, owner: Owner, gateway: GatewaySpec
) -> tuple[dict[str, Any], ...]:
    """Build the HTTPRoutes that say what the route says (docs/contracts.md §4)."""
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
        [_uncounted(_rule(route, _entry(route, route["preview"]["version"])))],
        timeout=route["timeoutSeconds"],
        owner=owner,
        gateway=gateway,
    )
    return (live, preview)


def _live_rules(route: Route) -> list[dict[str, Any]]:
    """Build the split, forced versions, and users who stay."""
    versions = route["versions"]
    arms = [entry for entry in versions if entry["weight"]]
    cookie = _Cookie.of(route)
    split: dict[str, Any] = {
        "matches": _matches(route),
        "filters": [_UNMARKED],
        "backendRefs": [
            _backend(entry, weight=entry["weight"])
            | ({} if cookie is None else {"filters": [cookie.assign(entry["version"])]})
            for entry in arms
        ],
    }
    if mirror := route.get("mirror"):
        split["filters"] += [_mirror(_entry(route, mirror["version"]), mirror["percent"])]
    rules = [split]
    if route.get("forcing"):
        rules += [_uncounted(_rule(route, entry, _forced(entry["version"]))) for entry in versions]
    if cookie is not None:
        rules += [_rule(route, entry, cookie.match(entry["version"])) for entry in arms]
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
        "metadata": owner.metadata(name, component_labels(ROUTE, owner.name)),
        "spec": {
            "parentRefs": [_parent(parent) for parent in gateway.parent_refs or ()],
            "hostnames": list(hosts),
            "rules": [{**rule, "timeouts": timeouts} for rule in rules],
        },
    }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Cookie:
    """Keeps a user at the version that answered first."""

    name: str
    max_age: int  # seconds
    trial: str  # the id of the rollout that deals

    @classmethod
    def of(cls, route: Route) -> "_Cookie | None":
        sticky = route.get("sticky")
        if sticky is None:
            return None
        return cls(
            name=version_cookie(route["model"]),
            max_age=sticky["maxAgeSeconds"],
            trial=sticky["id"],
        )

    def match(self, version: str) -> dict[str, Any]:
        """Match who carries it by a header; in full and in partial match it means the same."""
        pattern = f"^(.*; ?)?{self.name}={cookie_value(version, self.trial)}(;.*)?$"
        return {"type": "RegularExpression", "name": "cookie", "value": pattern}

    def assign(self, version: str) -> dict[str, Any]:
        cookie = f"{self.name}={cookie_value(version, self.trial)}"
        value = f"{cookie}; Max-Age={self.max_age}; Path=/; HttpOnly; SameSite=Lax"
        return {
            "type": "ResponseHeaderModifier",
            "responseHeaderModifier": {"add": [{"name": "set-cookie", "value": value}]},
        }


def _forced(version: str) -> dict[str, Any]:
    return {"type": "Exact", "name": VERSION_HEADER, "value": version}


def _rule(route: Route, entry: Mapping[str, Any], *headers: Mapping[str, Any]) -> dict[str, Any]:
    """Send all requests with these headers to one version."""
    return {
        "matches": _matches(route, *headers),
        "filters": [_UNMARKED],
        "backendRefs": [_backend(entry, weight=1)],
    }


def _matches(route: Route, *headers: Mapping[str, Any]) -> list[dict[str, Any]]:
    asked = {"headers": list(headers)} if headers else {}
    return [
        {"path": {"type": "PathPrefix", "value": path}, **asked}
        for path in public_paths(route["model"])
    ]


def _uncounted(rule: dict[str, Any]) -> dict[str, Any]:
    """Mark requests that say nothing of live traffic."""
    mark = {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {
            "remove": [SHADOW_HEADER],
            "set": [{"name": UNCOUNTED_HEADER, "value": UNCOUNTED_VALUE}],
        },
    }
    return rule | {"filters": [mark]}


def _entry(route: Route, version: str) -> Mapping[str, Any]:
    """Return what a route says of one version."""
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
