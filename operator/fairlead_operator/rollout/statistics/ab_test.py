"""A trial of several versions: what was counted, and what that decides.  Pure.

``judge_trial`` is the sequential test of an A/B test; ``bandit`` moves shares.
"""

import dataclasses
import math
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final

from fairlead_contract.statistics.sequential import Counts, log_e_fine, log_e_worse
from fairlead_operator.api.strategy import AbTest

_LARGEST: Final = 690.0  # logarithm; status is JSON, which has no infinity


class Outcome(StrEnum):
    RUNNING = "Running"  # no decision yet, or the numbers could not be read
    WON = "Won"  # a candidate is better
    STABLE_WON = "StableWon"  # none is
    UNDECIDED = "Undecided"  # the longest duration has passed without a decision


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """What one version did since the trial began."""

    version: str
    successes: float
    trials: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One version's standing, for people."""

    version: str
    samples: float
    value: float | None  # share of good outcomes, 0 to 1; None without samples
    probability: float | None  # of being the best; None where the method has none


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where a trial stands."""

    outcome: Outcome
    message: str
    winner: str | None = None  # a candidate's version, when one has won
    leader: str | None = None  # the best candidate so far
    arms: tuple[ArmResult, ...] = ()
    shares: tuple[tuple[str, int], ...] = ()  # next percent of each candidate; empty: as they are


def judge_trial(
    design: AbTest, arms: Sequence[ArmCounts], *, stable: str, elapsed: timedelta
) -> Trial:
    """Decide an A/B test by what was counted since it began; it may be asked at any time.

    A candidate has won when "not better than the stable version" is rejected at alpha divided by
    the number of candidates (Bonferroni), and is given up when "better by minEffect or more" is
    rejected at beta; ``sequential`` says why looking often does no harm.  Of several winners at
    one look the one with the highest share is taken.  The stable version has won when every
    candidate is given up.

    Args:
        arms: one for each version in play, the stable version's among them.
        elapsed: since the trial began.
    """
    counts = {arm.version: to_counts(arm) for arm in arms}
    control = counts.pop(stable, Counts(good=0, total=0))
    better_at, given_up_at = len(counts) / design.alpha, 1 / design.beta
    judged = [
        _Candidate(
            version=version,
            counts=count,
            better=math.exp(min(_LARGEST, log_e_fine(count, control, margin=0))),
            hopeless=math.exp(
                min(_LARGEST, log_e_worse(count, control, margin=-design.min_effect))
            ),
        )
        for version, count in counts.items()
    ]
    ranked = sorted(judged, key=lambda one: -one.counts.mean if one.counts.total > 0 else math.inf)
    leader = ranked[0].version if ranked and ranked[0].counts.total > 0 else None
    standing = Trial(
        outcome=Outcome.RUNNING,
        message=f"{_standing(arms)}{_nearest(ranked, better_at, given_up_at)}",
        leader=leader,
        arms=tuple(to_result(arm) for arm in arms),
    )
    enough = [one for one in ranked if one.counts.total >= design.min_samples]
    if control.total >= design.min_samples:
        for one in enough:
            if one.better >= better_at:
                return dataclasses.replace(standing, outcome=Outcome.WON, winner=one.version)
        if judged and all(one in enough and one.hopeless >= given_up_at for one in judged):
            return dataclasses.replace(standing, outcome=Outcome.STABLE_WON)
    if elapsed >= design.max_duration:
        return dataclasses.replace(standing, outcome=Outcome.UNDECIDED)
    return standing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A candidate with the two e-values that decide."""

    version: str
    counts: Counts
    better: float
    hopeless: float


def to_result(arm: ArmCounts, probability: float | None = None) -> ArmResult:
    """Return what was counted of a version as people read it."""
    counts = to_counts(arm)
    return ArmResult(
        version=arm.version,
        samples=counts.total,
        value=counts.mean if counts.total > 0 else None,
        probability=probability,
    )


def to_counts(arm: ArmCounts) -> Counts:
    """Return counts that can be, whatever was answered."""
    total = arm.trials if 0 <= arm.trials < math.inf else 0.0
    good = arm.successes if math.isfinite(arm.successes) else 0.0
    return Counts(good=min(max(good, 0.0), total), total=total)


def _standing(arms: Sequence[ArmCounts]) -> str:
    parts = (
        f"{arm.version}: {result.value * 100:.2f} % good of {result.samples:,.0f}"
        if result.value is not None
        else f"{arm.version}: no samples yet"
        for arm, result in ((arm, to_result(arm)) for arm in arms)
    )
    return ", ".join(parts)[:200]


def _nearest(ranked: Sequence[_Candidate], better_at: float, given_up_at: float) -> str:
    if not ranked:
        return ""
    first = ranked[0]
    return (
        f"; evidence that {first.version} is better {first.better:.3g}, {better_at:.3g} needed; "
        f"that it is not better by minEffect {first.hopeless:.3g}, {given_up_at:.3g} needed"
    )
