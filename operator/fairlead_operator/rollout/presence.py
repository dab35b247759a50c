"""Whether callers get an answer: the pods behind a Model's address, and what is missing.  Pure."""

import dataclasses
from collections.abc import Iterable, Mapping

from fairlead_operator.api.phases.rollout import PodsReason, RouteReason
from fairlead_operator.rollout.traffic.accepted import Routed
from fairlead_operator.text import write_list

_UNREACHABLE = frozenset({RouteReason.REFUSED, RouteReason.KIND_MISSING})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """The pods of a version, or of the gateway."""

    available: int
    there: int = 0  # of a version: that nobody takes away, whether they answer or not
    obstacle: str | None = None  # what keeps one from being there, in the cluster's words
    starting: bool = False  # not all that there should be answer; those are on their way so far


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is to say of all pods behind an address."""

    reason: PodsReason
    message: str

    @property
    def complete(self) -> bool:
        """Tell whether nothing is missing."""
        return self.reason is PodsReason.READY


def find_presence(
    servers: Mapping[str, Pods],
    *,
    in_charge: Iterable[str],
    beside: Iterable[str] = (),
    gateway: Pods | None = None,
    routed: Routed | None = None,
    is_late: bool = False,
) -> Presence:
    """Tell whether the versions that have traffic answer.

    Args:
        servers: the pods of each version.
        in_charge: versions whose requests nobody else answers.
        beside: candidates, for which the stable version answers while no pod of theirs does.
        gateway: the built-in one; None where the cluster's Gateways carry the traffic.
        routed: what those say.
        is_late: they have not confirmed the traffic for long.
    """
    nothing = Pods(available=0)
    parts = {version: servers.get(version, nothing) for version in (*in_charge, *beside)}
    needed = {version: parts[version] for version in in_charge}
    if gateway is not None:
        parts["the gateway"] = needed["the gateway"] = gateway
    if routed is not None and (routed.reason in _UNREACHABLE or (is_late and routed.unheard)):
        return _not_answering(routed.message)
    for name, pods in needed.items():
        if not pods.available:
            return _not_answering(f"no pod of {name} is ready: {pods.obstacle or 'none is there'}")
    missing = [f"{name}: {pods.obstacle}" for name, pods in parts.items() if pods.obstacle]
    if missing:
        return Presence(reason=PodsReason.MISSING, message=write_list(missing))
    # Without their number, which an autoscaler changes all the time.
    if starting := [name for name, pods in parts.items() if pods.starting]:
        named = write_list(starting, between=", ")
        words = f"pods behind the address answer, and others are starting: {named}"
        return Presence(reason=PodsReason.READY, message=words)
    return Presence(reason=PodsReason.READY, message="every pod behind the address is ready")


def _not_answering(why: str) -> Presence:
    return Presence(reason=PodsReason.NOT_ANSWERING, message=f"requests are not answered: {why}")
