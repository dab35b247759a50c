"""The kept snapshot: what is written is what is read, or nothing."""

import dataclasses
from pathlib import Path

import pytest

from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.options import Guard
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.routes.trips import Trip
from fairlead_serving.gateway.xds.snapshot import Snapshot
from fairlead_serving.gateway.xds.snapshot_file import read, write

TRIP = Trip(guard_id="g", at="2026-01-01T00:00:00Z", message="bad", requests=12, failures=11)
SNAPSHOT = Snapshot(
    routes=(
        Route(
            namespace="n",
            model="m",
            revision="1",
            hosts=("m", "m.n"),
            timeout_seconds=2.5,
            versions=(
                Version(version="1.1.0", weight=20, service="m-1-1-0"),
                Version(version="1.0.0", weight=80, service="m-1-0-0"),
            ),
            guard=Guard(
                guard_id="g",
                versions=("1.1.0",),
                fallback="1.0.0",
                min_requests=10,
                max_failure_ratio=0.5,
                window_seconds=2,
            ),
        ),
    ),
    endpoints={"m-1-0-0": (Endpoint(address="10.0.0.1", port=3000),)},
)


def test_a_snapshot_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    write(Snapshot(), path)

    write(SNAPSHOT, path)

    assert read(path) == SNAPSHOT
    assert [each.name for each in tmp_path.iterdir()] == ["snapshot.json"]


def test_a_trip_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    tripped = SNAPSHOT.without("m", "1.1.0", TRIP)

    write(tripped, path)

    assert read(path) == tripped
    assert tripped.routes[0].weights == {"1.1.0": 0, "1.0.0": 100}
    assert tripped.tripped == {"m": {"1.1.0": TRIP}}


def test_a_kept_trip_narrows_an_older_route(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    write(dataclasses.replace(SNAPSHOT, tripped={"m": {"1.1.0": TRIP}}), path)

    kept = read(path)

    assert kept is not None
    assert kept.routes[0].weights == {"1.1.0": 0, "1.0.0": 100}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"format": 1, "routes"', id="cut off"),
        pytest.param("[]", id="not an object"),
        pytest.param('{"format": 2, "routes": [], "endpoints": {}}', id="of another format"),
        pytest.param('{"format": 1, "routes": [{}], "endpoints": {}}', id="a bad route"),
        pytest.param(
            '{"format": 1, "routes": [], "endpoints": {}, "tripped": {"m": {"1": {}}}}',
            id="a bad trip",
        ),
        pytest.param(
            '{"format": 1, "routes": [], "endpoints": {}, "tripped": []}', id="trips in a list"
        ),
        pytest.param(
            '{"format": 1, "routes": [], "endpoints": {"a": [{"host": "b"}]}}', id="a bad endpoint"
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(text)

    assert read(path) is None


def test_no_file_is_no_snapshot(tmp_path: Path) -> None:
    assert read(tmp_path / "snapshot.json") is None
