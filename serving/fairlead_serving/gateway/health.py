"""The agent's own HTTP endpoints: health, readiness, metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import generate_latest

from fairlead_serving.gateway.metrics import Metrics


def build_app(metrics: Metrics, *, is_ready: Callable[[], bool]) -> web.Application:
    """Build the endpoints; `is_ready` says whether a connected Envoy has acknowledged a target."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="Envoy has not acknowledged the latest routes\n")

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(metrics.registry),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", show_metrics),
        ]
    )
    return app
