"""What the Gateways of the cluster say of a Model's HTTPRoutes.  Pure.

An implementation confirms a route by conditions, not by what its proxies do: ``Accepted`` and
``ResolvedRefs`` of every parent, for the generation in force.  Proxies follow a moment later,
so a route counts as in force only ``SETTLE`` after it was last written.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_contract.cluster import route_name
from fairlead_operator.api.group import FIELD_MANAGER
from fairlead_operator.api.phases.rollout import RouteReason
from fairlead_operator.kube.metadata import preview_name, version_name
from fairlead_operator.text import shorten

SETTLE: Final = timedelta(seconds=3)

_NEEDED: Final = ("Accepted", "ResolvedRefs")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What the Gateways of the cluster have accepted."""

    reason: RouteReason
    message: str
    weights: Mapping[str, int] | None = None  # by name of the Service; None when not in force
    preview: bool = False  # there is a route for the preview
    unheard: bool = False  # no Gateway has ever said anything of the route

    def weight_of(self, model: str, version: str) -> int | None:
        """Return the percent the version has; None while it is not known."""
        if self.weights is None:
            return None
        return self.weights.get(version_name(model, version), 0)


MISSING: Final = Routed(
    reason=RouteReason.KIND_MISSING,
    message="the cluster does not know the kind HTTPRoute: install the Gateway API CRDs "
    "(https://gateway-api.sigs.k8s.io) and an implementation, or set spec.serving.gateway.kind "
    "to BuiltIn",
)


def read_http_routes(routes: Iterable[Mapping[str, Any]], model: str, *, now: datetime) -> Routed:
    """Read what every parent has accepted of a Model's routes as they stand; doubt is no weight.

    A preview that nobody can reach is doubt as well.
    """
    by_name = {route["metadata"]["name"]: route for route in routes}
    route = by_name.get(route_name(model))
    routed = dataclasses.replace(_read(route, now=now), unheard=_is_unheard(route))
    preview = by_name.get(preview_name(model))
    if preview is None:
        return routed
    if routed.weights is not None and (tried := _read(preview, now=now)).weights is None:
        message = f"preview: {tried.message}"
        routed = dataclasses.replace(tried, message=message, unheard=routed.unheard)
    return dataclasses.replace(routed, preview=True)


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


def _is_unheard(route: Mapping[str, Any] | None) -> bool:
    """Tell whether nobody has said anything of the route, for this generation or an earlier one."""
    parents = ((route or {}).get("status") or {}).get("parents") or ()
    return not any(entry.get("conditions") for entry in parents)


def _split(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    rules: Sequence[Mapping[str, Any]] = spec["rules"]
    return rules[0]


def _problem(name: str, statuses: Sequence[Mapping[str, Any]], generation: int) -> Routed | None:
    """Say why a parent does not carry the route; None when it does."""
    if not statuses:
        return _pending(f"{name} says nothing of the route yet; look whether it exists")
    # Several controllers may have an entry; one without conditions says nothing.
    conditions = [
        {entry["type"]: entry for entry in status["conditions"]}
        for status in statuses
        if status.get("conditions")
    ]
    if not conditions:
        hint = (
            "if it stays so, its implementation reports no conditions, and cannot confirm weights"
        )
        return _pending(f"{name} has an entry without conditions for the route; {hint}")
    for by_type in conditions:
        for kind in _NEEDED:
            condition = by_type.get(kind)
            if condition is None:
                hint = "if it stays so, look at its controller"
                return _pending(f"{name} does not say yet whether {kind} is true; {hint}")
            # Optional: who leaves it out keeps its conditions up to date, for all we know.
            if condition.get("observedGeneration", generation) < generation:
                hint = "if it stays so, look at its controller"
                return _pending(f"{name} has not looked at the route yet; {hint}")
            if condition["status"] != "True":
                why = f"{condition.get('reason', '')}: {condition.get('message', '')}"
                message = f"{name} does not carry the route: {kind} is {condition['status']}, {why}"
                return Routed(reason=RouteReason.REFUSED, message=shorten(message, 900))
    return None


def _pending(message: str) -> Routed:
    return Routed(reason=RouteReason.PENDING, message=message)


def _same(left: Mapping[str, Any], right: Mapping[str, Any], namespace: str) -> bool:
    return _key(left, namespace) == _key(right, namespace)


def _key(parent: Mapping[str, Any], namespace: str) -> tuple[str, str, str]:
    """Return what tells one parent from another; its namespace may be left out."""
    return parent.get("namespace") or namespace, parent["name"], parent.get("sectionName") or ""


def _name(parent: Mapping[str, Any], namespace: str) -> str:
    owner, name, section = _key(parent, namespace)
    return f"Gateway {owner}/{name}" + (f" listener {section}" if section else "")


def _listed(spec: Mapping[str, Any], namespace: str) -> str:
    return ", ".join(_name(parent, namespace) for parent in spec.get("parentRefs") or ())


def _last_written(fields: Iterable[Mapping[str, Any]]) -> datetime | None:
    """Return when we last changed the spec, as the API server has it."""
    moments = [
        datetime.fromisoformat(entry["time"])
        for entry in fields
        if entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")
    ]
    return max(moments, default=None)
