"""Envoy's clusters: one for each version that never changes, and one for the copies of a mirror."""

import dataclasses
from typing import Any

import pytest

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.options import Mirror
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.xds.clusters import (
    MOST_REQUESTS,
    build_assignment,
    build_cluster,
    build_shadow_cluster,
    cluster_name,
    shadow_name,
)

ROUTE = Route(
    namespace="energy",
    model="nsw-price",
    revision="1",
    hosts=("nsw-price",),
    timeout_seconds=60,
    versions=(Version(version="1.0.0", weight=100, service="nsw-price-1-0-0"),),
)


def test_metric_labels_can_be_read_from_the_names() -> None:
    assert cluster_name(ROUTE, "1.0.0") == "energy|nsw-price|1.0.0"
    assert shadow_name(ROUTE, Mirror(version="1.1.0", percent=5)) == "energy|nsw-price|1.1.0|shadow"


def test_a_cluster_depends_on_nothing_but_its_name() -> None:
    changed = dataclasses.replace(ROUTE, revision="2", timeout_seconds=1, hosts=("x",))

    assert build_cluster(cluster_name(ROUTE, "1.0.0")) == build_cluster(
        cluster_name(changed, "1.0.0")
    )


def test_a_cluster_is_the_same_whatever_its_endpoints() -> None:
    cluster = build_cluster("a|b|1.0.0")

    assert cluster["alt_stat_name"] == "a|b|1.0.0|"
    assert cluster["outlier_detection"]["max_ejection_percent"] == 50
    assert cluster["eds_cluster_config"]["eds_config"]["ads"] == {}


def test_the_requests_with_whole_bodies_are_told_by_what_is_left_of_their_limit() -> None:
    passing, whole = build_cluster("a|b|1.0.0")["circuit_breakers"]["thresholds"]

    assert (whole.pop("priority"), whole.pop("track_remaining")) == ("HIGH", True)
    assert whole == passing
    assert whole["max_requests"] == MOST_REQUESTS


def test_an_assignment_may_be_empty() -> None:
    assert build_assignment("a", ())["endpoints"] == [{"lb_endpoints": []}]


def test_copies_never_take_more_than_a_little() -> None:
    shadow = build_shadow_cluster("a|b|1.1.0|shadow", 30.0)

    (limits,) = shadow["circuit_breakers"]["thresholds"]
    assert (limits["max_requests"], limits["max_retries"]) == (16, 0)
    assert shadow["alt_stat_name"] == "a|b|1.1.0|shadow"
    assert "outlier_detection" not in shadow


@pytest.mark.parametrize(("seconds", "text"), [(30.0, "30s"), (0.5, "0.5s"), (900, "900s")])
def test_a_copy_that_hangs_is_given_up(seconds: float, text: str) -> None:
    options: Any = build_shadow_cluster("a", seconds)["typed_extension_protocol_options"]

    (http,) = options.values()
    assert http["common_http_protocol_options"]["max_stream_duration"] == text


def test_an_assignment_lists_its_endpoints_in_order() -> None:
    endpoints = (Endpoint(address="10.0.0.2", port=3000), Endpoint(address="fd00::1", port=3001))

    (locality,) = build_assignment("a", endpoints)["endpoints"]

    sockets = [each["endpoint"]["address"]["socket_address"] for each in locality["lb_endpoints"]]
    assert sockets == [
        {"address": "10.0.0.2", "port_value": 3000},
        {"address": "fd00::1", "port_value": 3001},
    ]
