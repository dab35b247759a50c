"""The agent's own HTTP endpoints."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from fairlead_serving.gateway.health import build_app
from fairlead_serving.gateway.metrics import Metrics


@pytest.mark.parametrize(
    ("path", "is_ready", "refusal", "status", "text"),
    [
        pytest.param("/healthz", False, None, 200, "ok", id="well before Envoy is there"),
        pytest.param("/readyz", True, "401", 200, "ok", id="ready"),
        pytest.param("/readyz", False, None, 503, "not acknowledged", id="not ready, and why"),
        pytest.param(
            "/healthz", True, "answered 401", 503, "answered 401", id="refused: it says so"
        ),
        pytest.param("/livez", True, "answered 401", 200, "ok", id="refused: a restart is no help"),
        pytest.param("/metrics", False, None, 200, "fairlead_gateway_routes 3.0", id="its metrics"),
    ],
)
async def test_a_probe_is_answered(
    path: str, *, is_ready: bool, refusal: str | None, status: int, text: str
) -> None:
    metrics = Metrics()
    metrics.routes.set(3)

    app = build_app(metrics, is_ready=lambda: is_ready, refusal=lambda: refusal)

    async with TestClient(TestServer(app)) as client:
        response = await client.get(path)

        assert response.status == status
        assert text in await response.text()
