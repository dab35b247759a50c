"""The server of one version, and what scales it, into the cluster.

The number of pods has one master.  A fixed one is part of the Deployment we apply.
With an autoscaler we leave it out, and only ever raise it, to a floor that the
autoscaler has been given as well: it acts every 15 s, and a weight that waits for
pods need not wait for that.  Leaving out what was applied before would reset it to
one pod, so it is handed over first (``Kube.scale``).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from fairlead_operator.api.autoscaling import Autoscaling
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import ANNOTATION_AUTOSCALER
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.attempts import Attempts, Failure
from fairlead_operator.errors import UnknownKindError
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.owned import name_server, remove_owned
from fairlead_operator.kube.pods import read_refusal
from fairlead_operator.kube.refused_pods import have_pods_tried
from fairlead_operator.ports import Kube
from fairlead_operator.rollout.decision.capacity import asked_replicas
from fairlead_operator.rollout.servers.autoscaler import KINDS, build_autoscaler
from fairlead_operator.rollout.servers.manifests import build_budget, build_server, has_several_pods
from fairlead_operator.settings import Settings
from fairlead_operator.upgrades import Turn, mark


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppliedServer:
    """What became of the objects of one version's server."""

    failures: tuple[Failure, ...] = ()  # of its Service and Deployment: without, it cannot start
    unscaled: str | None = None  # why there is no autoscaler
    scaling_failures: tuple[Failure, ...] = ()  # of what scales its pods, or keeps some of them
    held: str | None = None  # why its pods are not upgraded yet


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a server opens its version's artifact."""

    form: str  # by which its image is chosen; empty where it is not known
    may_run_code: bool  # of the artifact


async def apply_server(
    reference: VersionReference,
    spec: ModelSpec,
    *,
    live: Mapping[str, Any] | None,
    floor: int | None,
    owner: Owner,
    kube: Kube,
    settings: Settings,
    turn: Turn,
    opening: Opening,
) -> AppliedServer:
    """Make the server of a version as it should be; what fails stops nothing independent of it.

    Args:
        live: its Deployment as it was observed.
        floor: fewest pods; None when their number is fixed.
        opening: how it opens the version's artifact.
    """
    scaling = spec.serving.autoscaling
    kind = KINDS[scaling.provider] if scaling else None
    before = _autoscaler_of(live)
    service, deployment = build_server(
        reference,
        spec.serving,
        task=spec.task,
        owner=owner,
        images=settings.images,
        mlflow_url=settings.mlflow.address,
        form=opening.form,
        may_run_code=opening.may_run_code,
        logins=settings.logins,
    )
    # Without defaults: a field that a later release brings is nothing that a person asked for.
    serving = spec.serving.model_dump(mode="json", exclude_defaults=True)
    asked = serving | reference.model_dump() | {"task": spec.task}
    deployment = mark(deployment, asked=asked)
    held = turn.hold(live, deployment)
    if live is not None and read_refusal(live) is not None:
        deployment = have_pods_tried(deployment, turn.now)
    server, applied = Attempts(), live
    with server.attempt():
        await kube.apply(service)
    # The number of pods is handed over before it is left out.
    with server.attempt(), turn.applying():
        if before is not None and before != kind:
            await remove_owned({"kind": before, "metadata": deployment["metadata"]}, kube)
        if live is not None and before is None and kind is not None:
            await kube.scale(live, asked_replicas(live))
        if held is None:
            applied = await kube.apply(deployment)
    unscaled, beside = None, Attempts()
    with beside.attempt():
        budget = build_budget(reference.version, owner)
        await (kube.apply(budget) if has_several_pods(spec.serving) else remove_owned(budget, kube))
    if scaling is None or floor is None or applied is None:
        return AppliedServer(
            failures=server.failures,
            scaling_failures=beside.failures,
            held=held or turn.under_way(),
        )
    with beside.attempt():
        unscaled = await _apply_autoscaler(
            reference.version, scaling, floor=floor, owner=owner, kube=kube, settings=settings
        )
    with beside.attempt():
        if asked_replicas(applied) < floor:
            await kube.scale(applied, floor)
    return AppliedServer(
        failures=server.failures,
        unscaled=unscaled,
        scaling_failures=beside.failures,
        held=held or turn.under_way(),
    )


async def _apply_autoscaler(
    version: str,
    scaling: Autoscaling,
    *,
    floor: int,
    owner: Owner,
    kube: Kube,
    settings: Settings,
) -> str | None:
    """Apply what scales a version; return what is missing in the cluster for it."""
    manifest = build_autoscaler(
        version, scaling, floor=floor, owner=owner, prometheus_url=settings.prometheus_url
    )
    try:
        await kube.apply(manifest)
    except UnknownKindError:
        return (
            f"the cluster has no kind {manifest['kind']}: install what brings it, or set "
            "serving.autoscaling.provider to hpa; until then the number of pods is only raised "
            "for a weight, and follows no load"
        )
    return None


def server_names(owner: Owner, version: str, spec: ModelSpec) -> Iterator[dict[str, Any]]:
    """Yield the names that the server of a version takes, as manifests without content."""
    scaling = spec.serving.autoscaling
    return name_server(
        owner,
        version,
        autoscaler=KINDS[scaling.provider] if scaling else None,
        budget=has_several_pods(spec.serving),
    )


async def remove_server(server: Mapping[str, Any], kube: Kube, *, service: bool = True) -> None:
    """Remove a version's Deployment and what goes with it, and its Service unless it is to stay."""
    service_kind = "Service" if service else None
    kinds = (_autoscaler_of(server), "Deployment", "PodDisruptionBudget", service_kind)
    for kind in kinds:
        if kind is not None:
            await remove_owned({"kind": kind, "metadata": server["metadata"]}, kube)


def _autoscaler_of(server: Mapping[str, Any] | None) -> str | None:
    """Return the kind that scales a Deployment by our doing."""
    annotations = ((server or {}).get("metadata") or {}).get("annotations") or {}
    kind = annotations.get(ANNOTATION_AUTOSCALER)
    return str(kind) if kind in KINDS.values() else None  # anyone may have written another word
