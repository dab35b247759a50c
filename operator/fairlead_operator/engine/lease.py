"""One active operator: a Lease held in the pod's name, released on SIGTERM.

The holder is the pod, so that a container that restarts continues at once.  A
standby takes over when the holder has released the Lease, or has not renewed it for
its duration as measured by the standby's own clock.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from fairlead_operator.api.base import to_moment
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.kinds import RESOURCES

_LOGGER = logging.getLogger(__name__)
_NAME: Final = "fairlead-operator"
_DURATION: Final = 5  # seconds
_DEADLINE: Final = 4.5  # the holder gives up before a standby may take over
_RENEW: Final = 2.4
_RETRY: Final = 0.5


class Lease:
    """The right to act."""

    def __init__(
        self, kube: KubeClient, *, namespace: str, identity: str, now: Callable[[], datetime]
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._identity = identity
        self._now = now
        self._ours: dict[str, Any] | None = None  # as our last write left it
        self._last_sign: tuple[str, float] = (
            "",
            0.0,
        )  # what the holder wrote last, and when we read it

    @property
    def uid(self) -> str:
        """Return the uid of the Lease that was just acquired; it outlives every holder."""
        return str((self._ours or {}).get("metadata", {}).get("uid", ""))

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while True:
            try:
                if await self._try():
                    _LOGGER.info("lease acquired", extra={"identity": self._identity})
                    return
            except TransientError as error:
                _LOGGER.debug("lease not acquired", extra={"error": str(error)})
            await asyncio.sleep(_RETRY)

    async def hold(self) -> None:
        """Renew until the Lease is lost; once this returns, another may act."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _DEADLINE, _RENEW
        while loop.time() < deadline:
            await asyncio.sleep(min(pause, deadline - loop.time()))
            asked = loop.time()
            try:
                async with asyncio.timeout_at(deadline):
                    if not await self._try():
                        _LOGGER.error("lease lost to another holder")
                        return
                deadline, pause = asked + _DEADLINE, _RENEW
            except (TransientError, TimeoutError) as error:
                pause = _RETRY
                _LOGGER.warning("lease not renewed", extra={"error": str(error)})
        _LOGGER.error("lease lost: not renewed in time")

    async def release(self) -> None:
        """Give the Lease back, so that a standby need not wait."""
        try:
            lease = await self._kube.get("Lease", self._namespace, _NAME)
            if lease is not None and _holder(lease) == self._identity:
                lease["spec"]["holderIdentity"] = ""
                await self._kube.replace(lease)
        except TransientError as error:
            _LOGGER.warning("lease not released", extra={"error": str(error)})

    async def _try(self) -> bool:
        """Take or renew the Lease; a conflict means that another was faster.

        What is ours is renewed by one write: it fails when anybody has written meanwhile.
        """
        lease, self._ours = self._ours, None
        if lease is None:
            lease = await self._kube.get("Lease", self._namespace, _NAME)
        if lease is None:
            claim = self._claim({"name": _NAME, "namespace": self._namespace}, 0)
            self._ours = await self._kube.create(claim)
            return True
        spec = lease.get("spec") or {}
        changes = int(spec.get("leaseTransitions") or 0)
        if _holder(lease) != self._identity:
            if not self._expired(lease):
                return False
            changes += 1
        self._ours = await self._kube.replace(self._claim(lease["metadata"], changes))
        return True

    def _expired(self, lease: dict[str, Any]) -> bool:
        """Tell whether the holder let go, or was silent for the Lease's duration by our clock."""
        if not _holder(lease):
            return True
        sign = str(lease["spec"].get("renewTime")) + _holder(lease)
        now = asyncio.get_running_loop().time()
        if sign != self._last_sign[0]:
            self._last_sign = (sign, now)
        duration = float(lease["spec"].get("leaseDurationSeconds") or _DURATION)
        return now - self._last_sign[1] > duration

    def _claim(self, metadata: dict[str, Any], changes: int) -> dict[str, Any]:
        moment = to_moment(self._now()).replace("Z", "000Z")
        return {
            "apiVersion": RESOURCES["Lease"].api_version,
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": _DURATION,
                "renewTime": moment,
                "acquireTime": moment,
                "leaseTransitions": changes,
            },
        }


def _holder(lease: dict[str, Any]) -> str:
    return (lease.get("spec") or {}).get("holderIdentity") or ""
