"""The area under the ROC curve and its interval, of rows that know nothing of each other.  Pure.

DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver
operating characteristic curves", Biometrics 1988; by ranks as in Sun and Xu, "Fast implementation
of DeLong's algorithm", IEEE Signal Processing Letters 2014.
"""

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Floats = npt.NDArray[np.float64]

_WIDTH: Final = 1.959963984540054  # standard errors on each side of a 95 % interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area, or how much one is larger; NaN of rows that are all positive, or none.

    Of fewer than two rows of a kind the interval has no ends: they are NaN.
    """

    value: float
    low: float
    high: float


def measure(target: Floats, score: Floats) -> Area:
    """Return the area under the curve; its interval ends at 0 and 1.

    Args:
        target: 0 and 1.
        score: higher where 1 is more likely.
    """
    found = _estimate(*_place(target, score))
    return dataclasses.replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def compare(target: Floats, candidate: Floats, champion: Floats) -> Area:
    """Return how much larger the candidate's area is, of the same rows."""
    (ours, our_others), (theirs, their_others) = (
        _place(target, score) for score in (candidate, champion)
    )
    return _estimate(ours - theirs, our_others - their_others)


def _place(target: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Return of each positive row the share of negative ones below it, and the reverse.

    Ties count half.
    """
    positive = target > 0
    ranks = rankdata(score)
    above, below = score[positive], score[~positive]
    if not (len(above) and len(below)):
        return np.array([np.nan]), np.array([np.nan])
    return (
        (ranks[positive] - rankdata(above)) / len(below),
        1 - (ranks[~positive] - rankdata(below)) / len(above),
    )


def _estimate(of_positives: Floats, of_negatives: Floats) -> Area:
    value = float(of_positives.mean())
    if min(len(of_positives), len(of_negatives)) < 2:
        return Area(value=value, low=float("nan"), high=float("nan"))
    variance = sum(part.var(ddof=1) / len(part) for part in (of_positives, of_negatives))
    half = _WIDTH * float(np.sqrt(variance))
    return Area(value=value, low=value - half, high=value + half)
