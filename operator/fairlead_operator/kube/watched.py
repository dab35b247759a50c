"""``ports.Kube`` that reads from the watches, and sends only what would change something."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_operator.api.conditions import APPLIED, AUTOSCALED, PODS_READY, UPGRADED
from fairlead_operator.kube.applied import is_applied, sign, signature
from fairlead_operator.kube.owned import apply_owned, is_marked
from fairlead_operator.kube.store import Place, Store
from fairlead_operator.ports import Kube

# What is applied again at each look.  The others are applied once and then belong to others too.
_PARTS: Final = frozenset({
    "Deployment", "Service", "ConfigMap", "ServiceAccount", "RoleBinding", "PodDisruptionBudget",
    "HorizontalPodAutoscaler", "ScaledObject",
})  # fmt: skip


# Of a status, what is said to people and read by no reconcile: nothing follows from it.  Of the
# conditions a Model reads some of its Rollout's and TrainingRun's, and hands on one's words.
_SAID: Final = frozenset({"observedGeneration", "conditions"})
_VERSIONED: Final = frozenset({"resourceVersion", "managedFields"})  # differs at each write


class WatchedKube:
    """Reads from the store what it covers, and puts every write's answer into it.

    So a reconcile sees its own writes at once, and others' as soon as the watch tells.
    """

    def __init__(self, api: Kube, store: Store) -> None:
        self._api = api
        self._store = store
        self._written: dict[Place, dict[str, Any]] = {}  # whose objects, of what is not stored

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        if self._store.covers_name(kind, namespace, name):
            return self._store.get(kind, namespace, name)
        return await self._api.get(kind, namespace, name)

    async def reread(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        body = await self._api.get(kind, namespace, name)
        if body is None or (self._store.covers(kind, namespace) and not self._store.tells(body)):
            self._store.remove(Place(kind, namespace, name))
            return body
        return self._noted(body)

    async def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        if self._store.covers(kind, namespace):
            return list(self._store.list(kind, namespace, labels))
        return await self._api.list(kind, namespace, labels)

    async def relist(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        return await self._api.relist(kind, namespace, labels)

    async def children(self, kind: str, namespace: str, model: str) -> Sequence[dict[str, Any]]:
        if self._store.covers(kind, namespace):
            return list(self._store.children(kind, namespace, model))
        return await self._api.children(kind, namespace, model)

    async def models_at(self, host: str) -> Sequence[dict[str, Any]]:
        return list(self._store.models_at(host))  # those that are watched: others are not ours

    async def events(self, about: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        return await self._api.events(about)

    async def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        if not is_marked(manifest):
            return self._noted(await self._api.apply(manifest))
        place = Place.of(manifest)
        if not self._store.covers_name(*place):
            body = await apply_owned(manifest, self._written.get(place), self._api)
            self._written[place] = _identity(body)
            return body
        live = self._store.get(*place)
        if place.kind in _PARTS:
            manifest = sign(manifest)
            if live is not None and self._is_applied(place, manifest, live):
                return live
        return self._noted(await apply_owned(manifest, live, self._api))

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        return self._noted(await self._api.create(manifest))

    async def scale(self, deployment: Mapping[str, Any], replicas: int) -> dict[str, Any]:
        return self._noted(await self._api.scale(deployment, replicas))

    async def annotate(
        self,
        kind: str,
        namespace: str,
        name: str,
        annotations: Mapping[str, str | None],
        *,
        version: str | None = None,
    ) -> dict[str, Any] | None:
        told = await self._api.annotate(kind, namespace, name, annotations, version=version)
        return self._note(told)

    async def patch_status(
        self, kind: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        body = await self._api.patch_status(kind, namespace, name, status)
        if body is None:
            return None
        before = self._store.get(kind, namespace, name)
        return self._noted(body, quiet=before is not None and _read(before) == _read(body))

    async def patch_data(
        self, namespace: str, name: str, data: Mapping[str, str | None]
    ) -> dict[str, Any] | None:
        return self._note(await self._api.patch_data(namespace, name, data))

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        await self._api.delete(kind, namespace, name, uid=uid)
        place = Place(kind, namespace, name)
        self._store.remove(place)
        self._written.pop(place, None)

    def _is_applied(self, place: Place, signed: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
        """Compare once for each state of the object."""
        wanted = signature(signed)
        if self._store.verified(place) != wanted:
            if live["metadata"].get("deletionTimestamp") or not is_applied(signed, live):
                return False
            self._store.verify(place, wanted)
        return True

    def _note(self, body: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if body is None else self._noted(body)

    def _noted(self, body: dict[str, Any], *, quiet: bool = False) -> dict[str, Any]:
        if self._store.covers_name(*Place.of(body)):
            self._store.put(body, told=quiet, quiet=quiet)
        return body


def _identity(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says whose the object is, and which."""
    meta = body["metadata"]
    return {"metadata": {k: meta.get(k) for k in ("uid", "labels", "ownerReferences")}}


def _read(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what reconciles read of an object of ours."""
    meta = {k: v for k, v in body["metadata"].items() if k not in _VERSIONED}
    status = body.get("status") or {}
    told = [
        (
            *(condition["type"], condition["status"], condition["reason"]),
            condition["message"] if condition["type"] == PODS_READY else "",
        )
        for condition in status.get("conditions") or []
        if condition["type"] in {APPLIED, AUTOSCALED, PODS_READY, UPGRADED}
    ]
    read = {k: v for k, v in status.items() if k not in _SAID}
    return {"metadata": meta, "spec": body.get("spec"), "status": read, "told": told}
