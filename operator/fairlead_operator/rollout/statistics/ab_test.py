"""A trial of several versions: what was counted, and what that decides.  Pure.

``judge_trial`` is the sequential test of an A/B test; ``bandit`` moves shares.
"""

import dataclasses
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fairlead_contract.statistics.sequential import Counts, log_e_fine, log_e_worse
from fairlead_operator.api.base import to_duration
from fairlead_operator.api.strategy import AbTest, Bandit
from fairlead_operator.text import contrast, describe_evidence, write_list

_LARGEST: Final = 690.0  # logarithm; status is JSON, which has no infinity
SILENCE: Final = timedelta(minutes=1)  # without a new outcome, from which on people are told


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
    newest: datetime | None = None  # when the latest outcome was given, where that is known
    quiet: timedelta = timedelta(0)  # how long ago an outcome was last added


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult:
    """One version's standing, for people."""

    version: str
    samples: float
    value: float | None  # share of good outcomes, 0 to 1; None without samples
    probability: float | None  # of being the best; None where the method, or a sample, is missing
    quiet: timedelta = timedelta(0)  # how long ago an outcome was last added


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
    design: AbTest, arms: Sequence[ArmCounts], *, stable: str, began: int, elapsed: timedelta
) -> Trial:
    """Decide an A/B test by what was counted since it began; it may be asked at any time.

    A candidate has won when "not better than the stable version" is rejected at alpha divided by
    the number of candidates that began (Bonferroni), and is given up when "better by minEffect or
    more" is rejected at beta; ``sequential`` says why looking often does no harm.  One that left
    has had its chance to win wrongly, so the others are asked for no less evidence after it.  Of
    several winners at one look the one with the highest share is taken.  The stable version has
    won when every candidate is given up.

    Args:
        arms: one for each version in play, the stable version's among them.
        began: how many candidates the trial began with.
        elapsed: since the trial began.
    """
    counts = {arm.version: to_counts(arm) for arm in arms}
    control = counts.pop(stable, Counts(good=0, total=0))
    better_at, given_up_at = max(began, len(counts)) / design.alpha, 1 / design.beta
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
    ranked = sorted(judged, key=lambda one: _rank(one.counts, design.min_samples))
    leader = ranked[0].version if ranked and ranked[0].counts.total > 0 else None
    standing = Trial(
        outcome=Outcome.RUNNING,
        message=write_list(
            [
                describe_counts(arms),
                *describe_missing(arms, design, elapsed),
                *_nearest(ranked, control, design.min_samples, better_at, given_up_at),
                *describe_silence(arms),
            ]
        ),
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


def _rank(counts: Counts, min_samples: int) -> tuple[bool, float]:
    """Return what the best comes first by: few samples prove nothing, however good they are."""
    return counts.total < min_samples, -counts.mean if counts.total > 0 else math.inf


def to_result(arm: ArmCounts, probability: float | None = None) -> ArmResult:
    """Return what was counted of a version as people read it."""
    counts = to_counts(arm)
    return ArmResult(
        version=arm.version,
        samples=counts.total,
        value=counts.mean if counts.total > 0 else None,
        probability=probability,
        quiet=arm.quiet,
    )


def to_counts(arm: ArmCounts) -> Counts:
    """Return counts that can be, whatever was answered."""
    total = arm.trials if 0 <= arm.trials < math.inf else 0.0
    good = arm.successes if math.isfinite(arm.successes) else 0.0
    return Counts(good=min(max(good, 0.0), total), total=total)


def describe_counts(arms: Sequence[ArmCounts]) -> str:
    """Say how each version did."""
    parts = (
        f"{arm.version}: {result.value * 100:.2f} % good of {result.samples:,.0f}"
        if result.value is not None
        else f"{arm.version}: no samples yet"
        for arm, result in ((arm, to_result(arm)) for arm in arms)
    )
    return write_list(parts, between=", ", limit=300)


def describe_missing(
    arms: Sequence[ArmCounts], design: AbTest | Bandit, elapsed: timedelta
) -> list[str]:
    """Say which samples are missing for a decision, if any are, and if they come too late."""
    least = design.min_samples
    counts = {arm.version: to_counts(arm).total for arm in arms}
    few = {version: count for version, count in counts.items() if count < least}
    *written, enough = contrast(list(few.values()), [least], digits=1, flags=",")
    short = [f"{version} has {count}" for version, count in zip(few, written, strict=True)]
    if not short:
        return []
    named = write_list(short, between=", ", limit=160)
    missing = f"too few to decide: {named} of {enough} samples (minSamples)"
    # By what has come so far, once there is something to go by.
    at_the_end = min(counts.values()) * (design.max_duration / max(elapsed, SILENCE))
    if elapsed < max(SILENCE, design.max_duration / 10) or at_the_end >= least:
        return [missing]
    late = "at this rate they do not come within maxDuration: lengthen it, or lower minSamples"
    return [f"{missing}; {late}"]


def describe_silence(arms: Sequence[ArmCounts]) -> list[str]:
    """Say which versions have had no new outcome for a while, if any have."""
    silent = [
        f"of {arm.version} for {to_duration(arm.quiet)}" for arm in arms if arm.quiet >= SILENCE
    ]
    return [f"no new outcome {write_list(silent, between=', ', limit=200)}"] if silent else []


def _nearest(
    ranked: Sequence[_Candidate],
    control: Counts,
    min_samples: int,
    better_at: float,
    given_up_at: float,
) -> list[str]:
    """Say what the best candidate lacks, of those that have the samples for a decision."""
    enough = [one for one in ranked if one.counts.total >= min_samples]
    if not enough or control.total < min_samples:
        return []
    first = enough[0]
    better, win = describe_evidence([first.better], better_at)
    hopeless, loss = describe_evidence([first.hopeless], given_up_at)
    return [
        f"evidence that {first.version} is better {better}, {win} needed",
        f"that it is not better by minEffect {hopeless}, {loss} needed",
    ]
