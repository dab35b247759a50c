"""What to send next on one Delta ADS stream.  Pure: requests in, pushes out, no sockets.

Envoy takes its resources in an order that never leaves a route without a warm cluster:

    clusters, added or changed  →  their endpoints  →  hosts, added  →  routes
        →  hosts, moved or removed  →  clusters, removed

Each arrow waits for Envoy's acknowledgement.  Pushed at once, the new routes would meet clusters
that still wait for endpoints, and requests would fail.  Envoy asks for the routes of a Model once
a host leads to it.

Envoy names what it has when it connects again, so a restarted agent sends only the difference.
"""

import dataclasses
import itertools
from collections.abc import Mapping

from fairlead_serving.gateway.xds.target import (
    ASSIGNMENT,
    CLUSTER,
    ROUTES,
    SCOPES,
    TYPES,
    Packed,
    Target,
)

# Resources in one push: Envoy has all of them unpacked in memory until it has taken them.  Hosts
# come all at once: an Envoy that starts is ready when the first that it hears of can be served.
_AT_ONCE = {CLUSTER: 100, ASSIGNMENT: 100, SCOPES: None, ROUTES: 100}
_NAMED = (ASSIGNMENT, ROUTES)  # of these Envoy gets what it asks for by name, of others all


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
    refused: Target | None = None
    in_flight: Push | None = None

    def has(self, versions: Mapping[str, str]) -> bool:
        """Say whether Envoy has all of these."""
        return versions.items() <= self.held.items()

    def missing(self, target: Target, url: str) -> dict[str, Packed]:
        """Find what Envoy still needs for the target, if it did not refuse it."""
        if target is self.refused or self.has(target.versions[url]):
            return {}
        return {
            name: packed
            for name, packed in target.packed[url].items()
            if self.held.get(name) != packed.version and (url not in _NAMED or name in self.names)
        }

    def can_send(self) -> bool:
        return self.is_open and self.in_flight is None


class Session:
    """One stream of one Envoy."""

    def __init__(self) -> None:
        self._types = {url: _Subscription() for url in TYPES}
        self._nonce = 0

    def receive(self, request: Request) -> Rejection | None:
        """Take a message of Envoy's, and return what it refused with it."""
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
        """Build the next message toward the target; None while there is nothing to send."""
        return (
            self._next_clusters(target)
            or self._next_assignments(target)
            or self._next_scopes(target)
            or self._next_routes(target)
        )

    def is_settled(self, target: Target) -> bool:
        """Say whether Envoy has acknowledged all that the target says, and nothing else is sent."""
        scopes = self._types[SCOPES]
        return scopes.held == target.versions[SCOPES] and all(
            kind.in_flight is None and kind.has(target.versions[url])
            for url, kind in self._types.items()
        )

    def _take_answer(self, kind: _Subscription, request: Request) -> Rejection | None:
        push = kind.in_flight
        if push is None or request.nonce != push.nonce:
            return None
        kind.in_flight = None
        versions = {name: packed.version for name, packed in push.packed.items()}
        if request.error is not None:
            kind.refused = push.target
            if push.type_url == ROUTES:  # it took those before the one it refused
                for name in versions:
                    kind.held.pop(name, None)
            return Rejection(push=push, message=request.error)
        for name in push.removed:
            kind.held.pop(name, None)
        if push.type_url in _NAMED:  # a name let go meanwhile is no longer held
            versions = {name: version for name, version in versions.items() if name in kind.names}
        kind.held.update(versions)
        return None

    def _next_clusters(self, target: Target) -> Push | None:
        kind = self._types[CLUSTER]
        if not kind.can_send():
            return None
        missing = kind.missing(target, CLUSTER)
        removed = self._removable(target)
        # An empty first answer is needed too: Envoy waits for one before it is ready.
        if not missing and not removed and kind.is_answered:
            return None
        for name in missing:  # a changed cluster warms up again and waits for its endpoints
            self._types[ASSIGNMENT].held.pop(name, None)
        return self._push(CLUSTER, missing, target, removed=removed)

    def _removable(self, target: Target) -> tuple[str, ...]:
        """Find clusters that no route of Envoy's can name any more."""
        surplus = self._types[CLUSTER].held.keys() - target.packed[CLUSTER].keys()
        scopes = self._types[SCOPES]
        if surplus and scopes.held == target.versions[SCOPES] and self._has_routes(target):
            return tuple(sorted(surplus))
        return ()

    def _next_assignments(self, target: Target) -> Push | None:
        kind = self._types[ASSIGNMENT]
        if not kind.can_send() or not (missing := kind.missing(target, ASSIGNMENT)):
            return None
        return self._push(ASSIGNMENT, missing, target)

    def _next_scopes(self, target: Target) -> Push | None:
        kind = self._types[SCOPES]
        if not kind.can_send() or not self._is_warm(target):
            return None
        missing = kind.missing(target, SCOPES)
        added = {name: packed for name, packed in missing.items() if name not in kind.held}
        if added or not kind.is_answered:
            return self._push(SCOPES, added, target)
        removed = kind.held.keys() - target.packed[SCOPES].keys()
        if (missing or removed) and self._has_routes(target):
            return self._push(SCOPES, missing, target, removed=tuple(sorted(removed)))
        return None

    def _next_routes(self, target: Target) -> Push | None:
        kind = self._types[ROUTES]
        if not kind.can_send() or not self._is_warm(target):
            return None
        missing = kind.missing(target, ROUTES)
        return self._push(ROUTES, missing, target) if missing else None

    def _is_warm(self, target: Target) -> bool:
        """Say whether Envoy has every cluster in its present form, with endpoints of any date."""
        clusters, assignments = self._types[CLUSTER], self._types[ASSIGNMENT]
        return (
            clusters.is_answered
            and clusters.has(target.versions[CLUSTER])
            and assignments.held.keys() >= target.packed[CLUSTER].keys()
        )

    def _has_routes(self, target: Target) -> bool:
        """Say whether Envoy has the routes of every Model that it asked for, and gets no others."""
        kind, versions = self._types[ROUTES], target.versions[ROUTES]
        return kind.in_flight is None and kind.has(
            {name: versions[name] for name in kind.names if name in versions}
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
            packed=dict(itertools.islice(packed.items(), _AT_ONCE[type_url])),
            removed=removed,
            target=target,
        )
        kind = self._types[type_url]
        kind.in_flight = push
        kind.is_answered = True
        return push
