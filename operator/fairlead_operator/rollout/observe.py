"""Cluster, registry and Prometheus into one frozen ``Seen``."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import (
    ANNOTATION_ABORT,
    ANNOTATION_ALERT,
    ANNOTATION_APPROVE,
    GATEWAY_NAME,
)
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import component_labels, route_name, version_name
from fairlead_operator.parent import read_parent
from fairlead_operator.ports import Ports
from fairlead_operator.rollout.analysis import Judgment, summarize, worst
from fairlead_operator.rollout.health import read_health
from fairlead_operator.rollout.measure import Analysis, analyze
from fairlead_operator.rollout.state_machine import (
    Health,
    Observed,
    Phase,
    Reason,
    Resolution,
    Step,
)
from fairlead_operator.rollout.traffic import read_weight


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out needs."""

    observed: Observed
    status: RolloutStatus
    model: Mapping[str, Any]
    spec: ModelSpec
    candidate: VersionReference | None  # None until the registry has answered
    stable: VersionReference | None
    judgments: tuple[Judgment, ...]
    measured_at: datetime | None
    next_measurement: timedelta
    approval: str | None
    alert_received: datetime | None


async def observe(body: Mapping[str, Any], ports: Ports) -> Seen:
    """Read everything once.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    now = ports.now()
    spec = RolloutSpec.model_validate(body["spec"])
    status = RolloutStatus.model_validate(body.get("status") or {})
    meta = body["metadata"]
    namespace = meta["namespace"]
    model = await read_parent(spec.model, namespace, ports.kube)
    policy = spec.policy or model.spec.rollout
    stable = status.stable if status.phase else model.status.stable
    candidate = await _resolve(spec, status, namespace, ports)
    pods = await _look_at_pods(spec, candidate, namespace, ports)
    names = {
        "namespace": namespace,
        "model": spec.model,
        "version": spec.version,
        "stable": stable.version if stable else "",
    }
    analysis = await analyze(status, policy, names, ports=ports, now=now)
    asked = _read_requests(meta.get("annotations") or {})
    place = _Place(
        has_turn=model.status.rollout == meta["name"],
        suspended=model.spec.suspend,
        has_stable=stable is not None and stable.version != spec.version,
    )
    return Seen(
        observed=_observed(
            status, policy, candidate, pods, analysis, asked=asked, place=place, now=now
        ),
        status=status,
        model=model.body,
        spec=model.spec,
        candidate=candidate.reference,
        stable=stable,
        judgments=analysis.judgments,
        measured_at=analysis.measured_at,
        next_measurement=analysis.next_measurement,
        approval=asked.approval,
        alert_received=asked.alert_received,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """What the registry says."""

    reference: VersionReference | None
    resolution: Resolution
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Pods:
    """What the cluster says of the candidate."""

    health: Health
    message: str
    weight: int | None  # what every gateway pod reports


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Requests:
    """What people and Alertmanager asked for."""

    abort: str | None
    approval: str | None
    alert: str | None
    alert_received: datetime | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What the Model says of this Rollout."""

    has_turn: bool
    suspended: bool
    has_stable: bool


def _observed(
    status: RolloutStatus,
    policy: RolloutPolicy,
    candidate: _Candidate,
    pods: _Pods,
    analysis: Analysis,
    *,
    asked: _Requests,
    place: _Place,
    now: datetime,
) -> Observed:
    return Observed(
        now=now,
        phase=Phase(status.phase or Phase.PENDING),
        step=status.step,
        since=status.since or now,
        doubt_since=status.doubt_since,
        reason=Reason(status.reason or Reason.WAITING_FOR_TURN),
        message=status.message or "",
        has_turn=place.has_turn,
        suspended=place.suspended,
        has_stable=place.has_stable,
        resolution=candidate.resolution,
        candidate=pods.health,
        candidate_message=candidate.message or pods.message,
        weight=pods.weight,
        verdict=worst(analysis.judgments),
        verdict_message=summarize(analysis.judgments),
        alert=asked.alert,
        abort=asked.abort,
        approved=asked.approval is not None and asked.approval != status.handled_approval,
        steps=tuple(Step(weight=s.weight, hold=s.hold, pause=s.pause) for s in policy.steps),
        guard=policy.guard.duration,
        patience=policy.patience,
        start_deadline=policy.start_deadline,
    )


async def _resolve(
    spec: RolloutSpec, status: RolloutStatus, namespace: str, ports: Ports
) -> _Candidate:
    """The candidate's registration, looked up once and kept: a deleted one changes nothing."""
    if status.candidate is not None:
        return _Candidate(reference=status.candidate, resolution=Resolution.FOUND)
    registered_model = f"{namespace}.{spec.model}"
    try:
        found = await ports.registry.find_version(registered_model, spec.version)
    except TransientError as error:
        return _Candidate(reference=None, resolution=Resolution.UNAVAILABLE, message=str(error))
    if found is None:
        problem = (
            f"MLflow has no version of {registered_model} with the tag "
            f"fairlead.version={spec.version}; register it or choose another"
        )
        return _Candidate(reference=None, resolution=Resolution.MISSING, message=problem)
    if not found.digest:
        problem = (
            f"{registered_model} {spec.version} (registry version {found.registry_version}) "
            "has no tag fairlead.digest; set it to the artifact's digest"
        )
        return _Candidate(reference=None, resolution=Resolution.MISSING, message=problem)
    reference = VersionReference(
        version=spec.version, registry_version=found.registry_version, digest=found.digest
    )
    return _Candidate(reference=reference, resolution=Resolution.FOUND)


async def _look_at_pods(
    spec: RolloutSpec, candidate: _Candidate, namespace: str, ports: Ports
) -> _Pods:
    """The candidate's pods, and the weight the gateway really gives it."""
    kube = ports.kube
    labels = component_labels("server", spec.model, spec.version)
    deployment, pods, route, applied, gateways = await asyncio.gather(
        kube.get("Deployment", namespace, version_name(spec.model, spec.version)),
        kube.list("Pod", namespace, labels),
        kube.get("ConfigMap", namespace, route_name(spec.model)),
        kube.get("ConfigMap", namespace, GATEWAY_NAME),
        kube.list("Pod", namespace, component_labels("gateway")),
    )
    reports = (applied or {}).get("data") or {}
    weight = read_weight(
        route,
        reports,
        model=spec.model,
        version=spec.version,
        gateway_pods=[
            pod["metadata"]["name"] for pod in gateways if _may_serve(pod, spec.model, reports)
        ],
    )
    if candidate.reference is None:
        return _Pods(health=Health.UNKNOWN, message="not in the registry yet", weight=weight)
    health, message = read_health(deployment, pods)
    return _Pods(health=health, message=message, weight=weight)


def _may_serve(pod: Mapping[str, Any], model: str, reports: Mapping[str, str]) -> bool:
    """Whether a gateway pod may answer clients: it is ready, or was once and still runs.

    A pod whose agent died still serves the routes it last had.
    """
    status = pod.get("status") or {}
    if status.get("phase") != "Running" or pod["metadata"].get("deletionTimestamp"):
        return False
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
    return ready or f"{model}.{pod['metadata']['name']}" in reports


def _read_requests(annotations: Mapping[str, str]) -> _Requests:
    alert = annotations.get(ANNOTATION_ALERT)
    document = {} if alert is None else json.loads(alert)  # as the webhook wrote it
    return _Requests(
        abort=annotations.get(ANNOTATION_ABORT),
        approval=annotations.get(ANNOTATION_APPROVE),
        alert=document.get("message"),
        alert_received=datetime.fromisoformat(document["receivedAt"]) if document else None,
    )
