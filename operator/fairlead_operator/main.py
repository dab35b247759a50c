"""Wires the process: settings, ports, the Lease, the watches, the workers, the web servers."""

import asyncio
import contextlib
import dataclasses
import logging
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import kopf
from aiohttp import web

from fairlead_contract import logs
from fairlead_operator.engine.clock import keep_clock
from fairlead_operator.engine.controller import Controller
from fairlead_operator.engine.handlers import register
from fairlead_operator.engine.lease import Lease
from fairlead_operator.engine.wakeup import Wakeup
from fairlead_operator.engine.watches import Sync, Watches
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.inbound.health import Probes
from fairlead_operator.inbound.histories import LOOPBACK, Histories
from fairlead_operator.inbound.webhook import Webhook
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.generated import keep_all
from fairlead_operator.kube.kinds import MLFLOW_SECRETS, Selector
from fairlead_operator.kube.login import client, login
from fairlead_operator.kube.store import Store
from fairlead_operator.kube.watched import WatchedKube
from fairlead_operator.mlflow.client import MlflowClient
from fairlead_operator.mlflow.directory import MlflowDirectory
from fairlead_operator.mlflow.logins import GivenLogins, OwnLogins, SharedLogins
from fairlead_operator.mlflow.open_runs import keep_finding
from fairlead_operator.mlflow.registrations import Registrations, keep_listing, keep_reading_code
from fairlead_operator.namespace.login import keep_finding_logins
from fairlead_operator.ports import Logins, Ports
from fairlead_operator.prometheus.answers import Answers, keep_counting
from fairlead_operator.prometheus.client import PrometheusClient
from fairlead_operator.record.client import RecordClient
from fairlead_operator.record.retention import keep_record
from fairlead_operator.rotation import wait_for_rotation
from fairlead_operator.settings import MlflowSecrets, Settings
from fairlead_operator.telemetry import metrics

_LOGGER = logging.getLogger(__name__)
# More of them would queue up before a slow API server, and the Lease's renewal behind them.
_WORKERS: Final = 32


def now() -> datetime:
    """Return the time; this is the only clock."""
    return datetime.now(UTC)


async def run(settings: Settings) -> None:
    """Run until SIGTERM: stand by, lead, and stand by again when the Lease is lost.

    A process that ended with its Lease would wait for the kubelet's back-off, which
    grows with each outage of the API server, before it could act again.
    """
    stopped = asyncio.Event()
    _stop_on_signals(stopped)
    rotation = asyncio.create_task(_stop_on_rotation(settings.secrets, stopped))
    health = Probes()
    async with (
        client(login()) as kube,
        aiohttp.ClientSession() as session,
        _recording(settings.database_url) as record,
    ):
        clients = _Clients(kube=kube, session=session, record=record)
        webhook = Webhook(
            clients.ports(settings, Registrations(), Answers()),
            token=settings.webhook_token,
            labels=settings.alert_labels,
        )
        lease = Lease(kube, namespace=settings.namespace, identity=settings.identity, now=now)
        async with (
            _serving(webhook.application(), settings.bind, settings.webhook_port),
            _serving(Histories(record).application(), LOOPBACK, settings.history_port),
            # The last: who is ready takes alerts.
            _serving(health.application(), settings.bind, settings.http_port),
        ):
            while not stopped.is_set():
                await _until(stopped, lease.acquire())
                if not stopped.is_set():
                    await _serve_term(settings, clients, lease, _Inbound(health, webhook), stopped)
    rotation.cancel()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Clients:
    """The clients, which outlive a term as leader."""

    kube: KubeClient
    session: aiohttp.ClientSession
    record: RecordClient

    def ports(
        self,
        settings: Settings,
        registrations: Registrations,
        answers: Answers,
        *,
        operator: str = "",
    ) -> Ports:
        mlflow = MlflowClient(settings.mlflow, self.session, operator=operator)
        return Ports(
            kube=self.kube,
            prometheus=PrometheusClient(settings.prometheus_url, self.session),
            registry=mlflow,
            registrations=registrations,
            answers=answers,
            record=self.record,
            now=now,
            logins=_build_logins(settings, mlflow),
        )


def _build_logins(settings: Settings, mlflow: MlflowClient) -> Logins:
    match settings.mlflow_secrets:
        case MlflowSecrets.MADE:
            return OwnLogins(MlflowDirectory(mlflow), age=settings.login_age, now=now)
        case MlflowSecrets.SHARED:
            return SharedLogins(settings.mlflow)
        case MlflowSecrets.GIVEN:
            return GivenLogins(settings.mlflow)


@dataclasses.dataclass(frozen=True, slots=True)
class _Inbound:
    """What answers all the time, and has to know of a term."""

    health: Probes
    webhook: Webhook

    def standing_by(self) -> None:
        self.health.standing_by()
        self.webhook.standing_by()


async def _serve_term(
    settings: Settings, clients: _Clients, lease: Lease, inbound: _Inbound, stopped: asyncio.Event
) -> None:
    """Lead once, from taking the Lease to losing it, with state that nothing outlives."""
    kube, record = clients.kube, clients.record
    registrations, answers = Registrations(), Answers()
    outside = clients.ports(settings, registrations, answers, operator=lease.uid)
    store = Store(settings.watch_namespaces)
    wakeup = Wakeup()
    queue = WorkQueue(wakeup.head_start)
    watches = Watches(store, wakeup, queue)
    sync = Sync(
        kube,
        store,
        watches,
        namespaces=settings.watch_namespaces,
        # Those that are given to namespaces are not ours to put right, nor to watch.
        beside=None if settings.mlflow_secrets is MlflowSecrets.GIVEN else MLFLOW_SECRETS,
    )
    reading = dataclasses.replace(outside, kube=WatchedKube(kube, store))
    controller = Controller(queue, reading, settings)
    holding = asyncio.create_task(lease.hold())
    beside = [
        asyncio.create_task(work)
        for work in (
            keep_record(record, retention=settings.record_retention, now=now),
            keep_listing(registrations, outside.registry, watches.look_at_model),
            keep_reading_code(registrations, outside.registry, watches.look_at_model),
            keep_counting(answers, outside.prometheus, watches.look_at_model),
            keep_finding(outside.registry, watches.look_at_trainings),
            keep_finding_logins(record, watches.look_at_namespace),
            keep_clock(now, queue.hurry),
            keep_all(kube, settings.namespace, settings.generated),
        )
    ]
    try:
        await _until(stopped, sync.fill())
        work = (*(controller.run() for _ in range(_WORKERS)), sync.run(), sync.patrol())
        watching = asyncio.create_task(_watch_all(settings, sync.rounds, watches, stopped))
        inbound.webhook.leading(queue.add)
        await _lead(settings, watching, (holding, *work), inbound.health, stopped)
    finally:
        inbound.standing_by()
        metrics.ROLLOUT_PHASE.clear()  # the next leader's to tell
        for task in (holding, *beside):
            task.cancel()
        await lease.release()


async def _lead(
    settings: Settings,
    watching: asyncio.Task[None],
    work: Sequence[asyncio.Future[None] | Coroutine[Any, Any, None]],
    health: Probes,
    stopped: asyncio.Event,
) -> None:
    """Act as long as the Lease is ours and nothing ends that must not."""
    tasks = [watching, *map(asyncio.ensure_future, work), asyncio.create_task(stopped.wait())]
    metrics.IS_LEADER.set(1)
    health.leading(watching)
    _LOGGER.info("watching", extra={"namespaces": ",".join(settings.watch_namespaces) or "*"})
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    metrics.IS_LEADER.set(0)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _watch_all(
    settings: Settings,
    rounds: Sequence[Mapping[str, Selector]],
    watches: Watches,
    stopped: asyncio.Event,
) -> None:
    await asyncio.gather(*(_watch(settings, kinds, watches, stopped) for kinds in rounds))


async def _watch(
    settings: Settings,
    kinds: Mapping[str, Selector],
    watches: Watches,
    stopped: asyncio.Event,
) -> None:
    registry = kopf.OperatorRegistry()
    options = kopf.OperatorSettings()
    options.posting.enabled = False
    options.scanning.disabled = True
    # At the start there is a worker for each object, which holds it as long as it idles.
    options.watching.chunk_size = 100
    options.queueing.idle_timeout = 0.05
    options.watching.server_timeout = 900
    options.watching.client_timeout = 930
    options.watching.connect_timeout = 5
    options.networking.request_timeout = 30
    register(registry, options, kinds)
    kopf.on.login(registry=registry)(lambda **_: login())
    before = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=registry,
        settings=options,
        standalone=True,
        identity=cast("Any", settings.identity),  # or kopf asks for the user's name
        clusterwide=not settings.watch_namespaces,
        namespaces=settings.watch_namespaces,
        memo=kopf.Memo(watches=watches),
        stop_flag=stopped,
    )
    # kopf has claimed SIGTERM as its last act, ends by it alone, and needs 5 s for that.  Taken
    # back without a wait in between, none is lost.
    _stop_on_signals(stopped)
    await kopf.run_tasks(tasks, ignored=before)


def _stop_on_signals(stopped: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)


async def _stop_on_rotation(secrets: Path, stopped: asyncio.Event) -> None:
    """End the process when a Secret has changed, to be started with its new value."""
    names = await wait_for_rotation(secrets)
    _LOGGER.info("a Secret has changed: starting again", extra={"secrets": ",".join(names)})
    stopped.set()


async def _until(stopped: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Wait for the work or for the end of the process, whichever is first."""
    tasks = (asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait()))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()


@contextlib.asynccontextmanager
async def _recording(url: str) -> AsyncIterator[RecordClient]:
    record = RecordClient(url)
    try:
        yield record
    finally:
        await record.close()


@contextlib.asynccontextmanager
async def _serving(application: web.Application, address: str, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, port).start()
        yield
    finally:
        await runner.cleanup()


def main() -> None:
    """Run the operator; the image starts here."""
    settings = Settings.from_environment()
    logs.configure(
        level=settings.log_level,
        # kopf tells of every event and every watch; ours are the transitions.
        levels={"kopf": "WARNING", "aiohttp.access": "WARNING"},
        style=settings.log_format,
    )
    try:
        import uvloop  # noqa: PLC0415  not there on every platform

        uvloop.run(run(settings))
    except ImportError:
        asyncio.run(run(settings))
