"""What is counted of predictions, and what has a distribution."""

from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from fairlead_serving.server.metrics import LogMetrics, Metrics, Outcome

LABELS = {"model": "m", "version": "1"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.mark.parametrize(
    ("predictions", "rows", "scores"),
    [
        pytest.param(np.array([0.0, 0.5, 1.0]), 3, 3, id="what may be probabilities"),
        pytest.param(np.array([-3.0, 0.5, 7.0]), 3, 1, id="of numbers, those from 0 to 1"),
        pytest.param(np.array([[0.5, 0.5]]), 1, 0, id="several probabilities a row: none"),
        pytest.param(["up"], 1, 0, id="names: none"),
        pytest.param(np.full(1000, 0.5), 1000, 48, id="of a batch, a sample"),
    ],
)
def test_only_scores_that_may_be_probabilities_have_a_distribution(
    registry: CollectorRegistry, predictions: Any, rows: int, scores: int
) -> None:
    Metrics(model="m", version="1", registry=registry).record_predictions(predictions)

    assert registry.get_sample_value("fairlead_predicted_rows_total", LABELS) == rows
    assert registry.get_sample_value("fairlead_prediction_score_count", LABELS) == scores


def test_every_outcome_is_there_before_it_happens(registry: CollectorRegistry) -> None:
    metrics = Metrics(model="m", version="1", registry=registry)

    metrics.record(Outcome.TIMEOUT, seconds=0.2)

    counts = {
        outcome.value: registry.get_sample_value(
            "fairlead_predictions_total", {**LABELS, "outcome": outcome}
        )
        for outcome in Outcome
    }
    assert counts == {"success": 0, "bad_input": 0, "unread": 0, "error": 0, "timeout": 1}
    assert registry.get_sample_value("fairlead_prediction_seconds_sum", LABELS) == 0.2


def test_no_series_tells_when_another_was_created(registry: CollectorRegistry) -> None:
    LogMetrics(model="m", version="1", registry=registry)

    assert b"_created" not in generate_latest(registry)
