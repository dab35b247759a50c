"""A decision into the cluster: the servers of all versions, and the route between them."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from fairlead_contract.cluster import ROUTE, SERVER, route_name
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import LABEL_VERSION
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase
from fairlead_operator.attempts import Attempts, Failure, describe
from fairlead_operator.errors import TakenError
from fairlead_operator.kube.metadata import (
    Owner,
    component_labels,
    preview_name,
)
from fairlead_operator.kube.owned import check_names, name_route, remove_owned
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.rollout.decision.order import narrows, without_servers
from fairlead_operator.rollout.decision.pods_first import floors
from fairlead_operator.rollout.decision.state_machine import decide
from fairlead_operator.rollout.decision.states import Decision, is_finished
from fairlead_operator.rollout.form import find_form
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.servers.apply import (
    AppliedServer,
    Opening,
    apply_server,
    remove_server,
    server_names,
)
from fairlead_operator.rollout.servers.manifests import build_preview, is_server
from fairlead_operator.rollout.servers.permission import may_run_code
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a decision: the one that holds, and what could not be written of it."""

    decision: Decision
    seen: Seen
    unscaled: str | None = None  # why there is no autoscaler
    failures: tuple[Failure, ...] = ()
    unrouted: bool = False  # the cluster does not take the route
    held: str | None = None  # why its pods are not upgraded yet


async def act(decision: Decision, seen: Seen, ports: Ports, settings: Settings) -> Outcome:
    """Make the decision true; twice is the same as once.

    Only the Model's current Rollout acts.  Where traffic is taken away, the route comes first.
    Else servers come before the route that sends them traffic, and one that is refused gets no
    more of it.  They go after every gateway pod has stopped sending.  No write that fails stops
    another.
    """
    if not seen.observed.has_turn:
        return Outcome(decision=decision, seen=seen)
    attempts, route = Attempts(), Attempts()
    if narrows(seen.observed, decision):
        await _route(decision, seen, ports.kube, settings, route)
        servers = await _servers(decision, seen, ports, settings, attempts)
    else:
        servers = await _servers(decision, seen, ports, settings, attempts)
        refusals = {
            version: describe(server.failures)
            for version, server in servers.items()
            if server.failures
        }
        if refusals:
            observed = without_servers(seen.observed, refusals)
            decision, seen = decide(observed), dataclasses.replace(seen, observed=observed)
        await _route(_reachable(decision, servers), seen, ports.kube, settings, route)
    if is_finished(seen.observed.phase):  # not before the status says so: it may be decided anew
        await _retire(decision, seen, ports.kube, attempts)
    unscaled = [server.unscaled for server in servers.values() if server.unscaled is not None]
    failures = [
        failure
        for server in servers.values()
        for failure in (*server.failures, *server.scaling_failures)
    ]
    return Outcome(
        decision=decision,
        seen=seen,
        unscaled=unscaled[-1] if unscaled else None,
        failures=(*route.failures, *attempts.failures, *failures),
        unrouted=bool(route.failures),
        held=next((server.held for server in servers.values() if server.held), None),
    )


async def _servers(
    decision: Decision, seen: Seen, ports: Ports, settings: Settings, attempts: Attempts
) -> dict[str, AppliedServer]:
    """Stop the servers that must be gone first, and apply those that must run; by version."""
    kube, owner = ports.kube, seen.case.owner
    resting = is_finished(decision.phase) and is_finished(seen.observed.phase)
    for reference in _stopped(decision, seen):
        if (server := seen.servers.get(reference.version)) is not None:
            with attempts.attempt():
                await remove_server(server, kube, service=False)
    fewest, begins = floors(seen.observed, decision), seen.observed.phase in BEFORE_TRAFFIC
    proven = {seen.case.stable_version, *seen.returning}
    nameless = await _check_names(decision, seen, kube)
    return nameless | {
        reference.version: await apply_server(
            reference,
            seen.case.model,
            live=seen.servers.get(reference.version),
            floor=fewest.get(reference.version),
            owner=owner,
            kube=kube,
            settings=settings,
            # Of its own: a server that is ready ends no turn of another that is not.
            turn=ports.upgrades.turn(
                f"{owner.namespace}/{owner.name} {reference.version}",
                owner.namespace,
                seen.case.now,
                resting=resting,
                obstacle=pods.obstacle if (pods := seen.pods.get(reference.version)) else None,
            ),
            opening=Opening(
                form=await find_form(
                    reference,
                    seen.servers.get(reference.version),
                    owner=owner,
                    registry=ports.registry,
                ),
                may_run_code=may_run_code(
                    seen.servers.get(reference.version),
                    begins=begins and reference.version not in proven,
                    allowed=settings.allow_artifact_code
                    and seen.case.model.serving.allow_artifact_code,
                ),
            ),
        )
        for reference in _wanted(decision, seen)
        if reference.version not in nameless
        # Those that run stay as they are while what they should be cannot be read.
        and (seen.case.has_servers or reference.version not in seen.servers)
    }


async def _check_names(decision: Decision, seen: Seen, kube: Kube) -> dict[str, AppliedServer]:
    """Check every name that a candidate is about to need, before it gets any of them.

    Return the candidates that cannot have theirs.
    """
    new = [ref for ref in seen.candidates if ref.version not in seen.servers]
    if seen.observed.phase is not Phase.PENDING or narrows(seen.observed, decision) or not new:
        return {}
    owner, built_in = seen.case.owner, seen.case.gateway.kind == "BuiltIn"
    shared = [*name_route(owner, built_in=built_in, preview=seen.case.plan.preview)]
    nameless = {}
    for reference in new:
        attempts = Attempts()
        with attempts.attempt():
            if seen.case.nameless is not None:
                raise TakenError(seen.case.nameless)
            names = server_names(owner, reference.version, seen.case.model)
            await check_names((*shared, *names), kube)
        if attempts.failures:
            nameless[reference.version] = AppliedServer(failures=attempts.failures)
    return nameless


def _reachable(decision: Decision, servers: Mapping[str, AppliedServer]) -> Decision:
    """Leave out of the route a version without traffic whose Service may be another's."""
    taken = {
        version
        for version, server in servers.items()
        if any(failure.taken for failure in server.failures)
    }
    shares = tuple(share for share in decision.shares if share[1] or share[0] not in taken)
    return dataclasses.replace(decision, shares=shares)


async def _route(
    decision: Decision, seen: Seen, kube: Kube, settings: Settings, attempts: Attempts
) -> None:
    """Write weights and what goes with them, and the preview address while there is one."""
    case, owner = seen.case, seen.case.owner
    built_in = case.gateway.kind == "BuiltIn"
    route = _build_route(decision, seen, owner, settings)
    has_preview = route is not None and "preview" in route
    if route is not None and built_in:
        with attempts.attempt():
            await kube.apply(build_config_map(route, owner=owner))
    elif route is not None and seen.observed.gateway.missing is None and case.gateway.hostnames:
        for manifest in build_http_routes(route, owner=owner, gateway=case.gateway):
            with attempts.attempt():
                await kube.apply(manifest)
    elif route is None and is_finished(decision.phase):
        kind = "ConfigMap" if built_in else "HTTPRoute"
        with attempts.attempt():
            await _remove(kind, route_name(owner.name), ROUTE, owner, kube)
    with attempts.attempt():
        if case.taken is not None:
            raise TakenError(case.taken)
    with attempts.attempt():
        if built_in and has_preview:
            await kube.apply(build_preview(owner))
    with attempts.attempt():
        if seen.routed is not None and seen.routed.preview and not has_preview:
            await _remove("HTTPRoute", preview_name(owner.name), ROUTE, owner, kube)
    with attempts.attempt():
        if is_finished(decision.phase) and case.plan.preview:
            await _remove("Service", preview_name(owner.name), "address", owner, kube)


def _build_route(decision: Decision, seen: Seen, owner: Owner, settings: Settings) -> Route | None:
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
        cluster_domain=settings.cluster_domain,
    )
    serving = case.model.serving
    return build_route(
        versions,
        owner=owner,
        timeout=serving.request_timeout,
        forcing=serving.force_version_secret is not None,
        options=extra,
        cluster_domain=settings.cluster_domain,
    )


async def _remove(kind: str, name: str, component: str, owner: Owner, kube: Kube) -> None:
    meta = owner.metadata(name, component_labels(component, owner.name))
    await remove_owned({"kind": kind, "metadata": meta}, kube)


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
        case Phase.GUARDING | Phase.PAUSED if seen.observed.exclusive:
            wanted = candidates
        case _:
            wanted = (*candidates, *stable)
    return tuple({ref.version: ref for ref in wanted}.values())


def _wanted_alone(decision: Decision, seen: Seen) -> tuple[VersionReference, ...]:
    """Return the one whose time it is, of two versions that may not run together."""
    observed, stable = seen.observed, (seen.case.stable,) if seen.case.stable else ()
    if decision.phase is Phase.PENDING:
        return stable
    if decision.phase is Phase.REPLACING and observed.phase is Phase.PENDING:
        return stable  # what is refused of it now would be refused on the way back
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
    if decision.phase is Phase.REPLACING and observed.phase is Phase.REPLACING:
        return (seen.case.stable,) if seen.case.stable else ()
    if decision.phase is Phase.ROLLING_BACK and not observed.candidate.gone:
        return seen.candidates
    return ()


async def _retire(decision: Decision, seen: Seen, kube: Kube, attempts: Attempts) -> None:
    """Remove the servers of every other version once no gateway pod needs them."""
    reported = {arm.version: arm.weight for arm in seen.observed.arms}
    settled = all(reported[version] == share for version, share in decision.shares)
    if seen.case.stable is not None and not settled:
        return  # a gateway pod may still send them traffic
    owner = seen.case.owner
    keep = {reference.version for reference in _wanted(decision, seen)}
    servers: Sequence[Mapping[str, Any]] = ()
    with attempts.attempt():
        labels = component_labels(SERVER, owner.name)
        servers = await kube.list("Deployment", owner.namespace, labels)
    for server in servers:
        superfluous = server["metadata"]["labels"].get(LABEL_VERSION) not in keep
        if superfluous and is_server(server, owner.name):
            with attempts.attempt():
                await remove_server(server, kube)
