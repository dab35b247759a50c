"""What serving adds to one row: `python tests/bench/single_row.py [--seconds 15]`.

The same booster three ways, in turns of a few requests, so that a noisy moment of the machine
meets all three: called in this process, behind our server, and behind a bare FastAPI with the
least it needs to be correct.  Prints JSON: microseconds, and how many times the in-process call.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
import yaml

COLUMNS = [f"c{at}" for at in range(30)]
ROW = {name: at / 10 for at, name in enumerate(COLUMNS)}
BODY = json.dumps({"instances": [ROW]}).encode()
TURN = 25  # requests


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--serve", choices=["fairlead", "fastapi"], help="used by itself")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    if given.serve == "fairlead":
        serve_fairlead(given.folder, given.port)
    elif given.serve == "fastapi":
        serve_fastapi(given.folder, given.port)
    else:
        print(json.dumps(compare(given.seconds), indent=2))


def compare(seconds: float) -> dict[str, Any]:
    """Take turns until the time is over."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        booster = train(folder)
        row = np.array([list(ROW.values())])
        with serving("fairlead", folder) as ours, serving("fastapi", folder) as bare:
            ways: dict[str, Callable[[], object]] = {
                "inProcess": lambda: booster.inplace_predict(row),
                "fairlead": ours.predict,
                "fastapi": bare.predict,
            }
            taken = take_turns(ways, seconds)
            memory = {"fairlead": ours.memory(), "fastapi": bare.memory()}
    return summarize(taken) | {"rssMegabytes": memory}


def take_turns(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        for _ in range(200):
            way()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, way in ways.items():
            for _ in range(TURN):
                started = time.perf_counter()
                way()
                taken[name].append(time.perf_counter() - started)
    return taken


def summarize(taken: dict[str, list[float]]) -> dict[str, Any]:
    medians = {name: float(np.median(values)) for name, values in taken.items()}
    return {
        name: {
            "requests": len(values),
            "medianMicroseconds": round(medians[name] * 1e6, 1),
            "p99Microseconds": round(float(np.percentile(values, 99)) * 1e6, 1),
            "timesInProcess": round(medians[name] / medians["inProcess"], 2),
            "timesFastapi": round(medians[name] / medians["fastapi"], 2),
        }
        for name, values in taken.items()
    }


def train(folder: Path) -> xgboost.Booster:
    """Train a booster and save it as MLflow would."""
    random = np.random.default_rng(7)
    data = random.normal(size=(2000, len(COLUMNS)))
    matrix = xgboost.DMatrix(data, data[:, 0] + data[:, 1] > 0, feature_names=COLUMNS)
    params = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1}
    booster = xgboost.train(params, matrix, num_boost_round=100)
    booster.save_model(folder / "model.ubj")
    inputs = [{"name": name, "type": "double", "required": True} for name in COLUMNS]
    description = {
        "flavors": {"xgboost": {"data": "model.ubj"}},
        "signature": {"inputs": json.dumps(inputs)},
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(description))
    return booster


class Client:
    """One kept-open connection that does as little as possible itself."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        head = f"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: {len(BODY)}\r\n"
        self._request = f"{head}content-type: application/json\r\n\r\n".encode() + BODY
        self._socket = self._connect(port)

    def predict(self) -> bytes:
        """Ask once and read the whole answer, which comes in one or two pieces."""
        self._socket.sendall(self._request)
        answer = self._socket.recv(65536)
        while not answer.rstrip().endswith(b"}"):
            answer += self._socket.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        return answer

    def memory(self) -> float:
        """Resident memory of the server, in megabytes."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    def _connect(self, port: int) -> socket.socket:
        for _ in range(600):
            try:
                connection = socket.create_connection(("127.0.0.1", port), timeout=10)
            except ConnectionRefusedError:
                time.sleep(0.05)
            else:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
        raise RuntimeError("server does not start")


@contextmanager
def serving(way: str, folder: Path) -> Iterator[Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        __file__,
        "--serve",
        way,
        "--folder",
        str(folder),
        "--port",
        f"{port}",
    ]
    process = subprocess.Popen(command)
    try:
        yield Client(process, port)
    finally:
        process.terminate()
        process.wait()


def serve_fairlead(folder: Path, port: int) -> None:
    """Run our server without the download."""
    from fairlead_serving import server  # noqa: PLC0415 - the other processes do without
    from fairlead_serving.artifact import read_artifact  # noqa: PLC0415
    from fairlead_serving.predictor import open_predictor  # noqa: PLC0415
    from fairlead_serving.settings import Settings, prepare_libraries  # noqa: PLC0415

    prepare_libraries(folder)
    settings = Settings(
        namespace="bench",
        model="bench",
        version="1.0.0",
        registered_model="bench.bench",
        registry_version="1",
        digest="",
        tracking_uri="",
        request_timeout=timedelta(seconds=5),
        host="127.0.0.1",
        port=port,
    )
    app = server.build(settings, open_predictor(read_artifact(folder)))
    server.serve(app, settings)


def serve_fastapi(folder: Path, port: int) -> None:
    """Run the least that is correct: named columns in, a probability out."""
    import uvicorn  # noqa: PLC0415 - the other processes do without
    from fastapi import FastAPI  # noqa: PLC0415
    from pydantic import BaseModel  # noqa: PLC0415

    class Question(BaseModel):
        instances: list[dict[str, float]]

    class Answer(BaseModel):
        predictions: list[float]

    booster = xgboost.Booster()
    booster.load_model(folder / "model.ubj")
    booster.set_param({"nthread": 1})
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        rows = np.array([[row[name] for name in COLUMNS] for row in question.instances])
        return Answer(predictions=booster.inplace_predict(rows).tolist())

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
