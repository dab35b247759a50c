"""What of a Rollout goes into the record: its start, and how it ended.  Pure.

An entry is told from the status that was written, never from a decision that is not: a
crash repeats the same entry, and the record keeps one of each.  ``status.recorded`` says
which is there.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.group import ANNOTATION_REQUEST
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.api.phases.common import RequestOutcome
from fairlead_operator.api.phases.rollout import BY_HAND, Phase, Reason, Transition, Trigger
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.requests import Action, parse_request

_ENDS: Final = {Phase.SUCCEEDED: Transition.PROMOTED, Phase.ROLLED_BACK: Transition.ROLLED_BACK}
_CAUSES: Final = {Reason.ALERT_FIRED: "Alertmanager", Reason.GUARD_TRIPPED: "gateway"}


def due_entry(body: Mapping[str, Any], status: RolloutStatus) -> HistoryEntry | None:
    """Return the entry for where the Rollout stands, unless it is recorded or there is none."""
    phase = Phase(status.phase or Phase.PENDING)
    transition = _ENDS.get(phase) or (Transition.STARTED if status.live_since else None)
    if transition is None or status.recorded == transition or status.started_at is None:
        return None
    meta, spec = body["metadata"], body["spec"]
    ended = status.finished_at if transition != Transition.STARTED else None
    trigger = Trigger(spec.get("trigger", Trigger.HAND))
    return HistoryEntry(
        namespace=meta["namespace"],
        model=spec["model"],
        rollout=meta["name"],
        rollout_uid=meta["uid"],
        transition=transition,
        at=ended or status.live_since or status.started_at,
        version=status.candidate.version if status.candidate else spec["version"],
        stable=status.stable.version if status.stable else "",
        began=status.live_since,
        ended=ended if transition is Transition.ROLLED_BACK and status.live_since else None,
        weight=status.peak_weight,
        trigger=str(trigger),
        by=_by(meta, status, trigger),
        reason=status.reason or "",
        message=status.message or "",
        numbers=_numbers(status),
    )


def _by(meta: Mapping[str, Any], status: RolloutStatus, trigger: Trigger) -> str:
    """Name the person who decided it or asked for it, else what did."""
    for request in reversed(status.requests):
        decides = request.action in {Action.ABORT, Action.PROMOTE}
        if decides and request.outcome == RequestOutcome.ACCEPTED and request.by:
            return request.by
    if status.reason in _CAUSES:
        return _CAUSES[Reason(status.reason)]
    if trigger in BY_HAND:
        asked = (meta.get("annotations") or {}).get(ANNOTATION_REQUEST, "")
        return parse_request(Action.PROMOTE, asked).by or "a person"
    return "spec.version" if trigger is Trigger.PINNED else "operator"


def _numbers(status: RolloutStatus) -> dict[str, Any]:
    """Return what it was decided on, as JSON."""
    checks = [
        check.model_dump(mode="json", by_alias=True, exclude_none=True) for check in status.checks
    ]
    numbers: dict[str, Any] = {"checks": checks}
    if status.candidate is not None and status.candidate.digest:
        # By which a Model that is applied again knows what its versions were.
        numbers["registryVersion"] = status.candidate.registry_version
        numbers["digest"] = status.candidate.digest
    if status.reaction_seconds is not None:
        numbers["reactionSeconds"] = status.reaction_seconds
    return numbers
