"""What we measure about predictions.  A fixed list; labels are bounded."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

import numpy as np
from prometheus_client import CollectorRegistry, Counter, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from fairlead_contract import series
from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.series import Outcome
from fairlead_serving.server.predictors.protocol import Predictions

_FINER = (0.0005, 0.001, 0.0025)  # seconds: a small model answers below the shared bounds
_SECONDS = (*_FINER, *(bound / 1000 for bound in MILLISECONDS))
_LABELS = (series.MODEL, series.VERSION)
_SCORES = tuple(step / 20 for step in range(1, 21))
_SCORED_ROWS = 50  # of one request: enough to see a shift, too few to slow a batch

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each of ours, of which nobody asks the age


class Metrics(Collector):
    """The counters of one model version.

    They are numbers that the event loop alone changes, and become series when somebody asks:
    the library's own counters take a lock and look for their bound with every request.
    """

    def __init__(self, *, model: str, version: str, registry: CollectorRegistry) -> None:
        self._values = (model, version)
        self._outcomes = dict.fromkeys(Outcome, 0)
        self._rows = 0
        self._seconds = _Distribution(_SECONDS)
        self._scores = _Distribution(_SCORES)
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Write the series down as they are now."""
        requests = CounterMetricFamily(
            series.PREDICTIONS,
            "Requests for predictions, by how they ended.",
            labels=(*_LABELS, series.OUTCOME),
        )
        for outcome, count in self._outcomes.items():
            requests.add_metric((*self._values, outcome), count)
        rows = CounterMetricFamily(
            "fairlead_predicted_rows_total", "Rows predicted.", labels=_LABELS
        )
        rows.add_metric(self._values, self._rows)
        return (
            requests,
            rows,
            self._seconds.collect(
                series.PREDICTION_SECONDS,
                "Time from the request read to the answer ready.",
                self._values,
            ),
            self._scores.collect(
                "fairlead_prediction_score",
                f"Predictions from 0 to 1, of up to {_SCORED_ROWS} rows of a request.",
                self._values,
            ),
        )

    def record(self, outcome: Outcome, *, seconds: float) -> None:
        """Count one request."""
        self._outcomes[outcome] += 1
        self._seconds.add(seconds)

    def record_predictions(self, predictions: Predictions) -> None:
        """Count what was predicted; only scores that may be probabilities get a distribution."""
        self._rows += len(predictions)
        if isinstance(predictions, np.ndarray) and predictions.ndim == 1:
            for score in predictions[:: len(predictions) // _SCORED_ROWS + 1].tolist():
                if 0 <= score <= 1:
                    self._scores.add(score)


class _Distribution:
    """A histogram that knows its bounds and no names."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)  # the last: beyond all bounds
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; one on a bound is within it."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self, name: str, text: str, values: Sequence[str]) -> Metric:
        """Write it down as a series with these values of the labels."""
        family = HistogramMetricFamily(name, text, labels=_LABELS)
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        family.add_metric(values, buckets, self._sum)
        return family


class LogMetrics:
    """The counters of the prediction log of one model version; rows, not requests."""

    def __init__(self, *, model: str, version: str, registry: CollectorRegistry) -> None:
        names, values = _LABELS, (model, version)
        self.written = Counter(
            "fairlead_prediction_log_written_total",
            "Predicted rows written to the record.",
            names,
            registry=registry,
        ).labels(*values)
        self.dropped = Counter(
            "fairlead_prediction_log_dropped_total",
            "Predicted rows that the record did not get: the database was away too long.",
            names,
            registry=registry,
        ).labels(*values)
        self.refused = Counter(
            "fairlead_prediction_log_refused_total",
            "Predicted rows that the record did not get: the namespace's share of the day is full.",
            names,
            registry=registry,
        ).labels(*values)
        self.refused_feedback = Counter(
            "fairlead_feedback_refused_total",
            "Feedback that the record did not get: the namespace's share of the day is full.",
            names,
            registry=registry,
        ).labels(*values)
