"""A trial of several versions: what was counted, and what that decides.  Pure.

``judge_trial`` is the sequential test of an A/B test; ``bandit`` moves shares.
"""

import dataclasses
from enum import StrEnum


class Outcome(StrEnum):
    RUNNING = "Running"  # no decision yet, or the numbers could not be read
    WON = "Won"  # a candidate is better
    STABLE_WON = "StableWon"  # none is
    UNDECIDED = "Undecided"  # the longest duration has passed without a decision


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
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
