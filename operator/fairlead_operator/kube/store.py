"""The newest state of each watched object, to be read without asking the cluster.

Fed by the watches, by lists, and by the answers to our own writes, in any order: of two
states of an object, the one with the higher resourceVersion stays.  Bodies are kept as
JSON text, without what nobody reads: that takes a fifth of the memory of dicts, and
gives every reader a copy of its own.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import orjson

from fairlead_operator.api.gateway import hosts_of
from fairlead_operator.api.group import LABEL_COMPONENT, LABEL_MODEL
from fairlead_operator.kube import scalers
from fairlead_operator.kube.kinds import WATCHED, Selector

_GRAVES: Final = 2000  # deletions that are remembered
_UNREAD: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_CHILDREN: Final = frozenset({"TrainingRun", "Rollout"})
_ROUTED: Final = frozenset({"Model", "Rollout"})  # of which some have host names


class Place(NamedTuple):
    """The place of an object in the cluster."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Place":
        return cls(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])


class News(Enum):
    """How an incoming state compares with the stored one."""

    NEW = auto()
    OURS = auto()  # known from the answer to our own request; nobody had told it yet
    KNOWN = auto()
    OLD = auto()


class _State:
    """The newest state of one object."""

    __slots__ = ("groups", "hosts", "text", "told", "verified", "version")

    def __init__(
        self,
        version: int,
        text: bytes,
        groups: tuple[str, ...],
        hosts: tuple[str, ...],
        *,
        told: bool,
    ) -> None:
        self.version = version
        self.text = text
        self.groups = groups
        self.hosts = hosts
        self.told = told
        self.verified: str | None = None  # the manifest this very state was compared with


class Store:
    """The newest state of each object; used from one event loop only."""

    def __init__(self, namespaces: Collection[str] = ()) -> None:
        self._namespaces = frozenset(namespaces)  # empty: all
        self._selectors = {kind: (selector,) for kind, selector in WATCHED.items()}
        self._states: dict[tuple[str, str], dict[str, _State]] = {}
        self._groups: dict[tuple[str, str, str], set[str]] = {}
        self._hosts: dict[str, dict[Place, str]] = {}  # who has a host name, and of which Model
        self._graves: dict[Place, int] = {}  # oldest first

    def covers(self, kind: str, namespace: str) -> bool:
        """Tell whether this kind is watched there, so that what is not stored does not exist."""
        watched = not self._namespaces or namespace in self._namespaces
        return watched and kind in self._selectors

    def covers_name(self, kind: str, namespace: str, name: str) -> bool:
        """Tell the same of one object: of some kinds few names are watched."""
        selectors = self._selectors.get(kind, ())
        return self.covers(kind, namespace) and any(each.may_select(name) for each in selectors)

    def tells(self, body: Mapping[str, Any]) -> bool:
        """Tell whether a watch tells of this object, if it is where we watch."""
        return any(each.selects(body) for each in self._selectors.get(body["kind"], ()))

    def cover(self, kind: str, selector: Selector) -> None:
        """Declare that what this selects is watched as well."""
        before = self._selectors.get(kind, ())
        self._selectors[kind] = before if selector in before else (*before, selector)

    def put(self, body: Mapping[str, Any], *, told: bool = True, quiet: bool = False) -> News:
        """Keep this state, unless a newer one is kept.

        ``told`` is false for the answer to a request of ours, which a watch tells as well;
        ``quiet`` is such an answer in which nothing changed that anybody reads.  Its own telling
        wakes nobody, unless the state before has still to be told: a watch may leave that out.
        """
        place, version = Place.of(body), version_of(body)
        before = self._states.get(place[:2], {}).get(place.name)
        told = told and not (quiet and before is not None and not before.told)
        newest = self._graves.get(place, -1) if before is None else before.version
        if version < newest or (version == newest and before is None):
            return News.OLD
        if before is not None and version == newest:
            ours = told and not before.told
            before.told = before.told or told
            return News.OURS if ours else News.KNOWN
        text = _to_text(body)
        if before is not None:
            if before.text == text:
                before.version, before.told = version, before.told or told
                return News.KNOWN
            self._drop(place)
        groups = tuple(_groups(body))
        hosts = tuple({*hosts_of(body)}) if place.kind in _ROUTED else ()
        state = _State(version, text, groups, hosts, told=told)
        self._states.setdefault(place[:2], {})[place.name] = state
        for group in groups:
            self._groups.setdefault((place.kind, place.namespace, group), set()).add(place.name)
        for host in hosts:
            model = place.name if place.kind == "Model" else body["spec"]["model"]
            self._hosts.setdefault(host, {})[place] = model
        return News.NEW

    def remove(self, place: Place, version: int = 0) -> bool:
        """Forget an object unless its state is newer than its end; tell whether it is gone.

        The version of its end keeps a late answer to a write from bringing it back.
        """
        state = self._states.get(place[:2], {}).get(place.name)
        if state is not None:
            if version and state.version > version:
                return False
            self._drop(place)
        if version:
            self._graves[place] = max(version, self._graves.pop(place, version))
            if len(self._graves) > _GRAVES:
                del self._graves[next(iter(self._graves))]
        return True

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a copy, or None."""
        state = self._states.get((kind, namespace), {}).get(name)
        return None if state is None else orjson.loads(state.text)

    def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield copies of all objects with these labels, sorted by name."""
        for label in (LABEL_MODEL, LABEL_COMPONENT):
            if label in labels:
                names: Collection[str] = self._group(kind, namespace, f"{label}={labels[label]}")
                break
        else:
            names = self._states.get((kind, namespace), {})
        for body in self._bodies(kind, namespace, names):
            if labels.items() <= (body["metadata"].get("labels") or {}).items():
                yield body

    def children(self, kind: str, namespace: str, model: str) -> Iterator[dict[str, Any]]:
        """Yield copies of the TrainingRuns or Rollouts of a Model, sorted by name."""
        return self._bodies(kind, namespace, self._group(kind, namespace, f"spec.model={model}"))

    def models_at(self, host: str) -> Iterator[dict[str, Any]]:
        """Yield copies of the Models that ask for this host name, or whose Rollouts had it."""
        named = self._hosts.get(host, {}).items()
        for namespace, name in sorted({(place.namespace, model) for place, model in named}):
            if (model := self.get("Model", namespace, name)) is not None:
                yield model

    def places(self, kind: str, namespace: str = "") -> Iterator[tuple[Place, int]]:
        """Yield every object of a kind with its version; no namespace means all."""
        for (stored, where), objects in list(self._states.items()):
            if stored == kind and namespace in ("", where):
                for name, item in list(objects.items()):
                    yield Place(kind, where, name), item.version

    def verified(self, place: Place) -> str | None:
        """Return the digest of the manifest that this state was compared with and has all of."""
        state = self._states.get(place[:2], {}).get(place.name)
        return None if state is None else state.verified

    def verify(self, place: Place, signature: str | None) -> None:
        """Remember the digest until the object changes."""
        self._states[place[:2]][place.name].verified = signature

    def _group(self, kind: str, namespace: str, group: str) -> Collection[str]:
        return self._groups.get((kind, namespace, group), ())

    def _bodies(
        self, kind: str, namespace: str, names: Collection[str]
    ) -> Iterator[dict[str, Any]]:
        states = self._states.get((kind, namespace), {})
        return (orjson.loads(states[name].text) for name in sorted(names))

    def _drop(self, place: Place) -> None:
        objects = self._states[place[:2]]
        state = objects.pop(place.name)
        for group in state.groups:
            key = (place.kind, place.namespace, group)
            self._groups[key].discard(place.name)
            if not self._groups[key]:
                del self._groups[key]
        for host in state.hosts:
            del self._hosts[host][place]
            if not self._hosts[host]:
                del self._hosts[host]
        if not objects:
            del self._states[place[:2]]


def version_of(body: Mapping[str, Any]) -> int:
    """Return the resourceVersion, a decimal number that grows (promised since Kubernetes 1.35)."""
    return int(body["metadata"]["resourceVersion"])


def _groups(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield what an object is looked up by, besides its name."""
    labels = body["metadata"].get("labels") or {}
    for label in (LABEL_MODEL, LABEL_COMPONENT):
        if label in labels:
            yield f"{label}={labels[label]}"
    if body["kind"] in _CHILDREN:
        yield f"spec.model={body['spec']['model']}"


def _to_text(body: Mapping[str, Any]) -> bytes:
    """Write the body without what nobody reads: field managers, pod specs, the load."""
    meta = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    annotations = meta.get("annotations")
    if annotations:
        meta["annotations"] = {k: v for k, v in annotations.items() if k not in _UNREAD}
    kept = {**body, "metadata": meta}
    if body["kind"] == "Pod":
        kept.pop("spec", None)
    if body["kind"] in scalers.KINDS:
        kept["status"] = {"conditions": scalers.keep_troubles(body)}
        meta.pop("resourceVersion")
    # A copy, since what orjson answers keeps all the room that it was written in.
    return bytes(memoryview(orjson.dumps(kept)))
