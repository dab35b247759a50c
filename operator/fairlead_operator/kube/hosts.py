"""Whose a host name is, of several Models that ask for it at one Gateway of the cluster.

A Gateway gives a host name to the oldest of the HTTPRoutes that it accepted, and says nothing to
the others.  So an accepted route of another Model has its names.  What is only asked for counts in
one namespace alone, the older Model's before the younger's: whether a Gateway takes routes of
another namespace at all, its listeners say.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from fairlead_contract.cluster import route_name
from fairlead_operator.api.gateway import GatewaySpec, gateway_of, hosts_of
from fairlead_operator.kube.metadata import Owner, preview_name
from fairlead_operator.kube.owned import owners
from fairlead_operator.ports import Kube

_Claim = tuple[bool, str, str, str]  # no accepted route, since when, namespace, name: least first
_Listener = tuple[str, str, str | None]  # namespace and name of the Gateway; None: all listeners

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
    """Leave out the host names that are another's, but for those that our routes have already.

    Where none is left, all stays as it is.  Without any, ``hostnames`` is None: such a route would
    take all traffic of its Gateways.
    """
    live = await _routes(owner, kube)
    routed = {host for route in live for host in _hosts(route)}
    hosts = tuple(h for h in gateway.hostnames or () if h not in taken or h in routed)
    previews = tuple(h for h in gateway.preview_hostnames or () if h not in taken or h in routed)
    if not hosts:
        main = (route for route in live if route["metadata"]["name"] == route_name(owner.name))
        hosts = tuple(host for route in main for host in _hosts(route))
        if not hosts and await kube.get("ConfigMap", owner.namespace, route_name(owner.name)):
            return GatewaySpec.model_validate({})  # the built-in gateway has the traffic
    previews = tuple(host for host in previews if host not in hosts)
    left = {"hostnames": hosts or None, "preview_hostnames": previews or None}
    return gateway.model_copy(update=left)


async def _find_holder(
    host: str, owner: Owner, gateway: GatewaySpec, kube: Kube
) -> Mapping[str, Any] | None:
    """Return the Model that has the host name before this one does."""
    models = await kube.models_at(host)
    if all(model["metadata"]["uid"] == owner.uid for model in models):
        return None
    ours = [
        (parent.namespace or owner.namespace, parent.name, parent.section_name)
        for parent in gateway.parent_refs or ()
    ]
    claims = [
        (claim, model)
        for model in models
        if (claim := await _claim(host, model, ours, kube, among=owner.namespace)) is not None
    ]
    first = min(claims, key=lambda entry: entry[0], default=None)
    return None if first is None or first[1]["metadata"]["uid"] == owner.uid else first[1]


async def _claim(
    host: str, model: Mapping[str, Any], ours: Collection[_Listener], kube: Kube, *, among: str
) -> _Claim | None:
    """Return since when a Model has the host name at one of our listeners, or asks for it.

    Asking counts in one namespace, ``among``; None where it has no claim.
    """
    owner, meta = Owner.of(model), model["metadata"]
    routed = [
        route["metadata"].get("creationTimestamp", _LAST)
        for route in await _routes(owner, kube)
        if host in _hosts(route) and _meet(ours, _accepted(route))
    ]
    if routed:
        return False, min(routed), owner.namespace, owner.name
    asks = host in hosts_of(model) and _meet(ours, _asked(model))
    if not asks or owner.namespace != among:
        return None
    return True, meta.get("creationTimestamp", _LAST), owner.namespace, owner.name


async def _routes(owner: Owner, kube: Kube) -> list[Mapping[str, Any]]:
    """Return the HTTPRoutes of a Model, that of its preview last."""
    names = (route_name(owner.name), preview_name(owner.name))
    found = [await kube.get("HTTPRoute", owner.namespace, name) for name in names]
    return [route for route in found if route is not None and owner.uid in owners(route)]


def _hosts(route: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(route["spec"].get("hostnames") or ())


def _accepted(route: Mapping[str, Any]) -> Iterator[_Listener]:
    """Yield the listeners that accepted the route, in whatever state they saw last."""
    asked = {_listener(parent, route) for parent in route["spec"].get("parentRefs") or ()}
    for entry in (route.get("status") or {}).get("parents") or ():
        says = {said["type"]: said["status"] for said in entry.get("conditions") or ()}
        listener = _listener(entry["parentRef"], route)
        if listener in asked and says.get("Accepted") == "True":
            yield listener


def _asked(model: Mapping[str, Any]) -> Iterator[_Listener]:
    """Yield the listeners that a Model asks for."""
    for parent in gateway_of(model).get("parentRefs") or ():
        yield _listener(parent, model)


def _listener(parent: Mapping[str, Any], whose: Mapping[str, Any]) -> _Listener:
    namespace = parent.get("namespace") or whose["metadata"]["namespace"]
    return namespace, parent["name"], parent.get("sectionName")


def _meet(ours: Collection[_Listener], theirs: Iterable[_Listener]) -> bool:
    """Tell whether they have a listener in common."""
    return any(
        one[:2] == two[:2] and (one[2] == two[2] or None in (one[2], two[2]))
        for two in theirs
        for one in ours
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
