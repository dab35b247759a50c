"""Alertmanager's webhook: authenticated, bounded, and durable before it answers.

An annotation on the Rollout asks for the rollback.  It is written before the 200, so
that a crash loses nothing and every later reconcile sees it.  Alertmanager only repeats
what was answered with 5xx, so a request that may succeed later gets 503, and one that
never will gets 4xx.

Every replica serves it: it reads the API server, not the watches, and the annotation reaches
whichever leads.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.alert_note import Note, UnreadableNoteError, read_note, write_note
from fairlead_operator.api.base import to_moment
from fairlead_operator.api.events import Event
from fairlead_operator.api.group import ANNOTATION_ALERT
from fairlead_operator.api.phases.rollout import CAN_GO_BACK, AlertReason, Phase
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.inbound.alerts import Alert, NotAlertmanagerError, Refused, parse_alerts
from fairlead_operator.keys import Key
from fairlead_operator.ports import Ports
from fairlead_operator.report import build_event
from fairlead_operator.telemetry import metrics
from fairlead_operator.text import write_list

_LOGGER = logging.getLogger(__name__)
_BODY_LIMIT: Final = 1024 * 1024
_BODY_SECONDS: Final = 5.0
_AT_ONCE: Final = 16  # requests worked on at a time

Bodies = dict[Key, dict[str, Any]]


class Webhook:
    """``POST /alerts``."""

    def __init__(
        self,
        ports: Ports,
        *,
        token: str,
        labels: AlertLabels,
    ) -> None:
        self._ports = ports
        self._token = token
        self._labels = labels
        self._wake: Callable[[Key], None] | None = None
        self._working = 0

    def leading(self, wake: Callable[[Key], None]) -> None:
        """Wake the Rollouts from now on, before their watch tells."""
        self._wake = wake

    def standing_by(self) -> None:
        """Leave it to the leader's watch."""
        self._wake = None

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_BODY_LIMIT)
        for path in ("/alerts", "/alerts/"):
            application.router.add_post(path, self.handle)
        return application

    async def handle(self, request: web.Request) -> web.Response:
        received = self._ports.now()
        if not self._authentic(request.headers.get("Authorization", "")):
            return _refuse(401, "unauthorized", "send Authorization: Bearer <token>")
        if self._working >= _AT_ONCE:
            return _refuse(
                503, "flooded", f"{_AT_ONCE} requests are being handled; send this one again"
            )
        self._working += 1
        try:
            return await self._answer(request, received)
        finally:
            self._working -= 1

    async def _answer(self, request: web.Request, received: datetime) -> web.Response:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = json.loads(await request.read())  # UTF-8, whatever charset is said
            alerts = parse_alerts(body, self._labels)
        except TimeoutError:
            return _refuse(408, "slow", f"the body did not arrive within {_BODY_SECONDS:g} s")
        except web.HTTPRequestEntityTooLarge:
            return _refuse(413, "too_large", f"the body is larger than {_BODY_LIMIT:,} bytes")
        except NotAlertmanagerError as error:
            return _refuse(400, "malformed", str(error))
        except web.RequestPayloadError:
            return _refuse(400, "malformed", "the body is not what its Content-Encoding says")
        except (ValueError, RecursionError):
            return _refuse(400, "malformed", "the body is not JSON")
        outcomes = await self._act_on(alerts, received)
        refused = [outcome for outcome in outcomes if outcome["outcome"] == "refused"]
        if refused and len(refused) == len(outcomes):
            return _refuse(400, "malformed", write_list(entry["why"] for entry in refused))
        for outcome in outcomes:
            metrics.ALERTS.labels(outcome=outcome["outcome"]).inc()
        away = [entry["why"] for entry in outcomes if entry["outcome"] == "unavailable"]
        if away:
            problem = write_list(dict.fromkeys(away))
            return web.json_response({"error": problem, "alerts": outcomes}, status=503)
        return web.json_response({"alerts": outcomes})

    async def _act_on(
        self, alerts: tuple[Alert | Refused, ...], received: datetime
    ) -> list[dict[str, str]]:
        """Answer each alert; read a Model's Rollouts once, however many alerts name it.

        None stops another: what cannot be kept now is sent again, with those that were.
        """
        outcomes = []
        rollouts: dict[tuple[str, str], Bodies] = {}
        for alert in alerts:
            if isinstance(alert, Refused):
                outcomes.append({"alert": alert.name, "outcome": "refused", "why": alert.why})
                continue
            model = (alert.namespace, alert.model)
            told = {"alert": alert.name, "model": alert.model, "version": alert.version}
            try:
                if model not in rollouts:
                    rollouts[model] = await self._rollouts(*model)
                outcome = await self._ask(alert, rollouts[model], received)
            except (TransientError, ClusterRefusalError) as error:
                outcome = {"outcome": "unavailable", "why": str(error)}
            outcomes.append(told | outcome)
        return outcomes

    async def _ask(self, alert: Alert, rollouts: Bodies, received: datetime) -> dict[str, str]:
        """Ask the Rollout that has this version in traffic to roll back, or say why not."""
        older = None
        for key, body in rollouts.items():
            if _phase(body) not in CAN_GO_BACK or alert.version not in _candidates(body):
                continue
            if _is_older(alert, body):
                older = key, body
                continue
            await self._annotate(key, body, alert, received)
            return {"outcome": "rollback", "rollout": key.name}
        if not rollouts:
            return {"outcome": "ignored", "why": "the Model has no rollout"}
        key, body = older or next(iter(rollouts.items()))
        why = _why_not(alert, body)
        message = f"alert {alert.message}: {why}; nothing was rolled back"
        event = Event(reason=AlertReason.IGNORED, message=message, warning=True)
        await self._ports.kube.apply(build_event(body, event, now=received))
        return {"outcome": "ignored", "why": why, "rollout": key.name}

    async def _rollouts(self, namespace: str, model: str) -> Bodies:
        """Read the Model's Rollouts, those that can still go back first, then the latest."""
        try:
            listed = await self._ports.kube.list("Rollout", namespace, {})
        except ClusterRefusalError:
            return {}  # a namespace that is not ours to watch
        ours = [body for body in listed if body["spec"]["model"] == model]
        ours.sort(key=lambda body: str(body["metadata"].get("creationTimestamp")), reverse=True)
        ours.sort(key=lambda body: _phase(body) not in CAN_GO_BACK)
        return {Key("Rollout", namespace, body["metadata"]["name"]): body for body in ours}

    async def _annotate(
        self, key: Key, body: dict[str, Any], alert: Alert, received: datetime
    ) -> None:
        annotations = body["metadata"].setdefault("annotations", {})
        noted = annotations.get(ANNOTATION_ALERT)
        if noted is not None and not _may_replace(noted, body, alert):
            return  # the first one is being acted on; Alertmanager repeats itself
        text = write_note(Note(version=alert.version, message=alert.message, received=received))
        annotations[ANNOTATION_ALERT] = text
        await self._ports.kube.annotate(key.kind, key.namespace, key.name, {ANNOTATION_ALERT: text})
        if self._wake is not None:
            self._wake(key)
        _LOGGER.info("alert asks for a rollback", extra={"rollout": key.name, "alert": alert.name})

    def _authentic(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        told = token.strip(" ").encode("utf-8", "surrogateescape")
        return scheme.lower() == "bearer" and hmac.compare_digest(told, self._token.encode())


def _phase(body: Mapping[str, Any]) -> str:
    return (body.get("status") or {}).get("phase") or Phase.PENDING


def _candidates(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the versions on trial."""
    spec = body["spec"]
    return (spec["version"], *spec.get("alternatives", ()))


def _is_older(alert: Alert, body: Mapping[str, Any]) -> bool:
    """Tell whether the alert fired before the Rollout was made: then it is about earlier traffic.

    Who retries a version knows of it.
    """
    created = body["metadata"].get("creationTimestamp")
    if alert.since is None or created is None:
        return False
    return alert.since < datetime.fromisoformat(created)


def _may_replace(noted: str, body: Mapping[str, Any], alert: Alert) -> bool:
    """Tell whether the annotation is nobody's alert, or another candidate's that has left since.

    Raises:
        TransientError: it is another's, which has not left the trial yet.
    """
    try:
        version = read_note(noted, _candidates(body)).version
    except UnreadableNoteError:
        return True
    if version == alert.version:
        return False
    arms = (body.get("status") or {}).get("arms", ())
    if any(arm["version"] == version and arm.get("reason") for arm in arms):
        return True
    raise TransientError(f"an earlier alert on {version} is being acted on; send this one again")


def _why_not(alert: Alert, body: Mapping[str, Any]) -> str:
    """Say why this alert moves no traffic."""
    status = body.get("status") or {}
    if (status.get("phase") or Phase.PENDING) in CAN_GO_BACK and alert.version in _candidates(body):
        name = body["metadata"]["name"]
        since = f"it has fired since {to_moment(alert.since)}, " if alert.since else ""
        return f"{since}before {name} began; it counts once it fires anew"
    way_back = (status.get("stable") or {}).get("version")
    if status.get("phase") == Phase.SUCCEEDED and alert.version in _candidates(body):
        return f"{alert.version} is now the stable version and its rollout has ended"
    if alert.version == way_back:
        return f"{alert.version} is the stable version, not the candidate"
    return f"{alert.version} has no traffic"


def _refuse(status: int, outcome: str, message: str) -> web.Response:
    metrics.ALERTS.labels(outcome=outcome).inc()
    return web.json_response({"error": message}, status=status)
