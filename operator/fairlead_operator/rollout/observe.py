"""Cluster, registry and Prometheus into one frozen ``Seen``."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.checks import Check
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.group import ANNOTATION_ALERT
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.parent import read_parent
from fairlead_operator.ports import Ports
from fairlead_operator.requests import unanswered
from fairlead_operator.rollout.analysis import Judgment, summarize, worst
from fairlead_operator.rollout.candidates import Candidates, resolve
from fairlead_operator.rollout.cluster import Cluster, look_at_cluster
from fairlead_operator.rollout.freeze import find_freeze
from fairlead_operator.rollout.httproute import MISSING, Routed, find_unsupported
from fairlead_operator.rollout.measure import Analysis, Look, analyze
from fairlead_operator.rollout.plan import Step, compile_plan
from fairlead_operator.rollout.queries import GATEWAY, SERVERS, Series
from fairlead_operator.rollout.scaling import Capacity
from fairlead_operator.rollout.states import (
    Arm,
    Cause,
    Gateway,
    Health,
    Observed,
    Phase,
    Reason,
    is_finished,
)
from fairlead_operator.rollout.tallies import TrialLook, run_trial
from fairlead_operator.rollout.templates import ChecksError, resolve_checks
from fairlead_operator.rollout.trial import Trial
from fairlead_operator.text import printable

_LONGEST_ALERT: Final = 500  # characters
_MEASURED: Final = frozenset({Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING})
_REFERENCE: Final = timedelta(minutes=1)  # least of the stable version's last minutes at 100 %


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out needs."""

    observed: Observed
    status: RolloutStatus
    model: Mapping[str, Any]
    spec: ModelSpec
    policy: RolloutPolicy
    gateway: GatewaySpec  # what carries the traffic
    routed: Routed | None  # what the cluster's own Gateways say; None with the built-in one
    uid: str  # of the Rollout: the id of its fast guard
    candidates: tuple[VersionReference, ...]  # empty until the registry has answered
    stable: VersionReference | None
    servers: Mapping[str, Mapping[str, Any]]  # the Deployment of each version of the Model
    judgments: tuple[tuple[str, Judgment], ...]  # with the version that was measured
    measured_at: datetime | None
    next_measurement: timedelta
    known_since: datetime | None  # when an alert or the fast guard spoke first


async def observe(body: Mapping[str, Any], ports: Ports) -> Seen:
    """Read everything once.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    meta = body["metadata"]
    namespace = meta["namespace"]
    annotations = meta.get("annotations") or {}
    spec = RolloutSpec.model_validate(body["spec"])
    status = _not_ahead(RolloutStatus.model_validate(body.get("status") or {}), ports.now())
    model = await read_parent(spec.model, namespace, ports.kube)
    policy = spec.policy or model.spec.rollout
    if spec.alternatives and policy.strategy not in {"abTest", "bandit"}:
        raise InvalidSpecError(
            f"spec.alternatives: have no effect under strategy {policy.strategy} of the Model; "
            "give this Rollout a policy of its own with abTest or bandit"
        )
    steps = compile_plan(policy, candidates=len(spec.versions))
    stable = status.stable if status.phase else model.status.stable
    has_way_back = stable is not None and stable.version not in spec.versions
    candidates = await resolve(spec.versions, status, f"{namespace}.{spec.model}", ports)
    gateway = _gateway(status, model.spec)
    cluster = await look_at_cluster(
        spec.model, namespace, ports.kube, gateway=gateway, now=ports.now()
    )
    series = GATEWAY if cluster.routed is None else SERVERS
    names = {
        "namespace": namespace,
        "model": spec.model,
        "stable": stable.version if stable else "",
    }
    checks = await _resolve_checks(policy, model.spec, namespace, status, ports)
    analyses = await _analyze(
        spec, status, policy, checks, names, steps=steps, series=series, ports=ports
    )
    trial = await _try_out(status, policy, names, series, ports) if _is_trial(steps) else None
    trips = {version: cluster.trip(version, guard=meta["uid"]) for version in spec.versions}
    capacity = cluster.capacity(
        model.spec.serving.autoscaling, status, stable=stable.version if stable else ""
    )
    needed = _needed(capacity, status, steps)
    freeze = None if spec.goes_back else find_freeze(model.spec.freeze_windows, ports.now())
    alert = _Alert.read(annotations, spec, now=ports.now())
    moments = [trip[1] for trip in trips.values() if trip] + ([alert.received] if alert else [])
    return Seen(
        observed=Observed(
            now=ports.now(),
            phase=Phase(status.phase or Phase.PENDING),
            step=status.step,
            since=status.since or ports.now(),
            doubt_since=status.doubt_since,
            reason=Reason(status.reason or Reason.WAITING_FOR_TURN),
            message=status.message or "",
            has_turn=model.status.rollout == meta["name"],
            suspended=model.spec.suspend,
            frozen=freeze.message if freeze else None,
            frozen_until=freeze.until if freeze else None,
            stable=(
                cluster.stable(stable.version, needed=capacity.full if capacity else None)
                if stable and has_way_back
                else None
            ),
            resolution=candidates.resolution,
            resolution_message=candidates.message,
            problem=checks if isinstance(checks, str) else None,
            arms=tuple(
                _judged(
                    _arm(version, cluster, candidates, status, needed),
                    analysis,
                    alert=alert.message if alert and alert.version == version else None,
                    trip=trips[version],
                )
                for version, analysis in analyses.items()
            ),
            winner=status.winner,
            trial=trial,
            leader=status.trial.leader if status.trial else None,
            gateway=_say_of_gateway(cluster.routed, policy),
            requests=unanswered(annotations, status.requests),
            steps=steps,
            guard=policy.guard.duration,
            patience=policy.patience,
            start_deadline=policy.start_deadline,
            approval_deadline=policy.approval_deadline,
            capacity=capacity,
            finished_at=status.finished_at,
        ),
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
        judgments=tuple(
            (version, judgment)
            for version, analysis in analyses.items()
            for judgment in analysis.judgments
        ),
        measured_at=max(
            (found.measured_at for found in analyses.values() if found.measured_at), default=None
        ),
        next_measurement=min(found.next_measurement for found in analyses.values()),
        known_since=min(moments, default=None),
    )


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


def _say_of_gateway(routed: Routed | None, policy: RolloutPolicy) -> Gateway:
    if routed is None:
        return Gateway()
    return Gateway(
        missing=routed.message if routed is MISSING else None,
        unsupported=find_unsupported(policy),
        message=routed.message,
    )


def _arm(
    version: str,
    cluster: Cluster,
    candidates: Candidates,
    status: RolloutStatus,
    needed: int | None,
) -> Arm:
    """One candidate, as the cluster and our last decision have it."""
    arm = cluster.arm(version, needed=needed)
    known = next((entry for entry in status.arms if entry.version == version), None)
    if not candidates.references:
        arm = dataclasses.replace(arm, health=Health.UNKNOWN, message="not in the registry yet")
    if known is None:
        return dataclasses.replace(arm, asked=status.weight or 0)
    dropped = None
    if known.reason is not None:
        dropped = Cause(reason=Reason(known.reason), message=known.message or "")
    return dataclasses.replace(arm, asked=known.weight, prepared=known.prepared, dropped=dropped)


def _needed(
    capacity: Capacity | None, status: RolloutStatus, steps: tuple[Step, ...]
) -> int | None:
    """Pods with which a candidate counts as ready; None: as many as it is asked to have.

    An autoscaler asks for more at any moment, which is no doubt of the version.  What a weight
    needs is looked at when it is to be given (``holding``); only after a downtime it is now.
    """
    if capacity is None:
        return None
    alone = any(step.exclusive for step in steps)
    has_none = status.phase in {None, Phase.PENDING, Phase.REPLACING}
    return capacity.full if alone and has_none else capacity.bounds.least


def _judged(
    arm: Arm, analysis: Analysis, *, alert: str | None, trip: tuple[str, datetime] | None
) -> Arm:
    """The candidate with all that speaks for and against it."""
    return dataclasses.replace(
        arm,
        verdict=worst(analysis.judgments),
        verdict_message=summarize(analysis.judgments),
        alert=alert,
        tripped=trip[0] if trip else None,
    )


async def _resolve_checks(
    policy: RolloutPolicy, spec: ModelSpec, namespace: str, status: RolloutStatus, ports: Ports
) -> tuple[Check, ...] | str:
    """The checks of every step, or why they are not known."""
    if is_finished(Phase(status.phase or Phase.PENDING)):
        return ()
    try:
        return await resolve_checks(policy, spec, namespace, ports.kube)
    except ChecksError as error:
        return str(error)[:1000]


async def _analyze(
    spec: RolloutSpec,
    status: RolloutStatus,
    policy: RolloutPolicy,
    checks: tuple[Check, ...] | str,
    names: Mapping[str, str],
    *,
    steps: tuple[Step, ...],
    series: Series,
    ports: Ports,
) -> dict[str, Analysis]:
    """The checks of each candidate, those of the present step beside the policy's."""
    now, interval = ports.now(), policy.analysis.interval
    in_play = _in_play(spec, status) if status.phase in _MEASURED else frozenset()
    step = steps[status.step] if status.step < len(steps) else None
    known = () if isinstance(checks, str) else checks
    looks = {
        version: Look(
            **names,
            version=version,
            checks=(*known, *(step.checks if step else ())),
            interval=interval,
            since=status.step_since or status.since or now,
            mirrored=step is not None and step.mirror > 0,
            stages=len(steps) + 1,
            reference=None if step else max(_REFERENCE, steps[-1].hold),
            problem=checks if isinstance(checks, str) else None,
            last=tuple(check for check in status.checks if check.version in {version, ""}),
            measured_at=status.measured_at,
            series=series,
        )
        for version in in_play
    }
    analyses = await asyncio.gather(
        *(analyze(look, ports=ports, now=now) for look in looks.values())
    )
    found = dict(zip(looks, analyses, strict=True))
    nothing = Analysis(judgments=(), measured_at=None, next_measurement=interval)
    return {version: found.get(version, nothing) for version in spec.versions}


def _in_play(spec: RolloutSpec, status: RolloutStatus) -> frozenset[str]:
    """The candidates that take part: the winner of a trial, or all that did not leave it."""
    if status.winner is not None:
        return frozenset({status.winner})
    left = {arm.version for arm in status.arms if arm.reason is not None}
    return frozenset(spec.versions) - left


async def _try_out(
    status: RolloutStatus,
    policy: RolloutPolicy,
    names: Mapping[str, str],
    series: Series,
    ports: Ports,
) -> Trial | None:
    """What the trial says, when it is one and due."""
    if status.phase not in {Phase.PROGRESSING, Phase.PAUSED} or status.step > 0:
        return None  # a trial is the only step of its plan
    now = ports.now()
    since = status.step_since or now
    known = status.trial
    passed = now - ((known and known.measured_at) or since)
    if timedelta(0) <= passed < policy.analysis.interval:
        return None  # not due; below zero the clock was set back
    shares = {arm.version: arm.weight for arm in status.arms}
    stable = names["stable"]
    look = TrialLook(
        namespace=names["namespace"],
        model=names["model"],
        stable=stable,
        versions=tuple(arm.version for arm in status.arms if arm.reason is None),
        shares=shares | {stable: 100 - sum(shares.values())},
        since=since,
        changed_at=(known and known.changed_at) or since,
        series=series,
    )
    return await run_trial(look, policy, ports=ports, now=now)


def _is_trial(steps: tuple[Step, ...]) -> bool:
    return any(step.trial is not None for step in steps)


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
