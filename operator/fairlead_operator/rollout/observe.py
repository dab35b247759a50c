"""Cluster, registry and Prometheus into one frozen ``Seen``."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import ANNOTATION_ALERT
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.parent import Parent, read_parent
from fairlead_operator.ports import Ports
from fairlead_operator.requests import unanswered
from fairlead_operator.rollout.candidates import Candidates, resolve
from fairlead_operator.rollout.cluster import Cluster, look_at_cluster
from fairlead_operator.rollout.decision.capacity import Capacity
from fairlead_operator.rollout.decision.freeze import find_freeze
from fairlead_operator.rollout.decision.plan import Plan, compile_plan
from fairlead_operator.rollout.decision.states import (
    Arm,
    Cause,
    Gateway,
    Health,
    Observed,
    is_finished,
)
from fairlead_operator.rollout.evidence.gather import Case, Evidence, gather_evidence
from fairlead_operator.rollout.evidence.queries import GATEWAY, SERVERS
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.statistics.verdict import summarize, worst
from fairlead_operator.rollout.traffic.accepted import MISSING
from fairlead_operator.rollout.traffic.http_route import find_unsupported
from fairlead_operator.text import printable

_LONGEST_ALERT: Final = 500  # characters


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """What one look has read, before it is put into the words of the state machine."""

    name: str
    annotations: Mapping[str, str]
    spec: RolloutSpec
    status: RolloutStatus
    model: Parent
    policy: RolloutPolicy
    plan: Plan
    stable: VersionReference | None
    candidates: Candidates
    gateway: GatewaySpec
    cluster: Cluster
    evidence: Evidence
    alert: "_Alert | None"
    trips: Mapping[str, tuple[str, datetime] | None]  # what the fast guard said of each version

    @property
    def known_since(self) -> datetime | None:
        moments = [trip[1] for trip in self.trips.values() if trip]
        return min([*moments, *([self.alert.received] if self.alert else [])], default=None)


async def observe(body: Mapping[str, Any], ports: Ports) -> Seen:
    """Read everything once.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    meta = body["metadata"]
    namespace, annotations = meta["namespace"], meta.get("annotations") or {}
    spec = RolloutSpec.model_validate(body["spec"])
    status = _not_ahead(RolloutStatus.model_validate(body.get("status") or {}), ports.now())
    model = await read_parent(spec.model, namespace, ports.kube)
    policy = spec.policy or model.spec.rollout
    plan = _compile(policy, spec)
    stable = status.stable if status.phase else model.status.stable
    candidates = await resolve(spec.versions, status, f"{namespace}.{spec.model}", ports)
    gateway = _gateway(status, model.spec)
    cluster = await look_at_cluster(
        spec.model, namespace, ports.kube, gateway=gateway, now=ports.now()
    )
    case = Case(
        namespace=namespace,
        spec=spec,
        status=status,
        model=model.spec,
        policy=policy,
        steps=plan.steps,
        stable=stable.version if stable else "",
        series=GATEWAY if cluster.routed is None else SERVERS,
    )
    evidence = await gather_evidence(case, ports)
    read = _Read(
        name=meta["name"],
        annotations=annotations,
        spec=spec,
        status=status,
        model=model,
        policy=policy,
        plan=plan,
        stable=stable,
        candidates=candidates,
        gateway=gateway,
        cluster=cluster,
        evidence=evidence,
        alert=_Alert.read(annotations, spec, now=ports.now()),
        trips={version: cluster.trip(version, guard=meta["uid"]) for version in spec.versions},
    )
    return Seen(
        observed=_to_observed(read, now=ports.now()),
        status=status,
        model=model.body,
        spec=model.spec,
        policy=policy,
        gateway=gateway,
        routed=cluster.routed,
        uid=meta["uid"],
        candidates=candidates.references,
        stable=stable,
        servers=cluster.servers,
        judgments=evidence.judgments,
        measured_at=evidence.measured_at,
        next_measurement=evidence.next_measurement,
        known_since=read.known_since,
    )


def _to_observed(read: _Read, *, now: datetime) -> Observed:
    """What the decision may depend on.  Pure."""
    spec, status, model, policy = read.spec, read.status, read.model, read.policy
    stable = read.stable.version if read.stable else ""
    capacity = read.cluster.capacity(model.spec.serving.autoscaling, status, stable=stable)
    freeze = None if spec.goes_back else find_freeze(model.spec.freeze_windows, now)
    has_way_back = bool(stable) and stable not in spec.versions
    return Observed(
        now=now,
        phase=Phase(status.phase or Phase.PENDING),
        step=status.step,
        since=status.since or now,
        doubt_since=status.doubt_since,
        reason=Reason(status.reason or Reason.WAITING_FOR_TURN),
        message=status.message or "",
        has_turn=model.status.rollout == read.name,
        suspended=model.spec.suspend,
        frozen=freeze.message if freeze else None,
        frozen_until=freeze.until if freeze else None,
        stable=(
            read.cluster.stable(stable, needed=capacity.full if capacity else None)
            if has_way_back
            else None
        ),
        resolution=read.candidates.resolution,
        resolution_message=read.candidates.message,
        problem=read.evidence.problem,
        arms=tuple(_judged(arm, read) for arm in _arms(read, _needed(read, capacity))),
        winner=status.winner,
        trial=read.evidence.trial,
        leader=status.trial.leader if status.trial else None,
        gateway=_say_of_gateway(read),
        requests=unanswered(read.annotations, status.requests),
        plan=read.plan,
        guard=policy.guard.duration,
        patience=policy.patience,
        start_deadline=policy.start_deadline,
        approval_deadline=policy.approval_deadline,
        capacity=capacity,
        finished_at=status.finished_at,
    )


def _compile(policy: RolloutPolicy, spec: RolloutSpec) -> Plan:
    """Compile the plan in force.

    Raises:
        InvalidSpecError: it has no use for the Rollout's alternatives.
    """
    plan = compile_plan(policy, candidates=len(spec.versions))
    if spec.alternatives and not plan.takes_alternatives:
        raise InvalidSpecError(
            f"spec.alternatives: have no effect under strategy {policy.strategy} of the Model; "
            "give this Rollout a policy of its own with abTest or bandit"
        )
    return plan


def _not_ahead(status: RolloutStatus, now: datetime) -> RolloutStatus:
    """A clock that was set back must not let a hold or a measurement wait until it catches up."""
    names = ("since", "step_since", "doubt_since", "measured_at")
    known = {name: getattr(status, name) for name in names}
    return status.model_copy(
        update={name: min(moment, now) for name, moment in known.items() if moment is not None}
    )


def _gateway(status: RolloutStatus, model: ModelSpec) -> GatewaySpec:
    """What carries the traffic: in mid-rollout what it began with, else what the Model says now."""
    in_flight = status.phase is not None and not is_finished(Phase(status.phase))
    if in_flight and status.gateway is not None:
        return status.gateway
    return model.serving.gateway


def _say_of_gateway(read: _Read) -> Gateway:
    routed = read.cluster.routed
    if routed is None:
        return Gateway()
    return Gateway(
        missing=routed.message if routed is MISSING else None,
        unsupported=find_unsupported(read.policy, read.plan, read.gateway),
        message=routed.message,
    )


def _arms(read: _Read, needed: int | None) -> Iterator[Arm]:
    """The candidates, as the cluster and our last decision have them."""
    last = {entry.version: entry for entry in read.status.arms}
    for version in read.spec.versions:
        arm = read.cluster.arm(version, needed=needed)
        if not read.candidates.references:
            arm = dataclasses.replace(arm, health=Health.UNKNOWN, message="not in the registry yet")
        known = last.get(version)
        if known is None:
            yield dataclasses.replace(arm, asked=read.status.weight or 0)
            continue
        dropped = None
        if known.reason is not None:
            dropped = Cause(reason=Reason(known.reason), message=known.message or "")
        yield dataclasses.replace(arm, asked=known.weight, prepared=known.prepared, dropped=dropped)


def _needed(read: _Read, capacity: Capacity | None) -> int | None:
    """Pods with which a candidate counts as ready; None: as many as it is asked to have.

    An autoscaler asks for more at any moment, which is no doubt of the version.  What a weight
    needs is looked at when it is to be given (``holding``); only after a downtime it is now.
    """
    if capacity is None:
        return None
    has_none = read.status.phase in {None, Phase.PENDING, Phase.REPLACING}
    return capacity.full if has_none and not read.plan.compares else capacity.bounds.least


def _judged(arm: Arm, read: _Read) -> Arm:
    """The candidate with all that speaks for and against it."""
    judgments = read.evidence.analyses[arm.version].judgments
    alert, trip = read.alert, read.trips[arm.version]
    return dataclasses.replace(
        arm,
        verdict=worst(judgments),
        verdict_message=summarize(judgments),
        alert=alert.message if alert and alert.version == arm.version else None,
        tripped=trip[0] if trip else None,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Alert:
    """What Alertmanager said, as the webhook wrote it."""

    version: str
    message: str
    received: datetime

    @classmethod
    def read(
        cls, annotations: Mapping[str, str], spec: RolloutSpec, *, now: datetime
    ) -> "_Alert | None":
        text = annotations.get(ANNOTATION_ALERT)
        if text is None:
            return None
        try:
            document = json.loads(text)
            return cls(
                version=str(document.get("version", spec.version)),
                message=printable(document["message"], limit=_LONGEST_ALERT),
                received=datetime.fromisoformat(document["receivedAt"]).astimezone(UTC),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # Set by hand: what it says cannot be read, what it asks for can.
            return cls(
                version=spec.version, message=printable(text, limit=_LONGEST_ALERT), received=now
            )
