"""What serving adds to one row.

The same booster four ways, in turns of a few requests, so that a noisy moment of the machine
meets all of them: called in this process, behind a bare FastAPI with the least it needs to be
correct, behind our server, and behind our server through Envoy as the gateway's agent sets it up.
``bench.one_server`` is the process of one of the servers.
"""

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import xgboost
import yaml

from bench.machine import resident_mebibytes
from bench.numbers import Summary, summarize
from bench.one_server import COLUMNS
from bench.result import Result
from cluster.ports import free_port
from fairlead_contract.cluster import GATEWAY
from support import gateway as gateway_support
from support.fake_api import FakeApi

NAME = "single-row"
IN_PROCESS, FASTAPI = "XGBoost called in process", "bare FastAPI server"
SERVER, BEHIND = "our server", "our server through the gateway"
VERSION = "1.0.0"

ROW = {name: at / 10 for at, name in enumerate(COLUMNS)}
BODY = json.dumps({"instances": [ROW]}).encode()

_SECONDS = 30.0
_PROGRESS = 10.0
_TURN = 25  # requests
_WARM_UP = 200
_START_TIMEOUT = 90

Ways = Mapping[str, Callable[[], object]]


def run(say: Callable[[str], None]) -> Result:
    """Take turns until the time is over."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        booster = train(folder)
        row = np.array([list(ROW.values())])
        ours = stack.enter_context(serving("fairlead", folder))
        bare = stack.enter_context(serving("fastapi", folder))
        gateway = stack.enter_context(gateway_to(ours.port))
        ways: Ways = {
            IN_PROCESS: lambda: booster.inplace_predict(row),
            FASTAPI: Connection(bare.port).predict,
            SERVER: Connection(ours.port).predict,
            BEHIND: Connection(gateway, host="nsw-price").predict,
        }
        say(f"four ways in turns of {_TURN} requests for {_SECONDS:g} s")
        taken = take_turns(ways, say)
        memory = {
            SERVER: resident_mebibytes(ours.process.pid),
            FASTAPI: resident_mebibytes(bare.process.pid),
        }
    return to_result({way: summarize(seconds) for way, seconds in taken.items()}, memory)


def take_turns(ways: Ways, say: Callable[[str], None]) -> Mapping[str, Sequence[float]]:
    """Seconds of every request, by way."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        for _ in range(_WARM_UP):
            way()
    begin = told = time.monotonic()
    while time.monotonic() - begin < _SECONDS:
        for name, way in ways.items():
            for _ in range(_TURN):
                started = time.perf_counter()
                way()
                taken[name].append(time.perf_counter() - started)
        if time.monotonic() - told > _PROGRESS:
            told = time.monotonic()
            say(f"{told - begin:.0f} of {_SECONDS:g} s, {len(taken[BEHIND])} requests each")
    return taken


def to_result(ways: Mapping[str, Summary], memory: Mapping[str, float]) -> Result:
    """Medians, and how many times the way in process and the bare server.  Pure."""
    process, fastapi = ways[IN_PROCESS].median, ways[FASTAPI].median
    return Result(
        name=NAME,
        headers=(
            "One row of 30 columns",
            "median µs",
            "p99 µs",
            "times in process",
            "times FastAPI",
        ),
        rows=tuple(
            (
                way,
                f"{seconds.median * 1e6:,.0f}",
                f"{seconds.p99 * 1e6:,.0f}",
                f"{seconds.median / process:.1f}",
                f"{seconds.median / fastapi:.2f}",
            )
            for way, seconds in ways.items()
        ),
        goals=(),
        numbers={
            way: {
                "requests": seconds.count,
                "median_seconds": seconds.median,
                "p99_seconds": seconds.p99,
                "times_in_process": seconds.median / process,
                "times_fastapi": seconds.median / fastapi,
                "resident_mebibytes": memory.get(way),
            }
            for way, seconds in ways.items()
        },
    )


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


class Connection:
    """One kept-open connection that does as little as possible itself."""

    def __init__(self, port: int, *, host: str = "x") -> None:
        head = f"POST /predict HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(BODY)}\r\n"
        self._request = f"{head}content-type: application/json\r\n\r\n".encode() + BODY
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def predict(self) -> bytes:
        """Ask once and read the whole answer, which comes in one or two pieces."""
        self._socket.sendall(self._request)
        answer = self._socket.recv(65536)
        while not answer.rstrip().endswith(b"}"):
            answer += self._socket.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer.decode())
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server of one of the two kinds that takes requests."""

    process: "subprocess.Popen[bytes]"
    port: int


@contextmanager
def serving(way: str, folder: Path) -> Iterator[Server]:
    """Run a server in a process of its own."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.one_server", f"--serve={way}"]
    process = subprocess.Popen([*argv, f"--folder={folder}", f"--port={port}"])
    try:
        _wait_until_open(port)
        yield Server(process=process, port=port)
    finally:
        process.terminate()
        process.wait()


def _wait_until_open(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("server does not start")


@contextmanager
def gateway_to(port: int) -> Iterator[int]:
    """Run Envoy and the agent before a server; its port of traffic.

    What the agent watches lives on a thread of this process; it has nothing to do once the route
    is in force.
    """
    traffic: Future[int] = Future()
    stop = Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        done = pool.submit(lambda: asyncio.run(_run_gateway(port, traffic, stop)))
        try:
            either: tuple[Future[Any], ...] = (traffic, done)
            wait(either, timeout=_START_TIMEOUT, return_when=FIRST_COMPLETED)
            if done.done():
                done.result()  # raises why there is no gateway
            yield traffic.result(0)
        finally:
            stop.set()


async def _run_gateway(port: int, traffic: "Future[int]", stop: Event) -> None:
    async with _gateway(port) as opened:
        traffic.set_result(opened)
        await asyncio.to_thread(stop.wait)


@asynccontextmanager
async def _gateway(port: int) -> AsyncIterator[int]:
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        api = FakeApi()
        await api.start()
        stack.push_async_callback(api.stop)
        config_map = {"metadata": {"name": GATEWAY, "namespace": gateway_support.NAMESPACE}}
        await api.apply("configmaps", config_map)
        service = gateway_support.service_of(gateway_support.MODEL, VERSION)
        ready = gateway_support.endpoint_slice(service, port, {"ready": True})
        await api.apply("endpointslices", ready)
        route = gateway_support.route_document({VERSION: 100})
        await api.apply("configmaps", gateway_support.route_config_map(route))
        settings = gateway_support.local_settings(directory, api)
        await stack.enter_async_context(gateway_support.EnvoyProcess(settings))
        await stack.enter_async_context(gateway_support.agent_process(settings))
        await gateway_support.eventually(
            lambda: gateway_support.is_ready(settings.ports.metrics, "/ready"), seconds=60
        )
        yield settings.ports.traffic
