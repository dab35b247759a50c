"""A Prometheus that hangs holds a look up once, however many questions it is asked."""

import asyncio

import pytest

from fairlead_operator.errors import TransientError
from fairlead_operator.rollout.evidence.in_time import InTime


class Hanging:
    """Takes questions and never answers."""

    def __init__(self) -> None:
        self.asked = 0

    async def query(self, promql: str) -> float | None:
        raise await self._wait()

    async def query_by(self, promql: str, label: str) -> dict[str, float]:
        raise await self._wait()

    async def find_mistake(self, promql: str) -> str | None:
        raise await self._wait()

    async def _wait(self) -> Exception:
        self.asked += 1
        await asyncio.Event().wait()
        return AssertionError("never")


class Quick:
    """Answers at once."""

    async def query(self, promql: str) -> float | None:
        return 1.0

    async def query_by(self, promql: str, label: str) -> dict[str, float]:
        return {label: 2.0}

    async def find_mistake(self, promql: str) -> str | None:
        return "mistake"


async def test_all_questions_have_one_deadline() -> None:
    """An abort waited for a bound, a value and counts, each for as long as one may take."""
    hanging = Hanging()
    in_time = InTime(hanging, seconds=0.01)

    for question in (in_time.query("a"), in_time.query_by("b", "l"), in_time.find_mistake("c")):
        with pytest.raises(TransientError, match=r"within the 0\.01 s"):
            await question

    assert hanging.asked == 1


@pytest.mark.parametrize("which", ["query", "query_by", "find_mistake"])
async def test_each_question_may_be_the_late_one(which: str) -> None:
    in_time = InTime(Hanging(), seconds=0.01)
    questions = {
        "query": lambda: in_time.query("a"),
        "query_by": lambda: in_time.query_by("b", "l"),
        "find_mistake": lambda: in_time.find_mistake("c"),
    }

    with pytest.raises(TransientError):
        await questions[which]()


async def test_answers_in_time_are_passed_on() -> None:
    in_time = InTime(Quick())

    answers = [await in_time.query("a"), await in_time.query_by("b", "l")]

    assert answers == [1.0, {"l": 2.0}]
    assert await in_time.find_mistake("c") == "mistake"
