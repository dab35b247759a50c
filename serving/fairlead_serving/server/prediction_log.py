"""The log of predictions and feedback: a bounded queue, and a thread that empties it.

A request hands its predictions over in microseconds and never learns what became of them.
While the database is away the queue fills; what it cannot take is dropped and counted.  What is
beyond the namespace's share of the day is refused by the database; then no more is taken for a
while, of predictions or of feedback, whichever it was.
"""

import enum
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.metrics import LogMetrics
from fairlead_serving.server.predictors.protocol import Predictions

_log = logging.getLogger(__name__)

_MOST_VALUES = 50_000  # in the queue, some ten megabytes of single rows
_MOST_FEEDBACK = 10_000
_BATCH_ROWS = 500
_INTERVAL = 0.5  # seconds between looks at the queue
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds, after a failure
_REQUEST_ID_CHARACTERS = 128
CLOSED_SECONDS = 60  # after a refusal, until the database is asked again


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered request."""

    prediction_id: str
    request_id: str | None
    at: datetime
    mirrored: bool
    predictions: Predictions


class UnavailableError(Exception):
    """The database is away, and nothing of the batch is in it: try again."""


class LimitReachedError(Exception):
    """The namespace has written its share of the day, and nothing of the batch is in it."""

    def __init__(self, message: str, *, of_feedback: bool) -> None:
        super().__init__(message)
        self.of_feedback = of_feedback  # not of predictions


class Offer(enum.Enum):
    """What became of feedback that was offered."""

    KEPT = enum.auto()
    NO_ROOM = enum.auto()
    LIMIT_REACHED = enum.auto()


class Store(Protocol):
    """Where batches go."""

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        """Write the batch whole.

        Raises:
            UnavailableError: as it says.
            LimitReachedError: as it says.
            Exception: the batch cannot be written, or nobody knows whether it was.
        """

    def close(self) -> None:
        """Give the connection back."""


class PredictionLog:
    """Takes what is predicted and told from the event loop; a thread writes it."""

    def __init__(self, store: Store, metrics: LogMetrics, *, sample: float) -> None:
        self._store = store
        self._metrics = metrics
        self._share = int(sample * 2**64)
        self._answers: deque[Answer] = deque()
        self._feedback: deque[Feedback] = deque()
        # Each is written by one thread only; the difference is what the queue holds.
        self._offered = self._taken = 0
        # Until when nothing is taken, by time.monotonic().
        self._predictions_closed = self._feedback_closed = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout: float) -> None:
        """Write what is left, for so many seconds at most."""
        self._stopping.set()
        self._thread.join(timeout)
        self._lose(tuple(self._answers), tuple(self._feedback))

    def offer(
        self,
        prediction_id: str,
        request_id: str | None,
        predictions: Predictions,
        *,
        mirrored: bool,
    ) -> None:
        """Log an answer, if it is in the sample and there is room."""
        if request_id is not None:
            request_id = request_id[:_REQUEST_ID_CHARACTERS].replace("\x00", "")
        if not self._is_sampled(request_id or prediction_id):
            return
        if time.monotonic() < self._predictions_closed:
            self._metrics.refused.inc(len(predictions))
            return
        size = _size(predictions)
        if self._offered - self._taken + size > _MOST_VALUES:
            self._metrics.dropped.inc(len(predictions))
            return
        self._offered += size
        self._answers.append(
            Answer(prediction_id, request_id, datetime.now(UTC), mirrored, predictions)
        )

    def offer_feedback(self, feedback: Feedback) -> Offer:
        """Keep feedback, if there is room for it and the namespace may give more today."""
        if time.monotonic() < self._feedback_closed:
            self._metrics.refused_feedback.inc()
            return Offer.LIMIT_REACHED
        if len(self._feedback) >= _MOST_FEEDBACK:
            return Offer.NO_ROOM
        self._feedback.append(feedback)
        return Offer.KEPT

    def _is_sampled(self, key: str) -> bool:
        """Decide by the key alone, so that every version decides the same for a request."""
        if self._share >= 2**64:
            return True
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        return int.from_bytes(digest) < self._share

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL):
            self._empty()
        self._empty()
        self._store.close()

    def _empty(self) -> None:
        while self._answers or self._feedback:
            if not self._write(*self._take()):
                return

    def _take(self) -> tuple[list[Answer], list[Feedback]]:
        """Take the next batch off the queue."""
        answers: list[Answer] = []
        rows = 0
        while self._answers and rows < _BATCH_ROWS:
            answer = self._answers.popleft()
            self._taken += _size(answer.predictions)
            rows += len(answer.predictions)
            answers.append(answer)
        count = range(min(len(self._feedback), _BATCH_ROWS))
        return answers, [self._feedback.popleft() for _ in count]

    def _write(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> bool:
        """Write one batch, however long the database is away; False gives up, at the end."""
        pause = _FIRST_PAUSE
        while True:
            is_last = self._stopping.is_set()
            try:
                self._store.add(answers, feedback)
            except UnavailableError as error:
                if pause == _FIRST_PAUSE:
                    _log.warning("Cannot log predictions for now, will try again: %s", error)
                if is_last:
                    self._lose(answers, feedback)
                    return False
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except LimitReachedError as error:
                self._refuse(error, answers, feedback)
                if error.of_feedback:
                    feedback = ()
                else:
                    answers = ()
                if not answers and not feedback:
                    return True
            except Exception:  # whatever it is, the next batch is another one
                _log.exception("Cannot log a batch of predictions, which is lost")
                self._lose(answers, feedback)
                return True
            else:
                self._metrics.written.inc(_rows(answers))
                return True

    def _refuse(
        self, error: LimitReachedError, answers: Sequence[Answer], feedback: Sequence[Feedback]
    ) -> None:
        """Count what is beyond the limit, and take no more of its kind for a while."""
        if error.of_feedback:
            self._metrics.refused_feedback.inc(len(feedback))
            self._feedback_closed = time.monotonic() + CLOSED_SECONDS
        else:
            self._metrics.refused.inc(_rows(answers))
            self._predictions_closed = time.monotonic() + CLOSED_SECONDS
        _log.warning("The record takes no more for now: %s", error)

    def _lose(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        self._metrics.dropped.inc(_rows(answers))
        if feedback:
            _log.error("Lost the feedback on %d rows", len(feedback))


def _rows(answers: Iterable[Answer]) -> int:
    return sum(len(answer.predictions) for answer in answers)


def _size(predictions: Predictions) -> int:
    """Count the values."""
    if isinstance(predictions, np.ndarray):
        return predictions.size
    first = predictions[0] if predictions else None
    return len(predictions) * (len(first) if isinstance(first, list) else 1)
