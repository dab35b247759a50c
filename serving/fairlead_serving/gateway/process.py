"""The agent as a running process: its parts are built, started and stopped here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp import web

from fairlead_contract import cluster
from fairlead_serving.gateway.agent import Agent, Ports
from fairlead_serving.gateway.cluster.applied import Reporter
from fairlead_serving.gateway.cluster.credentials import Credentials
from fairlead_serving.gateway.cluster.kubernetes import KubernetesClient, Patience, Selection
from fairlead_serving.gateway.cluster.watch import follow
from fairlead_serving.gateway.guard.counters import AdminCounters
from fairlead_serving.gateway.guard.loop import GuardLoop
from fairlead_serving.gateway.health import build_app
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.settings import SERVICE_ACCOUNT, Settings
from fairlead_serving.gateway.xds.ads import AdsServer


def selections(namespace: str) -> tuple[Selection, Selection, Selection]:
    """Select what is watched: routes, endpoints of the model servers, and what was reported."""
    config_maps = f"/api/v1/namespaces/{namespace}/configmaps"
    return (
        Selection(path=config_maps, labels=f"{cluster.LABEL_COMPONENT}={cluster.ROUTE}"),
        Selection(
            path=f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            labels=f"{cluster.LABEL_COMPONENT}={cluster.SERVER}",
        ),
        Selection(path=config_maps, labels=f"{cluster.LABEL_COMPONENT}={cluster.PROXY}"),
    )


async def _run_all(*parts: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> AsyncIterator[asyncio.Task[None]]:
    """Run an agent; the task ends only when a part of it has failed for good."""
    credentials = Credentials(token=settings.api_token, directory=SERVICE_ACCOUNT)
    admin = f"http://127.0.0.1:{settings.ports.admin}"
    async with (
        KubernetesClient(settings.api_url, credentials, patience) as client,
        aiohttp.ClientSession() as http,
    ):
        reporter = Reporter(client, namespace=settings.namespace, pod=settings.pod)
        ads = AdsServer(settings.socket)
        metrics = Metrics()
        guard = GuardLoop(AdminCounters(http, admin).read, metrics)
        ports = Ports(
            envoy=ads,
            reports=reporter,
            guards=guard,
            metrics=metrics,
            now=lambda: datetime.now(UTC),
        )
        agent = Agent(ports, namespace=settings.namespace, snapshot_path=settings.snapshot)
        metrics.synced.set_function(lambda: float(agent.has_read and client.refusal is None))
        app = build_app(metrics, is_ready=ads.is_serving, refusal=lambda: client.refusal)
        web_server = web.AppRunner(app, access_log=None)
        agent.load()
        await ads.start(agent)
        await web_server.setup()
        await web.TCPSite(web_server, settings.ports.bind, settings.ports.agent).start()
        routes, slices, reports = selections(settings.namespace)
        task = asyncio.create_task(
            _run_all(
                follow(client, routes, agent.see_routes),
                follow(client, slices, agent.see_slices),
                follow(client, reports, reporter.see),
                reporter.run(),
                guard.run(agent.trip),
            )
        )
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await web_server.cleanup()
            await ads.stop()
