"""From what the cluster says to a snapshot: each Model gets its newest route that can be served.

Pure.  A document that is not valid, that Envoy refused, or whose pods are not there yet leaves its
Model on the route it has.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fairlead_serving.gateway.routes.endpoints import Endpoints, Found
from fairlead_serving.gateway.routes.fields import InvalidRouteError
from fairlead_serving.gateway.routes.route import Route, parse_route, settle_hosts
from fairlead_serving.gateway.routes.trips import Tripped, narrow, stand_in, still_tripped
from fairlead_serving.gateway.xds.snapshot import Snapshot


class RouteDocument(NamedTuple):
    """What a route ConfigMap holds, unread."""

    model: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """A snapshot, and why some of what was asked for is not in it; all maps by Model."""

    snapshot: Snapshot
    accepted: Mapping[str, Route]  # with all their hosts: the next last good
    errors: Mapping[str, str]  # refused; waits for another document
    waiting: Mapping[str, str]  # not yet; goes on by itself
    lingers: bool = False  # endpoints that are gone are kept until nothing is sent there any more


def assemble(
    documents: Iterable[RouteDocument],
    found: Found,
    *,
    namespace: str,
    last_good: Mapping[str, Route],
    refused: Mapping[tuple[str, str], str],
    tripped: Mapping[str, Tripped],
    published: Snapshot | None = None,
) -> Assembly:
    """Choose the route of each Model and join the endpoints that were found to it.

    `refused` are routes, by Model and revision, that Envoy would not take, with its words.
    `tripped` are versions the guard has taken out, by Model; they stay out of every route.
    `published` is what Envoy has or is about to have.
    """
    accepted: dict[str, Route] = {}
    errors: dict[str, str] = {}
    waiting: dict[str, str] = {}
    for document in documents:
        model, out = document.model, tripped.get(document.model, {})
        current = last_good.get(model) and narrow(last_good[model], out)
        try:
            route = narrow(parse_route(document.text, namespace, model), out)
        except InvalidRouteError as error:
            errors[model] = str(error)
        else:
            if (why := refused.get((model, route.revision))) is not None:
                errors[model] = f"Envoy refused the route: {why}"
            elif (why := _lacks(route, current, found.endpoints)) is not None:
                waiting[model] = why
            else:
                accepted[model] = route
                continue
        if current is not None:
            accepted[model] = current
    routes, disputes = settle_hosts(accepted.values())
    for model, dispute in disputes.items():
        errors.setdefault(model, dispute)
    snapshot = _join(routes, found, tripped)
    lingering = _find_lingering(snapshot, published or Snapshot())
    return Assembly(
        snapshot=dataclasses.replace(snapshot, endpoints={**snapshot.endpoints, **lingering}),
        lingers=bool(lingering),
        accepted=accepted,
        errors=errors,
        waiting=waiting,
    )


def _lacks(route: Route, current: Route | None, endpoints: Endpoints) -> str | None:
    """Say which pods a route waits for, before it may take traffic from pods that are there.

    Routes and endpoints come over two watches, and the cluster's own endpoint controller is
    slower than a Deployment's status.  A change that sends less traffic nowhere never waits, so
    a rollback away from a version without pods goes through at once.
    """
    if (
        current is None
        or current is route
        or _reach(route, endpoints) >= _reach(current, endpoints)
    ):
        return None
    missing = [
        version.version
        for version in route.versions
        if version.weight and not endpoints.get(version.service)
    ]
    return f"no ready endpoint for version {', '.join(missing)}"


def _reach(route: Route, endpoints: Endpoints) -> int:
    """Sum up the percent of the traffic that would find a pod."""
    return sum(version.weight for version in route.versions if endpoints.get(version.service))


def _join(routes: tuple[Route, ...], found: Found, tripped: Mapping[str, Tripped]) -> Snapshot:
    services = sorted({version.service for route in routes for version in route.versions})
    out = {
        route.model: still_tripped(route, tripped[route.model])
        for route in routes
        if route.model in tripped
    }
    return Snapshot(
        routes=tuple(stand_in(route, found.ready) for route in routes),
        endpoints={name: found.endpoints.get(name, ()) for name in services},
        tripped={model: trips for model, trips in out.items() if trips},
    )


def _find_lingering(snapshot: Snapshot, published: Snapshot) -> Endpoints:
    """Find endpoints that go together with the weight of their version.

    Envoy takes endpoints and routes one after the other: a version that loses both would have
    requests and no endpoint in between.  A pod that is leaving answers for some seconds yet.
    """
    before = {route.model: route for route in published.routes}
    return {
        version.service: kept
        for route in snapshot.routes
        if route.guard is not None and (old := before.get(route.model)) is not None
        for version in route.versions
        if not version.weight
        and old.weights.get(version.version)
        and not snapshot.endpoints[version.service]
        and (kept := published.endpoints.get(version.service, ()))
    }
