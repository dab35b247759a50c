"""A whole gateway on loopback: a fake API server, an agent, a real Envoy and model servers."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from cluster.ports import free_port
from fairlead_serving.gateway.settings import Ports, Settings
from fairlead_serving.gateway.xds.bootstrap import build_bootstrap
from support.fake_api import FakeApi

NAMESPACE = "energy"
POD = "fairlead-gateway-6f7d-x2x4z"
MODEL = "nsw-price"

_ENVOY = Path(sys.executable).parent / "envoy"


def service_of(model: str, version: str) -> str:
    return f"{model}-{version.replace('.', '-')}"


def route_document(
    weights: Mapping[str, int], *, model: str = MODEL, **changes: Any
) -> dict[str, Any]:
    """Build a route document with a revision that is a digest of the rest."""
    document = {
        "model": model,
        "namespace": NAMESPACE,
        "hosts": [model, f"{model}.{NAMESPACE}", f"{model}.{NAMESPACE}.svc"],
        "timeoutSeconds": 10,
        "versions": [
            {"version": version, "weight": weight, "service": service_of(model, version)}
            for version, weight in weights.items()
        ],
    } | changes
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()[:12]
    return {"revision": digest} | document


def route_config_map(document: Any, *, model: str = MODEL) -> dict[str, Any]:
    """Build the ConfigMap around a document; take a text as it is."""
    text = document if isinstance(document, str) else json.dumps(document)
    return {
        "metadata": {
            "name": f"{model}-route",
            "namespace": NAMESPACE,
            "labels": {"fairlead.dev/component": "route", "fairlead.dev/model": model},
        },
        "data": {"route.json": text},
    }


def endpoint_slice(service: str, port: int, *conditions: Mapping[str, bool]) -> dict[str, Any]:
    """Build a slice of one endpoint per given conditions: 127.0.0.1, 127.0.0.2 and so on."""
    return {
        "metadata": {
            "name": f"{service}-abcde",
            "namespace": NAMESPACE,
            "labels": {
                "fairlead.dev/component": "server",
                "kubernetes.io/service-name": service,
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [f"127.0.0.{number}"], "conditions": dict(each)}
            for number, each in enumerate(conditions, start=1)
        ],
    }


@dataclasses.dataclass(slots=True, kw_only=True)
class Conduct:
    """How a model server behaves; may be changed while it runs."""

    status: int = 200
    seconds: float = 0.0  # before each answer
    headers: list[Mapping[str, str]] = dataclasses.field(default_factory=list)  # by lower-case name


@contextlib.asynccontextmanager
async def model_server(version: str, conduct: Conduct | None = None) -> AsyncIterator[int]:
    """Run a server that answers with its version; yield its port."""
    conduct = conduct or Conduct()

    async def predict(request: web.Request) -> web.Response:
        await request.read()
        conduct.headers.append({name.lower(): each for name, each in request.headers.items()})
        await asyncio.sleep(conduct.seconds)
        return web.json_response(
            {"version": version}, status=conduct.status, headers={"x-fairlead-version": version}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", predict)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=60, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def local_settings(directory: Path, api: FakeApi) -> Settings:
    """Settings for an agent that listens on free loopback ports only."""
    traffic, metrics, admin, agent = (free_port() for _ in range(4))
    return Settings(
        namespace=NAMESPACE,
        pod=POD,
        api_url=api.url,
        api_token="secret",
        run_dir=directory,
        ports=Ports(bind="127.0.0.1", traffic=traffic, metrics=metrics, admin=admin, agent=agent),
    )


class EnvoyProcess:
    """A real Envoy; its log is beside its bootstrap."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "EnvoyProcess":
        directory = self._settings.run_dir
        bootstrap = directory / "bootstrap.json"
        bootstrap.write_text(json.dumps(build_bootstrap(self._settings)))
        arguments = ["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"]
        arguments += ["--ignore-unknown-dynamic-fields"]
        with (directory / "envoy.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                str(_ENVOY), "-c", str(bootstrap), *arguments, stdout=log, stderr=log
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def log(self) -> str:
        return (self._settings.run_dir / "envoy.log").read_text()


@contextlib.asynccontextmanager
async def agent_process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the agent as a process of its own, by its real command and environment."""
    ports = settings.ports
    environment = {
        "PATH": os.environ["PATH"],
        "FAIRLEAD_NAMESPACE": settings.namespace,
        "POD_NAME": settings.pod,
        "FAIRLEAD_API_URL": settings.api_url,
        "FAIRLEAD_API_TOKEN": settings.api_token or "",
        "FAIRLEAD_GATEWAY_DIR": str(settings.run_dir),
        "FAIRLEAD_GATEWAY_BIND": ports.bind,
        "FAIRLEAD_GATEWAY_TRAFFIC_PORT": str(ports.traffic),
        "FAIRLEAD_GATEWAY_METRICS_PORT": str(ports.metrics),
        "FAIRLEAD_GATEWAY_ADMIN_PORT": str(ports.admin),
        "FAIRLEAD_GATEWAY_AGENT_PORT": str(ports.agent),
    }
    with (settings.run_dir / "agent.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fairlead_serving.gateway",
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """What the clients saw."""

    versions: dict[str, int] = dataclasses.field(default_factory=dict)
    failures: list[str] = dataclasses.field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.versions.values()) + len(self.failures)


class Caller:
    """Calls the gateway the way clients do."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"http://127.0.0.1:{settings.ports.traffic}/predict"
        self._http = aiohttp.ClientSession()

    async def __aenter__(self) -> "Caller":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def call(self, host: str = MODEL, **headers: str) -> tuple[int, str, Mapping[str, str]]:
        """Status, text and headers of one answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._http.post(
            self._url, json={"instances": [{}]}, headers={"Host": host} | named
        ) as response:
            return response.status, await response.text(), response.headers

    async def tally(self, count: int, host: str = MODEL) -> Tally:
        """Count who answered so many calls."""
        tally = Tally()
        for _ in range(count):
            await self._count(tally, host)
        return tally

    @contextlib.asynccontextmanager
    async def load(self, rate: float, host: str = MODEL) -> AsyncIterator[Tally]:
        """Call at a fixed rate, however long answers take, for the length of the block."""
        tally = Tally()
        calls: set[asyncio.Task[None]] = set()

        async def run() -> None:
            began = time.monotonic()
            for number in range(1, sys.maxsize):
                calls.add(task := asyncio.create_task(self._count(tally, host)))
                task.add_done_callback(calls.discard)
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))

        runner = asyncio.create_task(run())
        try:
            yield tally
        finally:
            runner.cancel()
            await asyncio.gather(runner, *calls, return_exceptions=True)

    async def _count(self, tally: Tally, host: str) -> None:
        try:
            status, text, headers = await self.call(host)
        except (aiohttp.ClientError, TimeoutError) as error:
            tally.failures.append(repr(error))
            return
        if status != 200:
            tally.failures.append(f"{status} {text}")
            return
        version = headers["x-fairlead-version"]
        tally.versions[version] = tally.versions.get(version, 0) + 1


async def eventually(
    condition: Callable[[], Awaitable[Any]], *, seconds: float = 120.0, pause: float = 0.01
) -> None:
    """Wait until the condition is true, as long as a busy machine may take.

    Raises:
        TimeoutError: it was not true in time.
    """
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(pause)


async def is_ready(port: int, path: str) -> bool:
    """Tell whether a readiness endpoint says 200."""
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}{path}") as response,
        ):
            return response.status == 200
    except aiohttp.ClientError:
        return False
