"""The wait for who does not answer: told, with an end, and only where it may help."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from fairlead_training.failure import EXIT_PERMANENT, EXIT_RETRY, Reason, TrainingFailure, Trouble
from fairlead_training.patience import Patience

MINUTES = 600


class Neighbour:
    """Fails as told, one after the other, and then answers; holds a clock and what was said."""

    def __init__(self, *failures: TrainingFailure, takes: float = 0) -> None:
        self._failures = list(failures)
        self._takes = takes
        self.now = 0.0
        self.asked = 0
        self.pauses: list[float] = []
        self.told: list[str | None] = []

    def answer(self) -> str:
        self.asked += 1
        self.now += self._takes
        if self._failures:
            raise self._failures.pop(0)
        return "rows"

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, seconds: float = MINUTES, **options: Any) -> Patience:
        return Patience(
            seconds, tell=self.told.append, sleep=self.sleep, clock=lambda: self.now, **options
        )


def away(of: str = "s3://market/prices", said: str = "Connection refused") -> TrainingFailure:
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE, f"{of} cannot be read", trouble=Trouble(of, said)
    )


def test_who_comes_up_late_is_waited_for_and_that_is_told() -> None:
    source = Neighbour(away(), away(), away())

    assert source.patience().have(source.answer) == "rows"

    assert source.pauses == [1, 2, 4]
    assert source.told == [
        "waiting for s3://market/prices: Connection refused; tried once, gives up in 10 min",
        "waiting for s3://market/prices: Connection refused; tried 2 times, gives up in 10 min",
        "waiting for s3://market/prices: Connection refused; tried 3 times, gives up in 10 min",
    ]


def test_the_wait_has_an_end_which_is_final() -> None:
    source = Neighbour(*(away() for _ in range(1000)))

    with pytest.raises(TrainingFailure, match=r"cannot be read; it was waited for 10 min$") as end:
        source.patience().have(source.answer)

    assert sum(source.pauses) == source.now == MINUTES
    assert max(source.pauses) == 30
    assert source.told[-1] is not None
    assert source.told[-1].endswith("gives up in 29 s")
    assert (end.value.reason, end.value.exit_code) == (
        Reason.DATA_SOURCE_UNAVAILABLE,
        EXIT_PERMANENT,
    )


@pytest.mark.parametrize(
    ("takes", "asked"),
    [
        pytest.param(10, 19, id="connections that are not made in time"),
        pytest.param(3600, 9, id="long work: a minute of each counts"),
    ],
)
def test_the_tries_count_too_but_for_the_first(takes: float, asked: int) -> None:
    source = Neighbour(*(away() for _ in range(1000)), takes=takes)

    with pytest.raises(TrainingFailure):
        source.patience().have(source.answer)

    assert source.asked == asked


def test_another_neighbour_is_asked_soon_and_shares_the_time() -> None:
    both = Neighbour(*(away() for _ in range(6)), away("MLflow"), away("MLflow"))

    assert both.patience().have(both.answer) == "rows"

    assert both.pauses == [1, 2, 4, 8, 16, 30, 1, 2]
    assert both.told[6] == "waiting for MLflow: Connection refused; tried once, gives up in 9 min"


@pytest.mark.parametrize(
    ("failure", "seconds", "code"),
    [
        pytest.param(
            TrainingFailure(Reason.DATA_SOURCE_UNAVAILABLE, "answered 404"),
            MINUTES,
            EXIT_PERMANENT,
            id="nothing that passes",
        ),
        pytest.param(
            TrainingFailure(Reason.TRACKING_UNAVAILABLE, "answered 403"),
            MINUTES,
            EXIT_RETRY,
            id="the Job tries it again",
        ),
        pytest.param(away(), 0, EXIT_RETRY, id="told by an earlier release, whose Job tries again"),
    ],
)
def test_not_everything_is_waited_for(failure: TrainingFailure, seconds: float, code: int) -> None:
    source = Neighbour(failure)

    with pytest.raises(TrainingFailure) as ended:
        source.patience(seconds).have(source.answer)

    assert ended.value is failure
    assert (ended.value.exit_code, source.told, source.asked) == (code, [], 1)


def test_a_bug_is_no_neighbour() -> None:
    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        Neighbour().patience().have(fail)


def _once_told(told: list[str | None], heard: threading.Event) -> Callable[[str | None], None]:
    def tell(words: str | None) -> None:
        told.append(words)
        if words is None:
            heard.set()

    return tell


def test_a_try_that_goes_on_says_so() -> None:
    """Rows may come for a quarter of an hour once the source answers."""
    told: list[str | None] = []
    heard = threading.Event()
    failures = [away()]

    def read() -> bool:
        if failures:
            raise failures.pop()
        return heard.wait(30)

    patience = Patience(
        MINUTES, tell=_once_told(told, heard), goes_on=0, sleep=lambda _: None, clock=lambda: 0
    )

    assert patience.have(read), "while it reads, nobody is waited for"
    assert [words is None for words in told] == [False, True]
