"""Every part asks MLflow as the same one, and so does MLflow's own client in the trainer."""

import asyncio
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import aiohttp
import pytest
from mlflow import MlflowClient as OfficialClient
from mlflow.exceptions import MlflowException

from cluster.certificates import Certificate, make_certificates
from fairlead_contract.mlflow import Access, read_access
from fairlead_operator.errors import TransientError
from fairlead_operator.mlflow.client import MlflowClient
from fairlead_serving.server.failure import StartupError
from fairlead_serving.server.registry import MlflowRegistry
from fairlead_training.failure import TrainingFailure
from fairlead_training.progress import tag_writer

pytestmark = pytest.mark.integration

ANSWER = b'{"run": {"info": {"run_id": "r"}, "data": {}}, "model_version": {"version": "1"}}'
UNREACHED = (TransientError, StartupError, TrainingFailure, MlflowException)


@dataclass
class Recorder:
    """A server that says the same to everyone, and keeps whom they said they were."""

    address: str = ""
    credentials: list[str | None] = field(default_factory=list)


@contextmanager
def recording(tls: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            recorder.credentials.append(self.headers.get("Authorization"))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        do_POST = do_GET  # noqa: N815  as the base class wants it

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that does not trust us hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        recorder.address = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


def ask_as_the_operator(access: Access) -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            await MlflowClient(access, session).progress("r")

    asyncio.run(ask())


def ask_as_the_server(access: Access) -> None:
    MlflowRegistry.at(access).find("energy.nsw-price", "1")


def ask_as_the_trainer(access: Access) -> None:
    tag_writer(access, "r")("{}")


def ask_as_mlflow_itself(access: Access) -> None:
    OfficialClient(access.address).get_run("r")


clients = pytest.mark.parametrize(
    "ask",
    [
        pytest.param(ask_as_the_operator, id="operator"),
        pytest.param(ask_as_the_server, id="server"),
        pytest.param(ask_as_the_trainer, id="trainer"),
        pytest.param(ask_as_mlflow_itself, id="MLflow"),
    ],
)


@pytest.fixture(name="told")
def _told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Access]:
    """What this process is told; MLflow's own client reads it by itself."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("fairlead_serving.server.registry._WAITS", ())

    def tell(address: str, **variables: str) -> Access:
        variables = {"MLFLOW_TRACKING_URI": address} | {
            f"MLFLOW_TRACKING_{name}": value for name, value in variables.items()
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return read_access(variables)

    return tell


@clients
@pytest.mark.parametrize(
    ("variables", "credentials"),
    [
        pytest.param({}, None, id="nobody"),
        pytest.param(
            {"USERNAME": "anna", "PASSWORD": "hush"}, "Basic YW5uYTpodXNo", id="name and password"
        ),
        pytest.param({"TOKEN": "hush"}, "Bearer hush", id="token"),
        pytest.param(
            {"USERNAME": "anna", "PASSWORD": "hush", "TOKEN": "other"},
            "Basic YW5uYTpodXNo",
            id="both",
        ),
    ],
)
def test_everyone_says_the_same_of_themselves(
    told: Callable[..., Access],
    ask: Callable[[Access], None],
    variables: dict[str, str],
    credentials: str | None,
) -> None:
    with recording() as server:
        ask(told(server.address, **variables))

    assert set(server.credentials) == {credentials}


@pytest.fixture(name="certificates", scope="module")
def _certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def run(command: Sequence[str | Path]) -> None:
        subprocess.run(command, check=True, capture_output=True)

    folder = tmp_path_factory.mktemp("tls") / "certificates"
    server = Certificate(
        name="mlflow", subject="/CN=mlflow", usage="serverAuth", names=("IP:127.0.0.1",)
    )
    make_certificates(folder, [server], run)
    return folder


@clients
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize(
    ("variables", "reached"),
    [
        pytest.param({}, False, id="an unknown authority"),
        pytest.param({"INSECURE_TLS": "true"}, True, id="no verification"),
        pytest.param({"SERVER_CERT_PATH": "{}/ca.crt"}, True, id="the authority named"),
    ],
)
def test_everyone_trusts_the_same(
    told: Callable[..., Access],
    certificates: Path,
    ask: Callable[[Access], None],
    variables: dict[str, str],
    reached: bool,
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates / "mlflow.crt", certificates / "mlflow.key")

    with recording(tls) as server:
        given = {name: value.format(certificates) for name, value in variables.items()}
        access = told(server.address, **given)
        if reached:
            ask(access)
        else:
            with pytest.raises(UNREACHED, match=r"(?i)certificate"):
                ask(access)

    assert bool(server.credentials) is reached
