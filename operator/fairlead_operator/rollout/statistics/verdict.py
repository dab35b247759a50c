"""Measurements into verdicts.  Pure, and total over whatever is answered.

``Successful`` and ``Failed`` need evidence.  Silence (no sample, NaN, infinity, too few
requests) is ``Inconclusive``; an answer that is none is ``Error``.  Neither of the two speaks
for or against the candidate.  A check with bounds and a comparison is as good as the worse of
the two; one in a dry run has a verdict, which counts for nothing.

A veto only speaks against the candidate.  It abstains, which neither holds nor allows anything,
until the numbers are against the candidate: then it holds, and with enough evidence it fails.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

from fairlead_contract.statistics.sequential import (
    Comparison,
    Counts,
    Losses,
    compare,
    compare_losses,
)
from fairlead_operator.api.base import to_duration
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.text import contrast, describe_evidence, write_list

_SPREAD = 3  # standard deviations of a number of answers that chance explains
# Worst first: one failed check outweighs any number of unanswered ones.
_SEVERITY = (Verdict.FAILED, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.SUCCESSFUL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse than the stable version is allowed, and how sure one must be."""

    margin: float
    alpha: float  # of this look's stage of the rollout


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a good answer is."""

    at_least: float | None
    at_most: float | None
    min_samples: float  # that a verdict needs; 0 where samples have no meaning
    failure_limit: int  # measurements in a row out of bounds that are tolerated
    tolerance: Tolerance | None = None
    counted: str = "requests"  # what samples are, for people
    unit: str = ""  # what follows the value and its bounds, for people: " ms"
    dry_run: bool = False
    is_veto: bool = False  # its comparison can only speak against the candidate

    @property
    def is_absolute(self) -> bool:
        return self.at_least is not None or self.at_most is not None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What both versions did over the same minutes."""

    candidate: Counts | Losses
    stable: Counts | Losses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One look at one check."""

    name: str
    value: float | None = None  # None: no sample
    samples: float | None = None  # that the value is made of; None: not counted
    error: str | None = None  # why there is no answer
    doubt: str | None = None  # why an answer would say nothing of the version now
    window: timedelta | None = None  # the last minutes that the samples are of; None: all
    lasted: timedelta | None = None  # the present step, so far
    pair: Pair | None = None  # for a comparison
    bound: float | None = None  # milliseconds that divide quick from slow in it
    # Good answers that the candidate would have by its share of the stable version's; None where
    # requests are dealt by chance, so that whoever asks badly asks both versions alike.
    expected: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """A measurement with its verdict; ``failures`` counts failed ones in a row."""

    name: str
    verdict: Verdict
    value: float | None
    samples: float | None
    failures: int
    message: str
    dry_run: bool = False
    abstains: bool = False  # a veto that has nothing against the candidate
    bound: float | None = None
    stable: float | None = None  # the stable version's value in a comparison
    low: float | None = None  # confidence sequence of candidate - stable
    high: float | None = None
    evidence_against: float | None = None  # e-values; 1 says nothing
    evidence_for: float | None = None


class _Finding(NamedTuple):
    """The outcome of one of the two ways to judge."""

    verdict: Verdict
    message: str
    failures: int = 0
    abstains: bool = False


def judge(measurement: Measurement, criteria: Criteria, *, failures_before: int) -> Judgment:
    """Compare one measurement with its bounds, and with the stable version.

    A value out of bounds within the failure limit is ``Inconclusive``: no reason
    to roll back yet, and none to go on.
    """
    comparison = None
    if measurement.error is not None:
        findings = [_Finding(Verdict.ERROR, measurement.error, failures_before)]
    elif measurement.doubt is not None:
        findings = [_Finding(Verdict.INCONCLUSIVE, measurement.doubt, failures_before)]
    else:
        findings = [_within(measurement, criteria, failures_before)] if criteria.is_absolute else []
        if criteria.tolerance is not None:
            finding, comparison = _against(measurement, criteria, criteria.tolerance)
            findings.append(finding)
    deciding = [finding for finding in findings if not finding.abstains]
    verdict = _worst_of([finding.verdict for finding in deciding])
    told = [finding for finding in deciding or findings if finding.verdict is verdict]
    value, samples = _shown(measurement, criteria)
    stable = measurement.pair.stable.mean if measurement.pair else None
    return Judgment(
        name=measurement.name,
        verdict=verdict,
        value=value,
        samples=samples,
        failures=max((finding.failures for finding in findings), default=0),
        message=f"{measurement.name}: {write_list(finding.message for finding in told)}",
        dry_run=criteria.dry_run,
        abstains=not deciding,
        bound=measurement.bound,
        stable=_finite(stable),
        low=_finite(comparison.low) if comparison else None,
        high=_finite(comparison.high) if comparison else None,
        evidence_against=comparison.worse if comparison else None,
        evidence_for=comparison.fine if comparison else None,
    )


def worst(judgments: Iterable[Judgment]) -> Verdict:
    """Fold many verdicts into one; no checks at all prove nothing, nor do those without a say."""
    return _worst_of([judgment.verdict for judgment in judgments if _has_say(judgment)])


def summarize(judgments: Iterable[Judgment]) -> str:
    """Name the checks that decided, with their numbers."""
    deciding = [judgment for judgment in judgments if _has_say(judgment)]
    verdict = worst(deciding)
    return (
        write_list(j.message for j in deciding if j.verdict is verdict)
        or "no check is measured yet"
    )


def _has_say(judgment: Judgment) -> bool:
    return not judgment.dry_run and not judgment.abstains


def _worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    return min(verdicts, key=_SEVERITY.index, default=Verdict.INCONCLUSIVE)


def _within(measurement: Measurement, criteria: Criteria, failures_before: int) -> _Finding:
    """Hold the value against fixed bounds."""
    samples, value = measurement.samples, measurement.value
    if criteria.min_samples > 0 and not (samples or 0) >= criteria.min_samples:
        return _Finding(Verdict.INCONCLUSIVE, _too_few(measurement, criteria), failures_before)
    if value is None or math.isnan(value):
        return _Finding(
            Verdict.INCONCLUSIVE, "no data: the answer is empty, or NaN", failures_before
        )
    if math.isinf(value):
        return _Finding(
            Verdict.INCONCLUSIVE, f"the answer, {value}, is not a finite number", failures_before
        )
    measured = _describe(value, samples, criteria)
    above = criteria.at_least is None or value >= criteria.at_least
    if above and (criteria.at_most is None or value <= criteria.at_most):
        return _Finding(Verdict.SUCCESSFUL, measured)
    failures = failures_before + 1
    if failures > criteria.failure_limit:
        return _Finding(Verdict.FAILED, measured, failures)
    return _Finding(
        Verdict.INCONCLUSIVE,
        f"{measured}; failure {failures} in a row, failureLimit tolerates {criteria.failure_limit}",
        failures,
    )


def _too_few(measurement: Measurement, criteria: Criteria) -> str:
    """Say what is missing, and that it will not come where the window is full already."""
    there, least = contrast([measurement.samples or 0], [criteria.min_samples], digits=1)
    window, lasted = measurement.window, measurement.lasted
    if window is None or lasted is None or lasted < window:
        return f"{there} {criteria.counted} so far, {least} needed"
    message = (
        f"{there} {criteria.counted} in the last {to_duration(window)} (window), {least} needed"
    )
    ways = f"the {criteria.counted} come too slowly: set a longer window, or a lower minSamples"
    return f"{message}; {ways}"


def _against(
    measurement: Measurement, criteria: Criteria, tolerance: Tolerance
) -> tuple[_Finding, Comparison | None]:
    """Hold the candidate against the stable version."""
    pair, bound = measurement.pair, measurement.bound
    if pair is None:
        return _without_pair(measurement, criteria, tolerance), None
    try:
        comparison = _compare(pair, tolerance)
    except ValueError as error:
        return _Finding(Verdict.ERROR, str(error)), None
    for role, counted in (("candidate", pair.candidate), ("stable version", pair.stable)):
        if counted.total < criteria.min_samples:
            there, least = contrast([counted.total], [criteria.min_samples], digits=1)
            message = f"{there} {criteria.counted} of the {role} so far, {least} needed"
            return _undecided(message, comparison, criteria, tolerance), comparison
    needed = 1 / tolerance.alpha
    worse, fine, enough = describe_evidence([comparison.worse, comparison.fine], needed)
    mean, beside = contrast([pair.candidate.mean], [pair.stable.mean], of_limits=4)
    measured = (
        f"candidate {mean} over {pair.candidate.total:.0f} {criteria.counted}, "
        f"stable version {beside} over {pair.stable.total:.0f}, margin {tolerance.margin:g}"
    )
    if bound is not None:
        measured = f"share of answers within {bound:g} ms: {measured}"
    if criteria.is_veto and _has_its_share(measurement, pair, tolerance):
        message = f"{measured}: it accepts its share, so that what it refuses came on top"
        return _Finding(Verdict.INCONCLUSIVE, message, abstains=True), comparison
    if comparison.worse >= needed:
        message = f"{measured}: worse (evidence {worse}, {enough} needed)"
        return _Finding(Verdict.FAILED, message, 1), comparison
    if comparison.fine >= needed:
        message = f"{measured}: not worse (evidence {fine}, {enough} needed)"
        return _Finding(Verdict.SUCCESSFUL, message), comparison
    message = (
        f"{measured}: not decided yet (evidence against the candidate {worse}, "
        f"for it {fine}, {enough} needed)"
    )
    return _undecided(message, comparison, criteria, tolerance), comparison


def _without_pair(measurement: Measurement, criteria: Criteria, tolerance: Tolerance) -> _Finding:
    """Say that there is nothing to compare; a veto holds only what looks bad by itself."""
    message = "nothing to compare yet: one of the two versions has no data"
    value, samples = measurement.value, measurement.samples
    if not criteria.is_veto:
        return _Finding(Verdict.INCONCLUSIVE, message)
    if value is None or samples is None or not value < 1 - tolerance.margin:
        return _Finding(Verdict.INCONCLUSIVE, message, abstains=True)
    shown = f"candidate {value:.4g} over {samples:.0f} {criteria.counted}"
    return _Finding(Verdict.INCONCLUSIVE, f"{shown}, the stable version has no data to compare")


def _undecided(
    message: str, comparison: Comparison, criteria: Criteria, tolerance: Tolerance
) -> _Finding:
    """Go on counting; a veto abstains unless it is halfway to the evidence it needs."""
    suspects = comparison.worse >= math.sqrt(1 / tolerance.alpha)
    return _Finding(Verdict.INCONCLUSIVE, message, abstains=criteria.is_veto and not suspects)


def _has_its_share(measurement: Measurement, pair: Pair, tolerance: Tolerance) -> bool:
    """Tell whether the candidate has as many good answers as expected, but for chance.

    Then its bad ones did not come in their place, but from somebody whom it alone hears.
    """
    expected = measurement.expected
    if expected is None or not isinstance(pair.candidate, Counts):
        return False
    chance = _SPREAD * math.sqrt(max(0.0, expected))
    return pair.candidate.good + chance >= (1 - tolerance.margin) * expected


def _compare(pair: Pair, tolerance: Tolerance) -> Comparison:
    match pair.candidate, pair.stable:
        case Counts() as candidate, Counts() as stable:
            return compare(candidate, stable, margin=tolerance.margin, alpha=tolerance.alpha)
        case Losses() as loss, Losses() as other:
            return compare_losses(loss, other, margin=tolerance.margin, alpha=tolerance.alpha)
    raise ValueError("a share cannot be compared with a loss")


def _shown(measurement: Measurement, criteria: Criteria) -> tuple[float | None, float | None]:
    """Return value and samples for people: of a mere comparison, the candidate's in it."""
    if not criteria.is_absolute and measurement.pair is not None:
        return _finite(measurement.pair.candidate.mean), _finite(measurement.pair.candidate.total)
    return _finite(measurement.value), _finite(measurement.samples)


def _finite(value: float | None) -> float | None:
    """Return what status can hold: it is JSON, which has neither NaN nor infinity."""
    return value if value is not None and math.isfinite(value) else None


def _describe(value: float, samples: float | None, criteria: Criteria) -> str:
    bounds = {"at least": criteria.at_least, "at most": criteria.at_most}
    limits = {word: limit for word, limit in bounds.items() if limit is not None}
    shown, *written = contrast([value], list(limits.values()))
    allowed = [
        f"{word} {limit}{criteria.unit}" for word, limit in zip(limits, written, strict=True)
    ]
    counted = "" if samples is None else f" over {samples:.0f} {criteria.counted}"
    return f"{shown}{criteria.unit}{counted}, allowed {' and '.join(allowed)}"
