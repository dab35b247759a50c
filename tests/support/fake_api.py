"""A small Kubernetes API server: ConfigMaps and EndpointSlices in memory, over real HTTP.

List, watch (with bookmarks), get, create, replace, delete and merge-patch, as far as our clients
use them.  Tests change objects with `apply` and `remove`, and break things with `forget_history`
(the next watch gets 410), `silence` (watches say nothing more) and `stop`.
"""

import asyncio
import copy
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from cluster.ports import free_port

Manifest = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace, name

_API_VERSIONS = {"configmaps": "v1", "endpointslices": "discovery.k8s.io/v1"}
_KINDS = {"configmaps": "ConfigMap", "endpointslices": "EndpointSlice"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change in the history of the store."""

    version: int
    kind: str
    key: Key
    item: Manifest


class FakeApi:
    """The store and its HTTP server."""

    def __init__(self, *, bookmark_seconds: float = 1.0, page_size: int = 500) -> None:
        self._objects: dict[Key, Manifest] = {}
        self._history: list[Event] = []
        self._version = 1
        self._oldest = 0
        self._changed = asyncio.Condition()
        self._bookmark_seconds = bookmark_seconds
        self._page_size = page_size
        self._runner: web.AppRunner | None = None
        self.port = free_port()  # its own, also while it is stopped
        self.silent = False
        self.refuse_patches = False
        self.refusing: int | None = None  # status of every answer, as to a token that is refused
        self.requests: list[tuple[str, str]] = []  # method and path, in order
        self.tokens: set[str] = set()  # every authorization seen

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; after a stop, on the same port and with the same objects."""
        app = web.Application(middlewares=[self._admit])
        for prefix in ("/api/v1", "/apis/discovery.k8s.io/v1"):
            collection = prefix + "/namespaces/{namespace}/{resource}"
            app.router.add_get(collection, self._get_collection)
            app.router.add_post(collection, self._post)
            app.router.add_get(collection + "/{name}", self._get)
            app.router.add_put(collection + "/{name}", self._put)
            app.router.add_patch(collection + "/{name}", self._patch)
            app.router.add_delete(collection + "/{name}", self._delete)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Refuse whoever asks, if told to."""
        if self.refusing is not None:
            return _status(self.refusing, "no")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def stop(self) -> None:
        """Go away, in the middle of every watch."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def apply(self, resource: str, manifest: Mapping[str, Any]) -> None:
        """Create or replace an object."""
        metadata = manifest["metadata"]
        key = (resource, metadata["namespace"], metadata["name"])
        await self._store("MODIFIED" if key in self._objects else "ADDED", key, manifest)

    async def remove(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object."""
        key = (resource, namespace, name)
        await self._store("DELETED", key, self._objects[key])

    def read(self, resource: str, namespace: str, name: str) -> Manifest:
        """Return an object as it is now."""
        return copy.deepcopy(self._objects[resource, namespace, name])

    async def forget_history(self) -> None:
        """Compact: watches from any version known so far get 410, open ones at once."""
        async with self._changed:
            self._version += 1
            self._oldest = self._version
            self._history.clear()
            self._changed.notify_all()

    async def _store(self, kind: str, key: Key, manifest: Mapping[str, Any]) -> Manifest:
        async with self._changed:
            self._version += 1
            item = copy.deepcopy(dict(manifest))
            item["apiVersion"], item["kind"] = _API_VERSIONS[key[0]], _KINDS[key[0]]
            item["metadata"]["resourceVersion"] = str(self._version)
            if kind == "DELETED":
                del self._objects[key]
            else:
                self._objects[key] = item
            self._history.append(Event(version=self._version, kind=kind, key=key, item=item))
            self._changed.notify_all()
            return item

    def _note(self, request: web.Request) -> Key:
        self.requests.append((request.method, request.path))
        self.tokens.add(request.headers.get("Authorization", ""))
        info = request.match_info
        return (info["resource"], info["namespace"], info.get("name", ""))

    async def _get_collection(self, request: web.Request) -> web.StreamResponse:
        resource, namespace, _ = self._note(request)
        if request.query.get("watch") == "true":
            return await self._watch(request, resource, namespace)
        selector = request.query.get("labelSelector", "")
        items = [
            item
            for key, item in sorted(self._objects.items())
            if key[:2] == (resource, namespace) and _matches(item, selector)
        ]
        first = int(request.query.get("continue", "0"))
        last = first + self._page_size
        return web.json_response(
            {
                "kind": f"{_KINDS[resource]}List",
                "apiVersion": _API_VERSIONS[resource],
                "metadata": {
                    "resourceVersion": str(self._version),
                    "continue": str(last) if last < len(items) else "",
                },
                "items": items[first:last],
            }
        )

    async def _watch(
        self, request: web.Request, resource: str, namespace: str
    ) -> web.StreamResponse:
        seen = int(request.query["resourceVersion"])
        if seen < self._oldest:
            return _status(410, "too old resource version")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        deadline = asyncio.get_running_loop().time() + float(
            request.query.get("timeoutSeconds", "60")
        )
        selector = request.query.get("labelSelector", "")
        while asyncio.get_running_loop().time() < deadline:
            if seen < self._oldest:
                await _send(response, "ERROR", {"kind": "Status", "code": 410})
                break
            if self.silent:
                await asyncio.sleep(self._bookmark_seconds)
                continue
            for event in [event for event in self._history if event.version > seen]:
                if event.key[:2] == (resource, namespace) and _matches(event.item, selector):
                    await _send(response, event.kind, event.item)
            seen = max(seen, self._version)
            if not await self._wait(seen):
                await _send(response, "BOOKMARK", {"metadata": {"resourceVersion": str(seen)}})
        return response

    async def _wait(self, seen: int) -> bool:
        """Wait for a later version; False after a while without one."""
        try:
            async with asyncio.timeout(self._bookmark_seconds), self._changed:
                await self._changed.wait_for(lambda: self._version > seen)
        except TimeoutError:
            return False
        return True

    async def _get(self, request: web.Request) -> web.Response:
        key = self._note(request)
        item = self._objects.get(key)
        return _missing(key) if item is None else web.json_response(item)

    async def _post(self, request: web.Request) -> web.Response:
        resource, namespace, _ = self._note(request)
        manifest = await request.json()
        key = (resource, namespace, manifest["metadata"]["name"])
        if key in self._objects:
            return _status(409, f'{resource} "{key[2]}" already exists', key=key)
        manifest["metadata"]["namespace"] = namespace
        return web.json_response(await self._store("ADDED", key, manifest), status=201)

    async def _put(self, request: web.Request) -> web.Response:
        key = self._note(request)
        if key not in self._objects:
            return _missing(key)
        return web.json_response(await self._store("MODIFIED", key, await request.json()))

    async def _patch(self, request: web.Request) -> web.Response:
        key = self._note(request)
        if self.refuse_patches:
            return _status(500, "told to refuse")
        if key not in self._objects:
            return _missing(key)
        if request.content_type != "application/merge-patch+json":
            return _status(415, "only merge patches")
        merged = merge(self._objects[key], json.loads(await request.text()))
        return web.json_response(await self._store("MODIFIED", key, merged))

    async def _delete(self, request: web.Request) -> web.Response:
        key = self._note(request)
        if key not in self._objects:
            return _missing(key)
        return web.json_response(await self._store("DELETED", key, self._objects[key]))


def merge(base: Mapping[str, Any], patch: Mapping[str, Any]) -> Manifest:
    """JSON merge patch (RFC 7396)."""
    merged = dict(base)
    for field, value in patch.items():
        if value is None:
            merged.pop(field, None)
        elif isinstance(value, dict):
            old = merged.get(field)
            merged[field] = merge(old if isinstance(old, dict) else {}, value)
        else:
            merged[field] = value
    return merged


def _matches(item: Mapping[str, Any], selector: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    wanted = (term.partition("=") for term in selector.split(",") if term)
    return all(labels.get(name) == value for name, _, value in wanted)


def _status(code: int, message: str, *, key: Key | None = None) -> web.Response:
    """Answer with a Status; ``key`` is the object that it is about."""
    details = {"kind": key[0], "name": key[2]} if key else {}
    status = {"kind": "Status", "code": code, "message": message, "details": details}
    return web.json_response(status, status=code)


def _missing(key: Key) -> web.Response:
    return _status(404, f'{key[0]} "{key[2]}" not found', key=key)


async def _send(response: web.StreamResponse, kind: str, item: Manifest) -> None:
    await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
