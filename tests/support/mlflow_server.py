"""An MLflow tracking server for tests: SQLite and artifacts in a temporary folder, on loopback.

Started as ``docs`` and the chart start it: one worker, no job runner, artifacts through the
server.  A conftest that imports ``mlflow_server`` has the fixture.
"""

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cluster.ports import free_port
from support.servers import answers_http, wait_until_answering

FILES: Final = Path(__file__).resolve().parents[2] / "charts" / "fairlead" / "files" / "mlflow"
# What the chart sets beside these files, so that MLflow's permissions leave nothing open.
GUARDS: Final = {
    "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    "MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX": "^(models|runs|mlflow-artifacts):/[^/]",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MlflowServer:
    """A running server."""

    uri: str
    folder: Path  # of its artifacts, for tests that damage them
    log: Path

    def artifact_files(self, name: str) -> list[Path]:
        """Return where the server keeps files of this name, newest last."""
        found = (path for path in self.folder.rglob(name) if path.is_file())
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(name="mlflow_server", scope="session")
def mlflow_server() -> Iterator[MlflowServer]:
    """Run one server for the session; tests keep apart by the names of models and runs."""
    with running_mlflow() as server:
        yield server


@contextlib.contextmanager
def running_mlflow(*options: str, **variables: str) -> Iterator[MlflowServer]:
    """Start a server, and remove it with its data afterwards.

    Args:
        options: of its command, beside ours.
        variables: of its environment, beside ours.
    """
    with tempfile.TemporaryDirectory(prefix="fairlead-mlflow-") as name:
        folder, port = Path(name), free_port()
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--serve-artifacts"]
        command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        command += ["--artifacts-destination", str(artifacts), *options]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env=_environment(folder) | variables,
                start_new_session=True,
            )  # fmt: skip
        try:
            server = MlflowServer(
                uri=f"http://127.0.0.1:{port}", folder=artifacts, log=folder / "log"
            )
            health = f"{server.uri}/health"
            wait_until_answering(process, lambda: answers_http(health), folder / "log")
            yield server
        finally:
            _stop(process)


@contextlib.contextmanager
def running_mlflow_with_users(password: str) -> Iterator[MlflowServer]:
    """Start a server that asks everyone to sign in, as the chart does; as ``admin`` too."""
    with tempfile.TemporaryDirectory(prefix="fairlead-mlflow-auth-") as name:
        shutil.copytree(FILES, name, dirs_exist_ok=True)
        with Path(name, "auth.ini").open("a") as file:
            file.write(f"database_uri = sqlite:///{name}/users.db\n")
        variables = GUARDS | {
            "MLFLOW_AUTH_CONFIG_PATH": f"{name}/auth.ini",
            "MLFLOW_AUTH_ADMIN_PASSWORD": password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "key",
            "PYTHONPATH": name,
        }
        with running_mlflow("--app-name=basic-auth", **variables) as server:
            yield server


def _environment(folder: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HOME": str(folder),
    }


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its worker, which share a process group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
