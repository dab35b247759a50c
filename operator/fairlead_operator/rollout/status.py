"""A decision into status, conditions and events.  Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fairlead_operator.api.conditions import Condition, merge
from fairlead_operator.api.events import Event
from fairlead_operator.api.rollout import CheckStatus, RolloutStatus
from fairlead_operator.report import Report
from fairlead_operator.rollout.observe import Seen
from fairlead_operator.rollout.schedule import look_again
from fairlead_operator.rollout.state_machine import Decision, Phase, Reason, is_finished

_BACK: Final = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def report(body: Mapping[str, Any], seen: Seen, decision: Decision) -> Report:
    """What the object says after this reconcile."""
    old, now = seen.status, seen.observed.now
    entered = (
        old.phase is None
        or (decision.phase, decision.step) != (old.phase, old.step)
        or decision.restart
    )
    approved = seen.observed.approved and entered
    status = RolloutStatus(
        phase=decision.phase,
        step=decision.step,
        since=now if entered else old.since,
        doubt_since=(old.doubt_since or now) if decision.doubtful else None,
        weight=decision.weight,
        observed_weight=_observed_weight(seen, decision),
        stable=seen.stable,
        candidate=seen.candidate,
        reason=decision.reason,
        message=decision.message[:1024],
        started_at=old.started_at or now,
        finished_at=(old.finished_at or now) if is_finished(decision.phase) else None,
        handled_approval=seen.approval if approved else old.handled_approval,
        triggered_at=_triggered_at(seen, decision),
        reaction_seconds=_reaction_seconds(seen, decision),
        conditions=merge(old.conditions, _conditions(body, decision), now=now),
        **_measurements(seen, decision, entered=entered),
    )
    return Report(
        status=status.to_manifest(),
        events=_events(seen, decision, status) if entered else (),
        look_again=look_again(seen.observed, decision, next_measurement=seen.next_measurement),
    )


def _measurements(seen: Seen, decision: Decision, *, entered: bool) -> dict[str, Any]:
    """The last measurements; a new step starts without any, so that it must prove itself.

    A rollback keeps what it was decided on.
    """
    if is_finished(decision.phase) or decision.phase is Phase.ROLLING_BACK:
        kept = seen.judgments or ()
        if not kept:
            old = seen.status
            return {
                "checks": old.checks,
                "verdict": old.verdict,
                "measured_at": old.measured_at,
            }
    elif entered:
        return {"checks": (), "verdict": None, "measured_at": None}
    checks = tuple(
        CheckStatus(
            name=judgment.name,
            verdict=judgment.verdict,
            value=judgment.value,
            samples=judgment.samples,
            failures=judgment.failures,
            message=judgment.message[:1024],
        )
        for judgment in seen.judgments
    )
    verdict = seen.observed.verdict if seen.judgments else None
    return {"checks": checks, "verdict": verdict, "measured_at": seen.measured_at}


def _observed_weight(seen: Seen, decision: Decision) -> int | None:
    """What the gateway reports; of a version that was never routed, nothing is 0."""
    if seen.observed.phase is Phase.PENDING and decision.phase is not Phase.SUCCEEDED:
        return 0
    return seen.observed.weight


def _triggered_at(seen: Seen, decision: Decision) -> datetime | None:
    """When the cause of the rollback was known: the webhook's receipt, or the measurement."""
    if decision.phase not in _BACK:
        return None
    if seen.status.triggered_at is not None:
        return seen.status.triggered_at
    if decision.reason is Reason.ALERT_FIRED and seen.alert_received is not None:
        return seen.alert_received
    return seen.observed.now


def _reaction_seconds(seen: Seen, decision: Decision) -> float | None:
    """From the cause until every gateway pod reported zero weight."""
    if seen.status.reaction_seconds is not None or decision.phase is not Phase.ROLLED_BACK:
        return seen.status.reaction_seconds
    triggered = _triggered_at(seen, decision)
    if triggered is None:
        return None
    return round((seen.observed.now - triggered).total_seconds(), 3)


def _conditions(body: Mapping[str, Any], decision: Decision) -> tuple[Condition, ...]:
    generation = body["metadata"].get("generation")
    succeeded = {Phase.SUCCEEDED: "True", Phase.ROLLED_BACK: "False"}.get(decision.phase, "Unknown")
    moving = not is_finished(decision.phase) and decision.phase is not Phase.PAUSED
    message = decision.message[:1024]

    def condition(kind: str, status: str) -> Condition:
        return Condition.model_validate(
            {
                "type": kind,
                "status": status,
                "reason": decision.reason,
                "message": message,
                "observedGeneration": generation,
            }
        )

    return (
        condition("Succeeded", succeeded),
        condition("Progressing", "True" if moving else "False"),
    )


def _events(seen: Seen, decision: Decision, status: RolloutStatus) -> tuple[Event, ...]:
    """One event for each transition, with the numbers."""
    if decision.reason is Reason.WAITING_FOR_TURN:
        return ()  # the usual first moment of every rollout
    if decision.phase is Phase.ROLLED_BACK and seen.observed.phase is Phase.ROLLING_BACK:
        message = f"no traffic on the candidate {status.reaction_seconds:g} s after the cause"
        return (Event(reason="RolledBack", message=f"{message}: {decision.message}", warning=True),)
    candidate = seen.candidate.version if seen.candidate else "candidate"
    message = f"{candidate} at {decision.weight} %: {decision.message}"
    warning = decision.phase in _BACK or decision.phase is Phase.PAUSED
    return (Event(reason=decision.reason, message=message, warning=warning),)
