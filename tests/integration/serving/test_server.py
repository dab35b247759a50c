"""The model server as a process: a real MLflow, real models, real sockets, real signals."""

import contextlib
import http.client
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cluster.ports import refusing_port
from support.mlflow_server import MlflowServer
from support.model_server import (
    Registered,
    ServerProcess,
    model_server,
    register_booster,
    register_graph,
    register_obedient,
    without_frameworks,
)

pytestmark = pytest.mark.integration

ALLOWED = {"FAIRLEAD_ALLOW_ARTIFACT_CODE": "true"}
ROW = {"c0": 1.0, "c1": 0.5, "c2": 0, "c3": None}


@pytest.fixture(scope="module")
def booster(mlflow_server: MlflowServer) -> Registered:
    return register_booster(mlflow_server.uri, "energy.booster")


@pytest.fixture(scope="module")
def obedient(mlflow_server: MlflowServer) -> Registered:
    return register_obedient(mlflow_server.uri, "energy.obedient")


@pytest.fixture(scope="module")
def server(booster: Registered) -> Iterator[ServerProcess]:
    with model_server(booster, timeout_seconds=60) as process:
        process.wait_until_ready()
        yield process


def test_a_prediction_names_its_version(server: ServerProcess) -> None:
    response = server.predict(ROW, {**ROW, "c0": -2})

    answer = response.json()
    assert response.status_code == 200
    assert response.headers["x-fairlead-version"] == "1.1.0"
    assert (answer["model"], answer["version"]) == ("nsw-price", "1.1.0")
    assert uuid.UUID(answer["predictionId"])
    assert answer["predictions"][0] > 0.9
    assert answer["predictions"][1] < 0.1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{bad", 400, "not JSON"),
        ('{"instances": []}', 400, "empty"),
        ('{"instances": [{"c0": "x", "c1": 0, "c2": 0, "c3": 0}]}', 400, "column 'c0'"),
        ('{"instances": [' + "{}," * 10_000 + "{}]}", 413, "at most 10000"),
    ],
)
def test_a_bad_request_is_refused_in_one_form(
    server: ServerProcess, body: str, status: int, message: str
) -> None:
    response = server.post("/predict", content=body)

    assert response.status_code == status
    assert response.headers["x-fairlead-version"] == "1.1.0"
    assert message in response.json()["error"]


def test_probes_and_metrics_answer(server: ServerProcess) -> None:
    server.predict(ROW)

    metrics = server.get("/metrics").text

    labels = 'model="nsw-price",outcome="success",version="1.1.0"'
    (line,) = [line for line in metrics.splitlines() if labels in line]
    assert line.startswith("fairlead_predictions_total")
    assert float(line.split()[-1]) >= 1
    assert server.get("/livez").status_code == 200
    assert server.get("/nosuch").status_code == 404
    assert "error" in server.get("/nosuch").json()
    described = server.get("/docs.json").json()
    assert described["info"]["version"] == "1.1.0"
    assert described["components"]["schemas"]["Instance"]["properties"].keys() == ROW.keys()


def test_a_large_batch_is_answered(server: ServerProcess) -> None:
    response = server.predict(*[ROW] * 10_000)

    assert len(response.json()["predictions"]) == 10_000


def test_code_in_an_artifact_runs_only_where_it_may(obedient: Registered) -> None:
    with model_server(obedient, environment={"FAIRLEAD_ALLOW_ARTIFACT_CODE": "false"}) as server:
        assert server.wait() == 3
        assert server.last_words["reason"] == "CodeNotAllowed"
        assert "python_function, opened by mlflow.pyfunc." in server.last_words["message"]


def test_only_rows_a_model_fails_on_are_errors(obedient: Registered) -> None:
    with model_server(obedient, timeout_seconds=3, environment=ALLOWED) as server:
        server.wait_until_ready()

        answers = [server.predict({"seconds": 0, "fail": fail}) for fail in (0, 1, 0, 1)]
        slow = server.predict({"seconds": 3600, "fail": 0})

        assert [answer.status_code for answer in answers] == [200, 500, 200, 500]
        assert {answer.headers["x-fairlead-version"] for answer in answers} == {"1.1.0"}
        assert list(answers[1].json()) == ["error"]
        failures = [line for line in server.log if line["level"] == "ERROR"]
        assert len(failures) == 2
        assert "told to fail" in failures[0]["exception"]
        assert slow.status_code == 504


def begin(server: ServerProcess, **row: float) -> http.client.HTTPConnection:
    """Send a request, and return once the server has it."""
    connection = http.client.HTTPConnection(urlsplit(server.uri).netloc)
    connection.request("POST", "/predict", json.dumps({"instances": [row]}))
    server.get("/livez")  # connections are taken in turn
    return connection


def end(connection: http.client.HTTPConnection) -> int:
    """Wait for the answer; the result is its status."""
    with contextlib.closing(connection), connection.getresponse() as response:
        return response.status


def test_sigterm_lets_requests_under_way_finish(obedient: Registered) -> None:
    with model_server(obedient, timeout_seconds=60, environment=ALLOWED) as server:
        server.wait_until_ready()
        under_way = [begin(server, seconds=1, fail=0) for _ in range(2)]

        exit_code = server.stop()

        assert [end(request) for request in under_way] == [200, 200]
        assert exit_code == 0
        with pytest.raises(httpx.ConnectError):
            server.predict({"seconds": 0, "fail": 0})


@pytest.mark.parametrize(
    ("changes", "reason", "message"),
    [
        pytest.param({"digest": "sha256:0"}, "DigestMismatch", "sha256:0", id="another digest"),
        pytest.param({"version": "99"}, "VersionNotFound", "version=99", id="no such version"),
        pytest.param({"name": "energy.no"}, "VersionNotFound", "energy.no", id="no such model"),
        pytest.param({"tracking_uri": "file:///"}, "SettingsInvalid", "http", id="no address"),
    ],
)
def test_a_version_that_cannot_be_served_is_final(
    booster: Registered, changes: dict[str, str], reason: str, message: str
) -> None:
    with model_server(booster, **changes) as server:
        assert server.wait() == 3

        assert server.last_words["reason"] == reason
        assert message in server.last_words["message"]


def test_the_image_for_graphs_predicts_and_explains(
    mlflow_server: MlflowServer, tmp_path: Path
) -> None:
    graph = register_graph(mlflow_server.uri, "energy.graph")
    with model_server(graph, environment=without_frameworks(tmp_path)) as server:
        server.wait_until_ready()
        row = {"a": 5.0, "b": 7.0}

        predicted = server.predict(row).json()["predictions"]
        (explained,) = server.post("/explain", json={"instances": [row]}).json()["explanations"]

        assert predicted == [12.0]
        assert explained["score"] == 12.0
        added = sum(explained["attributions"].values())
        assert explained["base"] + added == pytest.approx(12.0)


def test_the_image_for_graphs_says_which_one_opens_other_forms(
    booster: Registered, tmp_path: Path
) -> None:
    with model_server(booster, environment=without_frameworks(tmp_path)) as server:
        assert server.wait() == 3

        assert server.last_words["reason"] == "SettingsInvalid"
        assert "has no xgboost" in server.last_words["message"]
        assert "images.serving" in server.last_words["message"]


def test_changed_files_are_refused(mlflow_server: MlflowServer) -> None:
    model = register_booster(mlflow_server.uri, "energy.changed")
    file = mlflow_server.artifact_files("model.ubj")[-1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with model_server(model) as server:
        assert server.wait() == 3

        assert server.last_words["reason"] == "DigestMismatch"
        assert "files were changed" in server.last_words["message"]


def test_a_registry_that_is_down_may_come_back(booster: Registered) -> None:
    with model_server(booster, tracking_uri=f"http://127.0.0.1:{refusing_port()}") as server:
        assert server.wait() == 1

        assert server.last_words["reason"] == "RegistryUnavailable"
