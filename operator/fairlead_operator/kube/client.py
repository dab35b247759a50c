"""The cluster over HTTP: get, list, server-side apply, merge patch, delete.

A thin layer over aiohttp, because a full client library doubles the operator's memory.
The gateway's agent has a client of its own, which follows the same rules where both meet
the same trouble (ADR 16).
"""

import dataclasses
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson

from fairlead_operator.api.gateway import hosts_of
from fairlead_operator.api.group import FIELD_MANAGER, REPLICAS_MANAGER
from fairlead_operator.errors import (
    ClusterRefusalError,
    ConflictError,
    NamespaceEndingError,
    SealedError,
    TransientError,
    UnknownKindError,
    WebhookUnavailableError,
)
from fairlead_operator.kube.credentials import Credentials
from fairlead_operator.kube.kinds import RESOURCES, Selector

_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=3)
_CONNECTIONS: Final = 51  # the workers', the webhook's, one for the Lease, three watches
_KEPT_SECONDS: Final = 75.0  # a burst after a quiet minute needs no handshakes; servers wait 90 s
_PAGE: Final = 250
_WATCH_SECONDS: Final = 300
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 30, connect=3)
# What is watched by ``changes`` may be a Secret: its content does not travel.
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_ENDING: Final = "NamespaceTerminating"  # reason of a cause
_UID: Final = "metadata.uid"  # field of a cause
# Told by its message: its reason and field are those of other refusals, too.
_SEALED: Final = "field is immutable when `immutable` is set"
# The two refusals that are told by their message alone: both are an InternalError without a field.
# What another made in an object's place can have fields that no later write changes.
_FIXED: Final = re.compile(r"field is immutable|cannot change roleRef|may not change once set")
_UNDECLARED: Final = "field not declared in schema"
_WEBHOOK: Final = "failed calling webhook"
_RETRIABLE: Final = frozenset({408, 410, 425, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of a collection; all its pages show it as it was at one ``version``."""

    version: str
    items: Sequence[dict[str, Any]]


class KubeClient:
    """``ports.Kube`` on a real API server."""

    def __init__(self, server: str, credentials: Credentials) -> None:
        self._server = server.rstrip("/")
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "KubeClient":
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEPT_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return await self._call("GET", RESOURCES[kind].path(namespace, name), missing_ok=True)

    async def reread(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return await self.get(kind, namespace, name)

    async def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        selector = Selector(labels=",".join(f"{key}={value}" for key, value in labels.items()))
        return await self._list(kind, namespace, selector)

    async def events(self, about: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        meta = about["metadata"]
        selector = Selector(fields=f"involvedObject.uid={meta['uid']}")
        return await self._list("Event", meta["namespace"], selector)

    async def _list(
        self, kind: str, namespace: str, selector: Selector
    ) -> Sequence[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        async for page in self.pages(kind, namespace, selector):
            items += page.items
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    async def relist(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        return await self.list(kind, namespace, labels)

    async def children(self, kind: str, namespace: str, model: str) -> Sequence[dict[str, Any]]:
        items = await self.list(kind, namespace, {})
        return [item for item in items if item["spec"]["model"] == model]

    async def models_at(self, host: str) -> Sequence[dict[str, Any]]:
        routed = {
            (rollout["metadata"]["namespace"], rollout["spec"]["model"])
            for rollout in await self.list("Rollout", "", {})
            if host in hosts_of(rollout)
        }
        return [
            model
            for model in await self.list("Model", "", {})
            if host in hosts_of(model)
            or (model["metadata"]["namespace"], model["metadata"]["name"]) in routed
        ]

    async def pages(self, kind: str, namespace: str, selector: Selector) -> AsyncIterator[Page]:
        """Yield a collection page by page, so that a large one is never whole in memory.

        Raises:
            UnknownKindError: the cluster does not know the kind.
            TransientError: the cluster did not answer.
        """
        token = ""
        while True:
            query = {
                "labelSelector": selector.labels,
                "fieldSelector": selector.fields,
                "limit": str(_PAGE),
                "continue": token,
            }
            path = RESOURCES[kind].path(namespace)
            answer = await self._call("GET", path, query={k: v for k, v in query.items() if v})
            assert answer is not None, "a collection is always there"  # noqa: S101  a bug of ours
            items: list[dict[str, Any]] = answer.get("items") or []
            for item in items:  # a list's items carry neither
                item.setdefault("kind", kind)
                item.setdefault("apiVersion", RESOURCES[kind].api_version)
            yield Page(version=answer["metadata"]["resourceVersion"], items=items)
            token = answer["metadata"].get("continue", "")
            if not token:
                return

    async def changes(self, kind: str, namespace: str, name: str) -> AsyncIterator[None]:
        """Yield once the object is watched, and whenever it may have changed; end now and then.

        Raises:
            TransientError: the cluster did not answer, or went silent.
            ClusterRefusalError: it does not let us watch.
        """
        assert self._session is not None, "enter the client first"  # noqa: S101  a bug of ours
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        path = RESOURCES[kind].path(namespace)
        headers = {"Accept": _METADATA, **self._credentials.headers()}
        try:
            async with self._session.get(
                f"{self._server}{path}?{urlencode(query)}",
                headers=headers,
                ssl=self._credentials.trust(),
                timeout=_WATCH_TIMEOUT,
            ) as response:
                if response.status >= 400:
                    raise _refusal("WATCH", path, response, await response.read())
                yield
                async for _ in response.content.iter_any():  # any part of any news
                    yield
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"WATCH {path}: {what}") from error

    async def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        return await self._apply(manifest, FIELD_MANAGER)

    async def scale(self, deployment: Mapping[str, Any], replicas: int) -> dict[str, Any]:
        meta = {
            key: deployment["metadata"][key] for key in ("name", "namespace", "resourceVersion")
        }
        wanted = {"apiVersion": deployment["apiVersion"], "kind": deployment["kind"]}
        return await self._apply(
            {**wanted, "metadata": meta, "spec": {"replicas": replicas}}, REPLICAS_MANAGER
        )

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        path = RESOURCES[manifest["kind"]].path(manifest["metadata"]["namespace"])
        query = {"fieldManager": FIELD_MANAGER}
        answer = await self._call(
            "POST", path, query=query, body=manifest, content="application/json"
        )
        return answer or {}

    async def replace(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Replace the object whose resourceVersion is given; a conflict is transient."""
        meta = manifest["metadata"]
        path = RESOURCES[manifest["kind"]].path(meta["namespace"], meta["name"])
        return await self._call("PUT", path, body=manifest, content="application/json") or {}

    async def annotate(
        self,
        kind: str,
        namespace: str,
        name: str,
        annotations: Mapping[str, str | None],
        *,
        version: str | None = None,
    ) -> dict[str, Any] | None:
        meta: dict[str, Any] = {"annotations": dict(annotations)}
        if version is not None:
            meta["resourceVersion"] = version
        return await self._merge(RESOURCES[kind].path(namespace, name), {"metadata": meta})

    async def patch_status(
        self, kind: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        path = RESOURCES[kind].path(namespace, name) + "/status"
        return await self._merge(path, {"status": dict(status)})

    async def patch_data(
        self, namespace: str, name: str, data: Mapping[str, str | None]
    ) -> dict[str, Any] | None:
        return await self._merge(RESOURCES["ConfigMap"].path(namespace, name), {"data": dict(data)})

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str | None = None) -> None:
        path = RESOURCES[kind].path(namespace, name)
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            **({"preconditions": {"uid": uid}} if uid is not None else {}),
        }
        await self._call("DELETE", path, body=body, content="application/json", missing_ok=True)

    async def _apply(self, manifest: Mapping[str, Any], manager: str) -> dict[str, Any]:
        meta = manifest["metadata"]
        path = RESOURCES[manifest["kind"]].path(meta["namespace"], meta["name"])
        query = {"fieldManager": manager, "force": "true"}
        return await self._call("PATCH", path, query=query, body=manifest, content=_APPLY) or {}

    async def _merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call(
            "PATCH", path, query=query, body=body, content=_MERGE, missing_ok=True
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = "",
        missing_ok: bool = False,
    ) -> dict[str, Any] | None:
        """Send one request.

        Raises:
            TransientError: no answer, or one that may be another next time.
            ClusterRefusalError: refused for good.
        """
        assert self._session is not None, "enter the client first"  # noqa: S101  a bug of ours
        url = self._server + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", **self._credentials.headers()}
        if content:
            headers["Content-Type"] = content
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, ssl=self._credentials.trust()
            ) as response:
                answer = await response.read()
                if response.status == 404 and missing_ok:
                    return None
                if response.status >= 400:
                    raise _refusal(method, path, response, answer)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"{method} {path}: {what}") from error
        try:
            parsed: dict[str, Any] = orjson.loads(answer)
        except orjson.JSONDecodeError as error:  # of a proxy in between, or cut off
            raise TransientError(f"{method} {path}: the answer is not JSON") from error
        return parsed


def _refusal(
    method: str, path: str, response: aiohttp.ClientResponse, answer: bytes
) -> TransientError | ClusterRefusalError:
    """Tell from the fields of Kubernetes' Status what kind of refusal it is."""
    text, code = f"{method} {path}: {response.status} ", response.status
    status = _read_status(answer)
    if status is None:
        text += answer[:200].decode(errors="replace").strip()
        if code == 404:  # an object that is missing is told of in a Status
            return UnknownKindError(text)
        status = {}
    text += status.get("message") or ""
    details = status.get("details") or {}
    causes = details.get("causes") or ()
    if code == 403 and _ENDING in [cause.get("reason") for cause in causes]:
        return NamespaceEndingError(text)
    if code == 404 and details.get("kind") == "namespaces":
        return NamespaceEndingError(text)
    if _UNDECLARED in text:  # another's CRD is older than what we write; answered with 500
        return ClusterRefusalError(text)
    if _WEBHOOK in text and code >= 500:
        return WebhookUnavailableError(text)
    if code == 422 and _SEALED in text:
        return SealedError(text)
    if code == 409 or (code == 422 and _UID in [cause.get("field") for cause in causes]):
        return ConflictError(text)
    if code in _RETRIABLE or code in {401, 404}:
        after = response.headers.get("Retry-After", "")
        return TransientError(
            text,
            retry_after=float(after) if after.isdigit() else None,
        )
    way_out = "; delete the object, and it is made again" * bool(_FIXED.search(text))
    return ClusterRefusalError(text + way_out)


def _read_status(answer: bytes) -> Mapping[str, Any] | None:
    """Read Kubernetes' Status; None where something else answered, such as a proxy."""
    try:
        status = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    return status if isinstance(status, dict) else None
