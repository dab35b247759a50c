"""A snapshot in the form that goes over the wire: protobuf resources with content versions.

A resource's version is a digest of its bytes, so that a restarted agent recognizes what Envoy
already has and sends only what differs.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Mapping

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from envoy.extensions.retry.host.previous_hosts.v3 import (
    previous_hosts_pb2 as _previous_hosts,  # noqa: F401 - makes the type known to the parser
)
from envoy.extensions.upstreams.http.v3 import (
    http_protocol_options_pb2 as _http_options,  # noqa: F401 - makes the type known to the parser
)
from google.protobuf import json_format
from google.protobuf.message import Message

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.xds import clusters, hosts
from fairlead_serving.gateway.xds.memo import Memo
from fairlead_serving.gateway.xds.snapshot import Snapshot

_COPY_SECONDS = 30.0  # a mirrored request may take; more where the Model's timeout is longer

_TYPE = "type.googleapis.com/"
CLUSTER = _TYPE + Cluster.DESCRIPTOR.full_name
ASSIGNMENT = _TYPE + ClusterLoadAssignment.DESCRIPTOR.full_name
SCOPES = _TYPE + ScopedRouteConfiguration.DESCRIPTOR.full_name
ROUTES = _TYPE + RouteConfiguration.DESCRIPTOR.full_name
TYPES = (CLUSTER, ASSIGNMENT, SCOPES, ROUTES)


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
    """One resource, ready to send: serialized."""

    version: str
    body: bytes


Resources = Mapping[str, Mapping[str, Packed]]  # by type and name


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What Envoy should have, and the snapshot that says so."""

    snapshot: Snapshot
    packed: Resources
    versions: Mapping[str, Mapping[str, str]]  # as `packed`


def build_target(snapshot: Snapshot) -> Target:
    """Render every resource; those of Models that did not change are remembered."""
    models = _models.map(
        (route, tuple(snapshot.endpoints.get(each.service, ()) for each in route.versions))
        for route in snapshot.routes
    )
    packed = {
        url: dict(itertools.chain.from_iterable(model[url].items() for model in models))
        for url in TYPES
    }
    versions = {
        url: {name: each.version for name, each in found.items()} for url, found in packed.items()
    }
    return Target(snapshot=snapshot, packed=packed, versions=versions)


_Endpoints = tuple[tuple[Endpoint, ...], ...]  # of each version of a route


def _render(model: tuple[Route, _Endpoints]) -> Resources:
    """All that is of one Model."""
    route, endpoints = model
    found: dict[str, Packed] = {}
    assignments: dict[str, Packed] = {}
    for version, its_endpoints in zip(route.versions, endpoints, strict=True):
        name = clusters.cluster_name(route, version.version)
        found[name] = _cluster(name)
        assignments[name] = _assignment(name, its_endpoints)
        if (mirror := route.mirror) is not None and mirror.version == version.version:
            name = clusters.shadow_name(route, mirror)
            found[name] = _shadow_cluster(name, max(_COPY_SECONDS, route.timeout_seconds))
            assignments[name] = _assignment(name, its_endpoints)
    name = hosts.configuration_name(route)
    return {
        CLUSTER: found,
        ASSIGNMENT: assignments,
        SCOPES: {host: _scope(host, name) for host in route.all_hosts},
        ROUTES: {name: _routes(route)},
    }


_models = Memo(_render)


@functools.lru_cache(maxsize=8192)
def _cluster(name: str) -> Packed:
    return _pack(clusters.build_cluster(name), Cluster())


@functools.lru_cache(maxsize=1024)
def _shadow_cluster(name: str, seconds: float) -> Packed:
    return _pack(clusters.build_shadow_cluster(name, seconds), Cluster())


@functools.lru_cache(maxsize=8192)
def _assignment(name: str, endpoints: tuple[Endpoint, ...]) -> Packed:
    return _pack(clusters.build_assignment(name, endpoints), ClusterLoadAssignment())


@functools.lru_cache(maxsize=8192)
def _routes(route: Route) -> Packed:
    return _pack(hosts.build_route_configuration(route), RouteConfiguration())


@functools.lru_cache(maxsize=16384)
def _scope(host: str, configuration: str) -> Packed:
    return _pack(hosts.build_scope(host, configuration), ScopedRouteConfiguration())


def _pack(document: clusters.Resource, message: Message) -> Packed:
    body = json_format.ParseDict(document, message).SerializeToString(deterministic=True)
    return Packed(hashlib.sha256(body).hexdigest()[:16], body)
