"""Whether two sets of predictions are spread alike.  Pure."""

import math
from collections.abc import Sequence


def stability_index(candidate: Sequence[int], stable: Sequence[int]) -> float | None:
    """Compute the population stability index of two sets counted over the same bins.

    The expectation of what chance alone gives two samples of one distribution, (bins - 1) *
    (1/n + 1/m), is taken off, so that a bound means the same for few samples and for many
    (B. Yurdakul, Statistical properties of population stability index, 2018).  A bin that one
    version never uses counts as half a prediction there.  None without predictions.
    """
    total, other = sum(candidate), sum(stable)
    if not total or not other or len(candidate) != len(stable):
        return None
    index = 0.0
    for here, there in zip(candidate, stable, strict=True):
        if here or there:
            left, right = max(here, 0.5) / total, max(there, 0.5) / other
            index += (left - right) * math.log(left / right)
    by_chance = (len(candidate) - 1) * (1 / total + 1 / other)
    return max(0.0, index - by_chance)
