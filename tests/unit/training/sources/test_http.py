"""Files over HTTP: whom the trainer asks, what it shows to whom, and what it says of an answer.

tests/integration/training has a whole training on a file.
"""

import errno
import http.client
import http.server
import socket
import ssl
import threading
import urllib.error
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure, Trouble
from fairlead_training.sources.http import describe, explain_answer, open_url, to_ascii
from support.reading import environment, use_names

SECRET = "top-secret"  # what no message may show
HERE = {"data__example": "127.0.0.1", "other__example": "127.0.0.1", "cloud__example": "127.0.0.1"}


@pytest.mark.parametrize(
    ("status", "reason", "field"),
    [
        pytest.param(401, Reason.CREDENTIALS_REFUSED, "credentials", id="no or wrong password"),
        pytest.param(403, Reason.CREDENTIALS_REFUSED, "credentials", id="not for this user"),
        pytest.param(404, Reason.DATA_SOURCE_UNAVAILABLE, "uri", id="not there"),
        pytest.param(503, Reason.DATA_SOURCE_UNAVAILABLE, "uri", id="in trouble"),
    ],
)
def test_an_answer_is_judged_by_its_status(status: int, reason: Reason, field: str) -> None:
    failure = explain_answer(status, "https://h/d.csv")

    assert failure.reason is reason
    assert f"https://h/d.csv answered {status}" in failure.message
    assert f"spec.data.source.{field}" in failure.message
    told = Trouble("https://h/d.csv", f"it answered {status}") if status == 503 else None
    assert failure.trouble == told


class _Server(http.server.BaseHTTPRequestHandler):
    """Answers as the first part of the path says; remembers who asked with which credentials."""

    asked: ClassVar[list[tuple[str, str, str | None]]] = []
    location: ClassVar[str] = ""

    def do_GET(self) -> None:
        host = self.headers["Host"].partition(":")[0]
        kind = self.path.split("/")[1]
        self.asked.append((host, kind, self.headers["Authorization"]))
        if kind == "raw":
            self.wfile.write(f"{SECRET} is no HTTP\r\n\r\n".encode())
        elif kind == "short":
            self._answer(200, {"Content-Length": "1000"})
        elif kind == "to":
            self._answer(302, {"Location": self.location})
        elif kind == "again":
            self._answer(302, {"Location": f"/again/{SECRET}"})
        else:
            self.send_response(int(kind), SECRET)
            self.end_headers()
            self.wfile.write(SECRET.encode())

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status, SECRET)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as http.server has it
        """Say nothing."""


@pytest.fixture(name="port", scope="module")
def _port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _world(monkeypatch: pytest.MonkeyPatch) -> None:
    _Server.asked.clear()
    use_names(monkeypatch, **HERE, evil__example="169.254.169.254", private__example="10.9.9.9")


def download(uri: str, environment: Environment) -> bytes:
    with open_url(uri, environment) as file:
        return file.read()


def credentials(hosts: str = "data.example") -> dict[str, Any]:
    return {"data_username": "u", "data_password": "p", "data_hosts": hosts}


def fails(uri: str, *, allowed: str = "127.0.0.1", **changes: Any) -> TrainingFailure:
    with pytest.raises(TrainingFailure) as caught:
        download(uri, environment(allowed=allowed, **changes))
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_file_is_read_with_the_credentials_of_the_secret(port: int) -> None:
    content = download(
        f"http://data.example:{port}/200", environment(allowed="127.0.0.1", **credentials())
    )

    assert content == SECRET.encode()
    assert _Server.asked == [("data.example", "200", "Basic dTpw")]


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        pytest.param("http://h:80/d.csv?a=b#c", "http://h:80/d.csv?a=b#c", id="nothing to do"),
        pytest.param("http://h/preise-für-alle.csv", "http://h/preise-f%C3%BCr-alle.csv",
                     id="in the path"),
        pytest.param("http://h/d.csv?stadt=Zürich", "http://h/d.csv?stadt=Z%C3%BCrich",
                     id="in the query"),
        pytest.param("http://h/a%20b-%C3%BC-ü.csv", "http://h/a%20b-%C3%BC-%C3%BC.csv",
                     id="beside what is quoted already"),
        pytest.param("https://prëise.example:8443/ö", "https://xn--prise-osa.example:8443/%C3%B6",
                     id="in the host"),
        pytest.param("http://[::1]:80/ß", "http://[::1]:80/%C3%9F", id="of an address"),
        pytest.param("http://ü..x/d", "http://ü..x/d", id="no host: left to what says so"),
    ],
)  # fmt: skip
def test_letters_beyond_ascii_are_written_as_http_needs_them(uri: str, asked: str) -> None:
    assert to_ascii(uri) == asked


def test_a_file_with_a_letter_beyond_ascii_is_read(port: int) -> None:
    """It was a bug of the trainer, three times."""
    uri = f"http://data.example:{port}/200/preise-für-alle.csv?stadt=Zürich"

    assert download(uri, environment(allowed="127.0.0.1")) == SECRET.encode()


def test_credentials_are_shown_to_no_other_host(port: int) -> None:
    failure = fails(f"http://other.example:{port}/200", **credentials())

    assert failure.reason is Reason.SECRET_NOT_ALLOWED
    assert _Server.asked == []


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("data.example@other.example", id="a user that looks like it"),
        pytest.param("other.example#@data.example", id="a fragment that looks like it"),
        pytest.param("other.example\\@data.example", id="with a backslash"),
        pytest.param("%6fther.example", id="percent-encoded"),
    ],
)
def test_whom_a_request_reaches_is_who_counts(host: str, port: int) -> None:
    with pytest.raises(TrainingFailure):
        download(f"http://{host}:{port}/200", environment(allowed="127.0.0.1", **credentials()))

    assert _Server.asked == []


def test_a_redirect_carries_no_credentials(port: int) -> None:
    _Server.location = f"http://other.example:{port}/200"

    content = download(
        f"http://data.example:{port}/to", environment(allowed="127.0.0.1", **credentials())
    )

    assert content == SECRET.encode()
    assert _Server.asked == [("data.example", "to", "Basic dTpw"), ("other.example", "200", None)]


@pytest.mark.parametrize(
    ("location", "reason", "said"),
    [
        pytest.param(
            f"http://evil.example/{SECRET}", Reason.SOURCE_NOT_ALLOWED, "link-local", id="a name"
        ),
        pytest.param(
            "http://169.254.169.254/", Reason.SOURCE_NOT_ALLOWED, "link-local", id="an address"
        ),
        pytest.param(
            "https://[::ffff:169.254.169.254]/", Reason.SOURCE_NOT_ALLOWED, "link-local", id="TLS"
        ),
        pytest.param(
            "http://private.example/", Reason.SOURCE_NOT_ALLOWED, "private", id="a private one"
        ),
        pytest.param(
            f"http://{SECRET}.example/", Reason.DATA_SOURCE_UNAVAILABLE, "", id="an unknown name"
        ),
        pytest.param(f"ftp://{SECRET}/", Reason.DATA_SOURCE_UNAVAILABLE, "", id="ftp"),
        pytest.param(f"file:///{SECRET}", Reason.DATA_SOURCE_UNAVAILABLE, "", id="a file"),
        pytest.param(f"data:,{SECRET}", Reason.DATA_SOURCE_UNAVAILABLE, "", id="itself"),
        pytest.param(f"http://h:{SECRET}/", Reason.DATA_SOURCE_UNAVAILABLE, "", id="no port"),
        pytest.param(f"http://[{SECRET}/", Reason.DATA_SOURCE_UNAVAILABLE, "", id="no address"),
    ],
)
def test_each_redirect_is_judged_and_not_shown(
    location: str, reason: Reason, said: str, port: int
) -> None:
    _Server.location = location

    failure = fails(f"http://data.example:{port}/to")

    assert failure.reason is reason
    assert said in failure.message
    assert "evil" not in failure.message


@pytest.mark.parametrize("kind", ["404", "500", "401", "raw", "short", "again"])
def test_nothing_of_an_answer_is_shown(kind: str, port: int) -> None:
    failure = fails(f"http://data.example:{port}/{kind}")

    assert f"http://data.example:{port}/{kind} " in failure.message
    assert (failure.trouble is not None) == (kind in {"500", "short"})
    assert SECRET not in str(failure.trouble)


def test_an_address_that_is_refused_is_not_asked(port: int) -> None:
    failure = fails(f"http://data.example:{port}/200", allowed="")

    assert failure.reason is Reason.SOURCE_NOT_ALLOWED
    assert _Server.asked == []


def test_no_proxy_of_the_environment_is_asked(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://evil.example:3128")

    assert download(f"http://data.example:{port}/200", environment(allowed="127.0.0.1"))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(http.client.BadStatusLine(SECRET), "not HTTP", id="no HTTP"),
        pytest.param(http.client.LineTooLong(SECRET), "not HTTP", id="a line without an end"),
        pytest.param(http.client.IncompleteRead(SECRET.encode()), "ended early", id="cut"),
        pytest.param(http.client.InvalidURL(SECRET), "not HTTP", id="a broken redirect"),
        pytest.param(ValueError(SECRET), "an address of http", id="no address"),
        pytest.param(ConnectionRefusedError(errno.ECONNREFUSED, SECRET), "refused", id="refused"),
        pytest.param(TimeoutError(SECRET), "in time", id="no connection"),
        pytest.param(socket.gaierror(-2, "Name or service not known"), "not known", id="no name"),
        pytest.param(ssl.SSLError(1, f"[SSL] {SECRET}"), "TLS failed", id="no TLS"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_went_wrong_is_told_in_our_own_words(
    error: Exception, said: str, wrapped: bool
) -> None:
    words = describe(urllib.error.URLError(error) if wrapped else error)  # type: ignore[arg-type]

    assert said in words
    assert SECRET not in words


@pytest.mark.parametrize(
    ("code", "said"),
    [pytest.param(62, "for another name", id="a name"), pytest.param(10, "expired", id="old")],
)
def test_a_certificate_that_is_not_trusted(code: int, said: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = f"{SECRET}" if code == 62 else "certificate has expired"

    words = describe(error)

    assert said in words
    assert SECRET not in words
