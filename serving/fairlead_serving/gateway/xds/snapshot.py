"""Everything Envoy should know at one moment.  Pure."""

import dataclasses
from collections.abc import Mapping

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.routes.trips import Trip, Tripped, narrow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All routes, without what has tripped, and the endpoints of their Services."""

    routes: tuple[Route, ...] = ()
    endpoints: Mapping[str, tuple[Endpoint, ...]] = dataclasses.field(default_factory=dict)
    tripped: Mapping[str, Tripped] = dataclasses.field(default_factory=dict)  # by Model

    def can_trip(self, model: str, version: str, guard_id: str) -> bool:
        """Say whether the version is in the traffic under this guard."""
        return any(
            route.model == model
            and route.guard is not None
            and route.guard.guard_id == guard_id
            and route.weights.get(version, 0) > 0
            for route in self.routes
        )

    def without(self, model: str, version: str, trip: Trip) -> "Snapshot":
        """Take out one version that has tripped."""
        out = {**self.tripped.get(model, {}), version: trip}
        return dataclasses.replace(
            self,
            routes=tuple(
                narrow(route, out) if route.model == model else route for route in self.routes
            ),
            tripped={**self.tripped, model: out},
        )
