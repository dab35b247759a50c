"""One request must not take a server down: ten kinds of hostile bodies, side by side."""

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from support.hostile_bodies import COLUMNS, KINDS, MEBIBYTE, ROW, build, is_packed, rows_of
from support.mlflow_server import MlflowServer
from support.model_server import Registered, ServerProcess, model_server, register_booster

pytestmark = pytest.mark.integration

LIMIT_MEBIBYTES = 1024  # of a server's pod, by default


@dataclass(frozen=True, slots=True)
class Answer:
    """How the server answers a body."""

    status: int
    says: str

    @property
    def statuses(self) -> frozenset[int]:
        return frozenset({self.status, 429})  # together they find no room now and then


ANSWERS = {
    "empty objects": Answer(413, "objects and lists"),
    "empty lists": Answer(413, "objects and lists"),
    "one long string": Answer(413, "longer"),
    "one long string beyond Latin": Answer(413, "longer"),
    "nested 990 deep": Answer(400, "instances[0] is [[["),
    "nested 990 deep in a row": Answer(400, "column 'c0'"),
    "nested 100,000 deep": Answer(413, "lists"),
    "many keys": Answer(413, "30 columns"),
    "one key again and again": Answer(413, "30 columns"),
    "huge numbers": Answer(400, "not JSON"),
    "escapes": Answer(413, "longer"),
    "NaN": Answer(400, "null"),
    "not UTF-8": Answer(400, "UTF-8"),
    "numbers": Answer(413, "columns"),
    "too many bytes": Answer(413, "fewer rows"),
    "rows with an error at their end": Answer(400, ""),
    "a gzip bomb": Answer(413, "fewer rows"),
    "empty objects in gzip": Answer(413, "objects and lists"),
    "gzip that unpacks to nothing": Answer(413, "fewer rows"),
    "gzip without its end": Answer(400, "ends before"),
}


@pytest.fixture(scope="module")
def booster(mlflow_server: MlflowServer) -> Registered:
    return register_booster(mlflow_server.uri, "energy.attacked", columns=COLUMNS)


@pytest.fixture
def server(booster: Registered) -> Iterator[ServerProcess]:
    with model_server(booster, timeout_seconds=60) as process:
        process.wait_until_ready()
        yield process


def most_mebibytes(server: ServerProcess) -> float:
    """Read the most memory that the server has had so far."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def post(server: ServerProcess, body: bytes, path: str = "/predict") -> httpx.Response:
    packed = {"content-encoding": "gzip"} if is_packed(body) else {}
    return httpx.post(f"{server.uri}{path}", content=body, headers=packed, timeout=300)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_refused_in_words(server_of_all: ServerProcess, kind: str) -> None:
    expected = ANSWERS[kind]

    answer = post(server_of_all, build(kind))

    assert answer.status_code in expected.statuses
    assert expected.says in answer.json()["error"]
    assert len(answer.content) < 2000
    assert server_of_all.predict(ROW).status_code == 200


def test_a_packed_body_is_predicted_as_a_plain_one(server_of_all: ServerProcess) -> None:
    body = rows_of(json.dumps(ROW).encode(), size=2 * MEBIBYTE)

    plain, packed = post(server_of_all, body), post(server_of_all, gzip.compress(body))

    assert (plain.status_code, packed.status_code) == (200, 200)
    assert packed.json()["predictions"] == plain.json()["predictions"]


@pytest.fixture(scope="module")
def server_of_all(booster: Registered) -> Iterator[ServerProcess]:
    with model_server(booster, timeout_seconds=60) as process:
        process.wait_until_ready()
        yield process


class Caller:
    """Sends a row at a time on one connection, and keeps how each was answered."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.statuses: set[int] = set()

    def __enter__(self) -> "Caller":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=180) as client:
            while not self._stop.wait(0.01):
                answer = client.post(f"{self._server.uri}/predict", json={"instances": [ROW]})
                self.statuses.add(answer.status_code)


def trickle(server: ServerProcess, stop: threading.Event, announced: int) -> None:
    """Send a body that ends too late, or never: its length is a lie."""
    address = urlsplit(server.uri)
    with socket.create_connection((address.hostname, address.port or 0)) as connection:
        connection.sendall(
            f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {announced}\r\n\r\n".encode()
        )
        while not stop.wait(0.2):
            try:
                connection.sendall(b" ")
            except OSError:
                return


def test_other_callers_are_served_while_all_kinds_attack(server: ServerProcess) -> None:
    stop = threading.Event()
    bodies = [build(kind) for kind in KINDS]

    with ThreadPoolExecutor(60) as slow, Caller(server) as during:
        for announced in (1, 1000, 10**6, 10**7) * 5:
            slow.submit(trickle, server, stop, announced)
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda body: post(server, body), bodies))
        stop.set()

    assert server.process.poll() is None
    assert most_mebibytes(server) < 0.7 * LIMIT_MEBIBYTES
    assert during.statuses == {200}
    assert {answer.status_code for answer in answers} <= {400, 413, 429}
    assert [line for line in server.log if line["level"] == "ERROR"] == []


def test_as_many_rows_as_may_be_are_predicted(server: ServerProcess) -> None:
    body = json.dumps({"instances": [ROW] * 9_999}).encode()

    with Caller(server) as during, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(server, body), range(8)))

    assert {len(answer.json()["predictions"]) for answer in answers} == {9_999}
    assert during.statuses == {200}
    assert most_mebibytes(server) < 0.7 * LIMIT_MEBIBYTES
