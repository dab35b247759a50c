"""Look at guarded versions several times a second, and say which of them must go.

The shell around `guard`.  It asks Envoy nothing while no version is guarded.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping

from fairlead_serving.gateway.guard.burst import Burst, Counts, Look, find_burst, remember
from fairlead_serving.gateway.guard.counters import CountersError
from fairlead_serving.gateway.metrics import Metrics
from fairlead_serving.gateway.routes.options import Guard
from fairlead_serving.gateway.routes.route import Route
from fairlead_serving.gateway.xds.clusters import cluster_name
from fairlead_serving.gateway.xds.snapshot import Snapshot

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.1
# The longer Envoy takes to answer (it goes through all its statistics), the rarer it is asked.
_PAUSE_PER_ANSWER = 3.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A version with traffic, and what it may not do."""

    model: str
    version: str
    guard: Guard


def find_guarded(snapshot: Snapshot) -> dict[str, Guarded]:
    """Find the versions to guard, by cluster name.

    Versions with traffic only: another has none to lose.  And only while the fallback has an
    endpoint: half of the answers are more than none.
    """
    versions = {}
    for route in snapshot.routes:
        if (guard := route.guard) is not None and _can_fall_back(route, guard, snapshot):
            for version in guard.versions:
                if route.weights.get(version):
                    guarded = Guarded(model=route.model, version=version, guard=guard)
                    versions[cluster_name(route, version)] = guarded
    return versions


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
        self._looks: dict[str, tuple[Look, ...]] = {}
        self._has_work = asyncio.Event()
        self._is_blind = False

    def arm(self, guarded: Mapping[str, Guarded]) -> None:
        """Guard these versions, by cluster name, and no others."""
        self._looks = {
            name: looks
            for name, looks in self._looks.items()
            if self._guarded.get(name) == guarded.get(name)
        }
        self._guarded = dict(guarded)
        self._metrics.guarded.set(len(guarded))
        if guarded:
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
            await asyncio.sleep(max(_PAUSE_SECONDS, (clock() - began) * _PAUSE_PER_ANSWER))

    async def _look(self, clock: Callable[[], float]) -> list[tuple[Guarded, Burst]]:
        try:
            counts = await self._read(self._guarded.keys())
        except CountersError as error:
            self._go_blind(error)
            return []
        self._is_blind = False
        at = clock()
        bursts = []
        for name, guarded in self._guarded.items():
            if name not in counts:
                self._looks.pop(name, None)
                continue
            newest = Look(at=at, counts=counts[name])
            looks = remember(self._looks.get(name, ()), newest, guarded.guard)
            self._looks[name] = looks
            if (burst := find_burst(looks, guarded.guard)) is not None:
                bursts.append((guarded, burst))
        return bursts

    def _go_blind(self, error: CountersError) -> None:
        """Forget all looks: what happens meanwhile cannot be dated."""
        self._looks.clear()
        self._metrics.blind_looks.inc()
        if not self._is_blind:
            logger.warning(
                "the fast guard cannot read Envoy's statistics and guards nothing for now: %s",
                error,
            )
        self._is_blind = True
