"""The kept snapshot: what is written is what is read, or nothing."""

from pathlib import Path

import pytest

from fairlead_serving.gateway.endpoints import Endpoint
from fairlead_serving.gateway.routes import Route, Version
from fairlead_serving.gateway.snapshot import Snapshot, read, write

SNAPSHOT = Snapshot(
    routes=(
        Route(
            namespace="n",
            model="m",
            revision="1",
            hosts=("m", "m.n"),
            timeout_seconds=2.5,
            versions=(Version(version="1.0.0", weight=100, service="m-1-0-0"),),
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


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"format": 1, "routes"', id="cut off"),
        pytest.param("[]", id="not an object"),
        pytest.param('{"format": 2, "routes": [], "endpoints": {}}', id="of another format"),
        pytest.param('{"format": 1, "routes": [{}], "endpoints": {}}', id="a bad route"),
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
