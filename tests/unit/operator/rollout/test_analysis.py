"""Measurements into verdicts: silence is never evidence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.rollout.analysis import (
    Bounds,
    Judgment,
    Measurement,
    Verdict,
    judge,
    summarize,
    worst,
)

BOUNDS = Bounds(at_least=0.99, at_most=None, min_samples=20, failure_limit=0)


@pytest.mark.parametrize(
    ("measurement", "verdict"),
    [
        pytest.param(Measurement(name="c", value=1.0, samples=50), Verdict.SUCCESSFUL, id="good"),
        pytest.param(Measurement(name="c", value=0.99, samples=50), Verdict.SUCCESSFUL,
                     id="on the bound is within"),
        pytest.param(Measurement(name="c", value=0.98, samples=50), Verdict.FAILED, id="bad"),
        pytest.param(Measurement(name="c", value=0.0, samples=19), Verdict.INCONCLUSIVE,
                     id="too few requests prove nothing, not even the worst value"),
        pytest.param(Measurement(name="c", value=0.0, samples=None), Verdict.INCONCLUSIVE,
                     id="not counted"),
        pytest.param(Measurement(name="c", value=0.0, samples=math.nan), Verdict.INCONCLUSIVE,
                     id="not a number of requests"),
        pytest.param(Measurement(name="c", value=None, samples=50), Verdict.INCONCLUSIVE,
                     id="none"),
        pytest.param(Measurement(name="c", value=math.nan, samples=50), Verdict.INCONCLUSIVE,
                     id="nan"),
        pytest.param(Measurement(name="c", value=math.inf, samples=50), Verdict.INCONCLUSIVE,
                     id="infinite"),
        pytest.param(Measurement(name="c", error="refused"), Verdict.ERROR, id="no answer"),
    ],
)  # fmt: skip
def test_judge(measurement: Measurement, verdict: Verdict) -> None:
    assert judge(measurement, BOUNDS, failures_before=0).verdict is verdict


def test_failures_within_the_limit_hold_and_one_more_fails() -> None:
    bounds = Bounds(at_least=0.99, at_most=None, min_samples=0, failure_limit=2)
    bad = Measurement(name="c", value=0.5)

    verdicts = [judge(bad, bounds, failures_before=before).verdict for before in range(4)]

    assert verdicts == [
        Verdict.INCONCLUSIVE,
        Verdict.INCONCLUSIVE,
        Verdict.FAILED,
        Verdict.FAILED,
    ]


def test_a_good_measurement_forgives_and_silence_does_not() -> None:
    bounds = Bounds(at_least=0.99, at_most=None, min_samples=0, failure_limit=2)

    assert judge(Measurement(name="c", value=1.0), bounds, failures_before=2).failures == 0
    assert judge(Measurement(name="c"), bounds, failures_before=2).failures == 2


def test_the_message_has_measured_and_allowed() -> None:
    bounds = Bounds(at_least=1, at_most=3, min_samples=10, failure_limit=0)

    judgment = judge(Measurement(name="c", value=4.5, samples=12), bounds, failures_before=0)

    assert judgment.message == "c: 4.5 over 12 requests, allowed at least 1 and at most 3"


def judgment(verdict: Verdict) -> Judgment:
    return Judgment(
        name=verdict, verdict=verdict, value=None, samples=None, failures=0, message=f"m {verdict}"
    )


@given(st.lists(st.sampled_from(Verdict)))
def test_success_needs_every_check_and_failure_only_one(verdicts: list[Verdict]) -> None:
    folded = worst(judgment(verdict) for verdict in verdicts)

    assert (folded is Verdict.FAILED) == (Verdict.FAILED in verdicts)
    assert (folded is Verdict.SUCCESSFUL) == (set(verdicts) == {Verdict.SUCCESSFUL})


def test_the_summary_names_the_checks_that_decided() -> None:
    text = summarize([judgment(Verdict.SUCCESSFUL), judgment(Verdict.FAILED)])

    assert text == "m Failed"


@given(
    st.floats() | st.none(),
    st.floats() | st.none(),
    st.floats() | st.none(),
    st.floats() | st.none(),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_every_number_has_a_verdict(  # noqa: PLR0917  one strategy each
    value: float | None,
    samples: float | None,
    low: float | None,
    high: float | None,
    limit: int,
    before: int,
) -> None:
    bounds = Bounds(at_least=low, at_most=high, min_samples=20, failure_limit=limit)
    found = judge(
        Measurement(name="c", value=value, samples=samples), bounds, failures_before=before
    )

    assert found.verdict in Verdict
    if found.verdict in {Verdict.SUCCESSFUL, Verdict.FAILED}:
        assert math.isfinite(value or 0.0)
        assert (samples or 0.0) >= 20
