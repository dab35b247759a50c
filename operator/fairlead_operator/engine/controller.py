"""One key's turn: read the object, reconcile it, publish the report."""

import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from fairlead_operator.api.phases.common import REFUSALS
from fairlead_operator.api.phases.rollout import Phase as RolloutPhase
from fairlead_operator.engine.answered import take_off, take_off_unread
from fairlead_operator.engine.publish import publish
from fairlead_operator.engine.wakeup import has_ended
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.errors import (
    ClusterRefusalError,
    NamespaceEndingError,
    TransientError,
)
from fairlead_operator.keys import NAMESPACE, TRAININGS, Key
from fairlead_operator.model.reconcile import reconcile as reconcile_model
from fairlead_operator.namespace.reconcile import reconcile_namespace
from fairlead_operator.ports import Ports
from fairlead_operator.report import Report, report_broken, report_refused, report_unread
from fairlead_operator.rollout.reconcile import reconcile as reconcile_rollout
from fairlead_operator.settings import Settings
from fairlead_operator.telemetry import metrics
from fairlead_operator.training_run.reconcile import reconcile as reconcile_training_run
from fairlead_operator.training_run.tidy import tidy_trainings
from fairlead_operator.unread import explain_unread

_LOGGER = logging.getLogger(__name__)
# So many failures in a row are shown to the user; fewer pass by themselves.
_SHOWN_AFTER: Final = 6
_ENDING_SECONDS: Final = 30.0  # until an object in a namespace that ends is looked at again


class _Reconcile(Protocol):
    async def __call__(
        self, body: Mapping[str, Any], ports: Ports, settings: Settings, /, *, now: datetime
    ) -> Report: ...


_RECONCILERS: Final[Mapping[str, _Reconcile]] = {
    "Model": reconcile_model,
    "TrainingRun": reconcile_training_run,
    "Rollout": reconcile_rollout,
}


def _name_model(key: Key, body: Mapping[str, Any]) -> str:
    """Return the name of the Model that the object is, or is of."""
    return key.name if key.kind == "Model" else str(body["spec"]["model"])


class Controller:
    """Works the queue off."""

    def __init__(self, queue: WorkQueue, ports: Ports, settings: Settings) -> None:
        self._queue = queue
        self._ports = ports
        self._settings = settings
        self._in_phase: dict[tuple[str, str], tuple[Key, str]] = {}  # by namespace and Model

    async def run(self) -> None:
        """Work the queue off as one of several workers; never return."""
        await self._queue.work(self.handle, self._failed)

    async def handle(self, key: Key) -> timedelta | None:
        """Reconcile one object; return when to look at it again."""
        metrics.QUEUE_LENGTH.set(len(self._queue))
        with metrics.RECONCILE_SECONDS.labels(kind=key.kind).time():
            if key.kind == NAMESPACE:
                await self._tidy(key.namespace)
                return None
            if key.kind == TRAININGS:
                return await tidy_trainings(key.namespace, self._ports)
            body = await self._read(key)
            if body is None or body["metadata"].get("deletionTimestamp"):
                await self._gone(key)
                return None
            reconcile, now = _RECONCILERS[key.kind], self._ports.now()
            try:
                report = await reconcile(body, self._ports, self._settings, now=now)
            except ClusterRefusalError as error:
                refused = report_refused(body, error, now=now)
                await publish(body, refused, self._ports.kube, now=now)
                raise
            except TransientError:
                raise
            except Exception as error:
                broken = report_broken(body, error, now=now)
                with contextlib.suppress(
                    TransientError, ClusterRefusalError
                ):  # not to hide the bug
                    await publish(body, broken, self._ports.kube, now=now)
                raise
            unread = explain_unread(key.kind, body["metadata"].get("annotations") or {})
            report = report_unread(body, report, unread, now=now).naming(_name_model(key, body))
            await publish(body, report, self._ports.kube, now=now)
            await take_off(body, report.status, self._ports.kube)
            await take_off_unread(body, self._ports.kube)
        self._tell(key, body, report)
        if key.kind == "Rollout":
            await self._show_phase(key, body["spec"]["model"], report.status.get("phase"))
        metrics.RECONCILES.labels(kind=key.kind, outcome="done").inc()
        return report.look_again

    async def _read(self, key: Key) -> dict[str, Any] | None:
        """Read the object; bypass the watches for a Rollout that may move traffic."""
        body = await self._ports.kube.get(key.kind, key.namespace, key.name)
        if key.kind != "Rollout" or body is None or has_ended(body):
            return body
        return await self._ports.kube.reread(key.kind, key.namespace, key.name)

    async def _gone(self, key: Key) -> None:
        for model, (rollout, phase) in tuple(self._in_phase.items()):
            if rollout == key or (key.kind == "Model" and model == (key.namespace, key.name)):
                metrics.ROLLOUT_PHASE.remove(*model, phase)
                del self._in_phase[model]
        if key.kind == "Model":
            await self._tidy(key.namespace)
        self._queue.forget(key)  # the last: what fails until here is tried less and less often

    async def _tidy(self, namespace: str) -> None:
        await reconcile_namespace(namespace, self._ports, logins=self._settings.logins)

    def _tell(self, key: Key, body: Mapping[str, Any], report: Report) -> None:
        """Log and count a transition, once."""
        fields = {"kind": key.kind, "namespace": key.namespace, "object": key.name}
        for event in report.events:
            if event.reason in REFUSALS:
                _LOGGER.warning("write refused", extra=fields | {"error": event.message})
        before, after = (body.get("status") or {}).get("phase"), report.status.get("phase")
        if before == after:
            return
        reason = report.status.get("reason", "")
        _LOGGER.info(
            "phase changed",
            extra=fields | {"from": before or "", "to": after or "", "reason": reason},
        )
        if key.kind != "Rollout":
            return
        if after == RolloutPhase.ROLLED_BACK:
            metrics.ROLLBACKS.labels(reason=reason).inc()
            seconds = report.status.get("reactionSeconds")
            if seconds is not None:
                metrics.ROLLBACK_SECONDS.labels(reason=reason).observe(seconds)

    async def _show_phase(self, key: Key, name: str, phase: str | None) -> None:
        """Show the phase of a Model's current rollout, at each look: a new process shows it too."""
        owner = (key.namespace, name)
        model = await self._ports.kube.get("Model", *owner)
        is_current = model is not None and (model.get("status") or {}).get("rollout") == key.name
        rollout, shown = self._in_phase.get(owner, (key, None))
        if not is_current and rollout != key:
            return
        current = phase if is_current else None
        if shown is not None and shown != current:
            metrics.ROLLOUT_PHASE.remove(*owner, shown)
            del self._in_phase[owner]
        if current is not None:
            metrics.ROLLOUT_PHASE.labels(*owner, current).set(1)
            self._in_phase[owner] = (key, current)

    def _failed(self, key: Key, error: Exception) -> float | None:
        """Log and count a failure; return the seconds to wait, if the other side named them."""
        failures = self._queue.failures(key)
        fields = {"kind": key.kind, "namespace": key.namespace, "object": key.name}
        if isinstance(error, NamespaceEndingError):
            metrics.RECONCILES.labels(kind=key.kind, outcome="retried").inc()
            level = logging.INFO if failures == 1 else logging.DEBUG
            _LOGGER.log(level, "the namespace ends", extra=fields | {"error": str(error)})
            return _ENDING_SECONDS
        if isinstance(error, ClusterRefusalError):  # which the object tells, and no bug of ours
            metrics.RECONCILES.labels(kind=key.kind, outcome="failed").inc()
            level = logging.WARNING if failures in {1, _SHOWN_AFTER} else logging.DEBUG
            _LOGGER.log(level, "reconcile refused", extra=fields | {"error": str(error)})
        elif isinstance(error, TransientError):
            metrics.RECONCILES.labels(kind=key.kind, outcome="retried").inc()
            level = logging.WARNING if failures == _SHOWN_AFTER else logging.DEBUG
            _LOGGER.log(level, "reconcile retried", extra=fields | {"error": str(error)})
        else:
            metrics.RECONCILES.labels(kind=key.kind, outcome="failed").inc()
            _LOGGER.error("reconcile failed", exc_info=error, extra=fields)
        return error.retry_after if isinstance(error, TransientError) else None
