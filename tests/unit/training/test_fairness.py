"""Fairness and calibration, against others' numbers and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from fairlead_training.fairness import calibration_error, demographic_parity, equalized_odds
from fairlead_training.metrics import Floats
from support.scores import binary


def once(target: Floats) -> Floats:
    return np.ones((1, len(target)))


@pytest.mark.parametrize(
    ("seed", "groups", "parity", "odds"),
    [
        pytest.param(1, 2, 0.11907442151344588, 0.12272727272727268, id="two groups"),
        pytest.param(2, 3, 0.16161848382090926, 0.1682926829268293, id="three groups"),
        pytest.param(3, 4, 0.40043010752688174, 0.3521581282775313, id="four groups"),
    ],
)
def test_it_is_what_fairlearn_computes(seed: int, groups: int, parity: float, odds: float) -> None:
    """The numbers are of fairlearn 0.15, of its differences as they are by default."""
    generator = np.random.default_rng(seed)
    group = generator.integers(0, groups, 400)
    target = (generator.random(400) < 0.3 + 0.1 * group).astype(float)
    score = np.clip(0.6 * generator.random(400) + 0.3 * target + 0.05 * group, 0, 1)

    (found,) = demographic_parity(group)(target, score, once(target))
    (found_odds,) = equalized_odds(group)(target, score, once(target))

    assert found == pytest.approx(parity)
    assert found_odds == pytest.approx(odds)


def test_odds_of_a_group_without_positive_rows_are_not_defined() -> None:
    target, group = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 0, 1, 1])

    (odds,) = equalized_odds(group)(target, np.array([0.9, 0.1, 0.1, 0.1]), once(target))

    assert np.isnan(odds)


@given(st.integers(0, 1000))
def test_a_row_counted_twice_is_two_rows(seed: int) -> None:
    target, score = binary(seed)
    group = np.arange(len(target)) % 3
    counts = np.random.default_rng(seed).integers(1, 4, len(target))

    for measure in (demographic_parity, equalized_odds):
        (weighted,) = measure(group)(target, score, counts[None, :].astype(float))
        again = np.repeat(target, counts)
        (repeated,) = measure(np.repeat(group, counts))(
            again, np.repeat(score, counts), once(again)
        )
        assert weighted == pytest.approx(repeated, nan_ok=True)


@given(st.integers(0, 1000))
def test_the_calibration_error_is_that_of_the_curve(seed: int) -> None:
    generator = np.random.default_rng(seed)
    score = generator.random(300)
    target = (generator.random(300) < score**2).astype(float)

    (found,) = calibration_error(target, score, once(target))

    true, told = calibration_curve(target, score, n_bins=10)
    sizes = np.bincount((score * 10).astype(int), minlength=10)
    assert found == pytest.approx(np.abs(true - told) @ sizes[sizes > 0] / 300)


def test_of_several_classes_the_likeliest_counts() -> None:
    target = np.array([0.0, 1.0, 2.0, 2.0])
    score = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])

    (found,) = calibration_error(target, score, once(target))

    assert found == pytest.approx((abs(1.6 - 1) + 0) / 4)
