"""Every write that an API server has seen of a Model's objects, in the order of the writes.

Each kind is watched through cut connections and outages, from the last version on.  An API server
that has started anew knows no older ones: then the objects are listed again, which may leave out a
write in between.  The versions of all kinds come from one counter, the store's revision, so
sorting by them gives the states that really were, one after each write.
"""

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from bench.installed import NAMESPACE, Place
from support.invariants import Key, Object, Snapshot, read_snapshot

_HISTORY: Final = Path(__file__).resolve().parents[2] / "build" / "chaos-life.jsonl"
_TIMEOUT: Final = (5.0, 2.0)  # to connect, and of silence before the thread looks up
_LATE: Final = 3.0
_PAUSE: Final = 0.2
_GONE: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One object as one write left it."""

    revision: int
    seen: float  # when we heard of it, in seconds since the epoch
    item: Object
    gone: bool = False

    @property
    def key(self) -> Key:
        meta = self.item["metadata"]
        return self.item["kind"], meta["namespace"], meta["name"]


class Chronicle:
    """Watches from its beginning to its end; to be read afterwards."""

    def __init__(self, place: Place) -> None:
        settings: Any = client.Configuration()
        settings.retries = False  # the library's own wait as long as an API server that starts asks
        config.load_kube_config(str(place.cluster.kubeconfig), client_configuration=settings)
        api: Any = client.ApiClient(settings)
        custom, core, apps = (
            client.CustomObjectsApi(api),
            client.CoreV1Api(api),
            client.AppsV1Api(api),
        )
        ours = ("fairlead.dev", "v1alpha1", NAMESPACE)
        self._followers = [
            Follower("Model", partial(custom.list_namespaced_custom_object, *ours, "models")),
            Follower("Rollout", partial(custom.list_namespaced_custom_object, *ours, "rollouts")),
            Follower("ConfigMap", partial(core.list_namespaced_config_map, NAMESPACE)),
            Follower("Deployment", partial(apps.list_namespaced_deployment, NAMESPACE)),
        ]

    def __enter__(self) -> "Chronicle":
        for follower in self._followers:
            follower.begin()
        return self

    def __exit__(self, *_: object) -> None:
        for follower in self._followers:
            follower.stop.set()
        for follower in self._followers:
            follower.join()

    def catch_up(self) -> None:
        """Hear of all that was written until now."""
        for follower in self._followers:
            follower.catch_up()

    def writes(self) -> Sequence[Write]:
        """Return the writes of all kinds, in their order."""
        found = [write for follower in self._followers for write in list(follower.writes)]
        return sorted(found, key=lambda write: write.revision)

    def keep(self) -> Path:
        """Write the history down, to find out what went wrong."""
        _HISTORY.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(dataclasses.asdict(write)) for write in self.writes()]
        _HISTORY.write_text("\n".join([*lines, ""]))
        return _HISTORY

    def snapshots(self, model: str) -> Iterator[tuple[float, Snapshot]]:
        """Yield the state at the beginning and after each write, with when we heard of it."""
        return replay(self.writes(), model, since=max(each.begun for each in self._followers))


def replay(writes: Sequence[Write], model: str, *, since: int) -> Iterator[tuple[float, Snapshot]]:
    """Yield the states one after the other; what came before ``since`` makes the first.  Pure."""
    objects: dict[Key, Object] = {}
    begun = False
    for write in writes:
        if write.revision > since and not begun:
            begun = True
            yield write.seen, read_snapshot(objects, namespace=NAMESPACE, model=model)
        if write.gone:
            objects.pop(write.key, None)
        else:
            objects[write.key] = write.item
        if begun:
            yield write.seen, read_snapshot(objects, namespace=NAMESPACE, model=model)


class Follower(threading.Thread):
    """Hears of every write to the objects of one kind."""

    def __init__(self, kind: str, call: Callable[..., Any]) -> None:
        super().__init__(daemon=True)
        self.writes: list[Write] = []
        self.begun = 0  # revision of the first list
        self.stop = threading.Event()
        self._kind = kind
        self._call = call
        self._revision = ""  # of what was heard last; empty: the objects are to be listed

    def begin(self) -> None:
        self.writes, self.begun = self._read()
        self._revision = str(self.begun)
        self.start()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                if not self._revision:
                    self._list_again()
                self._watch()
            except ApiException as error:
                if error.status == _GONE:
                    self._revision = ""
                self.stop.wait(_PAUSE)
            except (urllib3.exceptions.HTTPError, OSError, ValueError):
                self.stop.wait(_PAUSE)  # cut, silent, away or half a line

    def catch_up(self) -> None:
        """Whatever the watch is late with is taken from a list."""
        present, _ = self._read()
        deadline = time.monotonic() + _LATE
        while missing := self._missing(present):
            if time.monotonic() > deadline:
                self.writes += missing
                return
            time.sleep(_PAUSE / 4)

    def _list_again(self) -> None:
        present, revision = self._read()
        self.writes += [*self._missing(present), *self._gone(present, revision)]
        self._revision = str(revision)

    def _gone(self, present: Sequence[Write], revision: int) -> list[Write]:
        last = {write.key: write for write in self.writes}
        lost = last.keys() - {write.key for write in present}
        return [
            dataclasses.replace(last[key], revision=revision, seen=time.time(), gone=True)
            for key in lost
            if not last[key].gone
        ]

    def _missing(self, present: Sequence[Write]) -> list[Write]:
        known = {(write.key, write.revision) for write in list(self.writes)}
        return [write for write in present if (write.key, write.revision) not in known]

    def _read(self) -> tuple[list[Write], int]:
        """Return all objects as they are now, and their revision."""
        answer = json.loads(self._call(_preload_content=False, _request_timeout=_TIMEOUT).data)
        items = [self._write({**item, "kind": self._kind}) for item in answer["items"]]
        return items, int(answer["metadata"]["resourceVersion"])

    def _watch(self) -> None:
        response = self._call(
            watch=True, resource_version=self._revision, allow_watch_bookmarks=True,
            _preload_content=False, _request_timeout=_TIMEOUT,
        )  # fmt: skip
        try:
            for line in _lines(response):
                if self.stop.is_set():
                    return
                self._take(json.loads(line))
        finally:
            response.close()

    def _take(self, event: Mapping[str, Any]) -> None:
        item = event["object"]
        if event["type"] == "ERROR":
            raise ApiException(status=item.get("code"), reason=item.get("message"))
        if event["type"] != "BOOKMARK":
            self.writes.append(
                self._write({**item, "kind": self._kind}, gone=event["type"] == "DELETED")
            )
        self._revision = item["metadata"]["resourceVersion"]

    def _write(self, item: Object, *, gone: bool = False) -> Write:
        revision = int(item["metadata"]["resourceVersion"])
        return Write(revision=revision, seen=time.time(), item=item, gone=gone)


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(amt=None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
