"""What other callers notice while hostile bodies come without a pause.

The server has one processor to itself.  The senders share the other with the caller, who goes
first: what is measured is how long the server keeps a caller waiting, not how busy the machine is.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from bench.single_row import Connection, serving, train
from support.hostile_bodies import KINDS, build, is_packed

NAME = "hostile-bodies"

_CONNECTIONS = 4
_REST_SECONDS = 3.0
_ATTACK_SECONDS = 6.0
_PAUSE = 0.01  # between the caller's requests
_TIMES = 3
# Of a body that the kernel takes at once.  Some kernels let nobody else run meanwhile, and the
# caller would wait for its own processor.
_PIECE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A caller's delays, and how many bodies the server dealt with meanwhile."""

    rest: Summary
    attacked: Summary
    bodies: int


def run(say: Callable[[str], None]) -> Result:
    """Attack with one kind after the other."""
    processors = os.sched_getaffinity(0)
    first, last = min(processors), max(processors)
    measured: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder))
        with serving("fairlead", Path(folder)) as server, _pinned(last):
            for task in Path(f"/proc/{server.process.pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {first})
            caller = Connection(server.port)
            for kind in KINDS:
                say(f"{kind}: {_CONNECTIONS} connections for {_ATTACK_SECONDS:g} s")
                rest = _call(caller, _REST_SECONDS)
                with _attack(kind, server.port) as attack:
                    attacked = _call(caller, _ATTACK_SECONDS)
                measured[kind] = Measured(rest=rest, attacked=attacked, bodies=attack())
    return to_result(measured)


def to_result(measured: Mapping[str, Measured]) -> Result:
    """How many times longer callers waited.  Pure."""
    times = {kind: each.attacked.p99 / each.rest.p99 for kind, each in measured.items()}
    return Result(
        name=NAME,
        headers=("Bodies", "p99 at rest, ms", "p99 attacked, ms", "times", "bodies"),
        rows=tuple(
            (
                kind,
                f"{each.rest.p99 * 1e3:.1f}",
                f"{each.attacked.p99 * 1e3:.1f}",
                f"{times[kind]:.1f}",
                f"{each.bodies}",
            )
            for kind, each in measured.items()
        ),
        goals=(
            Goal(
                wanted=f"other callers' p99 within {_TIMES} times that at rest, of every kind",
                is_met=max(times.values()) <= _TIMES,
            ),
        ),
        numbers={
            kind: {
                "rest_p99_seconds": each.rest.p99,
                "attacked_p99_seconds": each.attacked.p99,
                "times": times[kind],
                "bodies": each.bodies,
            }
            for kind, each in measured.items()
        },
    )


def _call(caller: Connection, seconds: float) -> Summary:
    taken = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        caller.predict()
        taken.append(time.perf_counter() - begun)
        time.sleep(_PAUSE)
    return summarize(taken)


@contextmanager
def _pinned(processor: int) -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _attack(kind: str, port: int) -> Iterator[Callable[[], int]]:
    """Have a process send bodies; afterwards it says how many were dealt with."""
    command = [sys.executable, "-m", "bench.hostile", "--kind", kind, "--port", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # the first bodies are on their way
        said: list[str] = []
        yield lambda: int(said[0])
        process.stdin.close()
        said.append(process.stdout.readline())


def send(kind: str, port: int) -> None:
    """Send bodies until the standard input ends; say how many were answered, or cut off."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    body = build(kind)
    headers = {"Content-Encoding": "gzip"} if is_packed(body) else {}
    stop = threading.Event()
    dealt_with = 0

    def again_and_again() -> None:
        nonlocal dealt_with
        while not stop.is_set():
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                connection.connect()
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _PIECE_BYTES)
                connection.request("POST", "/predict", body, headers)
                connection.getresponse().read()
            except (OSError, HTTPException):
                pass  # it was refused before its end
            finally:
                connection.close()
            dealt_with += 1

    threads = [threading.Thread(target=again_and_again, daemon=True) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    print("sending", flush=True)
    sys.stdin.read()
    stop.set()
    print(dealt_with, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Send hostile bodies to a model server.")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    send(given.kind, given.port)


if __name__ == "__main__":
    main()
