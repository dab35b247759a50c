"""Rows that are more than a trainer's memory: told in words, within the memory."""

import contextlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from support.postgres import Postgres
from support.trainer_config import config_document

_MIB = 2**20
_LIMIT = 400 * _MIB  # a pod's; some 200 of them are the trainer's own libraries
_COLUMNS = 120
_BLOCK = b"".join(
    b"%d,%d,%s\n" % (1_767_225_600 + row, row % 2, b",".join(b"%d.25" % (row * 7 % 1000)
    for _ in range(_COLUMNS)))
    for row in range(2000)
)  # fmt: skip
_HEADER = ",".join(["timestamp", "up", *(f"x{n}" for n in range(_COLUMNS))]).encode() + b"\n"
_SIZE = 2 * _LIMIT  # of the file, as 2 GB are to 1 GiB

# What a pod's container does; the kernel's count of its memory is the same as the process's.
_READ = """
import json, pathlib, sys
from fairlead_training.config import parse_config, parse_environment
from fairlead_training.failure import TrainingFailure
from fairlead_training.sources import room, table
config, limit = json.loads(sys.argv[1]), int(sys.argv[2])
room.read_memory_limit = lambda: limit
try:
    frame = table.read_frame(parse_config(json.dumps(config)).data, parse_environment(
        json.loads(sys.argv[3])))
    said = {"rows": len(frame), "columns": list(frame.columns)}
except TrainingFailure as failure:
    said = {"reason": failure.reason, "message": failure.message}
status = pathlib.Path("/proc/self/status").read_text()
peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
print(json.dumps({**said, "peak": int(peak) * 1024}))
"""


def read(**data: Any) -> dict[str, Any]:
    """Read rows in a process of its own, and return what came of it and the memory it took."""
    variables = {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "FAIRLEAD_DATABASE_URL": "postgresql://127.0.0.1:9/none",
        "FAIRLEAD_ALLOWED_SOURCES": "127.0.0.1",
        **data.pop("variables", {}),
    }
    config = config_document(**{f"data__{name}": value for name, value in data.items()})
    done = subprocess.run(
        [sys.executable, "-c", _READ, json.dumps(config), str(_LIMIT), json.dumps(variables)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


class _Endless(http.server.BaseHTTPRequestHandler):
    """Sends a file that lies nowhere."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # who reads has seen enough
            self.wfile.write(_HEADER)
            for _ in range(_SIZE // len(_BLOCK)):
                self.wfile.write(_BLOCK)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="uri", scope="module")
def _uri() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/rows.csv"
        server.shutdown()


def test_a_file_of_twice_the_memory_is_told(uri: str) -> None:
    said = read(uri=uri)

    assert said["reason"] == "TooMuchData"
    assert f"{uri} does not fit in the trainer's memory" in said["message"]
    assert said["peak"] < _LIMIT


def test_a_file_of_twice_the_memory_is_read_by_the_columns_that_a_model_names(uri: str) -> None:
    said = read(uri=uri, features=["x0", "x1"])

    assert said["columns"] == ["timestamp", "up", "x0", "x1"]
    assert said["rows"] == _SIZE // len(_BLOCK) * 2000
    assert said["peak"] < _LIMIT


def test_a_query_of_more_rows_than_there_is_room_for_is_told(postgres: Postgres) -> None:
    said = read(
        uri=postgres.uri("postgres", credentials=False),
        query="select n as timestamp, n % 2 as up, repeat('x', 200) as x "
        "from generate_series(1, 20000000) as n",
        variables={
            "FAIRLEAD_DATA_USERNAME": postgres.user,
            "FAIRLEAD_DATA_PASSWORD": postgres.password,
            "FAIRLEAD_DATA_HOSTS": "127.0.0.1",
        },
    )

    assert said["reason"] == "TooMuchData"
    assert said["peak"] < _LIMIT


def test_of_a_query_only_the_columns_that_a_model_names_need_room(postgres: Postgres) -> None:
    said = read(
        uri=postgres.uri("postgres", credentials=False),
        query="select n as timestamp, n % 2 as up, n as x, repeat('x', 1000) as note "
        "from generate_series(1, 120000) as n",
        features=["x"],
        variables={
            "FAIRLEAD_DATA_USERNAME": postgres.user,
            "FAIRLEAD_DATA_PASSWORD": postgres.password,
            "FAIRLEAD_DATA_HOSTS": "127.0.0.1",
        },
    )

    assert said["rows"] == 120_000
    assert said["columns"] == ["timestamp", "up", "x"]
    assert said["peak"] < _LIMIT
