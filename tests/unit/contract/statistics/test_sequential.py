"""The tests that may be looked at continuously: exact expectations, and simulated rollouts."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench import evidence
from fairlead_contract.statistics.sequential import (
    Comparison,
    Counts,
    Losses,
    compare,
    compare_losses,
    log_e_fine,
    log_e_worse,
)

rates = st.floats(0, 1)
margins = st.floats(0.001, 0.5)
few = st.integers(1, 7)


@st.composite
def counts(draw: st.DrawFn, *, most: int = 5000) -> Counts:
    total = draw(st.integers(1, most))
    return Counts(good=draw(st.integers(0, total)), total=total)


def expectation(
    log_e: object, p_candidate: float, p_stable: float, n: tuple[int, int], m: float
) -> float:
    """Of the e-value, over every outcome of so many answers."""
    total = 0.0
    for good_c, good_s in product(range(n[0] + 1), range(n[1] + 1)):
        chance = _binomial(good_c, n[0], p_candidate) * _binomial(good_s, n[1], p_stable)
        candidate, stable = Counts(good=good_c, total=n[0]), Counts(good=good_s, total=n[1])
        total += chance * math.exp(log_e(candidate, stable, margin=m))  # type: ignore[operator]
    return total


def _binomial(good: int, total: int, rate: float) -> float:
    return math.comb(total, good) * rate**good * (1 - rate) ** (total - good)


@given(p_stable=rates, above=st.floats(0, 1), margin=margins, n=st.tuples(few, few))
def test_betting_against_a_candidate_that_is_not_worse_wins_nothing(
    p_stable: float, above: float, margin: float, n: tuple[int, int]
) -> None:
    at_margin = max(0.0, p_stable - margin)
    p_candidate = at_margin + above * (1 - at_margin)

    assert expectation(log_e_worse, p_candidate, p_stable, n, margin) <= 1 + 1e-9


@given(p_stable=rates, below=st.floats(0, 1), margin=margins, n=st.tuples(few, few))
def test_betting_on_a_candidate_that_is_worse_wins_nothing(
    p_stable: float, below: float, margin: float, n: tuple[int, int]
) -> None:
    p_stable = margin + p_stable * (1 - margin)
    p_candidate = (p_stable - margin) * below

    assert expectation(log_e_fine, p_candidate, p_stable, n, margin) <= 1 + 1e-9


@given(candidate=counts(), stable=counts(), margin=margins)
def test_never_both_worse_and_fine(candidate: Counts, stable: Counts, margin: float) -> None:
    seen = compare(candidate, stable, margin=margin, alpha=0.05)

    assert min(seen.worse, seen.fine) < 2


@given(candidate=counts(), stable=counts(), margin=margins)
def test_a_bad_answer_in_place_of_a_good_one_speaks_against_the_candidate(
    candidate: Counts, stable: Counts, margin: float
) -> None:
    assume(candidate.good >= 1)
    worse_off = Counts(good=candidate.good - 1, total=candidate.total)

    assert log_e_worse(worse_off, stable, margin=margin) >= log_e_worse(
        candidate, stable, margin=margin
    )
    assert log_e_fine(worse_off, stable, margin=margin) <= log_e_fine(
        candidate, stable, margin=margin
    )


@given(candidate=counts(), stable=counts(), margin=margins, alpha=st.floats(0.001, 0.3))
def test_the_interval_holds_what_was_seen_and_everything_is_finite(
    candidate: Counts, stable: Counts, margin: float, alpha: float
) -> None:
    seen = compare(candidate, stable, margin=margin, alpha=alpha)

    assert -1 <= seen.low <= seen.difference <= seen.high <= 1
    assert math.isfinite(seen.worse)
    assert math.isfinite(seen.fine)


@pytest.mark.parametrize(
    ("candidate", "stable"),
    [
        pytest.param((0, 0), (0, 0), id="no answers at all"),
        pytest.param((0, 0), (990, 1000), id="none of the candidate"),
        pytest.param((20, 100), (0, 0), id="none of the stable version"),
    ],
)
def test_silence_is_no_evidence(
    candidate: tuple[float, float], stable: tuple[float, float]
) -> None:
    left = Counts(good=candidate[0], total=candidate[1])
    right = Counts(good=stable[0], total=stable[1])

    seen = compare(left, right, margin=0.01, alpha=0.05)

    assert (seen.worse, seen.fine) == (1, 1)
    assert (seen.low, seen.high) == (-1, 1)


@pytest.mark.parametrize(
    ("good", "total"),
    [
        pytest.param(11, 10, id="more good answers than answers"),
        pytest.param(-1, 10, id="less than none"),
        pytest.param(math.nan, 10, id="not a number"),
        pytest.param(1, math.inf, id="endless"),
    ],
)
def test_counts_that_cannot_be_are_refused(good: float, total: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        compare(Counts(good=good, total=total), Counts(good=1, total=2), margin=0.01, alpha=0.05)


def test_half_of_all_answers_failing_is_seen_within_few() -> None:
    seen = compare(Counts(good=13, total=25), Counts(good=75, total=75), margin=0.01, alpha=0.05)

    assert seen.worse > 20


def test_many_equal_answers_prove_the_candidate_fine() -> None:
    seen = compare(
        Counts(good=4995, total=5000), Counts(good=14985, total=15000), margin=0.01, alpha=0.05
    )

    assert seen.fine > 20
    assert seen.worse < 1


def losses(mean: float, spread: float, count: int) -> Losses:
    return Losses(total=count, sum=mean * count, squares=(mean**2 + spread**2) * count)


@pytest.mark.parametrize(
    ("candidate", "side"),
    [
        pytest.param(losses(1.5, 1, 2000), "worse", id="half as much again"),
        pytest.param(losses(1.0, 1, 2000), "fine", id="the same"),
        pytest.param(losses(0.5, 1, 2000), "fine", id="half"),
        pytest.param(losses(1.2, 1, 2000), "neither", id="at the margin"),
        pytest.param(losses(1.5, 1, 5), "neither", id="few"),
        pytest.param(Losses(total=0, sum=0, squares=0), "neither", id="none"),
    ],
)
def test_losses(candidate: Losses, side: str) -> None:
    seen = compare_losses(candidate, losses(1.0, 1, 2000), margin=0.2, alpha=0.05)

    assert side == _side(seen, alpha=0.05)


def test_losses_that_are_no_numbers_are_refused() -> None:
    broken = Losses(total=1, sum=math.inf, squares=1)

    with pytest.raises(ValueError, match="sums of losses must be numbers below"):
        compare_losses(broken, losses(1, 1, 5), margin=0.1, alpha=0.05)


def test_less_than_one_value_says_nothing() -> None:
    seen = compare_losses(
        Losses(total=1e-189, sum=1.0, squares=0.0), losses(1, 1, 5), margin=0.1, alpha=0.05
    )

    assert (seen.low, seen.high, seen.worse, seen.fine) == (-math.inf, math.inf, 1.0, 1.0)


def _side(seen: Comparison, *, alpha: float) -> str:
    if seen.worse >= 1 / alpha:
        return "worse"
    return "fine" if seen.fine >= 1 / alpha else "neither"


@given(candidate=counts(most=300), stable=counts(most=300), margin=margins)
@settings(max_examples=50)
def test_the_simulation_bets_as_the_operator_does(
    candidate: Counts, stable: Counts, margin: float
) -> None:
    seen = evidence.Seen(
        good_candidate=np.array([candidate.good]),
        candidate=candidate.total,
        good_stable=np.array([stable.good]),
        stable=stable.total,
    )

    assert evidence.log_e_worse(seen, margin)[0] == pytest.approx(
        log_e_worse(candidate, stable, margin=margin), abs=1e-6
    )
    assert evidence.log_e_fine(seen, margin)[0] == pytest.approx(
        log_e_fine(candidate, stable, margin=margin), abs=1e-6
    )


@pytest.mark.parametrize(
    ("difference", "side"),
    [
        pytest.param(0.0, "worse", id="no difference, called worse"),
        pytest.param(0.02, "worse", id="at the margin, called worse"),
        pytest.param(0.02, "fine", id="at the margin, called fine"),
    ],
)
def test_ten_thousand_rollouts_looked_at_continuously_err_at_most_as_declared(
    difference: float, side: str
) -> None:
    """A look every 100 requests, from the first; one error in a rollout is an error."""
    scene = evidence.Scene(stable=0.97, candidate=0.97 - difference, margin=0.02, share=0.25)

    ended = evidence.simulate(scene, side=side, alpha=0.05, rollouts=10_000, looks=120, seed=4)

    assert np.isfinite(ended).mean() <= 0.05


def test_ten_thousand_comparisons_of_losses_err_at_most_as_declared() -> None:
    """They hold in the limit of many values; these are skewed, and the first look has 100."""
    evidence_against = evidence.simulate_losses(
        rollouts=10_000, looks=20, each=100, margin=0.2, seed=4
    )

    assert (evidence_against >= math.log(1 / 0.05)).mean() <= 0.05
