"""Takes news of the cluster into the store, then queues the keys that it concerns.

kopf's watches bring news as it happens.  ``Sync`` reads everything before they start, and
again when there is reason to: a watch that starts anew does not tell what was deleted
meanwhile, and no watch tells what it missed.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_operator.engine.wakeup import Wakeup, sort_keys
from fairlead_operator.engine.work_queue import WorkQueue
from fairlead_operator.errors import ClusterRefusalError, TransientError, UnknownKindError
from fairlead_operator.keys import Key
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.kinds import OPTIONAL, UNSTORED, WATCHED, Selector
from fairlead_operator.kube.store import News, Place, Store, version_of

_LOGGER = logging.getLogger(__name__)
_SETTLED: Final = 5.0  # seconds without a listed object: the watch's own list is over
_PERIOD: Final = 1800.0  # seconds from one reading of everything to the next
_RETRY: Final = 1.0
# Kinds whose every change is looked at, even one we made: the next step follows from it.
_OWN: Final = frozenset({"Model", "TrainingRun", "Rollout"})


class Watches:
    """Passes news to the store, the wake-up and the queue, in this order."""

    def __init__(self, store: Store, wakeup: Wakeup, queue: WorkQueue) -> None:
        self._store = store
        self._wakeup = wakeup
        self._queue = queue
        self.listed = asyncio.Event()  # a watch has begun anew

    def tell(self, body: Mapping[str, Any], how: str | None) -> None:
        """Take note of an object; ``how`` is a watch event's type, None in a watch's own list."""
        deleted = how == "DELETED"
        if deleted:
            concerns = self._store.remove(Place.of(body), version_of(body))
        else:
            news = self._store.put(body)
            concerns = news is News.NEW or (news is News.OURS and body["kind"] in _OWN)
        if how is None:
            self.listed.set()
        if concerns:
            for key in sort_keys(self._wakeup.keys_for(body, deleted=deleted)):
                self._queue.add(key)

    def look_at(self, namespace: str, model: str) -> None:
        """Wake a Model and its live Rollouts although nothing was told of them."""
        for key in sort_keys(self._wakeup.rollouts_of(namespace, model)):
            self._queue.add(key)
        self._queue.add(Key("Model", namespace, model))

    def look_at_model(self, namespace: str, name: str) -> None:
        """Wake a Model, if there is one."""
        if self._store.get("Model", namespace, name) is not None:
            self._queue.add(Key("Model", namespace, name))

    def look_at_namespace(self, namespace: str) -> None:
        """Look at what is left of a namespace without Models, if it is one of ours."""
        has_models = any(True for _ in self._store.places("Model", namespace))
        if self._store.covers("Model", namespace) and not has_models:
            self._queue.add(Key.of_namespace(namespace))

    def look_at_trainings(self, namespace: str) -> None:
        """Look at what trainings of a namespace left, if it is one of ours."""
        if self._store.covers("TrainingRun", namespace):
            self._queue.add(Key.of_trainings(namespace))


class Sync:
    """Reads everything, and tells what the watches missed."""

    def __init__(
        self,
        client: KubeClient,
        store: Store,
        watches: Watches,
        *,
        namespaces: Sequence[str],
        beside: Mapping[str, Selector] | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._watches = watches
        self._namespaces = namespaces or ("",)
        self._beside = beside or {}  # other objects of kinds that are watched
        for kind, selector in self._beside.items():
            store.cover(kind, selector)
        self._kinds: Mapping[str, Selector] = WATCHED  # what can be watched here; after ``fill``

    @property
    def rounds(self) -> Sequence[Mapping[str, Selector]]:
        """Return what is watched, with one selector for a kind in each of them; after ``fill``."""
        return [self._kinds, self._beside] if self._beside else [self._kinds]

    async def fill(self) -> None:
        """Read everything for the first time, once the API server knows all kinds."""
        while True:
            try:
                there = {kind: OPTIONAL[kind] for kind in OPTIONAL if await self._knows(kind)}
                self._kinds = {**WATCHED, **there}
                for kind in there.keys() - UNSTORED:
                    self._store.cover(kind, OPTIONAL[kind])
                await self.read_all()
            except TransientError as error:
                _LOGGER.warning(
                    "waiting for the API server and the CRDs", extra={"error": str(error)}
                )
                await asyncio.sleep(_RETRY)
            else:
                return

    async def run(self) -> None:
        """Read again after a watch has begun anew, and from time to time; never return."""
        while True:
            await self._reason()
            try:
                await self.read_all()
            except (TransientError, ClusterRefusalError) as error:
                _LOGGER.warning(
                    "could not read all watched objects; trying again", extra={"error": str(error)}
                )
                self._watches.listed.set()

    async def patrol(self) -> None:
        """Look at every Model from time to time, evenly spread; never return."""
        while True:
            models = [place for place, _ in self._store.places("Model")]
            for place in models:
                self._watches.look_at(place.namespace, place.name)
                await asyncio.sleep(_PERIOD / len(models))
            if not models:
                await asyncio.sleep(_PERIOD)

    async def read_all(self) -> None:
        """Bring the store up to date with the cluster.

        Raises:
            TransientError: the cluster did not answer; what was read is kept.
        """
        for kind, selector in (item for kinds in self.rounds for item in kinds.items()):
            if kind not in UNSTORED:
                for namespace in self._namespaces:
                    try:
                        await self._read(kind, namespace, selector)
                    except UnknownKindError:
                        if kind in WATCHED:
                            raise
                        self._forget(kind, namespace)  # who brought the kind took it away

    async def _knows(self, kind: str) -> bool:
        """Tell whether the cluster has a kind that others install, and lets us read it."""
        try:
            async for _ in self._client.pages(kind, self._namespaces[0], OPTIONAL[kind]):
                break
        except (UnknownKindError, ClusterRefusalError):
            return False
        return True

    async def _read(self, kind: str, namespace: str, selector: Selector) -> None:
        there: set[Place] = set()
        version = 0
        async for page in self._client.pages(kind, namespace, selector):
            version = int(page.version)
            for body in page.items:
                there.add(Place.of(body))
                self._watches.tell(body, "LISTED")
        for place, stored in self._store.places(kind, namespace):
            if selector.may_select(place.name) and place not in there and stored <= version:
                self._tell_gone(place, version)

    def _forget(self, kind: str, namespace: str) -> None:
        for place, version in self._store.places(kind, namespace):
            self._tell_gone(place, version)

    def _tell_gone(self, place: Place, version: int) -> None:
        gone = self._store.get(*place) or {}
        gone["metadata"]["resourceVersion"] = str(version)
        self._watches.tell(gone, "DELETED")

    async def _reason(self) -> None:
        """Wait until everything should be read again."""
        try:
            async with asyncio.timeout(_PERIOD):
                await self._watches.listed.wait()
        except TimeoutError:
            return
        while self._watches.listed.is_set():
            self._watches.listed.clear()
            await asyncio.sleep(_SETTLED)
