"""What a reconcile says of its object: its whole new status, and events.  Pure."""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from fairlead_operator.api.base import to_moment
from fairlead_operator.api.conditions import (
    ANNOTATIONS_READ,
    APPLIED,
    OWN_LOGIN,
    PODS_READY,
    UPGRADED,
    Condition,
    find_condition,
    merge,
)
from fairlead_operator.api.events import Event
from fairlead_operator.api.group import FIELD_MANAGER
from fairlead_operator.api.phases import rollout, training_run
from fairlead_operator.api.phases.common import REFUSALS, CommonReason
from fairlead_operator.api.phases.rollout import PodsReason
from fairlead_operator.attempts import Failure, describe
from fairlead_operator.errors import ClusterRefusalError, InvalidSpecError, ParentMissingError
from fairlead_operator.text import shorten
from fairlead_operator.upgrades import LOOK_AGAIN

_NOT_BEGUN: Final = {"Rollout": rollout.Phase.PENDING, "TrainingRun": training_run.Phase.PENDING}
_COMMAND: Final = re.compile(r"(`fairlead [a-z-]+) MODEL\b")  # for people to give
_SENTENCES: Final = frozenset({"message", "summary"})
_SOONEST_RETRY: Final = timedelta(milliseconds=200)
_LATEST_RETRY: Final = timedelta(seconds=30)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole new status, what to announce, and when to look again."""

    status: Mapping[str, Any]
    events: tuple[Event, ...] = ()
    look_again: timedelta | None = None

    def within(self, time: timedelta) -> "Report":
        """Return it with the next look no later than this."""
        return dataclasses.replace(self, look_again=min(self.look_again or time, time))

    def naming(self, model: str) -> "Report":
        """Return it with the Model's own name in the commands that it tells people to give.

        Decisions do not know the name.  What people wrote themselves stays as it is.
        """
        events = (
            dataclasses.replace(event, message=_name(event.message, model)) for event in self.events
        )
        return dataclasses.replace(self, status=_name_in(self.status, model), events=tuple(events))


def _name(text: str, model: str) -> str:
    return _COMMAND.sub(lambda command: f"{command[1]} {model}", text)


def _name_in(value: Any, model: str) -> Any:
    """Name the Model in every sentence of a status."""
    if isinstance(value, Mapping):
        return {
            key: _name(inner, model)
            if key in _SENTENCES and isinstance(inner, str)
            else _name_in(inner, model)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_name_in(inner, model) for inner in value]
    return value


def report_invalid(body: Mapping[str, Any], error: InvalidSpecError, *, now: datetime) -> Report:
    """Report a spec that no schema could refuse: change nothing, wait for an event."""
    is_missing = isinstance(error, ParentMissingError)
    reason = CommonReason.WAITING_FOR_MODEL if is_missing else CommonReason.INVALID_SPEC
    told = _report_stopped(body, "False", reason, str(error), now=now)
    phase = _NOT_BEGUN.get(body["kind"])
    if phase is None or told.status.get("phase") not in {None, phase}:
        return told
    row = {"phase": phase, "reason": reason, "message": shorten(str(error))}
    return dataclasses.replace(told, status={**told.status, **row})


def report_refused(body: Mapping[str, Any], error: ClusterRefusalError, *, now: datetime) -> Report:
    """Report what the cluster refused to let us read; another can mend it."""
    return _report_stopped(body, "Unknown", CommonReason.CLUSTER_REFUSED, str(error), now=now)


def report_broken(body: Mapping[str, Any], error: Exception, *, now: datetime) -> Report:
    """Report a bug of ours, which would else stop the object in silence."""
    # Not the error's own words, which may have anything in them.
    message = (
        f"the operator has a bug ({type(error).__name__}) and cannot go on with this "
        f"{body['kind']}; it tries again, and its log has the details"
    )
    return _report_stopped(body, "Unknown", CommonReason.INTERNAL_ERROR, message, now=now)


def report_failures(
    body: Mapping[str, Any], report: Report, failures: tuple[Failure, ...], *, now: datetime
) -> Report:
    """Add what could not be written: a condition, one Event, and when to try again.

    The longer it lasts, the longer until the next try.  Where nothing ever failed, nothing is
    added; afterwards the condition says that it is over.
    """
    before = read_condition(body.get("status") or {}, APPLIED)
    if not failures and before is None:
        return report
    condition = _applied(body, failures)
    if before is not None and not _is_news(before, condition):
        # Sentences of trouble that passes differ each time, by a port or a moment.
        condition = condition.model_copy(update={"message": before.message})
    (dated,) = merge([before] if before else [], [condition], now=now)
    told = _with_condition(report, dated)
    if not failures:
        return told
    lasted = now - (dated.last_transition_time or now)
    retry = min(max(lasted, _SOONEST_RETRY), _LATEST_RETRY)
    was_told = before is not None and before.reason == condition.reason
    events = report.events
    if condition.reason in REFUSALS and not was_told:
        events += (Event(reason=condition.reason, message=condition.message, warning=True),)
    return dataclasses.replace(told, events=events).within(retry)


def report_upgrade(
    body: Mapping[str, Any], report: Report, held: str | None, *, now: datetime
) -> Report:
    """Add why pods are left as an earlier release made them, and afterwards that they are not."""
    told = _with_trouble(
        body,
        report,
        UPGRADED,
        held,
        reasons=(CommonReason.UPGRADE_WAITS, CommonReason.UPGRADED),
        over="the pods are as this release makes them",
        now=now,
    )
    return told if held is None else told.within(LOOK_AGAIN)


def report_login(
    body: Mapping[str, Any], report: Report, shared: str | None, *, now: datetime
) -> Report:
    """Add why the namespace has the operator's own login, and afterwards that it has not."""
    return _with_trouble(
        body,
        report,
        OWN_LOGIN,
        shared,
        reasons=(CommonReason.LOGIN_SHARED, CommonReason.OWN_LOGIN),
        over="the operator's own login to the database is not in the namespace",
        now=now,
    )


def report_unread(
    body: Mapping[str, Any], report: Report, unread: str | None, *, now: datetime
) -> Report:
    """Add that annotations ask for nothing, with one Event, and afterwards that they are gone."""
    before = read_condition(body.get("status") or {}, ANNOTATIONS_READ)
    stood = before is not None and before.status == "False"
    over = before.message if before is not None else ""
    told = _with_trouble(
        body,
        report,
        ANNOTATIONS_READ,
        unread,
        reasons=(CommonReason.REQUEST_REFUSED, CommonReason.ANNOTATIONS_READ),
        over=shorten(f"gone by now: {over}") if stood else over,
        now=now,
    )
    if unread is None or (stood and over == unread):
        return told
    event = Event(reason=CommonReason.REQUEST_REFUSED, message=unread, warning=True)
    return dataclasses.replace(told, events=(*told.events, event))


def _with_trouble(
    body: Mapping[str, Any],
    report: Report,
    kind: str,
    trouble: str | None,
    *,
    reasons: tuple[CommonReason, CommonReason],
    over: str,
    now: datetime,
) -> Report:
    """Add a condition that is False for this reason, or True for the other once that is over.

    Where there never was any trouble, nothing is added.
    """
    before = read_condition(body.get("status") or {}, kind)
    if trouble is None and before is None:
        return report
    condition = Condition(
        type=kind,
        status="True" if trouble is None else "False",
        reason=reasons[trouble is None],
        message=trouble or over,
        observed_generation=body["metadata"].get("generation"),
    )
    (dated,) = merge([before] if before else [], [condition], now=now)
    return _with_condition(report, dated)


def _with_condition(report: Report, condition: Condition) -> Report:
    """Put the condition in place of the one of its type."""
    told = report.status.get("conditions") or []
    others = [entry for entry in told if entry["type"] != condition.type]
    status = {**report.status, "conditions": [*others, condition.to_manifest()]}
    return dataclasses.replace(report, status=status)


def read_condition(status: Mapping[str, Any], kind: str) -> Condition | None:
    """Return the condition of this type."""
    told = (entry for entry in status.get("conditions") or [] if entry["type"] == kind)
    return next((Condition.model_validate(entry) for entry in told), None)


def read_failures(status: Mapping[str, Any]) -> tuple[Failure, ...]:
    """Return what the status of another object says could not be written."""
    said = read_condition(status, APPLIED)
    if said is None or said.status == "True":
        return ()
    failure = Failure(
        message=said.message,
        refused=said.reason in REFUSALS,
        taken=said.reason == CommonReason.NAME_TAKEN,
        login=said.reason == CommonReason.LOGIN_NOT_ALLOWED,
    )
    return (failure,)


def announce_pods(before: Iterable[Condition], now: Iterable[Condition]) -> tuple[Event, ...]:
    """Announce once that pods behind the address are missing, and that all are there again."""
    last, told = find_condition(before, PODS_READY), find_condition(now, PODS_READY)
    if told is None or told.reason == (last.reason if last is not None else PodsReason.READY):
        return ()
    return (Event(reason=told.reason, message=told.message, warning=told.status != "True"),)


def name_refusal(failures: Iterable[Failure]) -> CommonReason:
    """Return who refuses: the database alone, or the cluster."""
    refused = [failure for failure in failures if failure.refused]
    alone = all(failure.login for failure in refused)
    return CommonReason.LOGIN_NOT_ALLOWED if alone else CommonReason.CLUSTER_REFUSED


def _applied(body: Mapping[str, Any], failures: tuple[Failure, ...]) -> Condition:
    """Say whether the cluster took all that was written."""
    if not failures:
        reason, message = CommonReason.APPLIED, "the cluster has taken every object"
    elif any(failure.taken for failure in failures):
        reason, message = CommonReason.NAME_TAKEN, describe(failures)
    elif any(failure.refused for failure in failures):
        reason, message = name_refusal(failures), describe(failures)
    else:
        reason, message = CommonReason.CLUSTER_UNAVAILABLE, describe(failures)
    return Condition(
        type=APPLIED,
        status="False" if failures else "True",
        reason=reason,
        message=shorten(message),
        observed_generation=body["metadata"].get("generation"),
    )


def _is_news(before: Condition, condition: Condition) -> bool:
    return before.reason != condition.reason or condition.reason in REFUSALS


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
        message=shorten(message),
        observed_generation=body["metadata"].get("generation"),
    )
    others = tuple(condition for condition in old if condition.type != stopped.type)
    status["conditions"] = [
        condition.to_manifest() for condition in merge(old, (*others, stopped), now=now)
    ]
    was_told = any(condition.reason == reason for condition in old)
    event = Event(reason=reason, message=message, warning=True)
    return Report(status=status, events=() if was_told else (event,))


def build_event(body: Mapping[str, Any], event: Event, *, now: datetime) -> dict[str, Any]:
    """Build the Event object.

    Its name follows from the object's old state, so that a reconcile that was cut
    off and runs again announces the same thing once.
    """
    meta = body["metadata"]
    old = body.get("status") or {}
    cause = f"{meta['uid']}/{old.get('phase')}/{old.get('step')}/{old.get('since')}"
    digest = hashlib.sha256(f"{cause}/{event.reason}/{event.message}".encode()).hexdigest()[:16]
    moment = to_moment(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{digest}", "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
        },
        "reason": event.reason,
        "message": shorten(event.message, 1000),
        "type": "Warning" if event.warning else "Normal",
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": f"fairlead.dev/{FIELD_MANAGER}",
        "reportingInstance": FIELD_MANAGER,
        "action": event.reason,
        "firstTimestamp": moment[:-5] + "Z",
        "lastTimestamp": moment[:-5] + "Z",
        "count": 1,
    }
