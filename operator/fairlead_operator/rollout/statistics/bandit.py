"""Shares that follow the reward: Thompson's allocation without drawing.  Pure.

Each version's rate of good outcomes has a Beta posterior (uniform before the trial).  A version's
share of the traffic moves towards the probability that it is the best (W. Thompson, On the
likelihood that one unknown probability exceeds another in view of the evidence of two samples,
1933; S. Scott, A modern Bayesian look at the multi-armed bandit, 2010), which is integrated
numerically and not sampled, so that the same counts always ask for the same shares.  Rewards
between 0 and 1 count as parts of a good outcome, which widens the posterior and never narrows it.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from fairlead_contract.statistics.sequential import Counts
from fairlead_operator.api.strategy import Bandit
from fairlead_operator.rollout.statistics.ab_test import (
    ArmCounts,
    Outcome,
    Trial,
    describe_counts,
    describe_missing,
    describe_silence,
    to_counts,
    to_result,
)
from fairlead_operator.text import contrast, write_list

_REACH: Final = 8.0  # standard deviations on each side of a posterior's mean
_POINTS: Final = 160  # of each posterior
_MINUTE: Final = timedelta(minutes=1)


def judge_bandit(
    design: Bandit,
    arms: Sequence[ArmCounts],
    *,
    stable: str,
    shares: Mapping[str, int],
    elapsed: timedelta,
    since_change: timedelta,
) -> Trial:
    """Decide whether a version is best, and the next shares if none is yet.

    Shares move only on news: what was counted has moved them already, so that all versions need
    an outcome since then.  Where rewards stop, even of one version, all shares stay.

    Args:
        arms: one for each version in play, the stable version's among them.
        shares: present percent of every version.
        elapsed: since the trial began.
        since_change: since the shares were last moved.
    """
    versions = [arm.version for arm in arms]
    counts = [to_counts(arm) for arm in arms]
    chances = dict(zip(versions, probabilities_of_best(counts), strict=True))
    best = max(versions, key=chances.__getitem__, default=stable)
    candidates = [version for version in versions if version != stable]
    enough = all(count.total >= design.min_samples for count in counts)
    standing = Trial(
        outcome=Outcome.RUNNING,
        message=_describe(design, arms, chances, elapsed),
        leader=max(candidates, key=chances.__getitem__, default=None),
        arms=tuple(to_result(arm, chances[arm.version] if enough else None) for arm in arms),
    )
    if enough and candidates and chances[best] >= design.stop_probability:
        if best == stable:
            return dataclasses.replace(standing, outcome=Outcome.STABLE_WON)
        return dataclasses.replace(standing, outcome=Outcome.WON, winner=best)
    if elapsed >= design.max_duration:
        return dataclasses.replace(standing, outcome=Outcome.UNDECIDED)
    if not all(arm.quiet < since_change for arm in arms):
        return standing
    # What was not moved in the minutes before is not made up for in this one.
    allowed = int(design.max_change_per_minute * min(since_change, _MINUTE).total_seconds() / 60)
    moved = next_shares(chances, shares, stable=stable, floor=design.floor, allowed=allowed)
    return dataclasses.replace(
        standing, shares=tuple((version, moved[version]) for version in candidates)
    )


def _describe(
    design: Bandit, arms: Sequence[ArmCounts], chances: Mapping[str, float], elapsed: timedelta
) -> str:
    """Say how each version did, and what a decision lacks."""
    missing, silence = describe_missing(arms, design, elapsed), describe_silence(arms)
    percents = [chance * 100 for chance in chances.values()]
    *written, needed = contrast(percents, [design.stop_probability * 100], decimals=1)
    shares = (f"{version} {share} %" for version, share in zip(chances, written, strict=True))
    best = write_list(shares, between=", ", limit=260)
    # A probability from a handful of samples would be read as a result.
    standing = missing or [f"probability to be the best: {best}; {needed} % needed"]
    still = [f"{silence[0]}, so the shares stay"] if silence else []
    return write_list([describe_counts(arms), *standing, *still])


def probabilities_of_best(counts: Sequence[Counts]) -> list[float]:
    """Return for each version the probability that its rate is the highest; they add up to 1."""
    if len(counts) < 2:
        return [1.0] * len(counts)
    grid = sorted({0.0, 1.0, *(point for count in counts for point in _points(count))})
    densities = [_densities(count, grid) for count in counts]
    below = [_cumulated(density, grid) for density in densities]
    masses = []
    for at, density in enumerate(densities):
        others = [column for other, column in enumerate(below) if other != at]
        heights = [
            height * math.prod(column[point] for column in others)
            for point, height in enumerate(density)
        ]
        masses.append(_integral(heights, grid))
    whole = sum(masses)
    return [mass / whole for mass in masses]


def next_shares(
    chances: Mapping[str, float],
    shares: Mapping[str, int],
    *,
    stable: str,
    floor: int,
    allowed: int,
) -> dict[str, int]:
    """Return whole percents nearer to the probabilities; they add up to 100.

    No share moves by more than ``allowed`` points, and none falls below ``floor``, or below an
    equal share where the floor leaves no room for one.  What a version that left the trial had is
    the stable version's.
    """
    present = {version: shares.get(version, 0) for version in chances}
    if stable in present:
        present[stable] += 100 - sum(present.values())
    least = min(floor, 100 // max(1, len(present)))
    rest = 100 - least * len(present)
    wanted = {version: least + rest * chance for version, chance in chances.items()}
    furthest = max((abs(wanted[version] - present[version]) for version in present), default=0)
    if furthest < 1:
        return present  # as near as whole percents come; or equal versions would swap one
    part = min(1.0, allowed / furthest)
    exact = {
        version: present[version] + part * (wanted[version] - present[version])
        for version in present
    }
    # Largest remainders, so that rounding neither loses a percent nor breaks a bound.
    rounded = {version: math.floor(share + 1e-9) for version, share in exact.items()}
    missing = 100 - sum(rounded.values())
    by_remainder = sorted(exact, key=lambda version: (rounded[version] - exact[version], version))
    for version in by_remainder[:missing]:
        rounded[version] += 1
    return rounded


def _posterior(count: Counts) -> tuple[float, float]:
    return 1 + count.good, 1 + count.total - count.good


def _points(count: Counts) -> list[float]:
    """Return where the posterior is, densely enough to integrate it."""
    a, b = _posterior(count)
    mean = a / (a + b)
    deviation = math.sqrt(mean * (1 - mean) / (a + b + 1))
    places = (mean + deviation * _REACH * (2 * at / _POINTS - 1) for at in range(_POINTS + 1))
    return [place for place in places if 0 < place < 1]


def _densities(count: Counts, grid: Sequence[float]) -> list[float]:
    """Return the Beta density at each point, scaled so that its integral over the grid is 1."""
    a, b = _posterior(count)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    heights = [
        math.exp(scale + _times_log(a - 1, point) + _times_log(b - 1, 1 - point)) for point in grid
    ]
    whole = _integral(heights, grid)
    return [height / whole for height in heights]


def _times_log(factor: float, value: float) -> float:
    """Return ``factor * log(value)``, 0 for a factor of 0."""
    if factor == 0:
        return 0.0
    return factor * math.log(value) if value > 0 else -math.inf


def _integral(heights: Sequence[float], grid: Sequence[float]) -> float:
    return _cumulated(heights, grid)[-1]


def _cumulated(heights: Sequence[float], grid: Sequence[float]) -> list[float]:
    """Add up trapezoids from the left."""
    sums = [0.0]
    for at in range(1, len(grid)):
        width = grid[at] - grid[at - 1]
        sums.append(sums[-1] + width * (heights[at] + heights[at - 1]) / 2)
    return sums
