"""Whether a node is ready now, not whether it once said so."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.readiness import is_node_ready

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = timedelta(hours=1)
JUST_NOW = timedelta(seconds=1)


def node(*, status: str = "True", heartbeat: timedelta = LONG_AGO) -> dict[str, Any]:
    said = (NOW - heartbeat).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "status": status, "lastHeartbeatTime": said}
    return {"status": {"conditions": [{"type": "DiskPressure", "status": "False"}, ready]}}


def lease(renewed: timedelta) -> dict[str, Any]:
    return {"spec": {"renewTime": (NOW - renewed).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}}


@pytest.mark.parametrize(
    ("seen", "held", "kubelet_age", "ready"),
    [
        pytest.param(node(heartbeat=JUST_NOW), {}, JUST_NOW, True, id="a first heartbeat"),
        pytest.param(node(), lease(JUST_NOW), LONG_AGO, True, id="a renewed lease"),
        pytest.param(node(), lease(LONG_AGO), JUST_NOW, False, id="said by an earlier kubelet"),
        pytest.param(node(), lease(LONG_AGO), 2 * LONG_AGO, False, id="the kubelet hangs"),
        pytest.param(
            node(status="False"), lease(JUST_NOW), LONG_AGO, False, id="it says not ready"
        ),
        pytest.param({}, {}, LONG_AGO, False, id="no node yet"),
        pytest.param(node(), {}, LONG_AGO, False, id="no lease yet"),
    ],
)
def test_is_node_ready(
    seen: dict[str, Any], held: dict[str, Any], kubelet_age: timedelta, ready: bool
) -> None:
    started = (NOW - kubelet_age).timestamp()

    assert is_node_ready(seen, held, kubelet_started=started, now=NOW.timestamp()) is ready
