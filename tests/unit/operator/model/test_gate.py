"""The gate, row by row: what was not measured does not pass."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.model.gate import Comparison, Demand, judge_candidate, parse_comparison
from support.model_builders import comparison

DEMAND = Demand(min_improvement=0.0, significance=True, threshold=None)


def demand(**changes: Any) -> Demand:
    return dataclasses.replace(DEMAND, **changes)


@pytest.mark.parametrize(
    ("seen", "asked", "reason"),
    [
        pytest.param(comparison(), DEMAND, GateReason.BETTER, id="better beyond doubt"),
        pytest.param(comparison(gain_low=-0.001), DEMAND, GateReason.NOT_BETTER,
                     id="better on average, within chance"),
        pytest.param(comparison(gain_low=-0.001), demand(significance=False), GateReason.BETTER,
                     id="better on average is enough when the Model says so"),
        pytest.param(comparison(), demand(min_improvement=0.015), GateReason.NOT_BETTER,
                     id="not better by enough"),
        pytest.param(comparison(gain=-0.001, gain_low=-0.004), demand(min_improvement=-0.005),
                     GateReason.BETTER, id="non-inferior"),
        pytest.param(comparison(gain=0.0, gain_low=0.0), DEMAND, GateReason.NOT_BETTER,
                     id="the same"),
        pytest.param(comparison(), demand(threshold=0.95), GateReason.BELOW_THRESHOLD,
                     id="below the threshold"),
        pytest.param(comparison(greater_is_better=False, metric="rmse"), demand(threshold=0.5),
                     GateReason.BELOW_THRESHOLD, id="a loss above the threshold"),
        pytest.param(comparison(champion="0.9.0"), DEMAND, GateReason.CHAMPION_NOT_COMPARED,
                     id="compared with a version that is no longer in charge"),
        pytest.param(comparison(gain=None, gain_low=None), DEMAND,
                     GateReason.CHAMPION_NOT_COMPARED, id="the champion could not be scored"),
        pytest.param(comparison(gain_low=math.nan), DEMAND, GateReason.CHAMPION_NOT_COMPARED,
                     id="no number"),
        pytest.param(comparison(value=None), DEMAND, GateReason.RESULT_UNREADABLE, id="no value"),
        pytest.param(None, DEMAND, GateReason.RESULT_UNREADABLE, id="no result"),
    ],
)  # fmt: skip
def test_judge_candidate(seen: Comparison | None, asked: Demand, reason: GateReason) -> None:
    outcome = judge_candidate(seen, asked, stable="1.0.0")

    assert outcome.reason == reason
    assert outcome.passed == (reason is GateReason.BETTER)


def test_a_first_version_has_no_champion() -> None:
    outcome = judge_candidate(comparison(champion=None, gain=None), DEMAND, stable=None)

    assert (outcome.passed, outcome.reason) == (True, GateReason.FIRST_VERSION)


def test_a_first_version_is_shipped_with_what_is_odd_about_it() -> None:
    seen = comparison(champion=None, gain=None, warnings=("r2 -0.2 is worse",))

    outcome = judge_candidate(seen, DEMAND, stable=None)

    assert outcome.passed
    assert outcome.message.endswith("; warning: r2 -0.2 is worse")


def test_a_first_version_must_reach_the_threshold() -> None:
    outcome = judge_candidate(comparison(), demand(threshold=0.95), stable=None)

    assert not outcome.passed
    assert outcome.message == (
        "roc_auc 0.9100 on the held-out rows, promotion.threshold demands at least 0.95"
    )


@pytest.mark.parametrize(
    ("changes", "asked", "words"),
    [
        pytest.param({"value": 0.949996}, {"threshold": 0.95},
                     "roc_auc 0.949996 on the held-out rows, "
                     "promotion.threshold demands at least 0.95",
                     id="just below the threshold"),
        pytest.param({"gain_low": 0.00003}, {},
                     "interval +0.00003 to +0.0300); its lower end must exceed 0",
                     id="just above none"),
        pytest.param({"gain": 0.00999996}, {"min_improvement": 0.01, "significance": False},
                     "; the gain must exceed 0.01", id="just not enough"),
    ],
)  # fmt: skip
def test_numbers_read_as_they_were_judged(changes: Any, asked: Any, words: str) -> None:
    outcome = judge_candidate(comparison(**changes), demand(**asked), stable="1.0.0")

    assert outcome.message.endswith(words)
    assert "gain +0.0100 " not in outcome.message


def test_a_champion_that_cannot_be_scored_is_told_with_the_way_out() -> None:
    seen = comparison(gain=None, gain_low=None, unavailable="it needs the column wind")

    outcome = judge_candidate(seen, DEMAND, stable="1.0.0")

    assert "1.0.0, could not be scored: it needs the column wind; spec.version:" in outcome.message
    assert "retrain" not in outcome.message, "that would end the same way"


def test_a_changed_signature_is_said_and_refuses_nothing() -> None:
    change = "1.1.0 against 1.0.0: adds x (double); callers who send what 1.0.0 takes are refused"

    outcome = judge_candidate(comparison(), DEMAND, stable="1.0.0", change=change)

    assert outcome.passed
    assert outcome.message.startswith(f"{change}; roc_auc 0.9100 on the held-out rows against")


numbers = st.none() | st.floats()


@given(
    st.builds(
        comparison, value=numbers, gain=numbers, gain_low=numbers, gain_high=numbers,
        champion=st.sampled_from(["1.0.0", "0.9.0", None]),
    ),
    st.booleans(),
    st.floats(-1, 1),
)  # fmt: skip
def test_nothing_passes_that_was_not_measured(
    seen: Comparison, significance: bool, least: float
) -> None:
    decisive = seen.gain_low if significance else seen.gain
    gained = decisive is not None and decisive > least
    assume(seen.champion != "1.0.0" or not gained)
    asked = Demand(min_improvement=least, significance=significance, threshold=None)

    outcome = judge_candidate(seen, asked, stable="1.0.0")

    assert not outcome.passed


def test_the_result_document_is_read() -> None:
    document = {
        "version": "1.1.0", "registryVersion": "2", "digest": "sha256:1", "metric": "roc_auc",
        "greaterIsBetter": True, "candidate": {"value": 0.91},
        "champion": {"version": "1.0.0", "value": 0.89},
        "difference": {"value": 0.02, "ciLow": 0.01, "ciHigh": 0.03},
    }  # fmt: skip

    assert parse_comparison(json.dumps(document)) == comparison()


def test_why_a_champion_has_no_score_is_read() -> None:
    document = {
        "version": "1.1.0", "registryVersion": "2", "digest": "sha256:1", "metric": "roc_auc",
        "greaterIsBetter": True, "candidate": {"value": 0.91},
        "champion": {"version": "1.0.0", "value": None}, "difference": None,
        "championUnavailable": "it is gone",
    }  # fmt: skip

    seen = parse_comparison(json.dumps(document))

    assert seen is not None
    assert (seen.champion_value, seen.unavailable) == (None, "it is gone")


@given(st.text() | st.none())
def test_any_text_is_read_or_refused(text: str | None) -> None:
    assert parse_comparison(text) is None
