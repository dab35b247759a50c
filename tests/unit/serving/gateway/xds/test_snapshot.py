"""What a trip changes of a snapshot, and what may trip at all."""

import dataclasses

import pytest

from fairlead_serving.gateway.routes.options import Guard
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.routes.trips import Trip
from fairlead_serving.gateway.xds.snapshot import Snapshot

TRIP = Trip(guard_id="g", at="2026-01-01T00:00:00Z", message="bad", requests=12, failures=11)
ROUTE = Route(
    namespace="n",
    model="m",
    revision="1",
    hosts=("m",),
    timeout_seconds=2.5,
    versions=(
        Version(version="1.2.0", weight=0, service="m-1-2-0"),
        Version(version="1.1.0", weight=20, service="m-1-1-0"),
        Version(version="1.0.0", weight=80, service="m-1-0-0"),
    ),
    guard=Guard(
        guard_id="g",
        versions=("1.1.0", "1.2.0"),
        fallback="1.0.0",
        min_requests=10,
        max_failure_ratio=0.5,
        window_seconds=2,
    ),
)
OTHER = dataclasses.replace(ROUTE, model="other")
SNAPSHOT = Snapshot(routes=(ROUTE, OTHER))


@pytest.mark.parametrize(
    ("model", "version", "guard_id", "expected"),
    [
        pytest.param("m", "1.1.0", "g", True, id="in the traffic, under its guard"),
        pytest.param("m", "1.1.0", "another", False, id="under another guard"),
        pytest.param("x", "1.1.0", "g", False, id="of another Model"),
        pytest.param("m", "1.2.0", "g", False, id="without traffic"),
        pytest.param("m", "2.0.0", "g", False, id="not in the route"),
    ],
)
def test_only_a_guarded_version_with_traffic_can_trip(
    model: str, version: str, guard_id: str, expected: bool
) -> None:
    assert SNAPSHOT.can_trip(model, version, guard_id) is expected


def test_a_tripped_version_gives_its_traffic_to_the_fallback_of_its_model_alone() -> None:
    tripped = SNAPSHOT.without("m", "1.1.0", TRIP)

    assert [route.weights for route in tripped.routes] == [
        {"1.2.0": 0, "1.1.0": 0, "1.0.0": 100},
        {"1.2.0": 0, "1.1.0": 20, "1.0.0": 80},
    ]
    assert tripped.tripped == {"m": {"1.1.0": TRIP}}


def test_a_version_trips_once() -> None:
    assert not SNAPSHOT.without("m", "1.1.0", TRIP).can_trip("m", "1.1.0", "g")
