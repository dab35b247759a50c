"""The proxy by which the clients of stores connect: whom it leads to, and with which judgment.

tests/integration/training/test_object_store.py has a whole client, also over TLS.
"""

import dataclasses
import http.client
import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from cluster.ports import refusing_port
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.http import open_url
from fairlead_training.sources.relay import Relay, relay
from support.reading import environment, surroundings, use_names


class _Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_GET(self) -> None:
        self._answer(b"rows")

    def do_PUT(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, content: bytes) -> None:
        self.asked.append((self.path, self.headers["Host"], self.headers["Proxy-Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(name="port", scope="module")
def _port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch) -> None:
    _Server.asked.clear()
    use_names(monkeypatch, s3__example="127.0.0.1", cloud__example="169.254.169.254")


def anywhere(_host: str, _port: int) -> bool:
    return True


def through(proxy: Relay) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)


def ask(
    proxy: Relay, url: str, *, method: str = "GET", body: bytes | None = None
) -> tuple[int, bytes]:
    connection = through(proxy)
    connection.request(method, url, body, {"Proxy-Authorization": "Basic x"})
    with connection.getresponse() as answer:
        told = answer.status, answer.read()
    connection.close()
    return told


@pytest.mark.parametrize(
    ("method", "body", "answer"),
    [
        pytest.param("GET", None, b"rows", id="an answer"),
        pytest.param("PUT", b"k" * 500_000, b"k" * 500_000, id="a body longer than a piece"),
    ],
)
def test_a_request_reaches_its_host_as_one_to_a_server(
    method: str, body: bytes | None, answer: bytes, port: int
) -> None:
    with relay("s3://b", environment(allowed="127.0.0.1"), anywhere) as proxy:
        told = ask(proxy, f"http://s3.example:{port}/b/k?x=1", method=method, body=body)

    assert told == (200, answer)
    assert _Server.asked == [("/b/k?x=1", f"s3.example:{port}", None)]


def test_a_request_that_names_its_host_apart_reaches_it(port: int) -> None:
    with relay("az://b", environment(allowed="127.0.0.1"), anywhere) as proxy:
        connection = through(proxy)
        connection.request("GET", "/b/k", headers={"Host": f"s3.example:{port}"})
        with connection.getresponse() as answer:
            assert answer.read() == b"rows"
        connection.close()

    assert _Server.asked == [("/b/k", f"s3.example:{port}", None)]


def test_a_tunnel_reaches_its_host(port: int) -> None:
    with relay("s3://b", environment(allowed="127.0.0.1"), anywhere) as proxy:
        connection = through(proxy)
        connection.set_tunnel("s3.example", port)
        for _ in range(2):
            connection.request("GET", "/b/k")
            assert connection.getresponse().read() == b"rows"
        connection.close()

    assert [path for path, *_ in _Server.asked] == ["/b/k", "/b/k"]


@pytest.mark.parametrize(
    ("host", "changes", "reason"),
    [
        pytest.param("cloud.example", {}, Reason.SOURCE_NOT_ALLOWED, id="a name of a bad address"),
        pytest.param("169.254.169.254", {}, Reason.SOURCE_NOT_ALLOWED, id="a bad address"),
        pytest.param("s3.example", {"allowed": ""}, Reason.SOURCE_NOT_ALLOWED, id="not allowed"),
        pytest.param(
            "s3.example",
            {"data_keys": {"accessKeyId": "x"}, "data_hosts": "other.example"},
            Reason.SECRET_NOT_ALLOWED,
            id="not for the Secret",
        ),
    ],
)
@pytest.mark.parametrize("tunnel", [True, False], ids=["tunnel", "request"])
def test_a_host_that_is_refused_is_told(
    host: str, changes: dict[str, Any], reason: Reason, tunnel: bool, port: int
) -> None:
    with relay("s3://b", environment(**{"allowed": "127.0.0.1", **changes}), anywhere) as proxy:
        if tunnel:
            connection = through(proxy)
            connection.set_tunnel(host, port)
            with pytest.raises(OSError, match="403"):
                connection.connect()
        else:
            assert ask(proxy, f"http://{host}:{port}/b/k")[0] == 403

    assert proxy.failure is not None
    assert proxy.failure.reason is reason
    assert _Server.asked == []


def test_it_leads_to_no_host_but_those_of_the_source(port: int) -> None:
    """So that a store which redirects leads nowhere."""
    with relay(
        "s3://b", environment(allowed="127.0.0.1"), lambda host, _: host == "s3.example"
    ) as proxy:
        status, _ = ask(proxy, f"http://127.0.0.1:{port}/b/k")

    assert status == 403
    assert _Server.asked == []


def test_a_host_that_does_not_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    with relay("s3://b", environment(allowed="127.0.0.1"), anywhere) as proxy:
        status, _ = ask(proxy, f"http://s3.example:{closed}/b/k")

    assert status == 502
    assert isinstance(proxy.trouble, ConnectionRefusedError)


@pytest.mark.parametrize("said", [b"", b"GET\r\n\r\n", b"\xff /x y\r\n\r\n", b"GET / x"])
def test_what_is_no_request_is_not_answered(said: bytes, port: int) -> None:
    with (
        relay("s3://b", environment(allowed="127.0.0.1"), anywhere) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), 30) as client,
    ):
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""


def test_it_listens_only_while_rows_are_read() -> None:
    with relay("s3://b", environment(), anywhere) as proxy:
        port = proxy.port

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


class _Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy of a platform, which knows one name of outside."""

    told: ClassVar[list[str]] = []

    def do_CONNECT(self) -> None:
        self.told.append(self.path)
        host, port = self.path.rsplit(":", 1)
        if host != "outside.example":
            self.send_error(403)
            return
        with socket.create_connection(("127.0.0.1", int(port))) as there:
            self.send_response(200)
            self.end_headers()
            there.sendall(self.connection.recv(65_536))
            while piece := there.recv(65_536):
                self.connection.sendall(piece)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(name="platform", scope="module")
def _platform() -> Iterator[tuple[str, int]]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Proxy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield ("127.0.0.1", server.server_port)
        server.shutdown()
        thread.join()


def behind(platform: tuple[str, int], allowed: str) -> Environment:
    here = dataclasses.replace(surroundings(allowed), proxy=platform)
    return dataclasses.replace(environment(), surroundings=here)


def test_a_proxy_of_the_platform_leads_outside(port: int, platform: tuple[str, int]) -> None:
    _Proxy.told.clear()

    with relay("s3://b", behind(platform, "outside.example"), anywhere) as proxy:
        client = http.client.HTTPConnection("127.0.0.1", proxy.port)
        client.request("GET", f"http://outside.example:{port}/rows.csv")
        body = client.getresponse().read()
        client.close()

    assert body == b"rows"
    assert _Proxy.told == [f"outside.example:{port}"]


@pytest.mark.parametrize(
    ("allowed", "words"),
    [
        pytest.param("refused.example", "answered 403", id="a place that the proxy refuses"),
        pytest.param("", "cannot be read", id="a name that nobody knows"),
    ],
)
def test_what_a_proxy_does_not_reach_is_told(
    allowed: str, words: str, platform: tuple[str, int]
) -> None:
    with pytest.raises(TrainingFailure, match=words):
        open_url("http://refused.example/rows.csv", behind(platform, allowed))


def test_a_proxy_that_is_away_is_told() -> None:
    away = ("127.0.0.1", refusing_port())

    with pytest.raises(TrainingFailure, match=r"the proxy 127.0.0.1:\d+ cannot be reached"):
        open_url("http://outside.example/rows.csv", behind(away, "outside.example"))
