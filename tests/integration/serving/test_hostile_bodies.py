"""One request must not take a server down: ten kinds of hostile bodies, side by side."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from support.mlflow_server import MlflowServer
from support.model_server import Registered, ServerProcess, model_server, register_booster

pytestmark = pytest.mark.integration

COLUMNS = 30
ROW = {f"c{at}": at / 7 for at in range(COLUMNS)}
MEBIBYTE = 1024 * 1024
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of a deflate stream
LIMIT_MEBIBYTES = 1024  # of a server's pod, by default
SIZE = 19 * MEBIBYTE  # nearly what 30 columns allow, so that the bytes alone refuse none


def rows_of(unit: bytes, *, size: int = SIZE) -> bytes:
    """Repeat a row to a body of this size."""
    rows = b",".join([unit] * (size // (len(unit) + 1)))
    return b'{"instances":[' + rows + b"]}"


@dataclass(frozen=True, slots=True)
class Attack:
    """A body, and how the server answers it."""

    build: Callable[[], bytes]
    statuses: frozenset[int]
    says: str


def attack(build: Callable[[], bytes], status: int, says: str) -> Attack:
    # Together they find no room now and then, which is an answer too.
    return Attack(cache(build), frozenset({status, 429}), says)


ATTACKS = {
    "empty objects": attack(lambda: rows_of(b"{}"), 413, "objects and lists"),
    "empty lists": attack(lambda: rows_of(b"[]"), 413, "objects and lists"),
    "one long string": attack(lambda: rows_of(b'"' + b"x" * (SIZE - 99) + b'"'), 413, "longer"),
    "one long string beyond Latin": attack(
        lambda: rows_of(b'"' + "\U0001f600".encode() + b"x" * (SIZE - 99) + b'"'), 413, "longer"
    ),
    "nested 990 deep": attack(
        lambda: b'{"instances":' + b"[" * 990 + b"]" * 990 + b"}", 400, "instances[0] is [[["
    ),
    "nested 990 deep in a row": attack(
        lambda: b'{"instances":[{"c0":' + b'{"a":' * 990 + b"1" + b"}" * 990 + b"}]}",
        400,
        "column 'c0'",
    ),
    "nested 100,000 deep": attack(
        lambda: b'{"instances":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 413, "lists"
    ),
    "many keys": attack(
        lambda: rows_of(
            b"{" + b",".join(b'"k%d":0' % at for at in range(SIZE // 13)) + b"}", size=SIZE
        ),
        413,
        "30 columns",
    ),
    "one key again and again": attack(
        lambda: rows_of(b"{" + b'"c0":0,' * (SIZE // 8) + b'"c0":0}'), 413, "30 columns"
    ),
    "huge numbers": attack(
        lambda: rows_of(b'{"c0":' + b"9" * 100_000 + b',"c1":1e400}'), 400, "not JSON"
    ),
    "escapes": attack(lambda: rows_of(b'"' + b"\\u0000" * (SIZE // 6 - 9) + b'"'), 413, "longer"),
    "NaN": attack(lambda: rows_of(b'{"c0":NaN,"c1":Infinity}', size=200_000), 400, "null"),
    "not UTF-8": attack(lambda: rows_of(b'{"c0":"' + b"\xff" * 90_000 + b'"}'), 400, "UTF-8"),
    "numbers": attack(lambda: rows_of(b"1234567"), 413, "columns"),
    "too many bytes": attack(lambda: b" " * (33 * MEBIBYTE), 413, "fewer rows"),
    "rows with an error at their end": attack(
        lambda: rows_of(json.dumps(ROW).encode() + b",", size=6 * MEBIBYTE)[:-3] + b"]}", 400, ""
    ),
    "a gzip bomb": attack(lambda: gzip.compress(b" " * (64 * MEBIBYTE), 1), 413, "fewer rows"),
    "empty objects in gzip": attack(
        lambda: gzip.compress(rows_of(b"{}"), 1), 413, "objects and lists"
    ),
    "gzip that unpacks to nothing": attack(
        lambda: gzip.compress(b"")[:10] + EMPTY_BLOCK * (33 * MEBIBYTE // 5), 413, "fewer rows"
    ),
    "gzip without its end": attack(
        lambda: gzip.compress(rows_of(json.dumps(ROW).encode(), size=6 * MEBIBYTE), 1)[:-9],
        400,
        "ends before",
    ),
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
    packed = {"content-encoding": "gzip"} if body.startswith(b"\x1f\x8b") else {}
    return httpx.post(f"{server.uri}{path}", content=body, headers=packed, timeout=300)


@pytest.mark.parametrize("kind", ATTACKS)
def test_each_kind_is_refused_in_words(server_of_all: ServerProcess, kind: str) -> None:
    attacked = ATTACKS[kind]

    answer = post(server_of_all, attacked.build())

    assert answer.status_code in attacked.statuses
    assert attacked.says in answer.json()["error"]
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
    bodies = [each.build() for each in ATTACKS.values()]

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
