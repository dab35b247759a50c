"""What MLflow, or whatever stands before it, answers instead of what was asked for."""

import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from fairlead_contract.mlflow import Access
from fairlead_operator.api.runs import RunEnd
from fairlead_operator.errors import TransientError
from fairlead_operator.mlflow.client import MlflowClient, parse_digest
from support.fakes import START

LOGIN = "<!doctype html><title>Sign in</title>"


class Proxy:
    """Gives one answer, and an empty one to whatever is asked after."""

    def __init__(self) -> None:
        self.answer = web.Response()
        self.bodies: list[str] = []

    @property
    def asked(self) -> int:
        return len(self.bodies)

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.text())
        return self.answer if self.asked == 1 else web.json_response({})


@contextlib.asynccontextmanager
async def asking(
    handle: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[MlflowClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    access = Access(address=f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with aiohttp.ClientSession() as session:
        yield MlflowClient(access, session, operator="uid-lease")
    await runner.cleanup()


@pytest.fixture
async def proxy() -> Proxy:
    return Proxy()


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[MlflowClient]:
    async with asking(proxy.handle) as client:
        yield client


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        pytest.param(
            401, LOGIN, "text/html", ["HTTP 401 with text/html", "user and password"], id="401"
        ),
        pytest.param(
            403, '{"message": "no"}', "application/json", ["HTTP 403 no", "token"], id="403 in JSON"
        ),
        pytest.param(429, "slow down", "text/plain", ["HTTP 429", "asked again"], id="429"),
        pytest.param(503, LOGIN, "text/html", ["HTTP 503 with text/html", "proxies"], id="503"),
        pytest.param(502, "", "text/plain", ["HTTP 502"], id="an empty answer"),
        pytest.param(
            200, LOGIN, "text/html", ["HTTP 200 with text/html", "MLflow's own address"], id="login"
        ),
        pytest.param(200, "[]", "application/json", ["HTTP 200", "own address"], id="a list"),
        pytest.param(200, "{", "application/json", ["in place of JSON"], id="half an answer"),
        pytest.param(404, "not here", "text/plain", ["HTTP 404", "own address"], id="another path"),
    ],
)
async def test_the_status_is_told_before_the_body(
    proxy: Proxy, client: MlflowClient, *, status: int, text: str, kind: str, words: list[str]
) -> None:
    proxy.answer = web.Response(status=status, text=text, content_type=kind)

    with pytest.raises(TransientError) as refusal:
        await client.find_versions("energy.nsw-price", "1.0.0")

    assert all(word in str(refusal.value) for word in words), str(refusal.value)
    assert "Expecting value" not in str(refusal.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_told_and_not_followed(
    proxy: Proxy, client: MlflowClient, status: int
) -> None:
    """It would take the credentials elsewhere."""
    place = {"Location": "/login?next=x"}
    proxy.answer = web.Response(status=status, text=LOGIN, headers=place)

    with pytest.raises(TransientError, match=f"HTTP {status} to /login"):
        await client.find_versions("energy.nsw-price", "1.0.0")

    assert proxy.asked == 1


class Crowded:
    """Registrations and runs, of which some have tags without end."""

    def __init__(self, *, versions: int, runs: dict[str, int]) -> None:
        self.versions = versions
        self.runs = runs  # by experiment: bytes of one's tag
        self.pages: list[int] = []  # how many entries were asked for at once

    async def handle(self, request: web.Request) -> web.Response:
        asked = dict(request.query) if request.method == "GET" else await request.json()
        most, start = int(asked.get("max_results", 1)), int(asked.get("page_token") or 0)
        entries = self._entries(request.path.rpartition("mlflow/")[2], asked)
        self.pages.append(most)
        body: dict[str, object] = {self._key(request.path): entries[start : start + most]}
        if start + most < len(entries):
            body["next_page_token"] = str(start + most)
        return web.json_response(body)

    def _key(self, path: str) -> str:
        return path.rpartition("mlflow/")[2].partition("/")[0].replace("-", "_")

    def _entries(self, path: str, asked: dict[str, Any]) -> list[dict[str, Any]]:
        match path:
            case "model-versions/search":
                tag = {"key": "x", "value": "x" * 900}
                return [
                    {"name": "shop.price", "version": str(number), "tags": [tag]}
                    for number in range(self.versions)
                ]
            case "experiments/search":
                return [{"experiment_id": name, "name": f"{name}/price"} for name in self.runs]
            case _:
                return [
                    {
                        "info": {"run_id": f"of-{name}", "experiment_id": name},
                        "data": {"tags": [{"key": "x", "value": "x" * self.runs[name]}]},
                    }
                    for name in asked["experiment_ids"]
                ]


@pytest.fixture(name="room")
def _room(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let an answer have so many bytes."""
    monkeypatch.setattr("fairlead_operator.mlflow.client._LARGEST_ANSWER", 4000)
    return 4000


async def test_versions_with_long_tags_are_listed_in_small_pages(room: int) -> None:
    """Whoever may register versions filled the operator's memory, which reads all of them."""
    mlflow = Crowded(versions=30, runs={})
    async with asking(mlflow.handle) as client:
        listed = await client.registrations()

    assert len(listed) == 30
    assert mlflow.pages[:3] == [500, 50, 5]
    assert set(mlflow.pages[3:]) == {1}, "five of them are too many"


async def test_a_version_that_is_too_large_by_itself_is_told(room: int) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response({"model_versions": ["x" * room]})

    async with asking(handle) as client:
        with pytest.raises(TransientError, match="an answer of more than 4000 bytes"):
            await client.find_versions("shop.price", "1.0.0")


async def test_runs_without_end_hide_no_other_namespaces(room: int) -> None:
    names = {"bakery": 10, "energy": 10, "shop": room, "zoo": 10}
    async with asking(Crowded(versions=0, runs=names).handle) as client:
        found = await client.open_runs()

    assert sorted(run.namespace for run in found) == ["bakery", "energy", "zoo"]


async def test_no_more_of_an_answer_is_read_than_there_is_room_for(room: int) -> None:
    written = 0

    async def handle(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while written < 2**26:
                await response.write(b"x" * 65_536)
                written += 65_536
        return response

    async with asking(handle) as client:
        with pytest.raises(TransientError, match="an answer of more than 4000 bytes"):
            await client.progress("run")

    assert written < 2**26


async def test_a_deleted_experiment_takes_no_run(proxy: Proxy, client: MlflowClient) -> None:
    """MLflow still finds it by its name, and refused the run as bad input, time and again."""
    experiment = {"experiment_id": "7", "lifecycle_stage": "deleted"}
    proxy.answer = web.json_response({"experiment": experiment})

    with pytest.raises(ValueError, match=r"energy/nsw-price was deleted.*--experiment-id 7"):
        await client.start_run(experiment="energy/nsw-price", name="r", key="k", now=START)

    assert proxy.asked == 1


@pytest.mark.parametrize(
    ("status", "stage", "asked"),
    [
        pytest.param("RUNNING", "active", 2, id="it runs: it is ended"),
        pytest.param("RUNNING", "deleted", 1, id="deleted: MLflow would refuse its end for ever"),
        pytest.param("FINISHED", "active", 1, id="it has ended"),
    ],
)
async def test_the_end_of_a_run(
    proxy: Proxy, client: MlflowClient, status: str, stage: str, asked: int
) -> None:
    info = {"status": status, "lifecycle_stage": stage}
    proxy.answer = web.json_response({"run": {"info": info}})

    await client.end_run("r", RunEnd.FINISHED, now=START)

    ends = [json.loads(body)["end_time"] for body in proxy.bodies if "end_time" in body]
    assert proxy.asked == asked
    assert ends == [START.timestamp() * 1000] * (asked - 1), "the moment of the look"


WHOLE = "sha256:" + 64 * "0"


@pytest.mark.parametrize(
    ("tag", "digest"),
    [
        pytest.param(WHOLE, WHOLE, id="a digest"),
        pytest.param("", "", id="none"),
        pytest.param("sha512:" + 128 * "0", "", id="of another kind: longer than status may hold"),
        pytest.param(WHOLE + "0", "", id="a character too long"),
        pytest.param(WHOLE + "\n", "", id="with the end of a line"),
        pytest.param("0" * 64, "", id="without its kind"),
        pytest.param("sha256:", "", id="only its kind"),
        pytest.param("latest", "", id="a word"),
    ],
)
def test_a_tag_is_a_digest_or_nothing(tag: str, digest: str) -> None:
    """One of a wrong form, in MLflow, stopped the Rollout and the Model that read it."""
    assert parse_digest(tag) == digest


@pytest.mark.parametrize(
    ("reader", "ask"),
    [
        pytest.param("read_signature", MlflowClient.signature, id="for its signature"),
        pytest.param("find_code", MlflowClient.code, id="for its code"),
        pytest.param("find_form", MlflowClient.form, id="for its form"),
    ],
)
async def test_nobody_waits_for_a_file_that_takes_too_long_to_read(
    proxy: Proxy,
    client: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    reader: str,
    ask: Callable[[MlflowClient, str, str], Awaitable[object]],
) -> None:
    proxy.answer = web.Response(text="flavors: {}")
    is_over = threading.Event()
    monkeypatch.setattr(f"fairlead_operator.mlflow.client.{reader}", lambda _: is_over.wait())
    monkeypatch.setattr("fairlead_operator.mlflow.client._READING", 0.0)

    try:
        with pytest.raises(ValueError, match="MLmodel file takes more than 0 s to read"):
            await ask(client, "energy.price", "1")
    finally:
        is_over.set()
