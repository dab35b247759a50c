"""A snapshot in the form that goes over the wire: protobuf resources with content versions.

A resource's version is a digest of its bytes, so that a restarted agent recognizes what Envoy
already has and sends only what differs.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.retry.host.previous_hosts.v3 import (
    previous_hosts_pb2 as _previous_hosts,  # noqa: F401 - makes the type known to the parser
)
from envoy.extensions.upstreams.http.v3 import (
    http_protocol_options_pb2 as _http_options,  # noqa: F401 - makes the type known to the parser
)
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message

from fairlead_serving.gateway import clusters, hosts
from fairlead_serving.gateway.endpoints import Endpoint
from fairlead_serving.gateway.routes import Route
from fairlead_serving.gateway.snapshot import Snapshot

_COPY_SECONDS = 30.0  # a mirrored request may take; more where the Model's timeout is longer

_TYPE = "type.googleapis.com/"
CLUSTER = _TYPE + Cluster.DESCRIPTOR.full_name
ASSIGNMENT = _TYPE + ClusterLoadAssignment.DESCRIPTOR.full_name
ROUTES = _TYPE + RouteConfiguration.DESCRIPTOR.full_name


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
    """One resource, ready to send."""

    version: str
    body: any_pb2.Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What Envoy should have: resources by type and name, and the snapshot they say."""

    snapshot: Snapshot
    packed: Mapping[str, Mapping[str, Packed]]

    def versions(self, type_url: str) -> dict[str, str]:
        """Versions by resource name of one type."""
        return {name: packed.version for name, packed in self.packed[type_url].items()}


def build_target(snapshot: Snapshot) -> Target:
    """Render every resource; fragments that did not change come from a cache."""
    packed: dict[str, Packed] = {}
    assignments: dict[str, Packed] = {}
    for route in snapshot.routes:
        services = {version.version: version.service for version in route.versions}
        for version, service in services.items():
            name = clusters.cluster_name(route, version)
            packed[name] = _cluster(name)
            assignments[name] = _assignment(name, snapshot.endpoints.get(service, ()))
        if (mirror := route.mirror) is not None:
            name = clusters.shadow_name(route, mirror)
            service = services[mirror.version]
            packed[name] = _shadow_cluster(name, max(_COPY_SECONDS, route.timeout_seconds))
            assignments[name] = _assignment(name, snapshot.endpoints.get(service, ()))
    return Target(
        snapshot=snapshot,
        packed={
            CLUSTER: packed,
            ASSIGNMENT: assignments,
            ROUTES: {hosts.ROUTE_CONFIGURATION: _routes(snapshot.routes)},
        },
    )


def _routes(routes: tuple[Route, ...]) -> Packed:
    """The one route configuration, put together from serialized parts.

    In protobuf's wire format a message followed by another of its type is both of them merged, so
    a change costs the parts that changed and not all Models.
    """
    parts = [_frame(), *(_virtual_hosts(route) for route in routes)]
    body = any_pb2.Any(type_url=ROUTES, value=b"".join(parts))
    return Packed(hashlib.sha256(body.value).hexdigest()[:16], body)


@functools.cache
def _frame() -> bytes:
    document = hosts.build_route_configuration([hosts.build_unknown_host()])
    return bytes(_parse(document, RouteConfiguration()).SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=8192)
def _virtual_hosts(route: Route) -> bytes:
    built = [_parse(host, VirtualHost()) for host in hosts.build_virtual_hosts(route)]
    return bytes(RouteConfiguration(virtual_hosts=built).SerializeToString(deterministic=True))


@functools.lru_cache(maxsize=8192)
def _cluster(name: str) -> Packed:
    return _pack(_parse(clusters.build_cluster(name), Cluster()))


@functools.lru_cache(maxsize=1024)
def _shadow_cluster(name: str, seconds: float) -> Packed:
    return _pack(_parse(clusters.build_shadow_cluster(name, seconds), Cluster()))


@functools.lru_cache(maxsize=8192)
def _assignment(name: str, endpoints: tuple[Endpoint, ...]) -> Packed:
    return _pack(_parse(clusters.build_assignment(name, endpoints), ClusterLoadAssignment()))


def _parse(document: clusters.Resource, message: Any) -> Any:
    return json_format.ParseDict(document, message)


def _pack(message: Message) -> Packed:
    body = any_pb2.Any()
    body.Pack(message, deterministic=True)
    return Packed(hashlib.sha256(body.value).hexdigest()[:16], body)
