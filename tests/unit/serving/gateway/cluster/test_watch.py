"""Objects that are kept up to date, through every way in which a watch can break."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest

from fairlead_serving.gateway.cluster import watch
from fairlead_serving.gateway.cluster.kubernetes import GONE, ApiError, Listing, Selection
from fairlead_serving.gateway.cluster.watch import Objects, follow

SELECTION = Selection(path="/configmaps", labels="")


def item(name: str, version: int, value: str = "") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, "value": value}


class Script:
    """Answers lists and watches in the order it was told, then hangs."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []  # "list", or the version a watch began at
        self.is_over = asyncio.Event()

    async def list(self, _: Selection) -> Listing:
        self.asked.append("list")
        answer = await self._next()
        return Listing(items=tuple(answer), resource_version="10")

    async def watch(self, _: Selection, version: str) -> AsyncGenerator[tuple[str, Any], None]:
        self.asked.append(version)
        for event in await self._next():
            yield event

    async def _next(self) -> Any:
        if not self._answers:
            self.is_over.set()
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextlib.asynccontextmanager
async def following(script: Script) -> AsyncIterator[list[dict[str, str]]]:
    """Follow to the end of the script; gives all that was told, by name and value."""
    told: list[dict[str, str]] = []

    def changed(objects: Objects) -> None:
        told.append({name: each["value"] for name, each in objects.items()})

    task = asyncio.create_task(follow(script, SELECTION, changed))  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(60):
            await script.is_over.wait()
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """What each pause was asked to last at least; none of them lasts."""
    asked: list[float | None] = []

    def next_delay(_: object, *, at_least: float | None = None) -> float:
        asked.append(at_least)
        return 0.0

    monkeypatch.setattr(watch.Backoff, "next_delay", next_delay)
    return asked


async def test_every_event_changes_the_objects() -> None:
    events = [
        ("ADDED", item("b", 11, "1")),
        ("MODIFIED", item("a", 12, "2")),
        ("DELETED", item("b", 13)),
        ("DELETED", item("stranger", 14)),
    ]

    async with following(Script([item("a", 9, "1")], events)) as told:
        assert told == [
            {"a": "1"},
            {"a": "1", "b": "1"},
            {"a": "2", "b": "1"},
            {"a": "2"},
            {"a": "2"},
        ]


async def test_a_bookmark_changes_the_version_alone() -> None:
    script = Script([item("a", 9)], [("BOOKMARK", item("", 42))])

    async with following(script) as told:
        assert (len(told), script.asked) == (1, ["list", "10", "42"])


async def test_a_watch_that_ends_goes_on_where_it_stopped() -> None:
    script = Script([], [("ADDED", item("a", 11))], [("ADDED", item("b", 12))])

    async with following(script) as told:
        assert script.asked == ["list", "10", "11", "12"]
        assert told[-1].keys() == {"a", "b"}


@pytest.mark.parametrize(
    ("trouble", "is_logged"),
    [
        pytest.param(ApiError("no answer"), True, id="no answer"),
        pytest.param(ApiError("too old", status=GONE), False, id="a version that is forgotten"),
        pytest.param([("ERROR", {"code": 410})], False, id="forgotten while it is watched"),
        pytest.param([("ERROR", {"code": 500})], True, id="another error in the watch"),
    ],
)
async def test_a_watch_that_breaks_begins_with_a_list(
    caplog: pytest.LogCaptureFixture, trouble: Any, *, is_logged: bool
) -> None:
    caplog.set_level(logging.WARNING)
    script = Script([item("a", 9), item("b", 9)], trouble, [item("a", 19)])

    async with following(script) as told:
        assert script.asked == ["list", "10", "list", "10"]
        assert [each.keys() for each in told] == [{"a", "b"}, {"a"}]
    assert bool(caplog.records) is is_logged


async def test_a_list_that_fails_is_tried_again_when_the_server_asks(
    delays: list[float | None],
) -> None:
    busy = ApiError("too many requests", status=429, retry_after=7.0)

    async with following(Script(busy, [item("a", 9)])) as told:
        assert (delays, len(told)) == ([7.0], 1)
