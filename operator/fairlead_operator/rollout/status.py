"""A decision into status, conditions and events.  Pure."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from fairlead_contract.cluster import GATEWAY_AGENT_PORT
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.conditions import (
    AUTOSCALED,
    PODS_READY,
    RECORDED,
    Condition,
    merge,
)
from fairlead_operator.api.events import Event
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import ANNOTATION_ALERT, GATEWAY_NAME
from fairlead_operator.api.phases.common import CommonReason
from fairlead_operator.api.phases.rollout import (
    BEFORE_TRAFFIC,
    AlertReason,
    AutoscalerReason,
    EventReason,
    Phase,
    Reason,
    RouteReason,
    SignatureReason,
)
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.kube.metadata import preview_name
from fairlead_operator.kube.pods import read_refusal
from fairlead_operator.report import Report, announce_pods
from fairlead_operator.requests import announce_refusals, record
from fairlead_operator.rollout.arms import (
    observed_weight,
    report_arms,
    report_trial,
)
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.pods_first import floors
from fairlead_operator.rollout.decision.progress import answer_by, describe_progress, holds_until
from fairlead_operator.rollout.decision.schedule import UNCONFIRMED, look_again
from fairlead_operator.rollout.decision.states import (
    Decision,
    in_seconds,
    is_finished,
    present_step,
    reported,
)
from fairlead_operator.rollout.evidence.judgment import to_status
from fairlead_operator.rollout.presence import Pods, Presence, find_presence
from fairlead_operator.rollout.seen import SIGNATURE_CHANGED, Seen
from fairlead_operator.text import shorten, write_list

_SIGNATURE_STATUS: Final = {
    SignatureReason.CHANGED: "True",
    SignatureReason.UNCHANGED: "False",
    SignatureReason.UNREADABLE: "Unknown",
}
ALERT_READ: Final = "AlertRead"  # False while the annotation of an alert is nobody's
_UNCONFIRMED: Final = (
    f"a pod has not confirmed the route for {in_seconds(UNCONFIRMED)}, and traffic may be as it "
    f"was; see the log of the agent in the pods {GATEWAY_NAME}, and its /healthz at port "
    f"{GATEWAY_AGENT_PORT}"
)
_BACK: Final = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})


def report(
    body: Mapping[str, Any],
    seen: Seen,
    decision: Decision,
    *,
    unscaled: str | None = None,
    unrouted: bool = False,
) -> Report:
    """Say what the object says after this reconcile.

    ``unscaled`` is why no autoscaler could be made, and ``unrouted`` that the cluster has not taken
    the route: then no gateway is at fault for what it gives.
    """
    old, now = seen.case.status, seen.case.now
    entered = _entered(seen, decision)
    step_since = _step_since(seen, decision)
    arms = report_arms(seen, decision, begins=step_since == now)
    presence = _presence(seen, decision, unrouted=unrouted)
    since = now if entered else old.since or now
    step = present_step(seen.observed.plan, decision.phase, decision.step)
    status = RolloutStatus(
        phase=decision.phase,
        strategy=_strategy(seen),
        step=decision.step,
        progress=describe_progress(decision, len(seen.observed.steps)),
        since=since,
        holds_until=holds_until(seen.observed, decision, since),
        answer_by=answer_by(seen.observed, decision, since),
        step_since=step_since,
        unconfirmed_since=_unconfirmed_since(seen, decision),
        doubt_since=(old.doubt_since or now) if decision.doubtful else None,
        weight=decision.weight,
        observed_weight=observed_weight(arms),
        mirror=decision.mirror or None,
        sticky=step.sticky if step is not None else None,
        preview=_preview(seen, step),
        gateway=_gateway(seen),
        arms=arms,
        trial=report_trial(seen, decision),
        capacity=seen.observed.capacity.full if seen.observed.capacity else None,
        winner=decision.winner,
        live_since=old.live_since or (now if decision.weight > 0 else None),
        peak_weight=max(old.peak_weight, decision.weight),
        recorded=old.recorded,
        measured=seen.observed.measured,
        stable=seen.case.stable,
        candidate=_candidate(seen, decision),
        reason=decision.reason,
        message=shorten(decision.message),
        started_at=old.started_at or now,
        finished_at=(old.finished_at or now) if is_finished(decision.phase) else None,
        requests=record(
            old.requests, decision.answers, body["metadata"].get("annotations") or {}, now=now
        ),
        triggered_at=_triggered_at(seen, decision),
        reaction_seconds=_reaction_seconds(seen, decision),
        conditions=merge(
            old.conditions, _conditions(body, seen, decision, unscaled, presence), now=now
        ),
        **_measurements(seen, decision, entered=entered),
    )
    if is_finished(seen.observed.phase) and not seen.observed.has_turn:
        status = _keep_end(old, status)
    return Report(
        status=status.to_manifest(),
        events=(
            *_events(seen, decision, status),
            *announce_pods(old.conditions, status.conditions),
        ),
        look_again=look_again(
            seen.observed,
            decision,
            next_measurement=seen.next_measurement,
            unscaled=unscaled is not None,
            incomplete=presence is not None and not presence.complete,
            refused=any(read_refusal(server) is not None for server in seen.servers.values()),
            unstarted=seen.unstarted,
        ),
    )


def _keep_end(old: RolloutStatus, now: RolloutStatus) -> RolloutStatus:
    """Leave what it ended with: the traffic, pods and spec of by now are of another's rollout."""
    return old.model_copy(
        update={
            "requests": now.requests,
            "conditions": now.conditions,
            "unconfirmed_since": now.unconfirmed_since,
        }
    )


def _strategy(seen: Seen) -> str:
    """Return the strategy it began with; before it has begun, that of the policy in force."""
    old = seen.case.status
    began = old.phase not in {None, Phase.PENDING}
    return (old.strategy if began else None) or seen.case.policy.strategy


def _gateway(seen: Seen) -> GatewaySpec | None:
    """Return what carries the traffic; None while every host name of it is another Model's."""
    gateway = seen.case.gateway
    return gateway if gateway.kind == "BuiltIn" or gateway.hostnames else None


def _preview(seen: Seen, step: Step | None) -> str | None:
    """Say where the candidate can be tried, while the route has a preview."""
    case = seen.case
    if step is None or not step.preview:
        return None
    if case.gateway.kind == "BuiltIn":
        return f"http://{preview_name(case.owner.name)}.{case.namespace}"
    return f"http://{case.gateway.preview_hostnames[0]}" if case.gateway.preview_hostnames else None


def _measurements(seen: Seen, decision: Decision, *, entered: bool) -> dict[str, Any]:
    """Keep the last measurements; a new step starts without any, so that it must prove itself.

    A rollback keeps what it was decided on.
    """
    if is_finished(decision.phase) or decision.phase is Phase.ROLLING_BACK:
        kept = seen.judgments or ()
        if not kept:
            old = seen.case.status
            return {
                "checks": old.checks,
                "verdict": old.verdict,
                "measured_at": old.measured_at,
            }
    elif entered:
        return {"checks": (), "verdict": None, "measured_at": None}
    checks = tuple(to_status(judgment, version) for version, judgment in seen.judgments)
    verdict = seen.observed.candidate.verdict if seen.judgments else None
    return {"checks": checks, "verdict": verdict, "measured_at": seen.measured_at}


def _step_since(seen: Seen, decision: Decision) -> datetime | None:
    """Return when the step began: a pause leaves it, so that what was counted still counts."""
    in_step = decision.phase not in BEFORE_TRAFFIC and not is_finished(decision.phase)
    if not in_step:
        return None
    same = decision.step == seen.case.status.step and seen.observed.phase not in BEFORE_TRAFFIC
    return (seen.case.status.step_since if same else None) or seen.case.now


def _candidate(seen: Seen, decision: Decision) -> VersionReference | None:
    """Return the winner of a trial, else the Rollout's own version."""
    for reference in seen.candidates:
        if decision.winner in {None, reference.version}:
            return reference
    return seen.case.status.candidate


def _triggered_at(seen: Seen, decision: Decision) -> datetime | None:
    """Return when the cause came: the webhook's receipt, the gateway's trip, the measurement."""
    if decision.phase not in _BACK:
        return None
    if seen.case.status.triggered_at is not None:
        return seen.case.status.triggered_at
    if decision.reason in {Reason.ALERT_FIRED, Reason.GUARD_TRIPPED} and seen.known_since:
        return seen.known_since
    return seen.case.now


def _reaction_seconds(seen: Seen, decision: Decision) -> float | None:
    """Measure from the cause until every gateway pod reported zero weight."""
    if seen.case.status.reaction_seconds is not None or decision.phase is not Phase.ROLLED_BACK:
        return seen.case.status.reaction_seconds
    triggered = _triggered_at(seen, decision)
    if triggered is None:
        return None
    return round((seen.case.now - triggered).total_seconds(), 3)


def _unconfirmed_since(seen: Seen, decision: Decision) -> datetime | None:
    """Return since when the gateway's pods have not all confirmed what they should give."""
    has_route = decision.weight or seen.case.stable_version
    if not seen.observed.has_turn or not has_route or decision.phase in BEFORE_TRAFFIC:
        return None
    if reported(seen.observed, decision.shares):
        return None
    return seen.case.status.unconfirmed_since or seen.case.now


def _is_late(seen: Seen, decision: Decision) -> bool:
    """Tell whether what the gateways should give is unconfirmed for long."""
    since = _unconfirmed_since(seen, decision)
    return since is not None and seen.case.now - since >= UNCONFIRMED


def _confirming(seen: Seen, decision: Decision, *, unrouted: bool) -> Pods | None:
    """Return the gateway's pods; where one has left a route unconfirmed too long, say so."""
    gateway = seen.gateway
    if gateway is None or gateway.obstacle or unrouted or not _is_late(seen, decision):
        return gateway
    return dataclasses.replace(gateway, obstacle=_UNCONFIRMED)


def _presence(seen: Seen, decision: Decision, *, unrouted: bool) -> Presence | None:
    """Tell whether those with traffic answer; None before there are any, and of another's turn."""
    stable = seen.case.stable_version
    with_traffic = [version for version, share in decision.shares if share]
    if not seen.observed.has_turn or not (with_traffic or stable):
        return None
    shared = bool(stable) and decision.weight < 100
    return find_presence(
        seen.pods,
        in_charge=[stable] if shared else with_traffic,
        beside=[version for version in with_traffic if shared and version != stable],
        gateway=_confirming(seen, decision, unrouted=unrouted),
        routed=seen.routed,
        is_late=_is_late(seen, decision) and not unrouted,
    )


def _conditions(
    body: Mapping[str, Any],
    seen: Seen,
    decision: Decision,
    unscaled: str | None,
    presence: Presence | None,
) -> tuple[Condition, ...]:
    """Build Succeeded and Progressing, and what else there is to say."""
    generation = body["metadata"].get("generation")
    succeeded = {Phase.SUCCEEDED: "True", Phase.ROLLED_BACK: "False"}.get(decision.phase, "Unknown")
    moving = not is_finished(decision.phase) and decision.phase is not Phase.PAUSED

    def condition(
        kind: str, status: str, reason: str = decision.reason, message: str = decision.message
    ) -> Condition:
        return Condition.model_validate(
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": shorten(message),
                "observedGeneration": generation,
            }
        )

    conditions = [
        condition("Succeeded", succeeded),
        condition("Progressing", "True" if moving else "False"),
    ]
    if presence is not None:
        complete = "True" if presence.complete else "False"
        conditions.append(condition(PODS_READY, complete, presence.reason, presence.message))
    conditions += _signature_condition(seen, generation)
    if seen.case.unrecorded is not None:
        reason = CommonReason.LOGIN_NOT_ALLOWED
        conditions.append(condition(RECORDED, "False", reason, seen.case.unrecorded))
    if seen.unreadable_alert is not None:
        told = f"the annotation {ANNOTATION_ALERT} asks for nothing: {seen.unreadable_alert}"
        ways = "`fairlead abort MODEL` takes the rollout back"
        conditions.append(condition(ALERT_READ, "False", AlertReason.UNREADABLE, f"{told}; {ways}"))
    if seen.routed is not None:
        accepted = "True" if seen.routed.reason is RouteReason.ACCEPTED else "False"
        conditions.append(condition("Routed", accepted, seen.routed.reason, seen.routed.message))
    if seen.observed.capacity is None or not seen.observed.has_turn:
        return tuple(conditions)
    return (*conditions, condition(AUTOSCALED, *_scaled(seen, decision, unscaled)))


def _scaled(seen: Seen, decision: Decision, unscaled: str | None) -> tuple[str, str, str]:
    """Say whether the pods follow the load: status, reason and message."""
    if unscaled is not None:
        return "False", AutoscalerReason.MISSING, unscaled
    fewest = floors(seen.observed, decision)
    capacity = seen.observed.capacity
    stopped = _of(fewest, capacity.stopped if capacity else {})
    if stopped:
        return "False", AutoscalerReason.STOPPED, f"pods do not follow the load: {stopped}"
    limited = _of(fewest, seen.limited)
    if limited:
        return "True", AutoscalerReason.LIMITED, f"no more pods than maxReplicas: {limited}"
    held = write_list((f"{version}: {pods}" for version, pods in fewest.items()), between=", ")
    return "True", AutoscalerReason.APPLIED, f"minimum pods of {held}"


def _of(versions: Iterable[str], words: Mapping[str, str]) -> str:
    """Join what is said of these versions."""
    return write_list(words[version] for version in versions if version in words)


def _signature_condition(seen: Seen, generation: int | None) -> list[Condition]:
    """Say what the candidates change for callers; what was said once stays."""
    change = seen.signatures
    if change is None:
        return [last for last in seen.case.status.conditions if last.type == SIGNATURE_CHANGED]
    status = _SIGNATURE_STATUS[change.reason]
    condition = {
        "type": SIGNATURE_CHANGED,
        "status": status,
        "reason": change.reason,
        "message": shorten(change.message),
        "observedGeneration": generation,
    }
    return [Condition.model_validate(condition)]


def _events(seen: Seen, decision: Decision, status: RolloutStatus) -> tuple[Event, ...]:
    """Announce each transition by one event, with the numbers, and a changed signature by one."""
    changed = seen.signatures
    told: tuple[Event, ...] = ()
    if changed is not None and changed.reason is SignatureReason.CHANGED:
        told = (Event(reason=changed.reason, message=changed.message, warning=changed.refuses),)
    return (
        *announce_refusals(decision.answers),
        *told,
        *_unreadable_alert(seen, status),
        *_transition(seen, decision, status),
    )


def _unreadable_alert(seen: Seen, status: RolloutStatus) -> tuple[Event, ...]:
    """Announce an alert that nobody can read, once."""
    known = any(condition.type == ALERT_READ for condition in seen.case.status.conditions)
    return tuple(
        Event(reason=AlertReason.UNREADABLE, message=condition.message, warning=True)
        for condition in status.conditions
        if condition.type == ALERT_READ and not known
    )


def _transition(seen: Seen, decision: Decision, status: RolloutStatus) -> tuple[Event, ...]:
    old = seen.case.status
    entered = _entered(seen, decision)
    dropped = tuple(
        Event(
            reason=cause.reason,
            message=f"{version} left the trial: {cause.message}",
            warning=True,
        )
        for version, cause in decision.dropped
        if all(arm.reason is None for arm in old.arms if arm.version == version)
    )
    if not entered or decision.reason is Reason.WAITING_FOR_TURN:
        return dropped  # waiting for the turn is the usual first moment of every rollout
    if decision.phase is Phase.ROLLED_BACK and seen.observed.phase is Phase.ROLLING_BACK:
        message = f"no traffic on the candidate {status.reaction_seconds:g} s after the cause"
        message = f"{message}: {decision.message}"
        return (*dropped, Event(reason=EventReason.ROLLED_BACK, message=message, warning=True))
    candidate = " and ".join(arm.version for arm in seen.observed.playing)
    message = f"{candidate} at {decision.weight} %: {decision.message}"
    warning = decision.phase in _BACK | {Phase.PAUSED, Phase.REPLACING}
    return (*dropped, Event(reason=decision.reason, message=message, warning=warning))


def _entered(seen: Seen, decision: Decision) -> bool:
    """Tell whether this decision begins a phase or a step."""
    old = seen.case.status
    return (
        old.phase is None
        or (decision.phase, decision.step) != (old.phase, old.step)
        or decision.restart
    )
