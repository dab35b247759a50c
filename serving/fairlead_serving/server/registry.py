"""What we need of MLflow: one registered version, and its files.

Plain REST instead of the MLflow client, which costs a second and 80 MB at the start of every
server.  Files come through the tracking server, so no storage credentials are needed here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from fairlead_contract import tags
from fairlead_contract.mlflow import ADDRESS, Access, InvalidAccessError, way_out
from fairlead_serving.server.failure import Reason, StartupError

# With these, a tracking server that is down or deaf is given up after 4 to 14 seconds.
_WAITS = (0.5, 1.5)
_TIMEOUT = httpx.Timeout(4.0)
_FILE_TIMEOUT = httpx.Timeout(20.0, connect=4.0)
_API = "/api/2.0/mlflow/model-versions"
_FILES = "/api/2.0/mlflow-artifacts/artifacts"

T = TypeVar("T")


class Registry(Protocol):
    """Where versions come from."""

    def find(self, name: str, version: str) -> "RegisteredVersion":
        """Look one version up."""

    def download(self, version: "RegisteredVersion", target: Path) -> None:
        """Write all files of the version's artifact below `target`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A version as MLflow knows it."""

    name: str
    version: str
    digest: str | None  # as its tag says; None when it has no such tag
    artifact_uri: str


class MlflowRegistry:
    """A tracking server, reached over HTTP with bounded patience."""

    def __init__(self, client: httpx.Client, *, waits: tuple[float, ...] = _WAITS) -> None:
        self._client = client
        self._waits = waits

    @classmethod
    def at(cls, access: Access) -> "MlflowRegistry":
        """Reach this tracking server.

        Raises:
            StartupError: the certificates to trust cannot be read.
        """
        try:
            verify = access.tls() or True
        except InvalidAccessError as error:
            raise StartupError(Reason.SETTINGS_INVALID, f"environment variable {error}") from error
        client = httpx.Client(
            base_url=access.address, headers=access.headers, verify=verify, timeout=_TIMEOUT
        )
        return cls(client)

    def find(self, name: str, version: str) -> RegisteredVersion:
        """Look one version up.

        Raises:
            StartupError: there is no such version, or no answer.
        """
        query = {"name": name, "version": version}
        answer = self._get(f"{_API}/get", query).get("model_version", {})
        uri = self._get(f"{_API}/get-download-uri", query).get("artifact_uri", "")
        tagged = {tag["key"]: tag["value"] for tag in answer.get("tags", ())}
        return RegisteredVersion(
            name=name, version=version, digest=tagged.get(tags.DIGEST), artifact_uri=uri
        )

    def download(self, version: RegisteredVersion, target: Path) -> None:
        """Write all files of the version's artifact below `target`.

        Raises:
            StartupError: there are none, one cannot be had, or one would land elsewhere.
        """
        uri = urlsplit(version.artifact_uri)
        if uri.scheme != "mlflow-artifacts":
            raise StartupError(
                Reason.ARTIFACT_INVALID,
                f"artifact of {version.name} version {version.version} is at "
                f"{version.artifact_uri}, which only its own storage serves; run the tracking "
                "server with --serve-artifacts",
            )
        root = PurePosixPath(uri.path.strip("/"))
        files = list(self._list(root, PurePosixPath()))
        if not files:
            raise StartupError(
                Reason.ARTIFACT_INVALID,
                f"artifact of {version.name} version {version.version} at {version.artifact_uri} "
                "has no files",
            )
        for path in files:
            self._retry(lambda path=path: self._save(root / path, target / path))  # type: ignore[misc]

    def _list(self, root: PurePosixPath, below: PurePosixPath) -> Iterator[PurePosixPath]:
        answer = self._get(_FILES, {"path": str(root / below)})
        for entry in answer.get("files", ()):
            name = PurePosixPath(entry["path"]).name
            if name in {"", ".."}:
                raise StartupError(
                    Reason.ARTIFACT_INVALID, f"artifact has a file at {entry['path']!r}"
                )
            if entry.get("is_dir"):
                yield from self._list(root, below / name)
            else:
                yield below / name

    def _save(self, source: PurePosixPath, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._client.stream(
                "GET", f"{_FILES}/{quote(str(source))}", timeout=_FILE_TIMEOUT
            ) as response,
            target.open("wb") as file,
        ):
            _check(response)
            for chunk in response.iter_bytes():
                file.write(chunk)

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        response = self._retry(lambda: _check(self._client.get(path, params=query)))
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StartupError(
                Reason.REGISTRY_UNAVAILABLE,
                f"{_host(response)} answered HTTP {response.status_code} in place of JSON; "
                f"correct {ADDRESS}",
            )
        return answer

    def _retry(self, attempt: Callable[[], T]) -> T:
        for wait in self._waits:
            try:
                return attempt()
            except httpx.HTTPError:
                time.sleep(wait)
        try:
            return attempt()
        except httpx.HTTPError as error:
            raise StartupError(
                Reason.REGISTRY_UNAVAILABLE,
                f"MLflow at {self._client.base_url} does not answer: "
                f"{error or type(error).__name__}",
            ) from error


def _check(response: httpx.Response) -> httpx.Response:
    """Let a good answer pass; tell "not there" from "not now"."""
    if response.is_success:
        return response
    response.read()
    code, message = _explanation(response)
    told = f"{_host(response)} answered HTTP {response.status_code} {message}"
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
        raise httpx.HTTPStatusError(
            f"{told}; {way_out(response.status_code)}", request=response.request, response=response
        )
    if code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
        raise StartupError(Reason.VERSION_NOT_FOUND, f"MLflow has no such version: {message}")
    # Without a code of MLflow's it is another's page, of a proxy in front of it while it is away.
    if response.status_code == HTTPStatus.NOT_FOUND and code:
        raise StartupError(
            Reason.ARTIFACT_INVALID, f"MLflow has no {response.request.url.path}: {message}"
        )
    raise StartupError(
        Reason.REGISTRY_UNAVAILABLE,
        f"MLflow refuses {response.request.url.path}: {told}; {way_out(response.status_code)}",
    )


def _explanation(response: httpx.Response) -> tuple[str, str]:
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        place = response.headers.get("Location", "")
        return "", f"to {place[:200]}" if place else "in place of JSON"
    return str(body.get("error_code", "")), str(body.get("message", ""))[:300]


def _host(response: httpx.Response) -> str:
    return response.request.url.netloc.decode()
