"""The area under the curve and its interval, against the definition and against chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from fairlead_training.delong import Floats, compare, measure
from support.scores import binary

seeds = st.integers(0, 10_000)


def place(above: Floats, below: Floats) -> Floats:
    """Return of each pair whether it is in order, and a half where it is tied."""
    return (above[:, None] > below) + 0.5 * (above[:, None] == below)


def variance_by_definition(target: Floats, *scores: Floats) -> float:
    """Compute the variance of the difference of two areas, or of one, from all pairs."""
    placed = [place(score[target > 0], score[target == 0]) for score in scores]
    pairs = placed[0] - placed[1] if len(placed) > 1 else placed[0]
    return float(sum(pairs.mean(axis=axis).var(ddof=1) / pairs.shape[1 - axis] for axis in (0, 1)))


@given(seeds)
def test_the_area_is_scikit_learns_and_its_variance_that_of_the_definition(seed: int) -> None:
    target, score = binary(seed)
    tied = np.round(score, 1)

    found = measure(target, tied)

    half = 1.959964 * np.sqrt(variance_by_definition(target, tied))
    assert found.value == pytest.approx(roc_auc_score(target, tied))
    assert found.low == pytest.approx(max(found.value - half, 0.0), abs=1e-6)
    assert found.high == pytest.approx(min(found.value + half, 1.0), abs=1e-6)


@given(seeds)
def test_the_difference_is_paired_and_turns_with_its_sides(seed: int) -> None:
    target, ours = binary(seed)
    theirs = np.round(ours + np.random.default_rng(seed).normal(scale=0.1, size=len(ours)), 1)

    found, back = compare(target, ours, theirs), compare(target, theirs, ours)

    gain = roc_auc_score(target, ours) - roc_auc_score(target, theirs)
    half = 1.959964 * np.sqrt(variance_by_definition(target, ours, theirs))
    assert found.value == pytest.approx(gain)
    assert found.high - found.value == pytest.approx(half, abs=1e-6)
    assert (back.value, back.low) == pytest.approx((-found.value, -found.high))


@pytest.mark.parametrize(
    ("target", "score", "value"),
    [
        pytest.param([1, 1, 1], [0.1, 0.2, 0.3], np.nan, id="only positive rows"),
        pytest.param([0, 0], [0.1, 0.2], np.nan, id="none"),
        pytest.param([0, 1, 0], [0.1, 0.2, 0.2], 0.75, id="one positive row: no ends"),
    ],
)
def test_rows_that_cannot_give_an_interval(
    target: list[float], score: list[float], value: float
) -> None:
    found = measure(np.array(target, dtype=float), np.array(score))

    assert found.value == pytest.approx(value, nan_ok=True)
    assert np.isnan(found.low)
    assert np.isnan(found.high)


def test_a_perfect_model_has_an_interval_without_width() -> None:
    found = measure(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]))

    assert (found.low, found.value, found.high) == (1.0, 1.0, 1.0)
