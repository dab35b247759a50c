"""Status and answers into measurements."""

import json
from typing import Any

import pytest

from e2e.story.answers import Answer
from e2e.story.measured import Trigger, moment, to_promoted, to_rollback, to_trained

BEGIN = moment("2026-01-01T00:00:00.000Z")


def rollout(**status: Any) -> dict[str, Any]:
    known = {
        "phase": "RolledBack",
        "reason": "AnalysisFailed",
        "startedAt": "2026-01-01T00:00:00.000Z",
        "triggeredAt": "2026-01-01T00:00:09.500Z",
        "finishedAt": "2026-01-01T00:00:10.000Z",
        "reactionSeconds": 0.5,
    }
    return {"spec": {"version": "1.1.0"}, "status": known | status}


def answer(second: float, *, status: int = 200, version: str = "1.1.0") -> Answer:
    return Answer(sent=BEGIN + second, seconds=0.5, status=status, version=version, failure=None)


@pytest.mark.parametrize(
    ("trigger", "answers", "detection", "requests", "errors"),
    [
        pytest.param(
            "analysis",
            [answer(2), answer(3, status=500), answer(4, status=500), answer(1, version="1.0.1")],
            6.0,
            3,
            2,
            id="analysis: from the first failed answer",
        ),
        pytest.param("alert", [answer(2), answer(3)], 7.0, 2, 0, id="alert: from the first answer"),
        pytest.param(
            "startup", [answer(2, version="1.0.1")], 9.5, 0, 0, id="startup: from its beginning"
        ),
    ],
)
def test_a_rollback_is_measured(
    trigger: Trigger, answers: list[Answer], detection: float, requests: int, errors: int
) -> None:
    measured = to_rollback(rollout(), answers, trigger=trigger)

    assert measured.detection_seconds == detection
    assert measured.reaction_seconds == 0.5
    assert (measured.candidate_requests, measured.candidate_errors) == (requests, errors)


def training_run(**result: Any) -> dict[str, Any]:
    document = {
        "version": "1.0.1",
        "metric": "roc_auc",
        "candidate": {"value": 0.83},
        "champion": {"version": "1.0.0", "value": 0.75},
        "difference": {"value": 0.08, "ciLow": 0.05, "ciHigh": 0.11},
        "trials": {"finished": 24, "pruned": 0, "failed": 0},
    }
    moments = {
        "startedAt": "2026-01-01T00:00:00.000Z",
        "finishedAt": "2026-01-01T00:00:31.040Z",
    }
    return {"status": moments | {"result": json.dumps(document | result)}}


def test_a_training_is_measured() -> None:
    trained = to_trained(training_run(champion=None, difference=None))

    assert (trained.version, trained.value, trained.trials) == ("1.0.1", 0.83, 24)
    assert trained.seconds == 31.0


def test_a_promotion_has_the_numbers_of_the_gate() -> None:
    promoted = to_promoted(training_run(), rollout())

    assert (promoted.champion_value, promoted.gain, promoted.gain_low) == (0.75, 0.08, 0.05)
    assert promoted.rollout_seconds == 10.0
