"""The agent's own HTTP endpoints."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from fairlead_serving.gateway.health import build_app
from fairlead_serving.gateway.metrics import Metrics


@pytest.mark.parametrize(
    ("path", "is_ready", "status", "text"),
    [
        pytest.param("/healthz", False, 200, "ok", id="alive before Envoy is there"),
        pytest.param("/readyz", True, 200, "ok", id="ready"),
        pytest.param("/readyz", False, 503, "not acknowledged", id="not ready, and why"),
        pytest.param("/metrics", False, 200, "fairlead_gateway_routes 3.0", id="its metrics"),
    ],
)
async def test_a_probe_is_answered(path: str, *, is_ready: bool, status: int, text: str) -> None:
    metrics = Metrics()
    metrics.routes.set(3)

    async with TestClient(TestServer(build_app(metrics, is_ready=lambda: is_ready))) as client:
        response = await client.get(path)

        assert response.status == status
        assert text in await response.text()
