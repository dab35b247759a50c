"""Measurements into verdicts.  Pure, and total over whatever Prometheus answers.

``Successful`` and ``Failed`` need evidence.  Silence (no sample, NaN, too few
requests) is ``Inconclusive``; an answer that is none is ``Error``.  Neither of
the two speaks for or against the candidate.
"""

import dataclasses
import math
from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


# Worst first: one failed check outweighs any number of unanswered ones.
_SEVERITY = (Verdict.FAILED, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.SUCCESSFUL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    at_least: float | None
    at_most: float | None
    min_samples: float  # requests the window must hold; 0 where samples have no meaning
    failure_limit: int  # failed measurements in a row that are tolerated


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One look at one check."""

    name: str
    value: float | None = None  # None: no sample
    samples: float | None = None  # requests in the window; None: not counted
    error: str | None = None  # why there is no answer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """A measurement with its verdict; ``failures`` counts failed ones in a row."""

    name: str
    verdict: Verdict
    value: float | None
    samples: float | None
    failures: int
    message: str


def judge(measurement: Measurement, bounds: Bounds, *, failures_before: int) -> Judgment:
    """Compare one measurement with its bounds.

    A value out of bounds within the failure limit is ``Inconclusive``: no reason
    to roll back yet, and none to go on.
    """

    def verdict_of(verdict: Verdict, message: str, *, failures: int = 0) -> Judgment:
        return Judgment(
            name=measurement.name,
            verdict=verdict,
            value=value,
            samples=measurement.samples,
            failures=failures,
            message=f"{measurement.name}: {message}",
        )

    value = measurement.value
    if value is not None and not math.isfinite(value):
        value = None
    if measurement.error is not None:
        return verdict_of(Verdict.ERROR, measurement.error, failures=failures_before)
    samples = measurement.samples
    if bounds.min_samples > 0 and not (samples or 0) >= bounds.min_samples:
        return verdict_of(
            Verdict.INCONCLUSIVE,
            f"{samples or 0:.0f} requests, {bounds.min_samples:.0f} needed",
            failures=failures_before,
        )
    if value is None:
        return verdict_of(Verdict.INCONCLUSIVE, "no data", failures=failures_before)
    measured = _describe(value, samples, bounds)
    if _within(value, bounds):
        return verdict_of(Verdict.SUCCESSFUL, measured)
    failures = failures_before + 1
    if failures > bounds.failure_limit:
        return verdict_of(Verdict.FAILED, measured, failures=failures)
    return verdict_of(
        Verdict.INCONCLUSIVE,
        f"{measured}; failure {failures} of {bounds.failure_limit} tolerated",
        failures=failures,
    )


def worst(judgments: Iterable[Judgment]) -> Verdict:
    """Fold many verdicts into one; no checks at all prove nothing."""
    verdicts = [judgment.verdict for judgment in judgments]
    return min(verdicts, key=_SEVERITY.index, default=Verdict.INCONCLUSIVE)


def summarize(judgments: Iterable[Judgment]) -> str:
    """Name the checks that decided, with their numbers."""
    known = tuple(judgments)
    verdict = worst(known)
    return "; ".join(j.message for j in known if j.verdict is verdict) or "not measured yet"


def _within(value: float, bounds: Bounds) -> bool:
    return (bounds.at_least is None or value >= bounds.at_least) and (
        bounds.at_most is None or value <= bounds.at_most
    )


def _describe(value: float, samples: float | None, bounds: Bounds) -> str:
    limits = [
        f"{word} {limit:g}"
        for word, limit in (("at least", bounds.at_least), ("at most", bounds.at_most))
        if limit is not None
    ]
    counted = "" if samples is None else f" over {samples:.0f} requests"
    return f"{value:.4g}{counted}, allowed {' and '.join(limits)}"
