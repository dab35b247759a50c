"""The client on a real MLflow: the port's promises, and a registry with more than a page."""

import asyncio
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from cluster.ports import refusing_port
from fairlead_contract.mlflow import Access
from fairlead_operator.api.runs import RunEnd
from fairlead_operator.errors import TransientError
from fairlead_operator.mlflow import client as mlflow_client
from fairlead_operator.mlflow.client import MlflowClient
from support.conformance import REGISTRY, RegistryCheck
from support.fakes import START
from support.mlflow_server import MlflowServer
from support.model_server import register_booster

pytestmark = pytest.mark.integration


class Registry:
    """``support.conformance.RegistryDesk`` on a real server, by its REST API."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session
        self.port = MlflowClient(Access(address=url), session, operator="uid-lease")

    async def register(self, registered_model: str, version: str, digest: str | None) -> str:
        tags = {"fairlead.version": version, **({"fairlead.digest": digest} if digest else {})}
        return await asyncio.to_thread(self._register, registered_model, tags)

    async def log(self, registered_model: str, number: str, mlmodel: str) -> None:
        asked = f"model-versions/get-download-uri?name={registered_model}&version={number}"
        answer = await asyncio.to_thread(self.call, asked)
        place = urllib.parse.urlsplit(answer["artifact_uri"]).path
        files = f"{self._url}/api/2.0/mlflow-artifacts/artifacts"
        async with self._session.put(f"{files}{place}/MLmodel", data=mlmodel) as response:
            assert response.status == 200, await response.text()

    async def report(self, run_id: str, document: str) -> None:
        body = {"run_id": run_id, "key": "fairlead.progress", "value": document}
        await asyncio.to_thread(self.call, "runs/set-tag", body)

    async def outcome(self, run_id: str) -> str | None:
        answer = await asyncio.to_thread(self.call, f"runs/get?run_id={run_id}")
        status = answer["run"]["info"]["status"]
        assert (status == "RUNNING") == ("end_time" not in answer["run"]["info"])
        return None if status == "RUNNING" else str(status)

    async def begin_elsewhere(self, experiment: str, key: str) -> str:
        other = MlflowClient(Access(address=self._url), self._session, operator="uid-other")
        return await other.start_run(experiment=experiment, name="run", key=key, now=START)

    async def go_down(self) -> None:
        nobody = Access(address=f"http://127.0.0.1:{refusing_port()}")
        self.port = MlflowClient(nobody, self._session, operator="uid-lease")

    def _register(self, name: str, tags: dict[str, str]) -> str:
        if "registered_model" not in self.call(f"registered-models/get?name={name}"):
            self.call("registered-models/create", {"name": name})
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        run = self.call("runs/create", {"experiment_id": "0"})["run"]["info"]
        source = {"source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
        body = {"name": name, "tags": pairs, **source}
        return str(self.call("model-versions/create", body)["model_version"]["version"])

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._url}/api/2.0/mlflow/{path}",
            data=data,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return dict(json.loads(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                answer = dict(json.loads(error.read()))
            assert answer["error_code"] == "RESOURCE_DOES_NOT_EXIST", answer
            return answer


@pytest.fixture(name="desk")
async def _desk(mlflow_server: MlflowServer) -> AsyncIterator[Registry]:
    async with aiohttp.ClientSession() as session:
        yield Registry(mlflow_server.uri, session)


@pytest.fixture(name="model")
def _model() -> str:
    return f"nsw-{secrets.token_hex(4)}"


@pytest.mark.parametrize("check", REGISTRY, ids=lambda check: check.__name__)
async def test_registry(check: RegistryCheck, desk: Registry, model: str) -> None:
    await check(desk, model)


async def test_a_version_behind_the_first_page_is_found(
    desk: Registry, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_client, "_PAGE", 2)
    for patch in range(5):
        await desk.register(f"energy.{model}", f"1.0.{patch}", f"sha256:{patch}")
    for again in range(5):
        await desk.register(f"energy.{model}", "2.0.0", f"sha256:{again}")

    oldest = await desk.port.find_versions(f"energy.{model}", "1.0.0")
    absent = await desk.port.find_versions(f"energy.{model}", "1.0.9")
    several = await desk.port.find_versions(f"energy.{model}", "2.0.0")

    assert [(one.registry_version, one.digest) for one in oldest] == [("1", "sha256:0")]
    assert absent == []
    assert len(several) == 5


async def test_versions_of_a_model_with_a_longer_name_are_others(
    desk: Registry, model: str
) -> None:
    await desk.register(f"energy.{model}-2", "1.0.0", "sha256:other")

    assert await desk.port.find_versions(f"energy.{model}", "1.0.0") == []


async def test_open_runs_behind_the_first_page_are_found(
    desk: Registry, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_client, "_RUNS_PAGE", 1)
    started = [
        await desk.port.start_run(
            experiment=f"{model}/{name}", name="run", key=f"{name}-{number}", now=START
        )
        for name in "ab"
        for number in range(2)
    ]

    found = await desk.port.open_runs(model)

    assert sorted(run.run_id for run in found) == sorted(started)


async def test_a_run_that_a_person_deleted_takes_no_end_and_is_not_open(
    desk: Registry, model: str
) -> None:
    run = await desk.port.start_run(experiment=f"{model}/m", name="run", key="key", now=START)
    await asyncio.to_thread(desk.call, "runs/delete", {"run_id": run})

    await desk.port.end_run(run, RunEnd.KILLED, now=START)
    await desk.port.close_run(run)

    assert await desk.port.open_runs(model) == []


async def test_the_signature_of_a_logged_model_is_read(
    mlflow_server: MlflowServer, desk: Registry, model: str
) -> None:
    """As MLflow itself keeps it: the files of a model are at an address of their own."""
    registered = await asyncio.to_thread(
        register_booster, mlflow_server.uri, f"energy.{model}", columns=2
    )

    found = await desk.port.signature(f"energy.{model}", registered.version)

    assert [(column.type, column.required) for column in found.inputs] == [("double", True)] * 2
    assert found.outputs


async def test_a_refusal_is_transient_and_says_why(desk: Registry) -> None:
    with pytest.raises(TransientError, match=r"model-versions/search: HTTP 400 .*filter"):
        await desk.port.find_versions("no'name", "1.0.0")


async def test_another_server_than_mlflow_is_transient() -> None:
    async def page(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    async with server, aiohttp.ClientSession() as session:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TransientError, match="mlflow"):
            await MlflowClient(Access(address=f"http://127.0.0.1:{port}"), session).progress("r")
