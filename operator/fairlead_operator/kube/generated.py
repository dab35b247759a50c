"""Puts back what the release's Secrets lose of what the operator has generated.

It opens data that is there, so what somebody deletes or empties while an operator works comes back
as it was, and is never made anew.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

from fairlead_operator.errors import ClusterRefusalError, ConflictError, TransientError
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.owned import bind_to_state

_LOGGER = logging.getLogger(__name__)
# Seconds.  Who uninstalls the release deletes its rights first and then its Secrets, and wants none
# of them back.
_SETTLED: Final = 1.0
_RETRY: Final = 5.0


class Keeper:
    """Puts back a Secret, or the keys of it, that were there and are not any more.

    A key with another value is somebody's rotation, and is what is put back from then on.
    """

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._seen: dict[str, dict[str, Any]] = {}  # by name, as they were when they were whole

    async def keep(self, name: str, keys: Sequence[str]) -> NoReturn:
        """Put it back whenever it is needed; never return."""
        while True:
            try:
                async for _ in self._kube.changes("Secret", self._namespace, name):
                    if not await self.remember(name, keys):
                        await asyncio.sleep(_SETTLED)
                        await self.look(name, keys)
            except ConflictError:  # somebody has just written it
                continue
            except (TransientError, ClusterRefusalError) as error:
                fields = {"secret": name, "error": str(error)}
                _LOGGER.debug("generated Secret not watched", extra=fields)
                await asyncio.sleep(_RETRY)

    async def remember(self, name: str, keys: Sequence[str]) -> bool:
        """Keep in mind what the Secret holds; tell whether it lacks nothing that it has held.

        Raises:
            TransientError: the cluster did not answer.
            ClusterRefusalError: it does not let us.
        """
        live = await self._kube.get("Secret", self._namespace, name)
        if live is not None and not self._lost(name, keys, live):
            self._seen[name] = self._whole(live, keys)
            return True
        return False

    async def look(self, name: str, keys: Sequence[str]) -> None:
        """Look at the Secret once, and put back what it has lost.

        Raises:
            ConflictError: somebody has written it meanwhile.
            TransientError: the cluster did not answer.
            ClusterRefusalError: it does not let us.
        """
        if await self.remember(name, keys):
            return
        live = await self._kube.get("Secret", self._namespace, name)
        if not (lost := self._lost(name, keys, live)):
            return
        whole = self._seen[name]
        if live is None:
            await self._kube.apply(bind_to_state(whole, None))
        else:
            data = live.get("data") or {}
            await self._kube.replace({**live, "data": {**data, **_part(whole["data"], lost)}})
        _LOGGER.warning("put back", extra={"secret": name, "keys": ",".join(lost)})

    def _lost(
        self, name: str, keys: Sequence[str], live: Mapping[str, Any] | None
    ) -> Sequence[str]:
        held = self._seen.get(name, {"data": {}})["data"]
        return [key for key in find_missing(live or {}, keys) if key in held]

    def _whole(self, live: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
        """Return the manifest that makes it anew, for whoever counts it to the release as well."""
        meta, data = live["metadata"], live.get("data") or {}
        told = {key: meta[key] for key in ("name", "labels", "annotations") if meta.get(key)}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**told, "namespace": self._namespace},
            "type": live.get("type", "Opaque"),
            "data": _part(data, [key for key in data if data[key] or key not in keys]),
        }


async def keep_all(
    kube: KubeClient, namespace: str, generated: Mapping[str, Sequence[str]]
) -> None:
    """Keep each of these Secrets; return only where there is none."""
    keeper = Keeper(kube, namespace)
    await asyncio.gather(*(keeper.keep(name, keys) for name, keys in generated.items()))


def parse_generated(words: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read the keys of each Secret from words like ``fairlead-webhook=token``."""
    pairs = (word.partition("=") for word in words)
    return {name: tuple(keys.split(",")) for name, _, keys in pairs}


def find_missing(secret: Mapping[str, Any], keys: Sequence[str]) -> Sequence[str]:
    """Return which of these keys have no value."""
    data = secret.get("data") or {}
    return [key for key in keys if not data.get(key)]


def _part(data: Mapping[str, str], keys: Iterable[str]) -> dict[str, str]:
    return {key: data[key] for key in keys}
