"""Whether a version that serves answers anything but failures, and who is told when."""

import asyncio
import contextlib
from collections.abc import Mapping

import pytest

from fairlead_operator.errors import TransientError
from fairlead_operator.prometheus.answers import Answered, Answers, find_problem, keep_counting
from support.quick_time import quick_time

__all__ = ["quick_time"]  # fixtures

PATH = "energy/nsw-price/1.0.0"
MODEL = ("energy", "nsw-price")


def answered(total: float, *, failed: float = 0, refused: float = 0) -> Answered:
    return Answered(total=total, failed=failed, refused=refused)


@pytest.mark.parametrize(
    ("counted", "words"),
    [
        pytest.param(None, None, id="no series: not known"),
        pytest.param(answered(19, failed=19), None, id="too few requests: not known"),
        pytest.param(answered(20, failed=20), "0 well, failed 20 and refused 0", id="fails all"),
        pytest.param(answered(200, refused=200), "refused 200 with a 4xx", id="refuses all"),
        pytest.param(answered(100, failed=60, refused=40), "failed 60 and refused 40", id="both"),
        pytest.param(answered(100, failed=96), "answered 4 well", id="all but a few"),
        pytest.param(answered(100, failed=95), "", id="one in twenty is well"),
        pytest.param(answered(500), "", id="all well"),
        pytest.param(answered(20, failed=21), "answered 0 well", id="one scrape later"),
    ],
)
def test_what_is_said_of_a_version(counted: Answered | None, words: str | None) -> None:
    problem = find_problem("1.0.0", counted)

    assert (problem is None) == (words is None)
    assert (words or "") in (problem or "")
    assert bool(problem) == bool(words)


@pytest.mark.parametrize(
    ("gateway", "model", "version", "says"),
    [
        pytest.param("BuiltIn", "nsw-price", "1.0.0", True, id="the one"),
        pytest.param("GatewayAPI", "nsw-price", "1.0.0", False, id="counted by others"),
        pytest.param("BuiltIn", "nsw-price", "1.0.1", False, id="another version"),
        pytest.param("BuiltIn", "vic-price", "1.0.0", False, id="another Model"),
    ],
)
def test_only_its_own_counts_speak_of_a_version(
    gateway: str, model: str, version: str, says: bool
) -> None:
    answers = Answers()
    answers.take({("BuiltIn", PATH): answered(50, failed=50)})

    assert bool(answers.problem(gateway, "energy", model, version)) is says


BAD, GOOD, FEW = answered(50, failed=50), answered(50), answered(1, failed=1)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        pytest.param([BAD, BAD], [True, False], id="a failing version, once"),
        pytest.param([GOOD, GOOD], [True, False], id="at first all, since nothing is remembered"),
        pytest.param([GOOD, BAD, GOOD], [True, True, True], id="each turn"),
        pytest.param([BAD, None, GOOD], [True, False, True], id="a turn behind an outage"),
        pytest.param([BAD, FEW, BAD], [True, False, False], id="doubt is no news"),
        pytest.param([None, BAD], [False, True], id="an outage before the first count"),
    ],
)
def test_who_is_told(counts: list[Answered | None], told: list[bool]) -> None:
    answers = Answers()

    news = [
        answers.take({} if counted is None else {("BuiltIn", PATH): counted}) for counted in counts
    ]

    assert news == [{MODEL} if each else set() for each in told]


class Prometheus:
    """Answers each question for a count with what is next."""

    def __init__(self, *numbers: Mapping[str, float] | Exception) -> None:
        self._numbers = list(numbers)

    async def query(self, promql: str) -> float | None:
        raise AssertionError(promql)

    async def find_mistake(self, promql: str) -> str | None:
        raise AssertionError(promql)

    async def query_by(self, promql: str, label: str) -> Mapping[str, float]:
        numbers = self._numbers.pop(0)
        if isinstance(numbers, Exception):
            raise numbers
        return numbers


@pytest.mark.usefixtures("quick_time")
@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        pytest.param(({PATH: 50}, {PATH: 30}, {PATH: 20}, {}, {}, {}), "failed 30 and refused 20",
                     id="by the gateway"),
        pytest.param(({PATH: 50}, {}, {}, {PATH: 50}, {PATH: 50}, {}), "",
                     id="never failed, never refused"),
        pytest.param((TransientError("away"),), None, id="away"),
        pytest.param((ValueError("refused"),), None, id="refused"),
    ],
)  # fmt: skip
async def test_what_is_counted(
    numbers: tuple[Mapping[str, float] | Exception, ...], words: str | None
) -> None:
    answers, told = Answers(), []

    counting = keep_counting(answers, Prometheus(*numbers), lambda *model: told.append(model))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(counting, 1)

    problem = answers.problem("BuiltIn", *MODEL, "1.0.0")
    assert (problem is None) == (words is None)
    assert (words or "") in (problem or "")
    assert told == ([] if words is None else [MODEL])
