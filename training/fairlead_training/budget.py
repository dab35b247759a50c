"""How many trials are left, and what a worker does next.  Pure."""

import dataclasses
from enum import StrEnum


class Step(StrEnum):
    TRY = "try"
    WAIT = "wait"  # others still run what may come back to us
    STOP = "stop"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Trials by what they mean for the budget."""

    complete: int
    pruned: int
    failed: int  # by an error of their own; a killed worker's trial is tried again
    running: int

    @property
    def finished(self) -> int:
        return self.complete + self.pruned + self.failed


def decide(counts: Counts, *, trials: int, seconds_left: float) -> Step:
    """Decide what a worker does next."""
    if seconds_left <= 0:
        return Step.STOP
    if counts.finished + counts.running < trials:
        return Step.TRY
    return Step.WAIT if counts.running else Step.STOP


def estimate_left(counts: Counts, *, trials: int, spent: float, seconds_left: float) -> float:
    """Estimate the seconds until the search ends, at the pace so far."""
    if not counts.finished:
        return seconds_left
    missing = max(0, trials - counts.finished)
    return max(0.0, min(seconds_left, spent / counts.finished * missing))
