"""All that Envoy should have, under its name and with a version of its content."""

import dataclasses
from typing import Any

from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.options import Mirror, Preview
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.xds.snapshot import Snapshot
from fairlead_serving.gateway.xds.target import (
    ASSIGNMENT,
    CLUSTER,
    ROUTES,
    SCOPES,
    TYPES,
    build_target,
)

ROUTE = Route(
    namespace="energy",
    model="nsw-price",
    revision="1",
    hosts=("nsw-price",),
    timeout_seconds=60,
    versions=(
        Version(version="1.1.0", weight=10, service="nsw-price-1-1-0"),
        Version(version="1.0.0", weight=90, service="nsw-price-1-0-0"),
    ),
)


def test_a_target_holds_everything_under_its_name() -> None:
    target = build_target(Snapshot(routes=(ROUTE,)))

    clusters = {"energy|nsw-price|1.1.0", "energy|nsw-price|1.0.0"}
    assert set(target.versions[CLUSTER]) == set(target.versions[ASSIGNMENT]) == clusters
    assert set(target.versions[ROUTES]) == {"energy/nsw-price"}
    assert set(target.versions[SCOPES]) == {"nsw-price"}


def test_requests_that_choose_a_version_have_clusters_of_their_own_where_there_are_any() -> None:
    live = {"energy|nsw-price|1.1.0", "energy|nsw-price|1.0.0"}
    preview = Preview(version="1.1.0", hosts=("nsw-next",))

    def clusters(**changes: Any) -> set[str]:
        route = dataclasses.replace(ROUTE, **changes)
        return set(build_target(Snapshot(routes=(route,))).versions[CLUSTER])

    assert clusters(preview=preview) == live | {"energy|nsw-price|1.1.0|direct"}
    assert clusters(forcing=True) == live | {f"{name}|direct" for name in live}


def test_versions_change_with_content_and_nothing_else() -> None:
    endpoints = {"nsw-price-1-0-0": (Endpoint(address="10.0.0.1", port=3000),)}
    before = build_target(Snapshot(routes=(ROUTE,)))
    renamed = build_target(Snapshot(routes=(dataclasses.replace(ROUTE, revision="2"),)))
    moved = build_target(Snapshot(routes=(ROUTE,), endpoints=endpoints))

    for url in TYPES:
        assert before.versions[url] == renamed.versions[url]
    assert before.versions[CLUSTER] == moved.versions[CLUSTER]
    assert before.versions[ROUTES] == moved.versions[ROUTES]
    assert before.versions[ASSIGNMENT] != moved.versions[ASSIGNMENT]


def test_every_host_leads_to_the_routes_of_its_model() -> None:
    preview = Preview(version="1.1.0", hosts=("nsw-next",))
    other = dataclasses.replace(ROUTE, model="vic-price", hosts=("vic-price", "vic.example.com"))
    routes = (dataclasses.replace(ROUTE, preview=preview), other)

    found = {}
    for host, packed in build_target(Snapshot(routes=routes)).packed[SCOPES].items():
        scope = ScopedRouteConfiguration.FromString(packed.body)
        assert [each.string_key for each in scope.key.fragments] == [scope.name] == [host]
        found[host] = scope.route_configuration_name

    assert found == {
        "nsw-price": "energy/nsw-price",
        "nsw-next": "energy/nsw-price",
        "vic-price": "energy/vic-price",
        "vic.example.com": "energy/vic-price",
    }


def test_a_mirror_has_a_cluster_of_its_own_with_the_endpoints_of_its_version() -> None:
    address = Endpoint(address="10.0.0.1", port=3000)
    mirrored = dataclasses.replace(ROUTE, mirror=Mirror(version="1.1.0", percent=10))
    snapshot = Snapshot(routes=(mirrored,), endpoints={"nsw-price-1-1-0": (address,)})

    target = build_target(snapshot)

    shadow = target.packed[ASSIGNMENT]["energy|nsw-price|1.1.0|shadow"]
    (locality,) = ClusterLoadAssignment.FromString(shadow.body).endpoints
    assert "energy|nsw-price|1.1.0|shadow" in target.packed[CLUSTER]
    assert [each.endpoint.address.socket_address.address for each in locality.lb_endpoints] == [
        "10.0.0.1"
    ]


def test_what_did_not_change_is_not_rendered_again() -> None:
    other = dataclasses.replace(ROUTE, model="vic-price", hosts=("vic-price",))
    before = build_target(Snapshot(routes=(ROUTE, other)))
    shifted = tuple(
        dataclasses.replace(each, weight=weight)
        for each, weight in zip(ROUTE.versions, (20, 80), strict=True)
    )

    after = build_target(
        Snapshot(routes=(dataclasses.replace(ROUTE, revision="2", versions=shifted), other))
    )

    anew = {
        name
        for url in TYPES
        for name, packed in after.packed[url].items()
        if packed is not before.packed[url][name]
    }
    assert anew == {"energy/nsw-price"}
