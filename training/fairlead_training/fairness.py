"""How differently a model treats groups of rows, and how honest its probabilities are.  Pure.

As in ``metrics``, each works on many weightings of the rows at once.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fairlead_training.metrics import Floats, Metric, is_said_positive

_BINS: Final = 10


def demographic_parity(groups: npt.NDArray[np.intp]) -> Metric:
    """Measure by how much the share told to be positive differs between groups, at most.

    The demographic parity difference of Agarwal et al., A Reductions Approach to Fair
    Classification (2018), as Fairlearn computes it.

    Args:
        groups: of each row, counted from 0 without gaps.
    """

    def measure(_target: Floats, score: Floats, weights: Floats) -> Floats:
        return _apart(_rates(score, groups, weights))

    return measure


def equalized_odds(groups: npt.NDArray[np.intp]) -> Metric:
    """Measure the same of the rows that are positive and of those that are not; the larger counts.

    The equalized odds difference (Hardt, Price and Srebro, Equality of Opportunity in Supervised
    Learning, 2016; Agarwal et al. 2018), as Fairlearn computes it where its worst case is asked
    for.  It is NaN where a group lacks one of the two.
    """

    def measure(target: Floats, score: Floats, weights: Floats) -> Floats:
        positive = (target > 0).astype(np.float64)
        caught = _apart(_rates(score, groups, weights * positive))
        alarmed = _apart(_rates(score, groups, weights * (1 - positive)))
        return np.maximum(caught, alarmed)

    return measure


def calibration_error(target: Floats, score: Floats, weights: Floats) -> Floats:
    """Compute the expected calibration error over bins of equal width.

    Rows of like probability are put together, and how often it comes true is held against it
    (Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning,
    2015).  Of several classes the likeliest counts (Guo et al., On Calibration of Modern Neural
    Networks, 2017), of two the positive one.
    """
    if score.ndim == 1:
        told, right = score, (target > 0).astype(np.float64)
    else:
        told, right = score.max(axis=1), (score.argmax(axis=1) == target).astype(np.float64)
    bins = np.clip((told * _BINS).astype(np.intp), 0, _BINS - 1)
    misses = weights @ (_mark(bins) * (right - told)[:, None])
    return np.asarray(np.abs(misses).sum(axis=1) / weights.sum(axis=1))


def _rates(score: Floats, groups: npt.NDArray[np.intp], weights: Floats) -> Floats:
    """Return the share of each group that is told to be positive."""
    members = _mark(groups)
    size = weights @ members
    told = weights @ (members * is_said_positive(score)[:, None])
    return np.asarray(np.divide(told, size, out=np.full_like(told, np.nan), where=size > 0))


def _apart(rates: Floats) -> Floats:
    return np.asarray(rates.max(axis=1) - rates.min(axis=1))


def _mark(numbers: npt.NDArray[np.intp]) -> Floats:
    """Return a column for each number, with 1 in the rows that have it."""
    return np.asarray(numbers[:, None] == np.arange(numbers.max() + 1), dtype=np.float64)
