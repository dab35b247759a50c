"""Alertmanager's webhook: authenticated, bounded, and durable before it answers.

A rollback is asked for by an annotation on the Rollout.  It is written before
the 200, so that a crash loses nothing, and it reaches every later reconcile.
"""

import hmac
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from fairlead_operator.alerts import Alert, NotAlertmanagerError, parse_alerts
from fairlead_operator.api.base import to_moment
from fairlead_operator.api.events import Event
from fairlead_operator.api.group import ANNOTATION_ALERT
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.ports import Ports
from fairlead_operator.report import build_event
from fairlead_operator.telemetry import metrics
from fairlead_operator.wakeup import Key

_LOGGER = logging.getLogger(__name__)
_BODY_LIMIT: Final = 1024 * 1024
_IN_TRAFFIC: Final = frozenset({"Pending", "Progressing", "Paused", "Guarding"})


class Webhook:
    """``POST /alerts``."""

    def __init__(
        self,
        ports: Ports,
        *,
        token: str,
        rollouts_of: Callable[[str, str], set[Key]],
        wake: Callable[[Key], None],
    ) -> None:
        self._ports = ports
        self._token = token
        self._rollouts_of = rollouts_of
        self._wake = wake

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_BODY_LIMIT)
        application.router.add_post("/alerts", self.handle)
        return application

    async def handle(self, request: web.Request) -> web.Response:
        received = self._ports.now()
        if not self._authentic(request.headers.get("Authorization", "")):
            return _refuse(401, "unauthorized", "send Authorization: Bearer <token>")
        try:
            alerts = parse_alerts(await request.json())
        except NotAlertmanagerError as error:
            return _refuse(400, "malformed", str(error))
        except ValueError:
            return _refuse(400, "malformed", "the body is not JSON")
        try:
            outcomes = [await self._ask(alert, received) for alert in alerts]
        except TransientError as error:
            # Alertmanager sends it again; better twice than never.
            return _refuse(503, "unavailable", str(error))
        metrics.ALERTS.labels(outcome="accepted").inc(len(alerts))
        return web.json_response({"alerts": outcomes})

    async def _ask(self, alert: Alert, received: datetime) -> dict[str, str]:
        """Ask the Rollout that has this version in traffic to roll back."""
        told = {"alert": alert.name, "model": alert.model, "version": alert.version}
        async for key, body in self._rollouts(alert):
            if body["spec"]["version"] != alert.version:
                continue
            phase = (body.get("status") or {}).get("phase")
            if phase in _IN_TRAFFIC:
                await self._annotate(key, body, alert, received)
                return told | {"outcome": "rollback", "rollout": key.name}
            if phase == "Succeeded":
                message = f"alert {alert.message} names the stable version; nothing to roll back"
                event = Event(reason="AlertIgnored", message=message, warning=True)
                await self._ports.kube.apply(build_event(body, event, now=received))
                return told | {"outcome": "ignored", "why": "the version is stable"}
        return told | {"outcome": "ignored", "why": "the version is in no rollout"}

    async def _rollouts(self, alert: Alert) -> AsyncIterator[tuple[Key, dict[str, Any]]]:
        """The Model's Rollouts that the watches know, then those they do not know yet.

        A leader that has just started must not tell Alertmanager that there is nothing.
        """
        known = self._rollouts_of(alert.namespace, alert.model)
        for key in sorted(known):
            body = await self._ports.kube.get(key.kind, key.namespace, key.name)
            if body is not None:
                yield key, body
        try:
            listed = await self._ports.kube.list("Rollout", alert.namespace, {})
        except ClusterRefusalError:
            return  # a namespace that is not ours to watch
        for body in listed:
            key = Key("Rollout", alert.namespace, body["metadata"]["name"])
            live = (body.get("status") or {}).get("phase") in _IN_TRAFFIC
            if body["spec"]["model"] == alert.model and live and key not in known:
                yield key, body

    async def _annotate(
        self, key: Key, body: dict[str, Any], alert: Alert, received: datetime
    ) -> None:
        annotations = body["metadata"].get("annotations") or {}
        if ANNOTATION_ALERT in annotations:
            return  # the first one is being acted on; Alertmanager repeats itself
        text = json.dumps({"receivedAt": to_moment(received), "message": alert.message})
        await self._ports.kube.annotate(key.kind, key.namespace, key.name, {ANNOTATION_ALERT: text})
        self._wake(key)
        _LOGGER.info("alert asks for a rollback", extra={"rollout": key.name, "alert": alert.name})

    def _authentic(self, header: str) -> bool:
        return hmac.compare_digest(header.encode(), f"Bearer {self._token}".encode())


def _refuse(status: int, outcome: str, message: str) -> web.Response:
    metrics.ALERTS.labels(outcome=outcome).inc()
    return web.json_response({"error": message}, status=status)
