"""Versions the guard has taken out of the traffic.  Pure.

A trip belongs to a Model and a guard id.  It narrows every route of the Model that carries this
id, whatever weights the operator writes, and ends with the first accepted route that does not.
"""

import dataclasses
from collections.abc import Mapping
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
    fallback = route.guard.fallback
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
    mirror = None if route.mirror and route.mirror.version in out else route.mirror
    return dataclasses.replace(route, versions=versions, mirror=mirror)
