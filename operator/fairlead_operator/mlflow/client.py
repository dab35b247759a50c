"""MLflow's REST API, as far as the operator needs it: versions of a model, and runs."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar

import aiohttp
import orjson

from fairlead_contract import tags
from fairlead_contract.mlflow import Access, way_out
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.artifact_code import find_code, find_form
from fairlead_operator.bounded_answer import read_bounded
from fairlead_operator.errors import TransientError
from fairlead_operator.signature import Signature, read_signature
from fairlead_operator.text import printable

_LOGGER = logging.getLogger(__name__)
T = TypeVar("T")

_TIMEOUT: Final = aiohttp.ClientTimeout(total=8, connect=3)
_DIGEST: Final = re.compile(r"sha256:[\w-]{1,64}", re.ASCII)
_FILE_TIMEOUT: Final = aiohttp.ClientTimeout(total=3)  # a rollout says it sooner without
_BUSY: Final = frozenset({429, 502, 503, 504})
_PAGE: Final = 200  # versions of one model
_LARGE_PAGE: Final = 500  # versions of all
_RUNS_PAGE: Final = 1000  # of experiments, and of runs
_LARGEST_ANSWER: Final = 8 * 1024 * 1024  # bytes: tenants choose how long their tags are
_LONGEST_PLACE: Final = 200  # characters
_LONGEST_MESSAGE: Final = 500
_LARGEST_MLMODEL: Final = 1024 * 1024  # bytes
_READING: Final = 3.0  # seconds until nobody waits for the reader of such a file


def parse_digest(tag: str) -> str:
    """Return the digest that a tag holds; empty of any other text, which anybody may write."""
    return tag if _DIGEST.fullmatch(tag) else ""


class TooLargeError(TransientError):
    """An answer that is longer than the operator has room for; MLflow itself is well."""


class MlflowClient:
    """``ports.Registry`` on a real MLflow."""

    def __init__(
        self, access: Access, session: aiohttp.ClientSession, *, operator: str = ""
    ) -> None:
        """Prepare to ask.

        Args:
            operator: what its runs are marked with; without it, no run counts as its own.

        Raises:
            InvalidAccessError: the certificates to trust cannot be read.
        """
        self._address = access.address
        self._headers = access.headers
        self._tls = access.tls() or True
        self._session = session
        self._operator = operator

    async def find_versions(
        self, registered_model: str, version: str
    ) -> Sequence[RegisteredVersion]:
        named = f"name='{registered_model}' AND tags.`{tags.VERSION}`='{version}'"
        return [registered async for _, registered in self._versions({"filter": named}, most=_PAGE)]

    async def signature(self, registered_model: str, registry_version: str) -> Signature:
        text = await self._mlmodel(registered_model, registry_version)
        return await _read_aside(read_signature, text)

    async def code(self, registered_model: str, registry_version: str) -> str:
        text = await self._mlmodel(registered_model, registry_version)
        return await _read_aside(find_code, text)

    async def form(self, registered_model: str, registry_version: str) -> str:
        text = await self._mlmodel(registered_model, registry_version)
        return await _read_aside(find_form, text)

    async def _mlmodel(self, registered_model: str, registry_version: str) -> str:
        """Read the text of a version's MLmodel file.

        Raises:
            ValueError: there is none, or it is too long.
        """
        version = {"name": registered_model, "version": registry_version, "path": "MLmodel"}
        try:
            async with self._session.get(
                self._address + "/model-versions/get-artifact",
                params=version,
                headers=self._headers,
                ssl=self._tls,
                timeout=_FILE_TIMEOUT,
                allow_redirects=False,
            ) as response:
                status = response.status
                content = await read_bounded(response.content.iter_any(), _LARGEST_MLMODEL)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"mlflow: MLmodel of {registered_model}: {what}") from error
        if status in _BUSY:
            raise TransientError(f"mlflow: MLmodel of {registered_model}: HTTP {status}")
        if status != HTTPStatus.OK:
            # Of a version without files MLflow says 500: again would not help.
            raise ValueError(f"MLflow answers HTTP {status} for its MLmodel file")
        if content is None:
            raise ValueError(f"its MLmodel file has more than {_LARGEST_MLMODEL} bytes")
        return content.decode("utf-8", "replace")

    async def registrations(self) -> Mapping[tuple[str, str], RegisteredVersion]:
        return {
            (name, registered.registry_version): registered
            async for name, registered in self._versions({}, most=_LARGE_PAGE)
        }

    async def _versions(
        self, query: Mapping[str, str], *, most: int
    ) -> AsyncIterator[tuple[str, RegisteredVersion]]:
        """Yield each registered model and version, page by page."""

        async def ask(page: Mapping[str, Any]) -> Mapping[str, Any] | None:
            asked = {name: str(value) for name, value in page.items()}
            return await self._get("model-versions/search", {**query, **asked})

        async for page in _pages(ask, most=most):
            for entry in page.get("model_versions", []):
                tagged = {tag["key"]: tag["value"] for tag in entry.get("tags", [])}
                yield (
                    str(entry["name"]),
                    RegisteredVersion(
                        version=tagged.get(tags.VERSION, ""),
                        registry_version=str(entry["version"]),
                        digest=parse_digest(tagged.get(tags.DIGEST, "")),
                        recipe=parse_digest(tagged.get(tags.RECIPE, "")),
                        registered_at=_read_moment(entry.get("creation_timestamp")),
                    ),
                )

    # A run is found again by its tag, of which nothing but progress is believed: what a training
    # registered its own pod says, and that run's id stands in status from the first look on.
    async def start_run(self, *, experiment: str, name: str, key: str, now: datetime) -> str:
        experiment_id = await self._experiment(experiment)
        answer = await self._post(
            "runs/search",
            {
                "experiment_ids": [experiment_id],
                "filter": f"tags.`{tags.TRAINING_RUN}` = '{key}'",
                "max_results": 1,
            },
        )
        for run in answer.get("runs", []):
            return str(run["info"]["run_id"])
        created = await self._post(
            "runs/create",
            {
                "experiment_id": experiment_id,
                "run_name": name,
                "start_time": _to_milliseconds(now),
                "tags": [
                    {"key": tags.TRAINING_RUN, "value": key},
                    {"key": tags.OPERATOR, "value": self._operator},
                ],
            },
        )
        return str(created["run"]["info"]["run_id"])

    async def progress(self, run_id: str) -> str | None:
        answer = await self._get("runs/get", {"run_id": run_id})
        if answer is None:
            return None
        run_tags = answer["run"]["data"].get("tags", [])
        return next((str(tag["value"]) for tag in run_tags if tag["key"] == tags.PROGRESS), None)

    async def open_runs(self, namespace: str | None = None) -> Sequence[OpenRun]:
        if not self._operator:
            return []
        runs: list[OpenRun] = []
        named = {"filter": f"name LIKE '{namespace or '%'}/%'"}
        async for page in self._found("experiments/search", named):
            names = {
                str(entry["experiment_id"]): str(entry["name"])
                for entry in page.get("experiments", [])
            }
            runs += await self._open_runs_of(names)
        return runs

    async def _open_runs_of(self, names: Mapping[str, str]) -> list[OpenRun]:
        """Return those of experiments; one whose runs are too large to be read hides no other's."""
        if not names:
            return []
        marked = {
            "filter": f"tags.`{tags.OPERATOR}` = '{self._operator}'",
            "experiment_ids": [*names],
        }
        try:
            return [
                _read_open_run(run, names)
                async for page in self._found("runs/search", marked)
                for run in page.get("runs", [])
            ]
        except TooLargeError as error:
            if len(names) == 1:
                (name,) = names.values()
                told = {"experiment": name, "error": str(error)}
                _LOGGER.warning("runs of an experiment not read", extra=told)
                return []
        half, entries = len(names) // 2, [*names.items()]
        one, other = dict(entries[:half]), dict(entries[half:])
        return await self._open_runs_of(one) + await self._open_runs_of(other)

    def _found(self, path: str, asked: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the pages of a search for experiments or runs."""
        return _pages(lambda page: self._post(path, {**asked, **page}), most=_RUNS_PAGE)

    async def end_run(self, run_id: str, end: RunEnd, *, now: datetime) -> None:
        run = await self._writable(run_id)
        if run is None or run["info"].get("status") not in {"RUNNING", "SCHEDULED"}:
            return
        moment = _to_milliseconds(now)
        await self._post("runs/update", {"run_id": run_id, "status": end, "end_time": moment})

    async def close_run(self, run_id: str) -> None:
        if await self._writable(run_id) is not None:
            await self._post("runs/delete-tag", {"run_id": run_id, "key": tags.OPERATOR})

    async def _writable(self, run_id: str) -> dict[str, Any] | None:
        """Return a run; None when it is gone, or deleted, alone or with its experiment."""
        answer = await self._get("runs/get", {"run_id": run_id})
        if answer is None or _is_deleted(answer["run"]["info"]):
            return None
        return dict(answer["run"])

    async def _experiment(self, name: str) -> str:
        answer = await self._get("experiments/get-by-name", {"experiment_name": name})
        if answer is not None:
            experiment = answer["experiment"]
            if _is_deleted(experiment):
                number = experiment["experiment_id"]
                raise ValueError(
                    f"MLflow's experiment {name} was deleted, and takes no run: restore it with "
                    f"`mlflow experiments restore --experiment-id {number}`, or remove it for good "
                    "with `mlflow gc`"
                )
            return str(experiment["experiment_id"])
        created = await self._post("experiments/create", {"name": name})
        return str(created["experiment_id"])

    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        """Return the answer; None when MLflow says that there is no such thing."""
        return await self.call("GET", path, params={k: v for k, v in query.items() if v})

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self.call("POST", path, json=body) or {}

    async def call(
        self, method: str, path: str, *, version: str = "2.0", **arguments: Any
    ) -> dict[str, Any] | None:
        """Call its REST API; return None when it says that there is no such thing.

        Raises:
            TransientError: anything else than an answer in its form.
        """
        try:
            async with self._session.request(
                method,
                f"{self._address}/api/{version}/mlflow/{path}",
                headers=self._headers,
                ssl=self._tls,
                timeout=_TIMEOUT,
                allow_redirects=False,  # to a login, or with our credentials to another server
                **arguments,
            ) as response:
                text = await read_bounded(response.content.iter_any(), _LARGEST_ANSWER)
                status, kind = response.status, response.content_type
                where = response.headers.get("Location", "")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise TransientError(f"mlflow: {path}: {what}") from error
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            told = f"HTTP {status} to {printable(where, limit=_LONGEST_PLACE) or 'nowhere'}"
            raise TransientError(f"mlflow: {path}: {told}; {way_out(status)}")
        if text is None:
            raise TooLargeError(f"mlflow: {path}: an answer of more than {_LARGEST_ANSWER} bytes")
        try:
            body = orjson.loads(text)
        except ValueError as error:
            told = f"HTTP {status} with {kind} in place of JSON"
            raise TransientError(f"mlflow: {path}: {told}; {way_out(status)}") from error
        code = body.get("error_code", "") if isinstance(body, dict) else ""
        if code == "RESOURCE_DOES_NOT_EXIST":
            return None
        if status >= 400 or not isinstance(body, dict):
            message = body.get("message", "") if isinstance(body, dict) else ""
            told = f"HTTP {status} {printable(str(message), limit=_LONGEST_MESSAGE)}"
            raise TransientError(f"mlflow: {path}: {told}; {way_out(status)}")
        return body


def _is_deleted(entity: Mapping[str, Any]) -> bool:
    """Tell whether an experiment or a run is in MLflow's bin."""
    return bool(entity.get("lifecycle_stage") == "deleted")


def _read_open_run(run: Mapping[str, Any], names: Mapping[str, str]) -> OpenRun:
    """Read a run of the experiments of these names, by their ids."""
    run_tags = {tag["key"]: str(tag["value"]) for tag in run["data"].get("tags", [])}
    return OpenRun(
        run_id=str(run["info"]["run_id"]),
        namespace=names[str(run["info"]["experiment_id"])].partition("/")[0],
        key=run_tags.get(tags.TRAINING_RUN, ""),
    )


def _to_milliseconds(moment: datetime) -> int:
    """Write a moment as MLflow wants it."""
    return int(moment.timestamp() * 1000)


def _read_moment(milliseconds: object) -> datetime | None:
    """Read a moment as MLflow writes it."""
    if not isinstance(milliseconds, int | float | str) or not str(milliseconds).isdigit():
        return None
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


async def _read_aside(read: Callable[[str], T], mlmodel: str) -> T:
    """Read an MLmodel file while others go on.

    Raises:
        ValueError: it cannot be read, or not in time.
    """
    try:
        async with asyncio.timeout(_READING):
            return await asyncio.to_thread(read, mlmodel)
    except TimeoutError as error:  # of the file, and not of MLflow: again would not help
        raise ValueError(f"its MLmodel file takes more than {_READING:g} s to read") from error


async def _pages(
    ask: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]], *, most: int
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield each page of a search; ask for less at once where a page would be too large.

    Args:
        most: entries of a page.

    Raises:
        TooLargeError: one entry alone is.
    """
    token = ""
    while True:
        try:
            page = await ask({"max_results": most, "page_token": token}) or {}
        except TooLargeError:
            if most == 1:
                raise
            most = max(1, most // 10)
            continue
        yield page
        token = page.get("next_page_token", "")
        if not token:
            return
