"""Requests a second and their delays, of our server and of a bare FastAPI server, side by side.

Both serve the same model, each in one process, and take turns of a second, so that a busy machine
is busy for both: what counts is the ratio of two turns that follow each other.
"""

import select
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.machine import processor_seconds, resident_mebibytes
from bench.numbers import Summary, summarize
from bench.result import Goal, Result
from bench.single_row import BODY, serving, train

NAME = "serving"
OURS, FASTAPI = "ours", "FastAPI"
CONNECTIONS = (1, 8, 64)

_ROUNDS = 5
_TURN_SECONDS = 1.0
_WARM_UP_SECONDS = 0.5
_TIMES_FASTAPI = 3
_MOST_MEBIBYTES = 120
_REQUEST = (
    b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one server answered in one turn."""

    rate: float  # requests a second
    seconds: Summary  # of a request
    processor: float  # seconds of a processor that the server took for a request


Turns = Mapping[int, Mapping[str, Sequence[Turn]]]  # by connections, then by server


def run(say: Callable[[str], None]) -> Result:
    """Take turns with each number of connections."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        train(folder)
        servers = {
            OURS: stack.enter_context(serving("fairlead", folder)),
            FASTAPI: stack.enter_context(serving("fastapi", folder)),
        }
        turns: dict[int, dict[str, list[Turn]]] = {}
        for connections in CONNECTIONS:
            say(f"{_ROUNDS} turns of {_TURN_SECONDS:g} s each, {connections} connections")
            taken = turns[connections] = {name: [] for name in servers}
            for server in servers.values():
                load(server.port, connections, seconds=_WARM_UP_SECONDS)
            for _ in range(_ROUNDS):
                for name, server in servers.items():
                    before = processor_seconds(server.process.pid)
                    delays = load(server.port, connections, seconds=_TURN_SECONDS)
                    used = processor_seconds(server.process.pid) - before
                    taken[name].append(
                        Turn(
                            rate=len(delays) / _TURN_SECONDS,
                            seconds=summarize(delays),
                            processor=used / len(delays),
                        )
                    )
        memory = {name: resident_mebibytes(each.process.pid) for name, each in servers.items()}
    return to_result(turns, memory)


def to_result(turns: Turns, memory: Mapping[str, float]) -> Result:
    """Medians, and the ratios of turns that follow each other.  Pure."""
    rows, ratios, delays = [], [], []
    numbers: dict[str, object] = {"resident_mebibytes": dict(memory)}
    for connections, taken in turns.items():
        ratio = _compare(taken, lambda turn: turn.rate)
        late = _compare(taken, lambda turn: turn.seconds.p99)
        ratios.append(ratio)
        delays.append(late)
        for name, each in taken.items():
            rate = median(turn.rate for turn in each)
            middle = median(turn.seconds.median for turn in each)
            p99 = median(turn.seconds.p99 for turn in each)
            processor = median(turn.processor for turn in each)
            rows.append(
                (
                    f"{connections}, {name}",
                    f"{rate:,.0f}",
                    f"{ratio:.1f}" if name == OURS else "1.0",
                    f"{middle * 1e3:.2f}",
                    f"{p99 * 1e3:.1f}",
                    f"{processor * 1e6:,.0f}",
                )
            )
            numbers[f"{connections} {name}"] = {
                "requests_a_second": rate,
                "median_seconds": middle,
                "p99_seconds": p99,
                "processor_seconds": processor,
            }
        numbers[f"{connections} times"] = {"requests": ratio, "p99": late}
    return Result(
        name=NAME,
        headers=(
            "Connections, server",
            "requests/s",
            "times FastAPI",
            "median ms",
            "p99 ms",
            "processor µs a request",
        ),
        rows=tuple(rows),
        goals=(
            Goal(
                wanted=f"at least {_TIMES_FASTAPI} times FastAPI's requests/s in every row",
                is_met=min(ratios) >= _TIMES_FASTAPI,
            ),
            Goal(wanted="p99 below FastAPI's in every row", is_met=max(delays) < 1),
            Goal(
                wanted=f"at most {_MOST_MEBIBYTES} MiB resident ({memory[OURS]:.0f} MiB)",
                is_met=memory[OURS] <= _MOST_MEBIBYTES,
            ),
        ),
        numbers=numbers,
    )


def _compare(taken: Mapping[str, Sequence[Turn]], measure: Callable[[Turn], float]) -> float:
    """Return how many times FastAPI's ours is."""
    pairs = zip(taken[OURS], taken[FASTAPI], strict=True)
    return median(measure(ours) / measure(theirs) for ours, theirs in pairs)


def load(port: int, connections: int, *, seconds: float) -> list[float]:
    """Ask on so many kept-open connections, each again once answered; how long each took."""
    with ExitStack() as stack:
        sockets = {each.fileno(): each for each in _connect(stack, port, connections)}
        poll = stack.enter_context(select.epoll())
        pieces = dict.fromkeys(sockets, b"")
        begun = dict.fromkeys(sockets, time.perf_counter())
        for number, each in sockets.items():
            poll.register(number, select.EPOLLIN)
            each.sendall(_REQUEST)
        taken: list[float] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            for number, _ in poll.poll(1):
                answer = pieces[number] + sockets[number].recv(65536)
                pieces[number] = answer
                if not answer.endswith(b"}"):
                    continue
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(answer.decode())
                now = time.perf_counter()
                taken.append(now - begun[number])
                pieces[number], begun[number] = b"", now
                sockets[number].sendall(_REQUEST)
        return taken


def _connect(stack: ExitStack, port: int, number: int) -> Iterator[socket.socket]:
    for _ in range(number):
        each = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield each
