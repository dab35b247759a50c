"""Cluster, registry and Prometheus into one frozen ``Seen``."""

import asyncio
import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import (
    ANNOTATION_ABORT,
    ANNOTATION_ALERT,
    ANNOTATION_APPROVE,
    GATEWAY_NAME,
)
from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.api.policy import Check, RolloutPolicy
from fairlead_operator.api.rollout import CheckStatus, RolloutSpec, RolloutStatus
from fairlead_operator.errors import InvalidSpecError, TransientError
from fairlead_operator.kube.metadata import component_labels, route_name, version_name
from fairlead_operator.ports import Ports
from fairlead_operator.rollout import queries
from fairlead_operator.rollout.analysis import (
    Bounds,
    Judgment,
    Measurement,
    Verdict,
    judge,
    summarize,
    worst,
)
from fairlead_operator.rollout.health import read_health
from fairlead_operator.rollout.state_machine import (
    Health,
    Observed,
    Phase,
    Reason,
    Resolution,
    Step,
)
from fairlead_operator.rollout.traffic import read_weight

_MIN_SAMPLES = 20


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
    model = await ports.kube.get("Model", namespace, spec.model)
    if model is None:
        raise InvalidSpecError(
            f"spec.model: there is no Model {spec.model} in {namespace}; create it or delete this"
        )
    model_spec, model_status = _read_model(model)
    policy = spec.policy or model_spec.rollout
    stable = status.stable if status.phase else model_status.stable
    candidate, resolution, missing = await _resolve(spec, status, namespace, ports)
    health, health_message, weight = await _world(spec, candidate, namespace, ports)
    phase = Phase(status.phase or Phase.PENDING)
    names = {
        "namespace": namespace,
        "model": spec.model,
        "version": spec.version,
        "stable": stable.version if stable else "",
    }
    analysis = await _analyze(status, policy, phase, names, ports=ports, now=now)
    annotations = meta.get("annotations") or {}
    approval = annotations.get(ANNOTATION_APPROVE)
    alert = _read_alert(annotations.get(ANNOTATION_ALERT))
    observed = Observed(
        now=now,
        phase=phase,
        step=status.step,
        since=status.since or now,
        doubt_since=status.doubt_since,
        reason=Reason(status.reason or Reason.WAITING_FOR_TURN),
        message=status.message or "",
        has_turn=model_status.rollout == meta["name"],
        suspended=model_spec.suspend,
        has_stable=stable is not None and stable.version != spec.version,
        resolution=resolution,
        candidate=health,
        candidate_message=missing or health_message,
        weight=weight,
        verdict=worst(analysis.judgments),
        verdict_message=summarize(analysis.judgments),
        alert=alert[1] if alert else None,
        abort=annotations.get(ANNOTATION_ABORT),
        approved=approval is not None and approval != status.handled_approval,
        steps=tuple(Step(weight=s.weight, hold=s.hold, pause=s.pause) for s in policy.steps),
        guard=policy.guard.duration,
        patience=policy.patience,
        start_deadline=policy.start_deadline,
    )
    return Seen(
        observed=observed,
        status=status,
        model=model,
        spec=model_spec,
        candidate=candidate,
        stable=stable,
        judgments=analysis.judgments,
        measured_at=analysis.measured_at,
        next_measurement=analysis.next_measurement,
        approval=approval,
        alert_received=alert[0] if alert else None,
    )


def _read_model(model: Mapping[str, Any]) -> tuple[ModelSpec, ModelStatus]:
    try:
        return (
            ModelSpec.model_validate(model["spec"]),
            ModelStatus.model_validate(model.get("status") or {}),
        )
    except ValidationError as error:
        raise InvalidSpecError(f"Model {model['metadata']['name']}: {error}") from error


async def _resolve(
    spec: RolloutSpec, status: RolloutStatus, namespace: str, ports: Ports
) -> tuple[VersionReference | None, Resolution, str]:
    """The candidate's registration, looked up once and kept: a deleted one changes nothing."""
    if status.candidate is not None:
        return status.candidate, Resolution.FOUND, ""
    registered_model = f"{namespace}.{spec.model}"
    try:
        found = await ports.registry.find_version(registered_model, spec.version)
    except TransientError as error:
        return None, Resolution.UNAVAILABLE, str(error)
    if found is None:
        return (
            None,
            Resolution.MISSING,
            (
                f"MLflow has no version of {registered_model} with the tag "
                f"fairlead.version={spec.version}; register it or choose another"
            ),
        )
    if not found.digest:
        return (
            None,
            Resolution.MISSING,
            (
                f"{registered_model} {spec.version} (registry version {found.registry_version}) "
                "has no tag fairlead.digest; set it to the artifact's digest"
            ),
        )
    reference = VersionReference(
        version=spec.version, registry_version=found.registry_version, digest=found.digest
    )
    return reference, Resolution.FOUND, ""


async def _world(
    spec: RolloutSpec, candidate: VersionReference | None, namespace: str, ports: Ports
) -> tuple[Health, str, int | None]:
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
    if candidate is None:
        return Health.UNKNOWN, "not found in the registry yet", weight
    health, message = read_health(deployment, pods)
    return health, message, weight


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Analysis:
    judgments: tuple[Judgment, ...]
    measured_at: datetime | None
    next_measurement: timedelta


async def _analyze(
    status: RolloutStatus,
    policy: RolloutPolicy,
    phase: Phase,
    names: Mapping[str, str],
    *,
    ports: Ports,
    now: datetime,
) -> _Analysis:
    """Measure when it is time; between two measurements the last judgment stands."""
    interval = policy.analysis.interval
    if phase not in {Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING}:
        return _Analysis(judgments=(), measured_at=None, next_measurement=interval)
    last = status.measured_at or status.since or now
    if now - last < interval:
        return _Analysis(
            judgments=tuple(_judgment(check) for check in status.checks),
            measured_at=status.measured_at,
            next_measurement=interval - (now - last),
        )
    failures = {check.name: check.failures for check in status.checks}
    measured = await asyncio.gather(
        *(_measure(check, names, ports) for check in policy.analysis.checks)
    )
    judgments = tuple(
        judge(measurement, _bounds(check), failures_before=failures.get(check.name, 0))
        for check, measurement in zip(policy.analysis.checks, measured, strict=True)
    )
    return _Analysis(judgments=judgments, measured_at=now, next_measurement=interval)


async def _measure(check: Check, names: Mapping[str, str], ports: Ports) -> Measurement:
    """One dead check must not stop the reconcile: its error becomes a value."""
    try:
        value = await ports.prometheus.query(queries.for_check(check, **names))
        samples = None
        if check.builtin is not None:
            target = {key: names[key] for key in ("namespace", "model", "version")}
            samples = await ports.prometheus.query(queries.requests(**target, window=check.window))
    except (TransientError, ValueError) as error:
        return Measurement(name=check.name, error=str(error)[:500])
    return Measurement(name=check.name, value=value, samples=samples)


def _bounds(check: Check) -> Bounds:
    min_samples = 0 if check.builtin is None else check.min_samples or _MIN_SAMPLES
    return Bounds(
        at_least=check.at_least,
        at_most=check.at_most,
        min_samples=min_samples,
        failure_limit=check.failure_limit,
    )


def _judgment(check: CheckStatus) -> Judgment:
    return Judgment(
        name=check.name,
        verdict=Verdict(check.verdict),
        value=check.value,
        samples=check.samples,
        failures=check.failures,
        message=check.message,
    )


def _read_alert(text: str | None) -> tuple[datetime, str] | None:
    """When the alert came and what it said, as the webhook wrote it."""
    if text is None:
        return None
    document = json.loads(text)
    return datetime.fromisoformat(document["receivedAt"]), str(document["message"])
