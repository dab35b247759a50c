"""The Lease on a fake cluster: who may act, and who waits.  Time passes by itself."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fairlead_operator.engine import lease as leases
from fairlead_operator.engine.lease import Lease
from fairlead_operator.errors import TransientError
from support.fakes import START
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures
pytestmark = pytest.mark.usefixtures("quick_time")


class Cluster:
    """One Lease, with the API server's optimistic locking."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.down = False
        self.slow = 0.0
        self.before_write: Callable[[], Awaitable[None]] | None = None
        self._serial = 0

    async def get(self, *_: str) -> dict[str, Any] | None:
        await self._answer()
        return copy.deepcopy(self.lease)

    async def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        await self._answer()
        await self._interfere()
        if self.lease is not None:
            raise TransientError("409 already exists")
        return self._store(manifest)

    async def replace(self, manifest: dict[str, Any]) -> dict[str, Any]:
        await self._answer()
        await self._interfere()
        version = (self.lease or {"metadata": {}})["metadata"].get("resourceVersion")
        if manifest["metadata"].get("resourceVersion") != version:
            raise TransientError("409 conflict")
        return self._store(manifest)

    @property
    def holder(self) -> str:
        return str((self.lease or {"spec": {}})["spec"].get("holderIdentity", ""))

    def _store(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self._serial += 1
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(self._serial)
        return self.lease

    async def _answer(self) -> None:
        await asyncio.sleep(self.slow)
        if self.down:
            raise TransientError("connection refused")

    async def _interfere(self) -> None:
        if self.before_write is not None:
            meddle, self.before_write = self.before_write, None
            await meddle()


def lease_of(cluster: Cluster, identity: str) -> Lease:
    kube: Any = cluster
    return Lease(kube, namespace="fairlead", identity=identity, now=lambda: START)


async def seconds_of(work: Awaitable[None]) -> float:
    """How long it takes by the loop's clock."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    await work
    return loop.time() - begin


async def test_the_first_takes_it() -> None:
    cluster = Cluster()

    await lease_of(cluster, "a").acquire()

    assert cluster.holder == "a"
    assert cluster.lease is not None
    assert cluster.lease["spec"]["renewTime"] == "2026-01-01T00:00:00.000000Z"
    assert cluster.lease["spec"]["leaseTransitions"] == 0


async def test_a_second_waits_while_the_first_renews() -> None:
    cluster = Cluster()
    first = lease_of(cluster, "a")
    first._now = iterate_moments()
    await first.acquire()
    holding = asyncio.create_task(first.hold())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lease_of(cluster, "b").acquire(), 100)

    assert cluster.holder == "a"
    assert not holding.done()
    holding.cancel()


def iterate_moments() -> Callable[[], Any]:
    """A clock that is another each time: a renewal must be seen as one."""
    moments = iter(range(10_000))
    return lambda: START.replace(microsecond=next(moments) * 1000 % 1_000_000)


async def test_a_silent_holder_is_replaced_after_its_duration() -> None:
    cluster = Cluster()
    await lease_of(cluster, "a").acquire()
    assert cluster.lease is not None
    cluster.lease["spec"]["leaseDurationSeconds"] = 3

    seconds = await seconds_of(lease_of(cluster, "b").acquire())

    assert 3 <= seconds <= 3 + 2 * leases._RETRY
    assert cluster.holder == "b"
    assert cluster.lease["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_once() -> None:
    cluster = Cluster()
    first = lease_of(cluster, "a")
    await first.acquire()
    await first.release()

    assert await seconds_of(lease_of(cluster, "b").acquire()) == 0

    assert cluster.holder == "b"


async def test_the_same_pod_goes_on_at_once() -> None:
    cluster = Cluster()
    await lease_of(cluster, "a").acquire()

    assert await seconds_of(lease_of(cluster, "a").acquire()) == 0

    assert cluster.lease is not None
    assert cluster.lease["spec"]["leaseTransitions"] == 0


async def test_of_two_at_once_one_gets_it() -> None:
    cluster = Cluster()
    cluster.before_write = lease_of(cluster, "b").acquire

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(lease_of(cluster, "a").acquire(), leases._DURATION)

    assert cluster.holder == "b"


async def test_acquire_waits_for_a_cluster_that_is_away() -> None:
    cluster = Cluster()
    cluster.down = True
    acquiring = asyncio.create_task(lease_of(cluster, "a").acquire())
    await asyncio.sleep(60)
    cluster.down = False

    assert await seconds_of(acquiring) <= leases._RETRY

    assert cluster.holder == "a"


async def test_a_holder_that_cannot_renew_gives_up_before_another_may_act() -> None:
    cluster = Cluster()
    lease = lease_of(cluster, "a")
    await lease.acquire()
    cluster.down = True

    seconds = await seconds_of(lease.hold())

    assert leases._DEADLINE <= seconds < leases._DURATION


async def test_a_cluster_that_hangs_is_no_longer_waited_for_either() -> None:
    cluster = Cluster()
    lease = lease_of(cluster, "a")
    await lease.acquire()
    cluster.slow = 10.0

    assert await seconds_of(lease.hold()) < leases._DURATION


async def test_a_short_outage_is_survived() -> None:
    cluster = Cluster()
    lease = lease_of(cluster, "a")
    await lease.acquire()
    holding = asyncio.create_task(lease.hold())
    cluster.down = True
    await asyncio.sleep(4)
    cluster.down = False
    await asyncio.sleep(100)

    assert not holding.done()
    holding.cancel()


async def test_a_holder_that_finds_another_stops_at_once() -> None:
    cluster = Cluster()
    lease = lease_of(cluster, "a")
    await lease.acquire()
    assert cluster.lease is not None
    cluster.lease["spec"]["holderIdentity"] = "b"

    assert await seconds_of(lease.hold()) <= 2 * leases._RENEW

    assert cluster.holder == "b"


@pytest.mark.parametrize("state", ["held by another", "gone", "away"])
async def test_release_takes_nothing_from_others(state: str) -> None:
    cluster = Cluster()
    await lease_of(cluster, "b").acquire()
    if state == "gone":
        cluster.lease = None
    cluster.down = state == "away"

    await lease_of(cluster, "a").release()

    assert cluster.holder == ("" if state == "gone" else "b")


async def test_its_uid_outlives_its_holders() -> None:
    cluster = Cluster()
    cluster.lease = {"metadata": {"uid": "uid-lease", "resourceVersion": "1"}}
    uids = []
    for name in ("a", "b"):
        lease = lease_of(cluster, name)
        await lease.acquire()
        uids.append(lease.uid)
        await lease.release()

    assert uids == ["uid-lease"] * 2


async def test_a_lease_without_a_spec_is_free() -> None:
    cluster = Cluster()
    cluster.lease = {"metadata": {"name": "fairlead-operator"}}

    assert await seconds_of(lease_of(cluster, "a").acquire()) == 0

    assert cluster.holder == "a"
