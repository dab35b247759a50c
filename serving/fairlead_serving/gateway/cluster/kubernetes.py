"""The few calls to the Kubernetes API that the agent makes.  The only module that makes them.

The operator has a client of its own, which goes by the same rules where both meet the same
trouble (ADR 16).
"""

import dataclasses
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp

from fairlead_serving.gateway.cluster.credentials import Credentials

Manifest = dict[str, Any]

GONE = 410
NOT_FOUND = 404
_REFUSED = frozenset({401, 403})

_PAGE = 500
_ANSWER_SECONDS = 30
_CONNECT_SECONDS = 3
# One watch event is one line; an EndpointSlice of a hundred pods is far below this.
_LONGEST_LINE = 8 * 1024 * 1024


class ApiError(Exception):
    """The API server did not answer (status None), or answered with an error.

    `retry_after` is in seconds, when the API server named them.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The objects of one kind in one namespace that carry a label."""

    path: str
    labels: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Objects at one moment of the cluster's history."""

    items: tuple[Manifest, ...]
    resource_version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a watch may run, and how long it may say nothing (bookmarks come each minute)."""

    watch_seconds: int = 290
    silence_seconds: float = 90


class KubernetesClient:
    """List, watch, get and merge-patch over one HTTP session."""

    def __init__(self, url: str, credentials: Credentials, patience: Patience) -> None:
        self._url = url
        self._credentials = credentials
        self._patience = patience
        self._http: aiohttp.ClientSession | None = None
        self._refusals: dict[str, str] = {}  # by path

    @property
    def refusal(self) -> str | None:
        """Return the API server's words where it refuses us or one of our calls; None: nowhere."""
        return next(iter(self._refusals.values()), None)

    async def __aenter__(self) -> "KubernetesClient":
        self._http = aiohttp.ClientSession(read_bufsize=_LONGEST_LINE)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def list(self, selection: Selection) -> Listing:
        """List all pages."""
        items: list[Manifest] = []
        query = {"labelSelector": selection.labels, "limit": str(_PAGE)}
        while True:
            page = await self._request("GET", selection.path, query=query)
            items += page.get("items") or ()
            if not (more := page["metadata"].get("continue")):
                break
            query["continue"] = more
        return Listing(items=tuple(items), resource_version=page["metadata"]["resourceVersion"])

    async def watch(
        self, selection: Selection, resource_version: str
    ) -> AsyncGenerator[tuple[str, Manifest], None]:
        """Yield events (type, object) after a version, until the server ends the watch."""
        query = {
            "watch": "true",
            "labelSelector": selection.labels,
            "resourceVersion": resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._patience.watch_seconds),
        }
        timeout = aiohttp.ClientTimeout(
            total=None, connect=_CONNECT_SECONDS, sock_read=self._patience.silence_seconds
        )
        try:
            async with self._send("GET", selection.path, query=query, timeout=timeout) as response:
                await self._check(path=selection.path, response=response)
                async for line in response.content:
                    event = json.loads(line)
                    yield event["type"], event["object"]
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(f"watch of {selection.path} broke: {error!r}") from error

    async def get(self, path: str) -> Manifest:
        """Read one object."""
        return await self._request("GET", path)

    async def merge_patch(self, path: str, patch: Manifest) -> None:
        """Change the named fields of one object and no others."""
        await self._request("PATCH", path, patch=patch)

    async def _request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, patch: Any = None
    ) -> Manifest:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        try:
            async with self._send(
                method, path, query=query, timeout=timeout, patch=patch
            ) as response:
                await self._check(path=path, response=response)
                answer: Manifest = await response.json()
                return answer
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ApiError(f"{method} {path} failed: {error!r}") from error

    async def _check(self, *, path: str, response: aiohttp.ClientResponse) -> None:
        """Raise what the API server says in place of an answer; keep that it refuses us."""
        if response.status < 400:
            self._refusals.pop(path, None)
            return
        text = (await response.read())[:500].decode(errors="replace")
        said = f"{response.method} {response.url.path} answered {response.status}: {text}"
        if response.status in _REFUSED:
            self._credentials.reread()
            self._refusals[path] = said
        after = response.headers.get("Retry-After", "")
        raise ApiError(
            said,
            status=response.status,
            retry_after=float(after) if after.isdigit() else None,
        )

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None,
        timeout: aiohttp.ClientTimeout,
        patch: Any = None,
    ) -> Any:
        if self._http is None:
            raise RuntimeError("the client is used outside its context")
        headers = self._credentials.headers()
        if patch is not None:
            headers["Content-Type"] = "application/merge-patch+json"
        return self._http.request(
            method,
            self._url + path,
            params=query,
            headers=headers,
            data=None if patch is None else json.dumps(patch),
            ssl=self._credentials.trust(),
            timeout=timeout,
        )
