"""From many measurements to the few numbers a table has.  Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How measurements of one thing lie, in their own unit."""

    count: int
    minimum: float
    median: float
    p95: float
    p99: float
    maximum: float


def summarize(values: Sequence[float]) -> Summary:
    """Sort and pick.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return Summary(
        count=len(ordered),
        minimum=ordered[0],
        median=_median(ordered),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
        maximum=ordered[-1],
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank: a value that was really measured, never one between two."""
    rank = math.ceil(len(ordered) * percent / 100)
    return ordered[max(rank, 1) - 1]


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2
