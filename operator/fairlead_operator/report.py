"""What a reconcile says of its object: its whole new status, and events.  Pure."""

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from fairlead_operator.api.base import to_moment
from fairlead_operator.api.conditions import Condition, merge
from fairlead_operator.api.events import Event
from fairlead_operator.api.group import FIELD_MANAGER
from fairlead_operator.errors import ClusterRefusalError, InvalidSpecError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole new status, what to announce, and when to look again."""

    status: Mapping[str, Any]
    events: tuple[Event, ...] = ()
    look_again: timedelta | None = None


def report_invalid(body: Mapping[str, Any], error: InvalidSpecError, *, now: datetime) -> Report:
    """Report a spec that no schema could refuse: change nothing, wait for an event."""
    return _report_stopped(body, "False", "InvalidSpec", str(error), now=now)


def report_refused(body: Mapping[str, Any], error: ClusterRefusalError, *, now: datetime) -> Report:
    """Report what the cluster refused of what we applied; another can mend it."""
    return _report_stopped(body, "Unknown", "ClusterRefused", str(error), now=now)


def _report_stopped(
    body: Mapping[str, Any],
    progressing: Literal["False", "Unknown"],
    reason: str,
    message: str,
    *,
    now: datetime,
) -> Report:
    """Report the status as it was, a condition that says what stops us, and one Event."""
    status = dict(body.get("status") or {})
    old = tuple(Condition.model_validate(entry) for entry in status.get("conditions") or [])
    stopped = Condition(
        type="Progressing",
        status=progressing,
        reason=reason,
        message=message[:1024],
        observed_generation=body["metadata"].get("generation"),
    )
    others = tuple(condition for condition in old if condition.type != stopped.type)
    status["conditions"] = [
        condition.to_manifest() for condition in merge(old, (*others, stopped), now=now)
    ]
    known = any(condition.reason == reason for condition in old)
    event = Event(reason=reason, message=message, warning=True)
    return Report(status=status, events=() if known else (event,))


def build_event(body: Mapping[str, Any], event: Event, *, now: datetime) -> dict[str, Any]:
    """Build the Event object.

    Its name follows from the object's old state, so that a reconcile that was cut
    off and runs again announces the same thing once.
    """
    meta = body["metadata"]
    old = body.get("status") or {}
    cause = f"{meta['uid']}/{old.get('phase')}/{old.get('step')}/{old.get('since')}"
    known = hashlib.sha256(f"{cause}/{event.reason}/{event.message}".encode()).hexdigest()[:16]
    moment = to_moment(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{known}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
        "reason": event.reason,
        "message": event.message[:1000],
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": f"fairlead.dev/{FIELD_MANAGER}",
        "reportingInstance": FIELD_MANAGER,
        "action": event.reason,
        "firstTimestamp": moment[:-5] + "Z",
        "lastTimestamp": moment[:-5] + "Z",
        "count": 1,
    }
