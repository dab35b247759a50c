"""Whose a host name is, of several Models that name it at one Gateway of the cluster.

A Gateway gives a host name that several HTTPRoutes have to the oldest of them, and accepts all.  So
who has it in a route keeps it, and before there is any route, it is the oldest Model's.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.cluster import route_name
from fairlead_operator.api.gateway import GatewaySpec, gateway_of
from fairlead_operator.kube.metadata import Owner, preview_name
from fairlead_operator.kube.owned import owners
from fairlead_operator.ports import Kube

_Claim = tuple[bool, str, str, str]  # no route, since when, namespace, name: the least has it

_LAST: Final = "9999"  # after every year there is


async def find_taken(owner: Owner, gateway: GatewaySpec, kube: Kube) -> dict[str, str]:
    """Return the host names of a Model's gateway that are another's, each with the words for it.

    Raises:
        TransientError: the cluster did not answer.
    """
    wished = (*(gateway.hostnames or ()), *(gateway.preview_hostnames or ()))
    found = {host: await _find_holder(host, owner, gateway, kube) for host in wished}
    return {
        host: _describe(host, holder, owner) for host, holder in found.items() if holder is not None
    }


async def leave_out(
    taken: Mapping[str, str], owner: Owner, gateway: GatewaySpec, kube: Kube
) -> GatewaySpec:
    """Leave out the host names that are another's; where none is left, all stays as it is.

    What the route has stays: at a Gateway that it does not share, it may be reached by it.
    Without any, ``hostnames`` is None: such a route would take all traffic of its Gateways.
    """
    live = await _route(route_name(owner.name), owner, kube)
    held = tuple(live["spec"].get("hostnames") or ()) if live is not None else ()
    wished = gateway.hostnames or ()
    hosts = tuple(host for host in wished if host not in taken or host in held) or held
    previews = tuple(host for host in gateway.preview_hostnames or () if host not in taken)
    if not hosts and await kube.get("ConfigMap", owner.namespace, route_name(owner.name)):
        return GatewaySpec.model_validate({})  # the built-in gateway has the traffic
    left = {"hostnames": hosts or None, "preview_hostnames": previews or None}
    return gateway.model_copy(update=left)


async def _find_holder(
    host: str, owner: Owner, gateway: GatewaySpec, kube: Kube
) -> Mapping[str, Any] | None:
    """Return the Model that has the host name before this one does."""
    named = await kube.models_at(host)
    rivals = [other for other in named if _is_rival(other, owner, gateway)]
    if not rivals:
        return None
    ours = next((each for each in named if each["metadata"]["uid"] == owner.uid), None)
    created = ours["metadata"].get("creationTimestamp", _LAST) if ours is not None else _LAST
    best, holder = await _claim(host, owner, created, kube), None
    for rival in rivals:
        claim = await _claim(
            host, Owner.of(rival), rival["metadata"].get("creationTimestamp", _LAST), kube
        )
        if claim < best:
            best, holder = claim, rival
    return holder


async def _claim(host: str, owner: Owner, created: str, kube: Kube) -> _Claim:
    for name in (route_name(owner.name), preview_name(owner.name)):
        route = await _route(name, owner, kube)
        if route is not None and host in (route["spec"].get("hostnames") or ()):
            since = route["metadata"].get("creationTimestamp", _LAST)
            return False, since, owner.namespace, owner.name
    return True, created, owner.namespace, owner.name


async def _route(name: str, owner: Owner, kube: Kube) -> Mapping[str, Any] | None:
    """Return the Model's HTTPRoute of this name, if there is one."""
    live = await kube.get("HTTPRoute", owner.namespace, name)
    return live if live is not None and owner.uid in owners(live) else None


def _is_rival(other: Mapping[str, Any], owner: Owner, gateway: GatewaySpec) -> bool:
    """Tell whether another Model has a listener in common with this one."""
    if other["metadata"]["uid"] == owner.uid or gateway_of(other).get("kind") != "GatewayAPI":
        return False
    ours = [
        (parent.namespace or owner.namespace, parent.name, parent.section_name)
        for parent in gateway.parent_refs or ()
    ]
    theirs = [
        (
            parent.get("namespace") or other["metadata"]["namespace"],
            parent.get("name"),
            parent.get("sectionName"),
        )
        for parent in gateway_of(other).get("parentRefs") or ()
    ]
    return any(
        one[:2] == two[:2] and (one[2] == two[2] or None in (one[2], two[2]))
        for one in ours
        for two in theirs
    )


def _describe(host: str, holder: Mapping[str, Any], owner: Owner) -> str:
    meta = holder["metadata"]
    # What a namespace has is nobody else's to know.
    known = meta["namespace"] == owner.namespace
    whose = f"Model {meta['name']}" if known else "a Model of another namespace"
    return (
        f"the host name {host} is {whose}'s at the same Gateway: give Model {owner.name} another "
        f"in spec.serving.gateway, or take it from that one first"
    )
