"""The log never holds a request up, never grows without bound, and says what it lost."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from fairlead_serving.server import prediction_log
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.metrics import LogMetrics
from fairlead_serving.server.prediction_log import (
    Answer,
    LimitReachedError,
    Offer,
    PredictionLog,
    UnavailableError,
)

ONE = np.array([0.75], dtype=np.float32)
FEEDBACK = Feedback(
    prediction_id="p",
    row_index=0,
    given_at=datetime(2026, 1, 1, tzinfo=UTC),
    label_value=1.0,
    label_class="1",
)


class FakeStore:
    """Keeps what is added; fails as it is told."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.feedback: list[Feedback] = []
        self.batches = 0
        self.failures: list[Exception] = []
        self.is_closed = False
        self.reached = threading.Event()

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        self.reached.set()
        if self.failures:
            raise self.failures.pop(0)
        self.batches += 1
        self.answers += answers
        self.feedback += feedback

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A log with its store and its counters."""

    def __init__(self, *, sample: float = 1.0) -> None:
        self.store = FakeStore()
        self.registry = CollectorRegistry()
        metrics = LogMetrics(model="m", version="1", registry=self.registry)
        self.log = PredictionLog(self.store, metrics, sample=sample)

    def counted(self, name: str) -> float | None:
        return self.counter(f"fairlead_prediction_log_{name}_total")

    def counter(self, name: str) -> float | None:
        labels = {"model": "m", "version": "1"}
        return self.registry.get_sample_value(name, labels)

    @contextmanager
    def running(self) -> Iterator[None]:
        self.log.start()
        try:
            yield
        finally:
            self.log.stop(timeout=10)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "_INTERVAL", 0.01)
    monkeypatch.setattr(prediction_log, "_FIRST_PAUSE", 0.01)


def test_what_is_offered_is_written_with_all_that_is_known() -> None:
    bench = Bench()

    with bench.running():
        bench.log.offer("p1", "r1", ONE, mirrored=True)
        bench.log.offer("p2", None, ONE, mirrored=False)
        assert bench.log.offer_feedback(FEEDBACK) is Offer.KEPT

    first, second = bench.store.answers
    assert (first.prediction_id, first.request_id, first.mirrored) == ("p1", "r1", True)
    assert (second.request_id, second.mirrored) == (None, False)
    assert bench.store.feedback == [FEEDBACK]
    assert (bench.counted("written"), bench.counted("dropped")) == (2, 0)
    assert bench.store.is_closed


def test_batches_are_bounded() -> None:
    bench = Bench()
    for at in range(1200):
        bench.log.offer(f"p{at}", None, ONE, mirrored=False)

    with bench.running():
        pass

    assert (len(bench.store.answers), bench.store.batches) == (1200, 3)


def test_a_full_queue_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "_MOST_VALUES", 10)
    bench = Bench()
    wide = np.zeros((2, 3))

    for name in ("p1", "p2", "p3"):
        bench.log.offer(name, None, wide, mirrored=False)
    with bench.running():
        pass

    assert [answer.prediction_id for answer in bench.store.answers] == ["p1"]
    assert bench.counted("dropped") == 4


def test_there_is_room_again_once_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "_MOST_VALUES", 1)
    bench = Bench()

    with bench.running():
        bench.log.offer("p1", None, ONE, mirrored=False)
        assert bench.store.reached.wait(60)
        bench.log.offer("p2", None, ONE, mirrored=False)

    assert len(bench.store.answers) == 2


def test_feedback_without_room_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "_MOST_FEEDBACK", 1)
    bench = Bench()

    told = [bench.log.offer_feedback(FEEDBACK) for _ in range(2)]
    assert told == [Offer.KEPT, Offer.NO_ROOM]


def test_an_outage_loses_nothing_the_queue_can_take() -> None:
    bench = Bench()
    bench.store.failures = [UnavailableError("connection refused")] * 3

    with bench.running():
        bench.log.offer("p1", None, ONE, mirrored=False)
        wait_for(lambda: bool(bench.store.answers))

    assert bench.counted("dropped") == 0


def test_an_outage_at_the_end_is_counted_and_hardly_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.store.failures = [UnavailableError("connection refused")] * 1000

    with bench.running():
        bench.log.offer("p0", None, ONE, mirrored=False)
        assert bench.store.reached.wait(60)
        for at in range(1, 2000):
            bench.log.offer(f"p{at}", None, ONE, mirrored=False)

    assert (bench.counted("written"), bench.counted("dropped")) == (0, 2000)
    assert len(caplog.records) <= 2, "not one for each batch that is lost"


def test_a_batch_that_cannot_be_written_does_not_stop_the_next() -> None:
    bench = Bench()
    bench.store.failures = [ValueError("of a kind nobody thought of")]

    with bench.running():
        bench.log.offer("p1", None, ONE, mirrored=False)
        wait_for(lambda: not bench.store.failures)
        bench.log.offer("p2", None, ONE, mirrored=False)

    assert [answer.prediction_id for answer in bench.store.answers] == ["p2"]
    assert bench.counted("dropped") == 1


@pytest.mark.parametrize("sample", [0.0001, 0.1, 0.5, 1.0])
def test_the_sample_is_a_share_of_the_requests(sample: float) -> None:
    bench = Bench(sample=sample)
    for at in range(4000):
        bench.log.offer(f"p{at}", f"request-{at}", ONE, mirrored=False)

    with bench.running():
        pass

    assert len(bench.store.answers) / 4000 == pytest.approx(sample, abs=0.03)


def test_both_versions_keep_the_same_requests() -> None:
    stable, candidate = Bench(sample=0.3), Bench(sample=0.3)
    for at in range(500):
        stable.log.offer(f"s{at}", f"request-{at}", ONE, mirrored=False)
        candidate.log.offer(f"c{at}", f"request-{at}", ONE, mirrored=True)

    with stable.running(), candidate.running():
        pass

    kept = [[answer.request_id for answer in bench.store.answers] for bench in (stable, candidate)]
    assert kept[0] == kept[1]
    assert 0 < len(kept[0]) < 500


def test_a_request_id_is_cut_and_cleaned() -> None:
    bench = Bench()

    with bench.running():
        bench.log.offer("p", "a\x00" + "b" * 1000, ONE, mirrored=False)

    (answer,) = bench.store.answers
    assert answer.request_id == "a" + "b" * 126


def wait_for(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(6000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("never came true")


def test_feedback_without_room_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "_MOST_FEEDBACK", 1)
    bench = Bench()

    told = [bench.log.offer_feedback(FEEDBACK) for _ in range(2)]
    assert told == [Offer.KEPT, Offer.NO_ROOM]


@pytest.mark.parametrize(
    ("of_feedback", "written", "counted"),
    [
        pytest.param(False, (0, 1), (1, 0), id="predictions: feedback goes on"),
        pytest.param(True, (1, 0), (0, 1), id="feedback: predictions go on"),
    ],
)
def test_what_is_beyond_the_limit_is_refused_and_counted(
    *, of_feedback: bool, written: tuple[int, int], counted: tuple[int, int]
) -> None:
    bench = Bench()
    bench.store.failures = [LimitReachedError("full", of_feedback=of_feedback)]
    bench.log.offer("p1", None, ONE, mirrored=False)
    bench.log.offer_feedback(FEEDBACK)

    with bench.running():
        pass

    assert (len(bench.store.answers), len(bench.store.feedback)) == written
    assert refused(bench) == counted


def refused(bench: Bench) -> tuple[float | None, float | None]:
    return bench.counted("refused"), bench.counter("fairlead_feedback_refused_total")


def test_after_a_refusal_none_is_taken_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    monkeypatch.setattr(prediction_log, "CLOSED_SECONDS", 600)
    bench.store.failures = [
        LimitReachedError("full", of_feedback=False),
        LimitReachedError("full", of_feedback=True),
    ]
    bench.log.offer("p1", None, ONE, mirrored=False)
    bench.log.offer_feedback(FEEDBACK)
    with bench.running():
        pass

    bench.log.offer("p2", None, ONE, mirrored=False)

    assert bench.log.offer_feedback(FEEDBACK) is Offer.LIMIT_REACHED
    assert refused(bench) == (2, 2)


def test_a_while_after_a_refusal_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "CLOSED_SECONDS", 0)
    bench = Bench()
    bench.store.failures = [LimitReachedError("full", of_feedback=True)]
    bench.log.offer_feedback(FEEDBACK)
    with bench.running():
        pass

    assert bench.log.offer_feedback(FEEDBACK) is Offer.KEPT
