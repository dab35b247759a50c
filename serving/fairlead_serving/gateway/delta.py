"""What to send next on one Delta ADS stream.  Pure: requests in, pushes out, no sockets.

Envoy takes its resources in an order that never leaves a route without a warm cluster:

    clusters, added or changed  →  their endpoints  →  routes  →  clusters, removed

Each arrow waits for Envoy's acknowledgement.  Pushed at once, the new routes would meet clusters
that still wait for endpoints, and requests would fail.

Envoy names what it has when it connects again, so a restarted agent sends only the difference.
"""

import dataclasses
from collections.abc import Mapping

from fairlead_serving.gateway.target import ASSIGNMENT, CLUSTER, ROUTES, Packed, Target


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One message of Envoy's."""

    type_url: str
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    nonce: str = ""
    error: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One message to Envoy."""

    type_url: str
    nonce: str
    packed: Mapping[str, Packed]
    removed: tuple[str, ...] = ()
    target: Target


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A push Envoy refused as a whole; it keeps what it had."""

    push: Push
    message: str


@dataclasses.dataclass(slots=True)
class _Subscription:
    """What Envoy asked for and has, of one type."""

    is_open: bool = False
    is_answered: bool = False
    names: set[str] = dataclasses.field(default_factory=set)
    held: dict[str, str] = dataclasses.field(default_factory=dict)  # acknowledged versions
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    in_flight: Push | None = None

    def missing(self, wanted: Mapping[str, Packed]) -> dict[str, Packed]:
        """What differs from the wanted, but for what was refused in this very version."""
        return {
            name: packed
            for name, packed in wanted.items()
            if self.held.get(name) != packed.version and self.refused.get(name) != packed.version
        }

    def can_send(self) -> bool:
        return self.is_open and self.in_flight is None


class Session:
    """One stream of one Envoy."""

    def __init__(self) -> None:
        self._types = {url: _Subscription() for url in (CLUSTER, ASSIGNMENT, ROUTES)}
        self._nonce = 0

    def receive(self, request: Request) -> Rejection | None:
        """Take a message of Envoy's; returns what it refused with it."""
        kind = self._types.get(request.type_url)
        if kind is None:
            return None  # a type nobody here serves
        # The answer to the last push comes first: the same message may ask for a name anew.
        rejection = self._take_answer(kind, request)
        if not kind.is_open:
            kind.is_open = True
            kind.held.update(request.initial_versions)
        for name in request.unsubscribe:
            kind.names.discard(name)
            kind.held.pop(name, None)
        for name in request.subscribe:
            kind.names.add(name)
            if name not in request.initial_versions:
                kind.held.pop(name, None)
        return rejection

    def next_push(self, target: Target) -> Push | None:
        """The next message towards the target; None while there is nothing to send or to wait."""
        return (
            self._next_clusters(target)
            or self._next_assignments(target)
            or self._next_routes(target)
        )

    def is_settled(self, target: Target) -> bool:
        """Whether Envoy has acknowledged all that the target says."""
        return all(
            self._types[url].held.get(name) == packed.version
            for url in (CLUSTER, ASSIGNMENT, ROUTES)
            for name, packed in target.packed[url].items()
        )

    def _take_answer(self, kind: _Subscription, request: Request) -> Rejection | None:
        push = kind.in_flight
        if push is None or request.nonce != push.nonce:
            return None
        kind.in_flight = None
        versions = {name: packed.version for name, packed in push.packed.items()}
        if request.error is not None:
            kind.refused.update(versions)
            return Rejection(push=push, message=request.error)
        for name in push.removed:
            kind.held.pop(name, None)
        if push.type_url == ASSIGNMENT:  # a name let go meanwhile is no longer held
            versions = {name: version for name, version in versions.items() if name in kind.names}
        kind.held.update(versions)
        return None

    def _next_clusters(self, target: Target) -> Push | None:
        kind, wanted = self._types[CLUSTER], target.packed[CLUSTER]
        if not kind.can_send():
            return None
        missing = kind.missing(wanted)
        removed = self._removable(target)
        # An empty first answer is needed too: Envoy waits for one before it is ready.
        if not missing and not removed and kind.is_answered:
            return None
        for name in missing:  # a changed cluster warms up again and waits for its endpoints
            self._types[ASSIGNMENT].held.pop(name, None)
        return self._push(CLUSTER, missing, target, removed=removed)

    def _removable(self, target: Target) -> tuple[str, ...]:
        routes = self._types[ROUTES]
        if routes.held != target.versions(ROUTES) or routes.in_flight is not None:
            return ()
        return tuple(sorted(self._types[CLUSTER].held.keys() - target.packed[CLUSTER].keys()))

    def _next_assignments(self, target: Target) -> Push | None:
        kind = self._types[ASSIGNMENT]
        if not kind.can_send():
            return None
        wanted = target.packed[ASSIGNMENT]
        missing = kind.missing({name: wanted[name] for name in wanted if name in kind.names})
        return self._push(ASSIGNMENT, missing, target) if missing else None

    def _next_routes(self, target: Target) -> Push | None:
        kind = self._types[ROUTES]
        if not kind.can_send() or not self._is_warm(target):
            return None
        missing = kind.missing(target.packed[ROUTES])
        return self._push(ROUTES, missing, target) if missing else None

    def _is_warm(self, target: Target) -> bool:
        """Whether Envoy has every cluster in its present form, with endpoints of any date."""
        clusters, assignments = self._types[CLUSTER], self._types[ASSIGNMENT]
        return clusters.is_answered and all(
            clusters.held.get(name) == packed.version and name in assignments.held
            for name, packed in target.packed[CLUSTER].items()
        )

    def _push(
        self,
        type_url: str,
        packed: Mapping[str, Packed],
        target: Target,
        *,
        removed: tuple[str, ...] = (),
    ) -> Push:
        self._nonce += 1
        push = Push(
            type_url=type_url,
            nonce=str(self._nonce),
            packed=packed,
            removed=removed,
            target=target,
        )
        kind = self._types[type_url]
        kind.in_flight = push
        kind.is_answered = True
        return push
