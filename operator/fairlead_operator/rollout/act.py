"""A decision into the cluster: the servers of both versions, and the route between them."""

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import LABEL_VERSION
from fairlead_operator.kube.metadata import Owner, component_labels, route_name
from fairlead_operator.ports import Ports
from fairlead_operator.rollout.manifests import build_server
from fairlead_operator.rollout.observe import Seen
from fairlead_operator.rollout.state_machine import Decision, Phase, is_finished
from fairlead_operator.rollout.traffic import build_route, split
from fairlead_operator.settings import Settings


async def act(decision: Decision, seen: Seen, ports: Ports, settings: Settings) -> None:
    """Make the decision true; twice is the same as once.

    Only the Model's current Rollout acts.  Servers come before the route that
    sends them traffic, and go after every gateway pod has stopped doing so.
    """
    if not seen.observed.has_turn:
        return
    owner = Owner.of(seen.model)
    for reference in _wanted(decision, seen):
        for manifest in build_server(
            reference,
            seen.spec.serving,
            owner=owner,
            images=settings.images,
            mlflow_url=settings.mlflow_url,
        ):
            await ports.kube.apply(manifest)
    versions = split(
        decision.phase,
        decision.weight,
        candidate=seen.candidate.version if seen.candidate else None,
        stable=seen.stable.version if seen.stable else None,
    )
    if versions:
        timeout = seen.spec.serving.request_timeout
        await ports.kube.apply(build_route(versions, owner=owner, timeout=timeout))
    elif is_finished(decision.phase):
        await ports.kube.delete("ConfigMap", owner.namespace, route_name(owner.name))
    if is_finished(decision.phase):
        await _retire(decision, seen, owner, ports)


def _wanted(decision: Decision, seen: Seen) -> tuple[VersionReference, ...]:
    """Versions whose servers must run."""
    wanted: tuple[VersionReference | None, ...]
    match decision.phase:
        case Phase.SUCCEEDED:
            wanted = (seen.candidate,)
        case Phase.ROLLED_BACK:
            wanted = (seen.stable,)
        case _:
            wanted = (seen.candidate, seen.stable)
    return tuple({ref.version: ref for ref in wanted if ref is not None}.values())


async def _retire(decision: Decision, seen: Seen, owner: Owner, ports: Ports) -> None:
    """Remove the servers of every other version once no gateway pod needs them."""
    if seen.stable is not None and seen.observed.weight != decision.weight:
        return  # a gateway pod may still send them traffic
    keep = {reference.version for reference in _wanted(decision, seen)}
    servers = await ports.kube.list(
        "Deployment", owner.namespace, component_labels("server", owner.name)
    )
    for server in servers:
        if server["metadata"]["labels"].get(LABEL_VERSION) not in keep:
            name = server["metadata"]["name"]
            await ports.kube.delete("Deployment", owner.namespace, name)
            await ports.kube.delete("Service", owner.namespace, name)
