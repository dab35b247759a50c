"""Comparing two versions in a way that may be looked at as often as one likes.  Pure.

A test made for one look calls a good candidate bad ever more often when it is repeated until it
says something.  Here evidence is an *e-value*: what a gambler has who began with 1 and bet
against the null hypothesis, in a game where such bets win nothing on average while it is true.
The chance of ever having 1/alpha is then at most alpha, over all looks together (J. Ville, Étude
critique de la notion de collectif, 1939).  Mixing many sizes of bet makes the gambler good
against every difference without knowing it (H. Robbins, Statistical methods related to the law
of the iterated logarithm, 1970).

Good and bad answers.  The null hypothesis is ``p_candidate >= p_stable - margin``.  Let w be the
share of requests that go to the candidate.  At each of its answers y (1 good, 0 bad, or a
reward in between) the capital is multiplied by ``1 - d/w * (y - c)``, and at each of the stable
version's by ``1 + d/(1-w) * (y - c - margin)``, for any d > 0 that cannot ruin the gambler and
any centre c.  Over a request that is routed by chance the expectation is
``1 + d * (p_stable - margin - p_candidate) <= 1``, whatever the rates are, and if they change
from minute to minute: no rate has to be known or constant, only the difference counts.  For
every point of the null hypothesis these are the likelihood ratios nearest to it in the sense of
R. Turner, A. Ly, P. Grünwald, Generic E-variables for exact sequential k-sample tests (2021), a
sharper relative of the universal inference of L. Wasserman, A. Ramdas, S. Balakrishnan (2020).

The share in use is the one seen, so that a gateway whose split is not exactly as asked cannot
feign evidence.  Given the split the e-value at each look is exact as well; over all looks
``docs/evidence.md`` has the rates, which lie well below alpha.

Losses without a bound get Robbins's normal mixture over the information gathered, and differences
their confidence sequence by it (S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform,
nonparametric, nonasymptotic confidence sequences, 2021); both hold in the limit of many values
(I. Waudby-Smith and others, Time-uniform central limit theory and asymptotic confidence
sequences, 2024).

All of it depends on counts alone: looking again at the same counts says the same.
"""

import dataclasses
import math
from collections.abc import Iterator
from itertools import product
from typing import Final

# Where the gambler thinks the rates are, as a part of what the margin leaves possible, and which
# part of the largest bet that cannot ruin is made.  All pairs start with the same capital.
CENTRES: Final = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
BETS: Final = tuple(0.9 / 2**power for power in range(9))
_LEAST_SHARE: Final = 1e-9  # beyond it a bet is no number any more
_MOST: Final = 1e15  # answers; beyond it counting one more changes nothing
_MOST_LOSS: Final = 1e100
_WIDE: Final = 5  # margins that a difference to be shown may well have


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many of how many answers were good; ``good`` may be a sum of rewards from 0 to 1."""

    good: float
    total: float

    @property
    def mean(self) -> float:
        """Return the share of the good ones, 0 to 1; NaN of none."""
        return self.good / self.total if self.total > 0 else math.nan

    @property
    def variance(self) -> float:
        """Return that of one answer; above 0 even if all were alike, which proves no certainty."""
        rate = (self.good + 0.5) / (self.total + 1)
        return rate * (1 - rate)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Values without a bound, of which less is better: how many, their sum, that of squares."""

    total: float
    sum: float
    squares: float
    root: bool = False  # the loss is the root of the mean, as RMSE is of squared errors

    @property
    def mean(self) -> float:
        """Return the loss; NaN of no values."""
        if self.total <= 0:
            return math.nan
        mean = self.sum / self.total
        return math.sqrt(max(0.0, mean)) if self.root else mean

    @property
    def variance(self) -> float:
        """Return that of what one value adds to the loss; of a root by its slope (delta method)."""
        if self.total <= 0:
            return math.nan
        mean = self.sum / self.total
        variance = max(0.0, self.squares / self.total - mean * mean)
        if not self.root:
            return variance
        return variance / (4 * mean) if mean > 0 else 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the numbers say of a candidate against the stable version."""

    difference: float  # candidate - stable
    low: float  # confidence sequence: at all times together outside it with at most alpha
    high: float
    worse: float  # e-value against "not worse than stable by more than the margin"
    fine: float  # e-value against "worse than stable by at least the margin"


def compare(candidate: Counts, stable: Counts, *, margin: float, alpha: float) -> Comparison:
    """Compare two rates of good answers.

    Args:
        margin: how much lower the candidate's rate may be, between 0 and 1.
        alpha: how often the truth may be outside the interval.

    Raises:
        ValueError: counts that cannot be, such as more good answers than answers.
    """
    for counts in (candidate, stable):
        if not 0 <= counts.good <= counts.total < _MOST:
            raise ValueError(f"{counts.good:g} good answers of {counts.total:g} cannot be")
    low, high = _interval(candidate, stable, scale=_WIDE * margin, alpha=alpha)
    return Comparison(
        difference=candidate.mean - stable.mean,
        low=max(-1.0, low),
        high=min(1.0, high),
        worse=_exp(log_e_worse(candidate, stable, margin=margin)),
        fine=_exp(log_e_fine(candidate, stable, margin=margin)),
    )


def compare_losses(candidate: Losses, stable: Losses, *, margin: float, alpha: float) -> Comparison:
    """Compare two mean losses; ``margin`` is how much larger the candidate's may be.

    Raises:
        ValueError: sums that are not numbers, or too large.
    """
    if not all(abs(field) < _MOST_LOSS for field in (*_fields(candidate), *_fields(stable))):
        raise ValueError(
            f"sums of losses must be numbers below {_MOST_LOSS:g}; look for huge labels or "
            "predictions"
        )
    low, high = _interval(candidate, stable, scale=_WIDE * margin, alpha=alpha)
    difference, information = (
        candidate.mean - stable.mean,
        _information(candidate, stable, scale=margin),
    )
    beyond = difference - margin
    return Comparison(
        difference=difference,
        low=low,
        high=high,
        worse=_exp(_log_e_normal(beyond, information, scale=margin)),
        fine=_exp(_log_e_normal(-beyond, information, scale=margin)),
    )


def log_e_worse(candidate: Counts, stable: Counts, *, margin: float) -> float:
    """Return the logarithm of the e-value against ``p_candidate >= p_stable - margin``."""
    good_c, bad_c = candidate.good, candidate.total - candidate.good
    good_s, bad_s = stable.good, stable.total - stable.good
    return _log_mixture(good_c, bad_c, good_s, bad_s, margin)


def log_e_fine(candidate: Counts, stable: Counts, *, margin: float) -> float:
    """Return the logarithm of the e-value against ``p_candidate <= p_stable - margin``."""
    good_c, bad_c = candidate.good, candidate.total - candidate.good
    good_s, bad_s = stable.good, stable.total - stable.good
    return _log_mixture(bad_c, good_c, bad_s, good_s, -margin)


def _log_mixture(good_c: float, bad_c: float, good_s: float, bad_s: float, margin: float) -> float:
    """Add up the capital of all gamblers; 0, their start, while one version has no answers."""
    total_c, total_s = good_c + bad_c, good_s + bad_s
    if total_c < 1 or total_s < 1:
        return 0.0
    share = min(max(total_c / (total_c + total_s), _LEAST_SHARE), 1 - _LEAST_SHARE)
    logs = [
        good_c * win_c + bad_c * lose_c + good_s * win_s + bad_s * lose_s
        for win_c, lose_c, win_s, lose_s in factors(share, margin)
    ]
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


def factors(share: float, margin: float) -> Iterator[tuple[float, float, float, float]]:
    """Yield for each gambler the logarithms of what an answer multiplies the capital by: a good and
    a bad one of the candidate, then those of the stable version.
    """
    lowest, highest = max(0.0, -margin), min(1.0, 1 - margin)
    for place, part in product(CENTRES, BETS):
        centre = lowest + (highest - lowest) * place
        other = centre + margin
        bet = part * min(share / (1 - centre), (1 - share) / other)
        on_candidate, on_stable = bet / share, bet / (1 - share)
        yield (
            math.log1p(-on_candidate * (1 - centre)),
            math.log1p(on_candidate * centre),
            math.log1p(on_stable * (1 - other)),
            math.log1p(-on_stable * other),
        )


def _information(candidate: Counts | Losses, stable: Counts | Losses, *, scale: float) -> float:
    """Return one over the variance of the difference of the means; 0 of less than one answer.

    Values that were all alike are taken to vary by a tenth of the scale: they prove no certainty.
    """
    if candidate.total < 1 or stable.total < 1:
        return 0.0
    least = (scale / 10) ** 2
    variances = (max(least, one.variance) / one.total for one in (candidate, stable))
    return 1 / sum(variances)


def _interval(
    candidate: Counts | Losses, stable: Counts | Losses, *, scale: float, alpha: float
) -> tuple[float, float]:
    """Return the confidence sequence of the difference.

    It is that of a normal mixture of standard deviation ``scale``.
    """
    information = _information(candidate, stable, scale=scale)
    spread = information * scale * scale
    if information * spread == 0:  # nothing, or less than a float can square
        return -math.inf, math.inf
    radius = math.sqrt(
        2 * (spread + 1) / (information * spread) * math.log(math.sqrt(spread + 1) / alpha)
    )
    difference = candidate.mean - stable.mean
    return difference - radius, difference + radius


def _log_e_normal(beyond: float, information: float, *, scale: float) -> float:
    """Return the evidence that a difference is above 0; of one below, none."""
    if information == 0:
        return 0.0
    spread = information * scale * scale
    squared = max(0.0, beyond) ** 2 * information
    return 0.5 * squared * spread / (1 + spread) - 0.5 * math.log1p(spread)


def _fields(losses: Losses) -> tuple[float, float, float]:
    return losses.total, losses.sum, losses.squares


def _exp(log: float) -> float:
    """Return a finite number, since status is JSON."""
    return math.exp(min(log, 690.0))
