"""What the cluster says of a Model's servers and of its gateway, listed once a look."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_contract.cluster import PROXY, ROUTE, SERVER, route_name
from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import GATEWAY_NAME, LABEL_VERSION
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.errors import UnknownKindError
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.pods import find_obstacle, is_ready
from fairlead_operator.kube.scalers import find_limited, find_stopped
from fairlead_operator.kube.starts import Start, look_at_starts
from fairlead_operator.ports import Kube
from fairlead_operator.rollout.decision.capacity import (
    Bounds,
    Capacity,
    Load,
    asked_replicas,
    full_capacity,
    ready_replicas,
)
from fairlead_operator.rollout.decision.states import Arm, Health, Stable, is_finished
from fairlead_operator.rollout.evidence.turnover import count_pods
from fairlead_operator.rollout.presence import Pods
from fairlead_operator.rollout.servers.health import read_health
from fairlead_operator.rollout.servers.manifests import is_server
from fairlead_operator.rollout.traffic.accepted import MISSING, Routed, read_http_routes
from fairlead_operator.rollout.traffic.route import read_trip, read_weight

_ENDED: Final = frozenset({"Succeeded", "Failed"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Servers and gateway of one Model."""

    model: str
    servers: Mapping[str, Mapping[str, Any]]  # the Deployment of each version
    pods: Mapping[str, Sequence[Mapping[str, Any]]]  # the pods of each version
    route: Mapping[str, Any] | None
    reports: Mapping[str, str]  # of the gateway's pods
    gateway_pods: Sequence[str]  # that may answer clients
    routed: Routed | None = None  # what the cluster's own Gateways say, where they carry it
    gateway: Pods | None = None  # of the built-in one, where it carries the traffic
    scalers: Mapping[str, Sequence[Mapping[str, Any]]]  # what scales each version
    starts: Mapping[str, Start] = dataclasses.field(default_factory=dict)  # of incomplete versions
    unstarted: timedelta | None = None  # when to ask again of pods that start, the gateway's too

    def arm(self, version: str, *, needed: int | None = None, wished: int = 0) -> Arm:
        """Describe a candidate: its pods, and the weight the gateway really gives it.

        Args:
            needed: pods it must have; None for all it is asked to have.
            wished: pods that it will be asked to have.
        """
        health, message = self._health(version, needed, wished)
        return Arm(
            version=version,
            health=health,
            message=message,
            gone=self._is_gone(version),
            weight=self._weight(version),
        )

    def stable(self, version: str, *, needed: int | None = None, wished: int = 0) -> Stable:
        """Describe the version in charge."""
        health, message = self._health(version, needed, wished)
        return Stable(version=version, health=health, message=message, gone=self._is_gone(version))

    def capacity(
        self, scaling: Autoscaling | None, status: RolloutStatus, *, stable: str
    ) -> Capacity | None:
        """Count the pods that answer, and those all traffic needs; None where it is fixed."""
        if scaling is None:
            return None
        bounds, full = Bounds.of(scaling), status.capacity or 0
        if status.phase is None or not is_finished(Phase(status.phase)):
            candidates = [
                Load(
                    percent=arm.prepared,
                    replicas=asked_replicas(self.servers.get(arm.version)),
                )
                for arm in status.arms
            ]
            now = asked_replicas(self.servers.get(stable))
            full = full_capacity(full, now, candidates, bounds)
        ready = {version: ready_replicas(server) for version, server in self.servers.items()}
        stopped = {version: find_stopped(scalers) for version, scalers in self.scalers.items()}
        return Capacity(
            full=bounds.within(full),
            bounds=bounds,
            ready=ready,
            stopped={version: words for version, words in stopped.items() if words is not None},
        )

    def limited(self) -> Mapping[str, str]:
        """Return the versions that would need more pods than they may have, with the words."""
        limited = {version: find_limited(scalers) for version, scalers in self.scalers.items()}
        return {version: words for version, words in limited.items() if words is not None}

    def trip(self, version: str, *, guard: str) -> tuple[str, datetime] | None:
        """Return what the gateway's fast guard said of the version, and when."""
        return read_trip(
            self.reports,
            model=self.model,
            version=version,
            guard=guard,
            gateway_pods=self.gateway_pods,
        )

    def answering(self, version: str) -> Pods:
        """Count the pods of a version that answer, and say what keeps others away."""
        server = self.servers.get(version)
        available = ready_replicas(server) if server is not None else 0
        pods = self.pods.get(version, ())
        counted = _count(server, pods, available, slow=self._slow(version))
        return dataclasses.replace(counted, there=count_pods(pods))

    def _health(self, version: str, needed: int | None, wished: int) -> tuple[Health, str]:
        server, pods = self.servers.get(version), self.pods.get(version, ())
        return read_health(server, pods, needed=needed, wished=wished, slow=self._slow(version))

    def _slow(self, version: str) -> str | None:
        """Say why a pod of the version is slow to start, where its status does not."""
        return self.starts[version].obstacle if version in self.starts else None

    def _weight(self, version: str) -> int | None:
        if self.routed is not None:
            return self.routed.weight_of(self.model, version)
        return read_weight(
            self.route,
            self.reports,
            model=self.model,
            version=version,
            gateway_pods=self.gateway_pods,
        )

    def _is_gone(self, version: str) -> bool:
        """Tell whether no pod of the version is left, not even one that is ending."""
        left = [
            pod
            for pod in self.pods.get(version, ())
            if (pod.get("status") or {}).get("phase") not in _ENDED
        ]
        return version not in self.servers and not left


async def look_at_cluster(
    model: str,
    namespace: str,
    kube: Kube,
    *,
    gateway: GatewaySpec,
    scaling: Autoscaling | None,
    now: datetime,
) -> Cluster:
    """List once.

    Raises:
        TransientError: the cluster did not answer.
    """
    labels = component_labels(SERVER, model)
    servers, pods, route, applied, gateways, routed = await asyncio.gather(
        kube.list("Deployment", namespace, labels),
        kube.list("Pod", namespace, labels),
        kube.get("ConfigMap", namespace, route_name(model)),
        kube.get("ConfigMap", namespace, GATEWAY_NAME),
        kube.list("Pod", namespace, component_labels(PROXY)),
        _look_at_http_route(model, namespace, kube, gateway=gateway, now=now),
    )
    scalers = await _look_at_scalers(namespace, labels, kube, scaling=scaling)
    built_in = gateway.kind == "BuiltIn"
    proxy = await kube.get("Deployment", namespace, GATEWAY_NAME) if built_in else None
    reports = (applied or {}).get("data") or {}
    deployments = {_version(server): server for server in servers if is_server(server, model)}
    by_version = _by_version(pods)
    starts, proxy_start = await asyncio.gather(
        _look_at_servers(deployments, by_version, kube, now=now),
        _look_at_gateway(proxy, gateways, kube, now=now),
    )
    again = [start.look_again for start in (*starts.values(), proxy_start)]
    return Cluster(
        model=model,
        servers=deployments,
        pods=by_version,
        starts=starts,
        unstarted=min((time for time in again if time is not None), default=None),
        scalers=_by_version(scalers),
        route=route,
        reports=reports,
        gateway_pods=[
            pod["metadata"]["name"] for pod in gateways if _may_serve(pod, model, reports)
        ],
        routed=routed,
        gateway=(
            _count(proxy, gateways, _answering(gateways), slow=proxy_start.obstacle)
            if built_in
            else None
        ),
    )


async def _look_at_servers(
    servers: Mapping[str, Mapping[str, Any]],
    pods: Mapping[str, Sequence[Mapping[str, Any]]],
    kube: Kube,
    *,
    now: datetime,
) -> dict[str, Start]:
    """Ask why pods do not start, of the versions that lack some."""
    lacking = [
        version for version, server in servers.items() if _lacks(server, ready_replicas(server))
    ]
    starts = await asyncio.gather(
        *(look_at_starts(pods.get(version, ()), kube, now=now) for version in lacking)
    )
    return dict(zip(lacking, starts, strict=True))


async def _look_at_gateway(
    proxy: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    kube: Kube,
    *,
    now: datetime,
) -> Start:
    if proxy is None or not _lacks(proxy, _answering(pods)):
        return Start()
    return await look_at_starts(pods, kube, now=now)


def _answering(pods: Sequence[Mapping[str, Any]]) -> int:
    return sum(map(is_ready, pods))


def _lacks(deployment: Mapping[str, Any], available: int) -> bool:
    """Tell whether not all pods that there should be answer."""
    missing = (deployment.get("status") or {}).get("unavailableReplicas", 0)
    return available < asked_replicas(deployment) or missing > 0


async def _look_at_scalers(
    namespace: str, labels: Mapping[str, str], kube: Kube, *, scaling: Autoscaling | None
) -> Sequence[Mapping[str, Any]]:
    """List what scales the versions; with KEDA also what it makes for that."""
    if scaling is None:
        return ()
    scalers = [*await kube.list("HorizontalPodAutoscaler", namespace, labels)]
    if scaling.provider == "keda":
        with contextlib.suppress(UnknownKindError):  # which applying one tells
            scalers += await kube.list("ScaledObject", namespace, labels)
    return scalers


async def _look_at_http_route(
    model: str, namespace: str, kube: Kube, *, gateway: GatewaySpec, now: datetime
) -> Routed | None:
    if gateway.kind != "GatewayAPI":
        return None
    try:
        routes = await kube.list("HTTPRoute", namespace, component_labels(ROUTE, model))
    except UnknownKindError:
        return MISSING
    return read_http_routes(routes, model, now=now)


def _count(
    deployment: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    available: int,
    *,
    slow: str | None,
) -> Pods:
    """Say what keeps pods away; while all are there, those that ended are nobody's trouble."""
    if deployment is None:
        return Pods(available=available, obstacle="its Deployment is not there")
    if not _lacks(deployment, available):
        return Pods(available=available)
    obstacle = find_obstacle(deployment, pods) or slow
    return Pods(available=available, obstacle=obstacle, starting=obstacle is None)


def _by_version(items: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    by_version: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        by_version.setdefault(_version(item), []).append(item)
    return by_version


def _version(item: Mapping[str, Any]) -> str:
    return str((item["metadata"].get("labels") or {}).get(LABEL_VERSION, ""))


def _may_serve(pod: Mapping[str, Any], model: str, reports: Mapping[str, str]) -> bool:
    """Tell whether a gateway pod may answer clients: it is ready, or was once and still runs.

    A pod whose agent died still serves the routes it last had.
    """
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
        return False
    return is_ready(pod) or f"{model}.{pod['metadata']['name']}" in reports
