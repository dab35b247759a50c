"""What we measure about predictions.  A fixed list; labels are bounded."""

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

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


class Metrics:
    """The counters of one model version."""

    def __init__(self, *, model: str, version: str, registry: CollectorRegistry) -> None:
        names, values = _LABELS, (model, version)
        requests = Counter(
            series.PREDICTIONS,
            "Requests for predictions, by how they ended.",
            (*names, series.OUTCOME),
            registry=registry,
        )
        self._outcomes = {outcome: requests.labels(*values, outcome) for outcome in Outcome}
        self._rows = Counter(
            "fairlead_predicted_rows_total", "Rows predicted.", names, registry=registry
        ).labels(*values)
        self._seconds = Histogram(
            series.PREDICTION_SECONDS,
            "Time from the request read to the answer ready.",
            names,
            buckets=_SECONDS,
            registry=registry,
        ).labels(*values)
        self._scores = Histogram(
            "fairlead_prediction_score",
            f"Predictions from 0 to 1, of up to {_SCORED_ROWS} rows of a request.",
            names,
            buckets=_SCORES,
            registry=registry,
        ).labels(*values)

    def record(self, outcome: Outcome, *, seconds: float) -> None:
        """Count one request."""
        self._outcomes[outcome].inc()
        self._seconds.observe(seconds)

    def record_predictions(self, predictions: Predictions) -> None:
        """Count what was predicted; only scores that may be probabilities get a distribution."""
        self._rows.inc(len(predictions))
        if isinstance(predictions, np.ndarray) and predictions.ndim == 1:
            for score in predictions[:: len(predictions) // _SCORED_ROWS + 1].tolist():
                if 0 <= score <= 1:
                    self._scores.observe(score)


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
