"""What joins the parts: cluster → snapshot → Envoy → reports.

Runs on one event loop and holds no task of its own: each method takes one piece of news and
leaves the agent consistent.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from fairlead_contract.cluster import ROUTE_KEY, ROUTE_SUFFIX
from fairlead_serving.gateway.cluster.applied import Applied, to_text
from fairlead_serving.gateway.cluster.watch import Objects
from fairlead_serving.gateway.guard.burst import Burst
from fairlead_serving.gateway.guard.loop import Fallback, Guarded, find_fallbacks, find_guarded
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.routes.endpoints import Found, find_endpoints
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.routes.trips import Trip, Tripped
from fairlead_serving.gateway.xds import snapshot_file
from fairlead_serving.gateway.xds.assembly import RouteDocument, assemble
from fairlead_serving.gateway.xds.delta import Rejection
from fairlead_serving.gateway.xds.memo import Memo
from fairlead_serving.gateway.xds.snapshot import Snapshot
from fairlead_serving.gateway.xds.target import Target, build_target

logger = logging.getLogger(__name__)

_ONE_AT_A_TIME = "it was sent with others and is being tried alone"


class Publisher(Protocol):
    """Brings Envoy to a target."""

    def publish(self, target: Target) -> None:
        """Make this the state that Envoy is brought to."""


class Reports(Protocol):
    """Tells the operator."""

    def report(self, applied: Mapping[str, Applied]) -> None:
        """Make these, by Model, the reports of this pod."""


class Guards(Protocol):
    """Looks after versions that are new in the traffic."""

    def arm(self, guarded: Mapping[str, Guarded], fallbacks: Mapping[str, Fallback]) -> None:
        """Guard these versions, by cluster name, and no others; hold them against these."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the agent needs from outside."""

    envoy: Publisher
    reports: Reports
    guards: Guards
    metrics: Metrics
    now: Callable[[], datetime]


class Agent:
    """The state of one gateway pod."""

    def __init__(self, ports: Ports, *, namespace: str, snapshot_path: Path) -> None:
        self._ports = ports
        self._namespace = namespace
        self._path = snapshot_path
        self._config_maps: Objects | None = None  # by Model; None: not read yet
        self._found: Found | None = None  # the same of endpoints
        self._published: Snapshot | None = None
        self._kept = Snapshot()  # the last good: Envoy has taken it
        self._published_at = ports.now()
        self._errors: Mapping[str, str] = {}
        self._waiting: Mapping[str, str] = {}
        self._last_good: dict[str, Route] = {}  # by Model: falls back on these
        self._in_force: dict[str, tuple[Route, datetime]] = {}  # by Model: Envoy has these
        # Both by Model and revision.
        self._refused: dict[tuple[str, str], str] = {}  # with Envoy's words
        self._suspects: list[tuple[str, str]] = []  # refused together; tried one after the other
        self._refresh_is_due = False
        self._lingers = False  # endpoints are to go once Envoy has the routes
        self._applied = Memo(_to_applied)

    @property
    def has_read(self) -> bool:
        """Tell whether routes and endpoints were read from the cluster."""
        return self._config_maps is not None and self._found is not None

    def load(self) -> None:
        """Serve what was kept, until the cluster says otherwise."""
        kept = snapshot_file.read(self._path)
        if kept is not None:
            self._last_good = {route.model: route for route in kept.routes}
            self._kept = kept
            self._publish(kept)

    def see_routes(self, config_maps: Objects) -> None:
        """Take all route ConfigMaps there are.

        The name says whose one is, and that there is but one: anybody may copy one with its labels,
        to keep it for example, and a copy must not hold the traffic where it was.
        """
        self._config_maps = {
            name.removesuffix(ROUTE_SUFFIX): item
            for name, item in config_maps.items()
            if name.endswith(ROUTE_SUFFIX)
        }
        self._refresh_soon()

    def see_slices(self, slices: Objects) -> None:
        """Take all EndpointSlices there are."""
        before = self._kept.endpoints if self._found is None else self._found.endpoints
        self._found = find_endpoints(slices.values(), before)
        self._refresh_soon()

    def settled(self, target: Target) -> None:
        """Keep and report a target that Envoy has acknowledged."""
        now = self._ports.now()
        self._ports.metrics.apply_seconds.observe((now - self._published_at).total_seconds())
        before = self._in_force
        self._in_force = {
            route.model: since
            if (since := before.get(route.model)) and _are_same(since[0], route)
            else (route, now)
            for route in target.snapshot.routes
        }
        # A trip may be younger than the target.
        self._keep(dataclasses.replace(target.snapshot, tripped=self._tripped()))
        self._ports.guards.arm(find_guarded(target.snapshot), find_fallbacks(target.snapshot))
        if self._suspects:
            self._suspects.pop(0)
            self._refresh_soon()
        if self._lingers:
            self._refresh_soon()
        self._report()

    def rejected(self, rejection: Rejection) -> None:
        """Put the routes that Envoy refused back to what they were."""
        self._ports.metrics.rejections.inc()
        logger.error("envoy refused %s: %s", rejection.push.type_url, rejection.message)
        in_force = {route for route, _ in self._in_force.values()}
        changed = [
            (route.model, route.revision)
            for route in rejection.push.target.snapshot.routes
            if route not in in_force
        ]
        if len(changed) == 1:
            self._refused[changed[0]] = rejection.message
            self._suspects = [suspect for suspect in self._suspects if suspect != changed[0]]
        else:
            self._suspects = changed
        for model, _ in changed:
            self._fall_back(model)
        self._refresh_soon()

    def trip(self, guarded: Guarded, burst: Burst) -> None:
        """Take a version out of the traffic, with or without the operator and the API server."""
        model, version, guard_id = guarded.model, guarded.version, guarded.guard.guard_id
        if self._published is None or not self._published.can_trip(model, version, guard_id):
            return  # it is out already, or the rollout is over
        trip = Trip(
            guard_id=guard_id,
            at=to_text(self._ports.now()),
            message=burst.message,
            requests=burst.requests,
            failures=burst.failures,
        )
        logger.error(
            "guard %s took version %s of %s out of the traffic: %s",
            guard_id, version, model, burst.message,
        )  # fmt: skip
        self._ports.metrics.trips.labels(model, version).inc()
        self._keep(self._kept.without(model, version, trip))
        self._publish(self._published.without(model, version, trip))

    def _fall_back(self, model: str) -> None:
        if model in self._in_force:
            self._last_good[model] = self._in_force[model][0]
        else:
            self._last_good.pop(model, None)

    def _refresh_soon(self) -> None:
        """Refresh once for all the news of one turn of the loop."""
        if not self._refresh_is_due:
            self._refresh_is_due = True
            asyncio.get_running_loop().call_soon(self._refresh)

    def _refresh(self) -> None:
        self._refresh_is_due = False
        if self._config_maps is None or self._found is None:
            return  # half of the truth would take working routes away
        assembly = assemble(
            self._documents(),
            self._found,
            namespace=self._namespace,
            last_good=self._last_good,
            refused=self._refused | dict.fromkeys(self._suspects[1:], _ONE_AT_A_TIME),
            tripped=self._tripped(),
            published=self._published,
        )
        self._lingers = assembly.lingers
        self._last_good = dict(assembly.accepted)
        self._errors, self._waiting = assembly.errors, assembly.waiting
        self._refused = {key: why for key, why in self._refused.items() if key[0] in self._errors}
        if assembly.snapshot != self._published:
            self._publish(assembly.snapshot)
        self._report()

    def _documents(self) -> list[RouteDocument]:
        return [
            RouteDocument(model, (item.get("data") or {}).get(ROUTE_KEY, ""))
            for model, item in sorted((self._config_maps or {}).items())
        ]

    def _tripped(self) -> Mapping[str, Tripped]:
        return self._published.tripped if self._published else {}

    def _keep(self, snapshot: Snapshot) -> None:
        self._kept = snapshot
        try:
            snapshot_file.write(snapshot, self._path)
        except OSError as error:
            logger.warning(
                "cannot keep the snapshot, so a restart will wait for the API server: %s", error
            )

    def _publish(self, snapshot: Snapshot) -> None:
        self._published = snapshot
        self._published_at = self._ports.now()
        self._ports.envoy.publish(build_target(snapshot))

    def _report(self) -> None:
        if self._config_maps is None:
            return  # the Models have not been read yet
        self._ports.metrics.routes.set(len(self._in_force))
        self._ports.metrics.refused.set(len(self._errors))
        tripped, nothing = self._tripped(), (None, self._ports.now())
        models = sorted(self._config_maps)
        applied = self._applied.map(
            (
                *self._in_force.get(model, nothing),
                self._errors.get(model),
                self._waiting.get(model),
                tuple(tripped.get(model, {}).items()),
            )
            for model in models
        )
        self._ports.reports.report(
            {
                model: each
                for model, each in zip(models, applied, strict=True)
                if each.route is not None or each.error is not None
            }
        )


def _are_same(one: Route, other: Route) -> bool:
    return one is other or one == other


def _to_applied(
    state: tuple[Route | None, datetime, str | None, str | None, tuple[tuple[str, Trip], ...]],
) -> Applied:
    route, at, error, waiting, tripped = state
    return Applied(route=route, at=at, error=error, waiting=waiting, tripped=dict(tripped))
