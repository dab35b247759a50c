"""Measurements into verdicts: silence is never evidence."""

import dataclasses
import json
import math
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_contract.statistics.sequential import Counts, Losses
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.rollout.statistics.verdict import (
    Criteria,
    Judgment,
    Measurement,
    Pair,
    Tolerance,
    judge,
    summarize,
    worst,
)

BOUNDS = Criteria(at_least=0.99, at_most=None, min_samples=20, failure_limit=0)


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
    bounds = Criteria(at_least=0.99, at_most=None, min_samples=0, failure_limit=2)
    bad = Measurement(name="c", value=0.5)

    verdicts = [judge(bad, bounds, failures_before=before).verdict for before in range(4)]

    assert verdicts == [
        Verdict.INCONCLUSIVE,
        Verdict.INCONCLUSIVE,
        Verdict.FAILED,
        Verdict.FAILED,
    ]


def test_a_good_measurement_forgives_and_silence_does_not() -> None:
    bounds = Criteria(at_least=0.99, at_most=None, min_samples=0, failure_limit=2)

    assert judge(Measurement(name="c", value=1.0), bounds, failures_before=2).failures == 0
    assert judge(Measurement(name="c"), bounds, failures_before=2).failures == 2


def test_the_message_has_measured_and_allowed() -> None:
    bounds = Criteria(at_least=1, at_most=3, min_samples=10, failure_limit=0)

    judgment = judge(Measurement(name="c", value=4.5, samples=12), bounds, failures_before=0)

    assert judgment.message == "c: 4.5 over 12 requests, allowed at least 1 and at most 3"


def test_the_message_has_the_unit_of_what_is_measured() -> None:
    bounds = Criteria(at_least=None, at_most=1000, min_samples=10, failure_limit=0, unit=" ms")

    judgment = judge(Measurement(name="c", value=4.75, samples=43), bounds, failures_before=0)

    assert judgment.message == "c: 4.75 ms over 43 requests, allowed at most 1000 ms"


@pytest.mark.parametrize(
    ("value", "samples", "words"),
    [
        pytest.param(0.98996, 20, "0.98996 over 20 requests, allowed at least 0.99 and at most 3",
                     id="a value just below its bound"),
        pytest.param(3.00004, 20, "3.00004 over 20 requests, allowed at least 0.99 and at most 3",
                     id="just above the other"),
        pytest.param(1.0, 19.97, "19.97 requests so far, 20 needed",
                     id="samples that a query extrapolates"),
    ],
)  # fmt: skip
def test_numbers_read_as_they_were_judged(value: float, samples: float, words: str) -> None:
    measured = Measurement(name="c", value=value, samples=samples)

    judgment = judge(measured, dataclasses.replace(BOUNDS, at_most=3), failures_before=0)

    assert judgment.verdict is not Verdict.SUCCESSFUL
    assert judgment.message == f"c: {words}"


def test_a_comparison_of_times_says_what_counts_as_quick() -> None:
    quick = dataclasses.replace(pair((99, 100), (298, 300)), bound=250)

    judgment = judge(quick, RELATIVE, failures_before=0)

    assert judgment.message.startswith(
        "c: share of answers within 250 ms: candidate 0.99 over 100 requests, "
        "stable version 0.9933 over 300, margin 0.01: not decided yet (evidence against"
    )


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
def test_nothing_is_decided_on_few_samples_or_on_no_number(  # noqa: PLR0917  one strategy each
    value: float | None,
    samples: float | None,
    low: float | None,
    high: float | None,
    limit: int,
    before: int,
) -> None:
    assume(not (math.isfinite(value or 0.0) and (samples or 0.0) >= 20))
    bounds = Criteria(at_least=low, at_most=high, min_samples=20, failure_limit=limit)

    found = judge(
        Measurement(name="c", value=value, samples=samples), bounds, failures_before=before
    )

    assert found.verdict in {Verdict.INCONCLUSIVE, Verdict.ERROR}


RELATIVE = Criteria(
    at_least=None,
    at_most=None,
    min_samples=20,
    failure_limit=0,
    tolerance=Tolerance(margin=0.01, alpha=0.05),
)


def pair(candidate: tuple[float, float], stable: tuple[float, float]) -> Measurement:
    return Measurement(
        name="c",
        pair=Pair(
            candidate=Counts(good=candidate[0], total=candidate[1]),
            stable=Counts(good=stable[0], total=stable[1]),
        ),
    )


@pytest.mark.parametrize(
    ("measurement", "verdict", "words"),
    [
        pytest.param(pair((60, 100), (300, 300)), Verdict.FAILED, "worse", id="much worse"),
        pytest.param(
            pair((4999, 5000), (14997, 15000)), Verdict.SUCCESSFUL, "not worse", id="as good"
        ),
        pytest.param(
            pair((99, 100), (298, 300)), Verdict.INCONCLUSIVE, "not decided", id="too close"
        ),
        pytest.param(
            pair((0, 19), (300, 300)),
            Verdict.INCONCLUSIVE,
            "19 requests of the candidate so far, 20 needed",
            id="few of the candidate prove nothing, not even the worst",
        ),
        pytest.param(
            pair((0, 300), (19, 19)),
            Verdict.INCONCLUSIVE,
            "19 requests of the stable version",
            id="few of the stable version",
        ),
        pytest.param(
            Measurement(name="c"),
            Verdict.INCONCLUSIVE,
            "one of the two versions has no data",
            id="one is silent",
        ),
        pytest.param(
            pair((-5, 100), (300, 300)), Verdict.ERROR, "cannot be", id="counts that cannot be"
        ),
        pytest.param(
            pair((50, math.inf), (300, 300)), Verdict.ERROR, "cannot be", id="endless counts"
        ),
        pytest.param(
            Measurement(
                name="c",
                pair=Pair(
                    candidate=Losses(total=50, sum=9, squares=9), stable=Counts(good=9, total=50)
                ),
            ),
            Verdict.ERROR,
            "cannot be compared",
            id="a loss beside a share",
        ),
        pytest.param(Measurement(name="c", error="down"), Verdict.ERROR, "down", id="no answer"),
    ],
)
def test_a_comparison(measurement: Measurement, verdict: Verdict, words: str) -> None:
    judgment = judge(measurement, RELATIVE, failures_before=0)

    assert judgment.verdict is verdict
    assert words in judgment.message


def test_a_comparison_has_its_numbers() -> None:
    judgment = judge(pair((60, 100), (300, 300)), RELATIVE, failures_before=0)

    assert (judgment.value, judgment.samples, judgment.stable) == (0.6, 100, 1.0)
    assert judgment.high is not None
    assert judgment.high < -0.01
    assert judgment.evidence_against is not None
    assert judgment.evidence_against > 20


def test_losses_are_compared_in_their_unit() -> None:
    bounds = dataclasses.replace(RELATIVE, tolerance=Tolerance(margin=0.2, alpha=0.05))
    squared = Losses(total=2000, sum=8000, squares=64000, root=True)
    other = Losses(total=2000, sum=2000, squares=4000, root=True)
    measured = Measurement(name="rmse", pair=Pair(candidate=squared, stable=other))

    judgment = judge(measured, bounds, failures_before=0)

    assert (judgment.verdict, judgment.value, judgment.stable) == (Verdict.FAILED, 2.0, 1.0)


@pytest.mark.parametrize(
    ("value", "counted", "verdict"),
    [
        (1.0, (4999, 5000), Verdict.SUCCESSFUL),
        (0.5, (4999, 5000), Verdict.FAILED),
        (1.0, (99, 100), Verdict.INCONCLUSIVE),
        (1.0, (10, 100), Verdict.FAILED),
    ],
)
def test_bounds_and_a_comparison_are_as_good_as_the_worse_of_the_two(
    value: float, counted: tuple[int, int], verdict: Verdict
) -> None:
    bounds = dataclasses.replace(RELATIVE, at_least=0.9)
    measured = dataclasses.replace(pair(counted, (14999, 15000)), value=value, samples=100)

    assert judge(measured, bounds, failures_before=0).verdict is verdict


def test_a_dry_run_decides_nothing() -> None:
    dry = dataclasses.replace(judgment(Verdict.FAILED), dry_run=True)

    assert worst([dry, judgment(Verdict.SUCCESSFUL)]) is Verdict.SUCCESSFUL
    assert worst([dry]) is Verdict.INCONCLUSIVE
    assert summarize([dry, judgment(Verdict.SUCCESSFUL)]) == "m Successful"


VETO = Criteria(
    at_least=None,
    at_most=None,
    min_samples=20,
    failure_limit=0,
    tolerance=Tolerance(margin=0.05, alpha=0.01),
    is_veto=True,
)
ALONE = Measurement(name="c", value=0.0, samples=40)


@pytest.mark.parametrize(
    ("measurement", "verdict", "abstains"),
    [
        pytest.param(pair((0, 352), (900, 900)), Verdict.FAILED, False, id="all are refused"),
        pytest.param(pair((70, 100), (900, 900)), Verdict.FAILED, False, id="every third is"),
        pytest.param(
            pair((0, 5), (95, 95)), Verdict.INCONCLUSIVE, False, id="all of five: it holds"
        ),
        pytest.param(
            pair((0, 40), (19, 19)), Verdict.INCONCLUSIVE, False, id="few of the stable version"
        ),
        pytest.param(
            pair((0, 100), (0, 900)), Verdict.SUCCESSFUL, False, id="callers wrong with both"
        ),
        pytest.param(
            pair((30, 100), (270, 900)), Verdict.INCONCLUSIVE, True, id="callers often wrong"
        ),
        pytest.param(pair((20, 20), (80, 80)), Verdict.INCONCLUSIVE, True, id="none, of few"),
        pytest.param(pair((19, 20), (80, 80)), Verdict.INCONCLUSIVE, True, id="one of few"),
        pytest.param(
            pair((5000, 5000), (15000, 15000)), Verdict.SUCCESSFUL, False, id="proven to accept"
        ),
        pytest.param(Measurement(name="c"), Verdict.INCONCLUSIVE, True, id="nobody asks"),
        pytest.param(
            dataclasses.replace(ALONE, value=0.96), Verdict.INCONCLUSIVE, True, id="within margin"
        ),
        pytest.param(ALONE, Verdict.INCONCLUSIVE, False, id="nobody asks the stable version"),
        pytest.param(Measurement(name="c", error="down"), Verdict.ERROR, False, id="no answer"),
        pytest.param(
            dataclasses.replace(pair((0, 352), (900, 900)), expected=100.0),
            Verdict.FAILED,
            False,
            id="none of its share is accepted",
        ),
        pytest.param(
            dataclasses.replace(pair((100, 452), (900, 900)), expected=100.0),
            Verdict.INCONCLUSIVE,
            True,
            id="all of its share is accepted: one caller is wrong",
        ),
        pytest.param(
            dataclasses.replace(pair((80, 452), (900, 900)), expected=100.0),
            Verdict.INCONCLUSIVE,
            True,
            id="but for chance",
        ),
        pytest.param(
            dataclasses.replace(pair((50, 452), (900, 900)), expected=100.0),
            Verdict.FAILED,
            False,
            id="half of its share is accepted",
        ),
    ],
)
def test_a_veto_only_speaks_against(
    measurement: Measurement, verdict: Verdict, *, abstains: bool
) -> None:
    judgment = judge(measurement, VETO, failures_before=0)

    assert (judgment.verdict, judgment.abstains) == (verdict, abstains)


def test_who_abstains_decides_nothing() -> None:
    silent = dataclasses.replace(judgment(Verdict.INCONCLUSIVE), abstains=True)

    assert worst([silent, judgment(Verdict.SUCCESSFUL)]) is Verdict.SUCCESSFUL
    assert worst([silent]) is Verdict.INCONCLUSIVE
    assert summarize([silent, judgment(Verdict.SUCCESSFUL)]) == "m Successful"


def test_a_bound_beside_a_veto_decides_alone_while_that_abstains() -> None:
    bounds = dataclasses.replace(VETO, at_least=0.9)
    measured = dataclasses.replace(pair((20, 20), (80, 80)), value=1.0, samples=20)

    judgment = judge(measured, bounds, failures_before=0)

    assert (judgment.verdict, judgment.abstains) == (Verdict.SUCCESSFUL, False)


answers = st.tuples(st.integers(0, 500), st.integers(0, 500)).map(
    lambda parts: Counts(good=parts[0], total=sum(parts))
)


@given(candidate=answers, stable=answers, expected=st.none() | st.floats(0, 1e6))
def test_a_veto_fails_only_what_refuses_more_than_the_stable_version_and_its_share(
    candidate: Counts, stable: Counts, expected: float | None
) -> None:
    enough = candidate.total >= 20 and stable.total >= 20
    refuses_more = enough and candidate.mean < stable.mean - 0.05
    assume(not refuses_more or (expected is not None and candidate.good >= 0.95 * expected))
    measured = Measurement(
        name="c", pair=Pair(candidate=candidate, stable=stable), expected=expected
    )

    found = judge(measured, VETO, failures_before=0)

    assert found.verdict is not Verdict.FAILED


@given(candidate=answers, stable=answers, expected=st.none() | st.floats(0, 1e6))
def test_who_abstains_has_no_verdict(
    candidate: Counts, stable: Counts, expected: float | None
) -> None:
    measured = Measurement(
        name="c", pair=Pair(candidate=candidate, stable=stable), expected=expected
    )
    found = judge(measured, VETO, failures_before=0)
    assume(found.abstains)

    assert found.verdict is Verdict.INCONCLUSIVE


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 20))
def test_callers_who_are_wrong_with_both_versions_alike_fail_none(
    good: int, bad: int, times: int
) -> None:
    measured = pair((good, good + bad), (times * good, times * (good + bad)))

    assert judge(measured, VETO, failures_before=0).verdict is not Verdict.FAILED


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 10**6).map(float)
some = st.one_of(
    st.builds(Counts, good=numbers, total=numbers),
    st.builds(Losses, total=numbers, sum=numbers, squares=numbers, root=st.booleans()),
)


@given(
    candidate=some,
    stable=some,
    value=numbers | st.none(),
    samples=numbers | st.none(),
    absolute=st.booleans(),
)
def test_whatever_is_answered_there_is_a_judgment_that_json_can_hold(
    candidate: Counts | Losses,
    stable: Counts | Losses,
    value: float | None,
    samples: float | None,
    absolute: bool,
) -> None:
    bounds = dataclasses.replace(RELATIVE, at_least=0.5 if absolute else None)
    measured = Measurement(
        name="c", value=value, samples=samples, pair=Pair(candidate=candidate, stable=stable)
    )

    found = judge(measured, bounds, failures_before=0)

    assert json.dumps(dataclasses.asdict(found), allow_nan=False)


MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("window", "lasted", "message"),
    [
        pytest.param(None, None, "7 requests so far, 20 needed", id="counted since the step began"),
        pytest.param(
            MINUTES,
            timedelta(seconds=59),
            "7 requests so far, 20 needed",
            id="the window is not full yet",
        ),
        pytest.param(
            MINUTES,
            MINUTES,
            "7 requests in the last 1m (window), 20 needed; the requests come too slowly: "
            "set a longer window, or a lower minSamples",
            id="a full window holds no more at this rate",
        ),
    ],
)
def test_samples_that_never_come_together_are_said(
    window: timedelta | None, lasted: timedelta | None, message: str
) -> None:
    measured = Measurement(name="c", value=1.0, samples=7, window=window, lasted=lasted)
    criteria = dataclasses.replace(BOUNDS, min_samples=20, counted="requests")

    judgment = judge(measured, criteria, failures_before=0)

    assert (judgment.verdict, judgment.message) == (Verdict.INCONCLUSIVE, f"c: {message}")
