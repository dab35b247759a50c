"""Look at guarded versions several times a second, and say which of them must go.

The shell around `guard`.  It asks Envoy nothing while no version is guarded.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from fairlead_serving.gateway.guard.burst import (
    Burst,
    Counts,
    Look,
    Standard,
    find_burst,
    remember,
    renew,
)
from fairlead_serving.gateway.guard.counters import CountersError
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.routes.options import Guard
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.xds.clusters import cluster_name
from fairlead_serving.gateway.xds.snapshot import Snapshot

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1
_STANDARD_PAUSE_SECONDS = 1.0  # while no version is guarded, and fallbacks are only got to know
# The longer Envoy takes to answer (it goes through all its statistics), the rarer it is asked.
_PAUSE_PER_ANSWER = 3.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A version with traffic, and what it may not do."""

    model: str
    version: str
    guard: Guard
    share: int  # percent
    fallback: str  # the cluster of the version that would take over


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """A version that others are held against, also before they have traffic."""

    guard: Guard
    share: int  # percent


def find_guarded(snapshot: Snapshot) -> dict[str, Guarded]:
    """Find the versions to guard, by cluster name.

    Versions with traffic only: another has none to lose.  And only while the fallback has an
    endpoint: half of the answers are more than none.
    """
    versions = {}
    for route in snapshot.routes:
        if (guard := route.guard) is not None and _can_fall_back(route, guard, snapshot):
            for version in guard.versions:
                if share := route.weights.get(version):
                    versions[cluster_name(route, version)] = Guarded(
                        model=route.model,
                        version=version,
                        guard=guard,
                        share=share,
                        fallback=cluster_name(route, guard.fallback),
                    )
    return versions


def find_fallbacks(snapshot: Snapshot) -> dict[str, Fallback]:
    """Find the versions to hold others against, by cluster name."""
    return {
        cluster_name(route, guard.fallback): Fallback(
            guard=guard, share=route.weights.get(guard.fallback, 0)
        )
        for route in snapshot.routes
        if (guard := route.guard) is not None and guard.max_refusal_ratio < 1
    }


def _can_fall_back(route: Route, guard: Guard, snapshot: Snapshot) -> bool:
    return any(
        version.version == guard.fallback and snapshot.endpoints.get(version.service)
        for version in route.versions
    )


Read = Callable[[Collection[str]], Awaitable[Mapping[str, Counts]]]


class GuardLoop:
    """Holds the latest looks at each guarded version."""

    def __init__(self, read: Read, metrics: Metrics) -> None:
        self._read = read
        self._metrics = metrics
        self._guarded: Mapping[str, Guarded] = {}
        self._fallbacks: Mapping[str, Fallback] = {}
        self._standards: dict[str, Standard] = {}
        self._looks: dict[str, tuple[Look, ...]] = {}
        self._has_work = asyncio.Event()
        self._is_blind = False

    def arm(self, guarded: Mapping[str, Guarded], fallbacks: Mapping[str, Fallback]) -> None:
        """Guard these versions, by cluster name, and no others; hold them against these."""
        self._fallbacks = dict(fallbacks)
        self._standards = {name: self._standards.get(name, Standard()) for name in self._fallbacks}
        self._looks = {
            name: looks
            for name, looks in self._looks.items()
            if self._guarded.get(name) == guarded.get(name)
        }
        self._guarded = dict(guarded)
        self._metrics.guarded.set(len(guarded))
        if guarded or self._fallbacks:
            self._has_work.set()
        else:
            self._has_work.clear()

    async def run(self, tripped: Callable[[Guarded, Burst], None]) -> None:
        """Look until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._has_work.wait()
            began = clock()
            bursts = await self._look(clock)
            for guarded, burst in bursts:
                tripped(guarded, burst)
            pause = _PAUSE_SECONDS if self._guarded else _STANDARD_PAUSE_SECONDS
            await asyncio.sleep(max(pause, (clock() - began) * _PAUSE_PER_ANSWER))

    async def _look(self, clock: Callable[[], float]) -> list[tuple[Guarded, Burst]]:
        try:
            counts = await self._read(self._guarded.keys() | self._fallbacks.keys())
        except CountersError as error:
            self._go_blind(error)
            return []
        self._is_blind = False
        at = clock()
        for name, fallback in self._fallbacks.items():
            if name in counts:
                look = Look(at=at, counts=counts[name])
                standard = self._standards[name]
                self._standards[name] = renew(standard, look, fallback.share, fallback.guard)
        bursts = []
        for name, guarded in self._guarded.items():
            if name not in counts:
                self._looks.pop(name, None)
                continue
            newest = Look(at=at, counts=counts[name])
            looks = remember(self._looks.get(name, ()), newest, guarded.guard)
            self._looks[name] = looks
            rate = self._standards.get(guarded.fallback, Standard()).rate
            burst = find_burst(looks, guarded.guard, share=guarded.share, rate=rate)
            if burst is not None:
                bursts.append((guarded, burst))
        return bursts

    def _go_blind(self, error: CountersError) -> None:
        """Forget all looks: what happens meanwhile cannot be dated."""
        self._looks.clear()
        self._standards = {
            name: Standard(rate=standard.rate) for name, standard in self._standards.items()
        }
        self._metrics.blind_looks.inc()
        if not self._is_blind:
            logger.warning(
                "the fast guard cannot read Envoy's statistics and guards nothing for now: %s",
                error,
            )
        self._is_blind = True
