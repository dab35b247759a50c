"""Prometheus for one look: all its questions together have one deadline.

A look asks several questions one after the other, and what comes during it, a person's abort for
example, waits for its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Prometheus

_SECONDS: Final = 5.0  # as long as one question may take by itself

T = TypeVar("T")


class InTime:
    """``ports.Prometheus`` until the time of a look is over, which begins with its first question.

    Args:
        seconds: the time of all questions together.
    """

    def __init__(self, prometheus: Prometheus, *, seconds: float = _SECONDS) -> None:
        self._prometheus = prometheus
        self._seconds = seconds
        self._end: float | None = None  # by the loop's clock

    async def query(self, promql: str) -> float | None:
        return await self._ask(lambda: self._prometheus.query(promql))

    async def query_by(self, promql: str, label: str) -> Mapping[str, float]:
        return await self._ask(lambda: self._prometheus.query_by(promql, label))

    async def find_mistake(self, promql: str) -> str | None:
        return await self._ask(lambda: self._prometheus.find_mistake(promql))

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time()
        if self._end is None:
            self._end = now + self._seconds
        if now >= self._end:
            raise self._late()
        try:
            async with asyncio.timeout_at(self._end):
                return await question()
        except TimeoutError as error:
            raise self._late() from error

    def _late(self) -> TransientError:
        return TransientError(
            f"Prometheus did not answer within the {self._seconds:g} s that all questions of one "
            "look have"
        )
