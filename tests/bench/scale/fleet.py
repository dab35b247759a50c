"""Many Models: made, changed and watched, with the moment of each thing that is seen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.scale.follow import following
from fairlead_operator.api.group import API_VERSION
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.kinds import RESOURCES
from support.backends import Backends
from support.kube_desk import admin_of

PER_NAMESPACE = 100
STABLE, CANDIDATE = "1.0.0", "1.1.0"

_AT_ONCE = 32  # of our own writes
_MERGE = "application/merge-patch+json"

Name = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change of an object."""

    generation: int  # that it made
    at: float  # it was sent, by the monotonic clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was last seen of an object, and when."""

    name: Name
    generation: int
    status: Mapping[str, Any]
    at: float  # of the monotonic clock


Holds = Callable[[Seen], bool]


class Fleet:
    """All Models there are; entered, it follows them and their Rollouts."""

    def __init__(self, client: KubeClient, kubeconfig: Path, backends: Backends) -> None:
        self.models: dict[Name, Seen] = {}
        self.rollouts: dict[Name, Seen] = {}
        self._client = client
        self._kubeconfig = kubeconfig
        self._backends = backends
        self._changed = asyncio.Event()
        self._room = asyncio.Semaphore(_AT_ONCE)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator["Fleet"]:
        """See changes until the block ends."""
        server, context = admin_of(self._kubeconfig)
        connector = aiohttp.TCPConnector(ssl=context, limit=_AT_ONCE)
        async with (
            aiohttp.ClientSession(server, connector=connector) as self._session,
            following(self._kubeconfig, "Model", self._note(self.models)),
            following(self._kubeconfig, "Rollout", self._note(self.rollouts)),
        ):
            yield self

    def names(self, count: int) -> list[Name]:
        """Of the first so many Models."""
        return [(f"team-{number // PER_NAMESPACE}", f"m-{number}") for number in range(count)]

    async def grow(self, count: int) -> float:
        """Have so many Models; answers the seconds until the last new one serves."""
        new = [name for name in self.names(count) if name not in self.models]
        for namespace in sorted({namespace for namespace, _ in new}):
            await self._have_namespace(namespace)
        for namespace, name in new:
            for version in (STABLE, CANDIDATE):
                self._backends.registry.register(f"{namespace}.{name}", version)
        began = time.monotonic()
        await self._all(self._client.create(_model(*name)) for name in new)
        ended = await self.wait(self.models, new, is_serving)
        return max(ended.values()) - began

    async def patch(
        self, kind: str, names: Iterable[Name], body: Mapping[str, Any]
    ) -> Mapping[Name, Changed]:
        """Change many objects at once, as people would."""
        changed: dict[Name, Changed] = {}
        await self._all(self._patch(kind, name, body, changed) for name in names)
        return changed

    async def observed(self, changed: Mapping[Name, Changed]) -> Mapping[Name, float]:
        """Wait until the operator has seen these changes of Models; answers when it had."""

        def is_seen(model: Seen) -> bool:
            reached = int(model.status.get("observedGeneration", 0))
            return reached >= changed[model.name].generation

        return await self.wait(self.models, changed, is_seen)

    async def exists(self, kind: str, name: Name) -> bool:
        """Whether there is such an object."""
        return await self._client.get(kind, *name) is not None

    async def remove(self, kind: str, name: Name) -> None:
        """As a person would."""
        await self._client.delete(kind, *name)

    async def wait(
        self,
        where: Mapping[Name, Seen],
        names: Iterable[Name],
        holds: Holds,
        *,
        patience: float = 900,
    ) -> dict[Name, float]:
        """Wait until it holds for all; answers when it was first seen to, for each."""
        ended: dict[Name, float] = {}
        left = set(names)
        async with asyncio.timeout(patience):
            while left:
                self._changed.clear()
                for name in list(left):
                    if name in where and holds(where[name]):
                        ended[name] = where[name].at
                        left.discard(name)
                if left:
                    await self._changed.wait()
        return ended

    def rollout_of(self, name: Name) -> Name:
        """The Rollout a Model names."""
        return name[0], str(self.models[name].status.get("rollout"))

    def _note(self, where: dict[Name, Seen]) -> Callable[[dict[str, Any], bool], None]:
        def note(item: dict[str, Any], gone: bool) -> None:
            meta = item["metadata"]
            name = meta["namespace"], meta["name"]
            if gone:
                where.pop(name, None)
            else:
                where[name] = Seen(
                    name=name,
                    generation=meta["generation"],
                    status=item.get("status") or {},
                    at=time.monotonic(),
                )
            self._changed.set()

        return note

    async def _all(self, work: Iterable[Any]) -> None:
        async def one(item: Any) -> None:
            async with self._room:
                await item

        await asyncio.gather(*(one(item) for item in work))

    async def _patch(
        self, kind: str, name: Name, body: Mapping[str, Any], changed: dict[Name, Changed]
    ) -> None:
        path = RESOURCES[kind].path(*name)
        headers = {"Content-Type": _MERGE}
        at = time.monotonic()
        async with self._session.patch(path, json=body, headers=headers) as response:
            response.raise_for_status()
            generation = (await response.json())["metadata"]["generation"]
        changed[name] = Changed(generation=generation, at=at)

    async def _have_namespace(self, name: str) -> None:
        manifest = {"metadata": {"name": name}}
        async with self._session.post("/api/v1/namespaces", json=manifest) as response:
            assert response.status in {201, 409}, await response.text()


def is_serving(model: Seen) -> bool:
    return is_observed(model) and model.status.get("phase") == "Serving"


def is_observed(item: Seen) -> bool:
    return item.status.get("observedGeneration") == item.generation


def _model(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "task": "binary-classification",
            "data": {
                "source": {"uri": "https://data.example/rows.csv"},
                "timestampColumn": "timestamp",
                "target": "label",
            },
            "version": STABLE,
            "rollout": {
                "steps": [{"weight": 10, "hold": "2h"}, {"weight": 50, "hold": "2h"}],
                "analysis": {
                    "interval": "30s",
                    "checks": [
                        {"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99}
                    ],
                },
                "guard": {"duration": "1s"},
            },
        },
    }
