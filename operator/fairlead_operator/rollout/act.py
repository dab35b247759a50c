"""A decision into the cluster: the servers of all versions, and the route between them."""

from datetime import timedelta
from typing import Final

from fairlead_contract.cluster import SERVER, route_name
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import LABEL_MODEL, LABEL_VERSION
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.kube.metadata import (
    Owner,
    component_labels,
    preview_name,
)
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.rollout.decision.pods_first import floors
from fairlead_operator.rollout.decision.states import Decision, is_finished
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.servers.apply import apply_server, remove_server
from fairlead_operator.rollout.servers.manifests import build_preview
from fairlead_operator.rollout.traffic.http_route import build_http_routes
from fairlead_operator.rollout.traffic.route import (
    Route,
    build_config_map,
    build_route,
    options,
    split,
)
from fairlead_operator.settings import Settings

_SETTLED: Final = timedelta(seconds=2)  # after which every pod of a version has been seen


async def act(decision: Decision, seen: Seen, ports: Ports, settings: Settings) -> str | None:
    """Make the decision true; twice is the same as once.  Return why there is no autoscaler.

    Only the Model's current Rollout acts.  Servers come before the route that
    sends them traffic, and go after every gateway pod has stopped doing so.
    """
    if not seen.observed.has_turn:
        return None
    owner = seen.case.owner
    for reference in _stopped(decision, seen):
        if (server := seen.servers.get(reference.version)) is not None:
            await remove_server(server, ports.kube, service=False)
    fewest, unscaled = floors(seen.observed, decision), None
    for reference in _wanted(decision, seen):
        unscaled = await apply_server(
            reference,
            seen.case.model,
            live=seen.servers.get(reference.version),
            floor=fewest.get(reference.version),
            owner=owner,
            kube=ports.kube,
            settings=settings,
        )
    await _route(decision, seen, owner, ports.kube)
    if is_finished(seen.observed.phase):  # not before the status says so: it may be decided anew
        await _retire(decision, seen, owner, ports.kube)
    return unscaled


async def _route(decision: Decision, seen: Seen, owner: Owner, kube: Kube) -> None:
    """Write weights and what goes with them, and the preview address while there is one."""
    case = seen.case
    built_in = case.gateway.kind == "BuiltIn"
    route = _build_route(decision, seen, owner)
    has_preview = route is not None and "preview" in route
    if built_in and has_preview and await _owns_preview(owner, kube):
        await kube.apply(build_preview(owner))
    if route is not None and built_in:
        await kube.apply(build_config_map(route, owner=owner))
    elif route is not None and seen.observed.gateway.missing is None:
        for manifest in build_http_routes(route, owner=owner, gateway=case.gateway):
            await kube.apply(manifest)
    elif route is None and is_finished(decision.phase):
        kind = "ConfigMap" if built_in else "HTTPRoute"
        await kube.delete(kind, owner.namespace, route_name(owner.name))
    if seen.routed is not None and seen.routed.preview and not has_preview:
        await kube.delete("HTTPRoute", owner.namespace, preview_name(owner.name))
    if is_finished(decision.phase) and case.plan.preview:
        await _remove_preview(owner, kube)


def _build_route(decision: Decision, seen: Seen, owner: Owner) -> Route | None:
    """Build the route the decision asks for; None when nobody may be served."""
    case, stable = seen.case, seen.case.stable_version or None
    versions = split(decision, stable=stable)
    if not versions:
        return None
    steps = case.plan.steps
    in_step = decision.phase in {Phase.PROGRESSING, Phase.PAUSED} and decision.step < len(steps)
    extra = options(
        decision,
        steps[decision.step] if in_step else None,
        case.plan,
        stable=stable,
        owner=owner,
        rollout_uid=case.uid,
    )
    timeout = case.model.serving.request_timeout
    return build_route(versions, owner=owner, timeout=timeout, options=extra)


async def _owns_preview(owner: Owner, kube: Kube) -> bool:
    """Tell whether the preview address is ours to write: another Model may have that very name."""
    service = await kube.get("Service", owner.namespace, preview_name(owner.name))
    labels = (service or {}).get("metadata", {}).get("labels") or {}
    return service is None or labels.get(LABEL_MODEL) == owner.name


async def _remove_preview(owner: Owner, kube: Kube) -> None:
    ours = await kube.list("Service", owner.namespace, component_labels("address", owner.name))
    if any(service["metadata"]["name"] == preview_name(owner.name) for service in ours):
        await kube.delete("Service", owner.namespace, preview_name(owner.name))


def _wanted(decision: Decision, seen: Seen) -> tuple[VersionReference, ...]:
    """Return the versions whose servers must run."""
    stable = (seen.case.stable,) if seen.case.stable else ()
    candidates = seen.candidates
    chosen = {version for version, share in decision.shares if share}
    wanted: tuple[VersionReference, ...]
    match decision.phase:
        case Phase.SUCCEEDED:
            wanted = tuple(ref for ref in candidates if ref.version in chosen)
        case Phase.ROLLED_BACK:
            wanted = stable
        case Phase.PENDING | Phase.REPLACING | Phase.ROLLING_BACK if seen.observed.exclusive:
            wanted = _wanted_alone(decision, seen)
        case Phase.GUARDING if seen.observed.exclusive:
            wanted = candidates
        case _:
            wanted = (*candidates, *stable)
    return tuple({ref.version: ref for ref in wanted}.values())


def _wanted_alone(decision: Decision, seen: Seen) -> tuple[VersionReference, ...]:
    """Return the one whose time it is, of two versions that may not run together."""
    observed, stable = seen.observed, (seen.case.stable,) if seen.case.stable else ()
    if decision.phase is Phase.PENDING:
        return stable
    if decision.phase is Phase.REPLACING:
        gone = observed.stable is not None and observed.stable.gone
        return seen.candidates if gone else ()
    # A pod that was made a moment ago may not be seen yet.
    settled = observed.phase is Phase.ROLLING_BACK and observed.waited >= _SETTLED
    return stable if settled and observed.candidate.gone else ()


def _stopped(decision: Decision, seen: Seen) -> tuple[VersionReference, ...]:
    """Return the versions that must be gone before another starts; their Services stay."""
    observed = seen.observed
    if not observed.exclusive:
        return ()
    if decision.phase is Phase.REPLACING:
        return (seen.case.stable,) if seen.case.stable else ()
    if decision.phase is Phase.ROLLING_BACK and not observed.candidate.gone:
        return seen.candidates
    return ()


async def _retire(decision: Decision, seen: Seen, owner: Owner, kube: Kube) -> None:
    """Remove the servers of every other version once no gateway pod needs them."""
    reported = {arm.version: arm.weight for arm in seen.observed.arms}
    settled = all(reported[version] == share for version, share in decision.shares)
    if seen.case.stable is not None and not settled:
        return  # a gateway pod may still send them traffic
    keep = {reference.version for reference in _wanted(decision, seen)}
    servers = await kube.list("Deployment", owner.namespace, component_labels(SERVER, owner.name))
    for server in servers:
        if server["metadata"]["labels"].get(LABEL_VERSION) not in keep:
            await remove_server(server, kube)
