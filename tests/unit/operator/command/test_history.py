"""``history``: what is asked over a forwarded connection, and the three ways to write it."""

import csv
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from rich.console import Console

from fairlead_operator.command.failures import CommandError
from fairlead_operator.command.history import draw_history, fetch, to_csv

PROMOTED = {
    "at": "2026-03-04T12:00:00.000Z", "transition": "Promoted", "version": "1.1.0",
    "stable": "1.0.0", "began": "2026-03-04T11:50:00.000Z", "ended": None, "weight": 100,
    "trigger": "trained", "by": "operator", "reason": "Promoted", "message": "guard passed",
    "rollout": "r-2", "rollout_uid": "u-2", "namespace": "energy", "model": "nsw-price",
    "numbers": {"checks": [{"name": "success-rate", "value": 0.998}]},
}  # fmt: skip
BACK = PROMOTED | {
    "transition": "RolledBack", "version": "1.2.0", "stable": "1.1.0", "weight": 10,
    "ended": "2026-03-04T12:00:00.000Z", "by": "ada", "reason": "Aborted",
    "message": 'ada: "wrong", data', "numbers": {"reactionSeconds": 0.42},
}  # fmt: skip


@pytest.fixture(name="serve")
def _serve() -> Iterator[Callable[[bytes], Callable[[], socket.socket]]]:
    """The other end of a forwarded connection, which says one thing."""
    threads = []

    def serve(answer: bytes) -> Callable[[], socket.socket]:
        ours, theirs = socket.socketpair()

        def talk() -> None:
            with theirs:
                theirs.recv(65536)
                theirs.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        threads.append(thread)
        return lambda: ours

    yield serve
    for thread in threads:
        thread.join(5)


def response(status: str, document: object) -> bytes:
    body = json.dumps(document).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_the_entries_come_over_the_connection(serve: Callable[..., Callable[..., object]]) -> None:
    connect = serve(response("200 OK", {"entries": [PROMOTED]}))

    assert fetch(connect, "energy", "nsw-price", 10) == [PROMOTED]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(
            response("503 Service Unavailable", {"error": "record database: away"}),
            "cannot read the history: record database: away",
            id="the database is away",
        ),
        pytest.param(
            b"", "cannot read the history: the operator did not answer", id="the connection ends"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\n\r\n<html>", "the operator did not answer", id="something else"
        ),
    ],
)
def test_what_does_not_answer_is_said(
    serve: Callable[..., Callable[..., object]], answer: bytes, said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        fetch(serve(answer), "energy", "nsw-price", 10)


def drawn(entries: Sequence[Mapping[str, Any]], *, width: int) -> list[str]:
    console = Console(width=width, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(draw_history(entries, width=width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_as_a_table() -> None:
    heads, *lines = [line.split() for line in drawn([BACK, PROMOTED], width=200)]
    at, began = ("2026-03-04", "12:00:00"), ("2026-03-04", "11:50:00")
    assert heads == [
        "AT",
        "(UTC)",
        "VERSION",
        "BEFORE",
        "RESULT",
        "LIVE",
        "FROM",
        "TO",
        "PEAK",
        "BY",
        "WHY",
    ]
    assert lines == [
        [*at, "1.2.0", "1.1.0", "RolledBack", *began, *at, "10", "%", "ada",
         *['Aborted:', 'ada:', '"wrong",', 'data', '(no', 'traffic', 'after', '0.42', 's)']],
        [*at, "1.1.0", "1.0.0", "Promoted", *began, "-", "100", "%", "operator",
         *["Promoted:", "guard", "passed"]],
    ]  # fmt: skip


def test_a_narrow_table_cuts_nothing() -> None:
    first = PROMOTED | {"stable": None, "began": None, "by": ""}

    assert drawn([BACK, first], width=80) == [
        "AT (UTC)             VERSION  RESULT      WHY",
        '2026-03-04 12:00:00  1.2.0    RolledBack  Aborted: ada: "wrong", data (no',
        "                                          traffic after 0.42 s)",
        "                                          after 1.1.0, at most 10 %, from",
        "                                          2026-03-04 11:50:00, to 2026-03-04",
        "                                          12:00:00, by ada",
        "2026-03-04 12:00:00  1.1.0    Promoted    Promoted: guard passed",
        "                                          at most 100 %",
    ]


def test_as_csv_every_field_has_its_cell() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv([BACK, PROMOTED]))))

    assert [row["message"] for row in rows] == ['ada: "wrong", data', "guard passed"]
    assert (rows[1]["ended"], rows[1]["weight"]) == ("", "100")
    assert json.loads(rows[1]["numbers"]) == PROMOTED["numbers"]
