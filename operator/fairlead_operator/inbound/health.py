"""``/healthz``, ``/readyz`` and ``/metrics`` of the process, whether it leads or stands by."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Probes:
    """The process is alive while the event loop answers and, if it leads, its watches run."""

    def __init__(self) -> None:
        self._watches: asyncio.Task[None] | None = None

    def leading(self, watches: asyncio.Task[None]) -> None:
        """Make health depend on the watches from now on."""
        self._watches = watches

    def standing_by(self) -> None:
        """Note that the Lease is another's, or lost."""
        self._watches = None

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/healthz", self._alive)
        application.router.add_get("/readyz", self._alive)
        application.router.add_get("/metrics", _metrics)
        return application

    async def _alive(self, _: web.Request) -> web.Response:
        if self._watches is not None and self._watches.done():
            return web.Response(status=503, text="the watches have ended")
        return web.Response(text="standing by" if self._watches is None else "leading")


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
