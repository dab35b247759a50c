"""The tracking server as we use it, and every way it can let us down."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.registry import MlflowRegistry, RegisteredVersion

Handler = Callable[[httpx.Request], httpx.Response]

VERSION = RegisteredVersion(
    name="energy.nsw-price",
    version="4",
    digest="sha256:abc",
    artifact_uri="mlflow-artifacts:/1/models/m-1/artifacts",
)
TREE = {
    "1/models/m-1/artifacts": [
        {"path": "MLmodel", "is_dir": False},
        {"path": "data", "is_dir": True},
    ],
    "1/models/m-1/artifacts/data": [{"path": "a b.ubj", "is_dir": False}],
}


def registry(handler: Handler) -> MlflowRegistry:
    client = httpx.Client(base_url="http://mlflow", transport=httpx.MockTransport(handler))
    return MlflowRegistry(client, waits=(0, 0))


def mlflow(request: httpx.Request) -> httpx.Response:
    """A tracking server with one version of two files."""
    path = request.url.path
    if path.endswith("/get"):
        tags = [{"key": "fairlead.digest", "value": "sha256:abc"}]
        return httpx.Response(200, json={"model_version": {"tags": tags}})
    if path.endswith("/get-download-uri"):
        return httpx.Response(200, json={"artifact_uri": VERSION.artifact_uri})
    if path.endswith("/mlflow-artifacts/artifacts"):
        return httpx.Response(200, json={"files": TREE[request.url.params["path"]]})
    return httpx.Response(200, content=path.rpartition("/artifacts/")[2].encode())


def always(status: int, **content: object) -> Handler:
    return lambda _: httpx.Response(status, **content)  # type: ignore[arg-type]


def test_a_version_is_found() -> None:
    assert registry(mlflow).find("energy.nsw-price", "4") == VERSION


def test_all_files_are_downloaded(tmp_path: Path) -> None:
    registry(mlflow).download(VERSION, tmp_path)

    assert (tmp_path / "MLmodel").read_text() == "MLmodel"
    assert (tmp_path / "data/a b.ubj").read_text() == "data/a b.ubj"


def test_a_short_outage_is_waited_out() -> None:
    answers = iter([500, 429])

    def recovering(request: httpx.Request) -> httpx.Response:
        status = next(answers, 200)
        return mlflow(request) if status == 200 else httpx.Response(status)

    assert registry(recovering).find("energy.nsw-price", "4") == VERSION


def test_a_long_outage_is_given_up() -> None:
    attempts = []

    def down(request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        raise httpx.ConnectError("connection refused")

    with pytest.raises(StartupError, match="connection refused") as failure:
        registry(down).find("energy.nsw-price", "4")

    assert len(attempts) == 3
    assert failure.value.exit_code == 1


NOT_THERE = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "version=4 not found"}


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        pytest.param(always(404, json=NOT_THERE), Reason.VERSION_NOT_FOUND, id="no such version"),
        pytest.param(
            always(400, json={"error_code": "INVALID_PARAMETER_VALUE"}),
            Reason.VERSION_NOT_FOUND,
            id="no version number",
        ),
        pytest.param(
            always(404, json={"error_code": "ENDPOINT_NOT_FOUND", "message": "no such path"}),
            Reason.ARTIFACT_INVALID,
            id="no such path",
        ),
        pytest.param(
            always(404, text="default backend - 404"),
            Reason.REGISTRY_UNAVAILABLE,
            id="the page of a proxy while MLflow is away",
        ),
        pytest.param(always(403, text="Invalid Host"), Reason.REGISTRY_UNAVAILABLE, id="refused"),
        pytest.param(always(503), Reason.REGISTRY_UNAVAILABLE, id="overloaded"),
        pytest.param(always(200, text="<html>"), Reason.REGISTRY_UNAVAILABLE, id="not MLflow"),
        pytest.param(always(200, json=[]), Reason.REGISTRY_UNAVAILABLE, id="other JSON"),
        pytest.param(always(400, json=[]), Reason.REGISTRY_UNAVAILABLE, id="other error"),
    ],
)
def test_each_failure_has_its_reason(handler: Handler, reason: Reason) -> None:
    with pytest.raises(StartupError) as failure:
        registry(handler).find("energy.nsw-price", "4")

    assert failure.value.reason is reason


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        (401, "user and password"),
        (403, "user and password"),
        (429, "proxies before it"),
        (503, "proxies before it"),
        (302, "own address"),
        (200, "correct MLFLOW_TRACKING_URI"),
    ],
)
def test_what_is_no_answer_of_mlflow_is_told_by_its_status(status: int, way_out: str) -> None:
    page = always(status, text="<html>hush", headers={"Location": "https://login"})

    with pytest.raises(StartupError) as failure:
        registry(page).find("energy.nsw-price", "4")

    assert f"mlflow answered HTTP {status}" in failure.value.message
    assert way_out in failure.value.message
    assert "hush" not in failure.value.message


@pytest.mark.parametrize(
    ("uri", "files", "message"),
    [
        pytest.param("s3://bucket/m-1", [], "--serve-artifacts", id="direct storage"),
        pytest.param(VERSION.artifact_uri, [], "has no files", id="no files"),
        pytest.param(VERSION.artifact_uri, [{"path": "a/.."}], "file at 'a/..'", id="a way out"),
    ],
)
def test_an_artifact_that_is_not_there(
    tmp_path: Path, uri: str, files: list[object], message: str
) -> None:
    version = RegisteredVersion(name="m", version="1", digest=None, artifact_uri=uri)

    with pytest.raises(StartupError, match=message) as failure:
        registry(always(200, json={"files": files})).download(version, tmp_path)

    assert failure.value.reason is Reason.ARTIFACT_INVALID
