"""The load generator against a client session that answers as told."""

import asyncio
import io
from types import TracebackType
from typing import Any, cast

import aiohttp
import pytest

from e2e.story.answers import Answer, parse_line
from e2e.story.load import Load
from e2e.story.rows import read_csv, read_rows, shuffle_rows

ROWS = [{"transfer": 0.1}, {"transfer": 0.2}]


class FakeSession:
    """Gives each request the next of the answers: a status, or what is raised."""

    def __init__(self, *answers: int | Exception) -> None:
        self._answers = iter(answers)
        self.sent: list[Any] = []
        self.exhausted = asyncio.Event()

    def post(self, url: str, *, json: Any) -> "FakeResponse":
        self.sent.append((url, json))
        answer = next(self._answers, None)
        if answer is None:
            self.exhausted.set()
        return FakeResponse(200 if answer is None else answer)


class FakeResponse:
    def __init__(self, answer: int | Exception) -> None:
        self._answer = answer
        self.status = answer
        self.headers = {"x-fairlead-version": "1.0.0"}

    async def __aenter__(self) -> "FakeResponse":
        if isinstance(self._answer, Exception):
            raise self._answer
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def read(self) -> bytes:
        return b"{}"


async def run(*answers: int | Exception) -> tuple[list[Answer], list[Any]]:
    session, out = FakeSession(*answers), io.StringIO()
    load = Load(cast(aiohttp.ClientSession, session), "http://gateway", ROWS, out)
    await load.run(10_000, session.exhausted)
    lines = out.getvalue().splitlines()
    return [parse_line(line) for line in lines][: len(answers)], session.sent


async def test_rows_are_sent_over_and_over() -> None:
    _, sent = await run(200, 200, 200)

    assert [body["instances"] for _, body in sent[:3]] == [[ROWS[0]], [ROWS[1]], [ROWS[0]]]
    assert sent[0][0] == "http://gateway/predict"


async def test_an_answer_is_kept_with_its_version() -> None:
    (answer,), _ = await run(500)

    assert (answer.status, answer.version, answer.failure) == (500, "1.0.0", None)


@pytest.mark.parametrize(
    ("error", "word"),
    [
        pytest.param(TimeoutError(), "timeout", id="no answer in time"),
        pytest.param(aiohttp.ServerTimeoutError(), "timeout", id="no byte in time"),
        pytest.param(aiohttp.ServerDisconnectedError(), "reset", id="connection closed"),
        pytest.param(ConnectionResetError(), "reset", id="connection reset"),
        pytest.param(
            aiohttp.ClientConnectorError(cast(Any, None), ConnectionRefusedError()),
            "refused",
            id="nobody listens",
        ),
    ],
)
async def test_no_answer_is_kept_with_its_cause(error: Exception, word: str) -> None:
    (answer,), _ = await run(error)

    assert (answer.status, answer.failure) == (None, word)
    assert answer.is_failed


def test_rows_hold_inputs_only() -> None:
    (row,) = read_rows(first=0, count=1)

    assert list(row) == [
        "period", "nsw_price", "nsw_demand", "vic_price", "vic_demand", "transfer",
    ]  # fmt: skip


def test_rows_for_copy_follow_each_other() -> None:
    whole = read_csv(first=0, count=4)

    assert read_csv(first=0, count=2) + read_csv(first=2, count=2) == whole
    assert whole.startswith("1996-05-07T00:00:00Z,0,")


def test_rows_are_mixed_always_alike() -> None:
    rows = read_rows(first=0, count=50)

    assert shuffle_rows(rows) == shuffle_rows(rows) != rows
