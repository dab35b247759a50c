"""Versions that are out of the traffic whatever the operator's weights say.  Pure.

A trip belongs to a Model and a guard id.  It narrows every route of the Model that carries this
id, whatever weights the operator writes, and ends with the first accepted route that does not.

A version without a ready pod is no trip: the guard's fallback answers for it until it has one.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from fairlead_serving.gateway.routes.route import Route


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One version is out."""

    guard_id: str
    at: str  # RFC 3339
    message: str
    requests: int
    failures: int

    def to_document(self) -> dict[str, Any]:
        """Write the trip as it is kept and reported."""
        return {
            "guard": self.guard_id,
            "at": self.at,
            "message": self.message,
            "requests": self.requests,
            "failures": self.failures,
        }


Tripped = Mapping[str, Trip]  # by version


def from_document(document: Mapping[str, Any]) -> Trip:
    """Read what `to_document` wrote.

    Raises:
        KeyError: a field is missing.
    """
    return Trip(
        guard_id=document["guard"],
        at=document["at"],
        message=document["message"],
        requests=document["requests"],
        failures=document["failures"],
    )


def still_tripped(route: Route, tripped: Tripped) -> Tripped:
    """Keep the trips that go on under this route."""
    if route.guard is None or not tripped:
        return {}
    guard_id = route.guard.guard_id
    return {version: trip for version, trip in tripped.items() if trip.guard_id == guard_id}


def narrow(route: Route, tripped: Tripped) -> Route:
    """Take the traffic from what has tripped and give it to the fallback.

    A version stays listed: it can be reached by header, and the others keep their users.
    """
    out = still_tripped(route, tripped)
    if route.guard is None or not out:
        return route
    narrowed = _give_to(route.guard.fallback, route, out)
    mirror = None if route.mirror and route.mirror.version in out else route.mirror
    return dataclasses.replace(narrowed, mirror=mirror)


def stand_in(route: Route, ready: Collection[str]) -> Route:
    """Let the guard's fallback answer for guarded versions whose Service has no ready pod.

    Only where the fallback has one: if nobody is ready, it may be the one who looks that is ill.
    """
    if (guard := route.guard) is None:
        return route
    services = {version.version: version.service for version in route.versions}
    out = {version for version in guard.versions if services[version] not in ready}
    if services[guard.fallback] not in ready or not any(map(route.weights.get, out)):
        return route
    return _give_to(guard.fallback, route, out)


def _give_to(fallback: str, route: Route, out: Collection[str]) -> Route:
    freed = sum(route.weights.get(version, 0) for version in out if version != fallback)
    weights = {
        version.version: version.weight + freed
        if version.version == fallback
        else (0 if version.version in out else version.weight)
        for version in route.versions
    }
    versions = tuple(
        dataclasses.replace(version, weight=weights[version.version]) for version in route.versions
    )
    return dataclasses.replace(route, versions=versions)
