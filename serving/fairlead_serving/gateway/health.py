"""The agent's own HTTP endpoints: health, readiness, metrics."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import generate_latest

from fairlead_serving.gateway.metrics import Metrics


def build_app(
    metrics: Metrics, *, is_ready: Callable[[], bool], refusal: Callable[[], str | None]
) -> web.Application:
    """Build the endpoints.

    Args:
        metrics: the agent's own.
        is_ready: whether a connected Envoy has acknowledged a target.
        refusal: the API server's words where it refuses the agent; None where it does not.
    """

    async def livez(_: web.Request) -> web.Response:
        # For the kubelet.  A restart renews no token, and a pod that restarts again and again
        # leaves its Service, although its Envoy serves.
        return web.Response(text="ok\n")

    async def healthz(_: web.Request) -> web.Response:
        refused = refusal()
        if refused is None:
            return web.Response(text="ok\n")
        text = f"the API server refuses this agent, so routes stay as they are: {refused}\n"
        return web.Response(status=503, text=text)

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
            web.get("/livez", livez),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", show_metrics),
        ]
    )
    return app
