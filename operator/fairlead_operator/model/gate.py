"""The gate: may this candidate be shipped in place of the champion?  Pure and total.

The trainer measured both on the same hold-out rows; the interval of the
difference is a paired bootstrap's.  What was not measured is doubt, and doubt
does not pass.
"""

import dataclasses
import json
import math
from typing import Any

from fairlead_operator.api.phases.model import GateReason


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The trainer's numbers; None where there is none."""

    version: str
    registry_version: str
    digest: str
    metric: str
    greater_is_better: bool
    value: float | None
    champion: str | None
    champion_value: float | None
    gain: float | None  # candidate against champion, positive is better
    gain_low: float | None  # lower end of the 95 % interval
    gain_high: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the Model asks of a candidate."""

    min_improvement: float
    significance: bool
    threshold: float | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    passed: bool
    reason: GateReason
    message: str


def judge_candidate(seen: Comparison | None, demand: Demand, *, stable: str | None) -> Outcome:
    """Compare a candidate with the version in charge."""
    if seen is None or seen.value is None or not math.isfinite(seen.value):
        return Outcome(
            passed=False,
            reason=GateReason.RESULT_UNREADABLE,
            message="the training gave no value for the candidate",
        )
    measured = f"{seen.metric} {seen.value:.4f}"
    if demand.threshold is not None and not _reaches(seen, demand.threshold):
        word = "at least" if seen.greater_is_better else "at most"
        return Outcome(
            passed=False,
            reason=GateReason.BELOW_THRESHOLD,
            message=f"{measured}, threshold is {word} {demand.threshold:g}",
        )
    if stable is None:
        return Outcome(passed=True, reason=GateReason.FIRST_VERSION, message=measured)
    if seen.champion != stable or not _finite(seen.gain, seen.gain_low):
        return Outcome(
            passed=False,
            reason=GateReason.CHAMPION_NOT_COMPARED,
            message=f"{measured}; not compared with the version in charge, {stable}; retrain",
        )
    return _against_champion(seen, demand, measured)


def _against_champion(seen: Comparison, demand: Demand, measured: str) -> Outcome:
    decisive = seen.gain_low if demand.significance else seen.gain
    passed = decisive is not None and decisive > demand.min_improvement
    interval = f"95 % interval {seen.gain_low:+.4f} to {_number(seen.gain_high)}"
    return Outcome(
        passed=passed,
        reason=GateReason.BETTER if passed else GateReason.NOT_BETTER,
        message=(
            f"{measured} against {_number(seen.champion_value, sign=False)} of {seen.champion}: "
            f"gain {_number(seen.gain)} ({interval}), must exceed {demand.min_improvement:g}"
        ),
    )


def parse_comparison(text: str | None) -> Comparison | None:
    """Read the trainer's result document; None when it is not one of success."""
    try:
        document: dict[str, Any] = json.loads(text or "")
        champion = document.get("champion") or {}
        gain = document.get("difference") or {}
        return Comparison(
            version=str(document["version"]),
            registry_version=str(document["registryVersion"]),
            digest=str(document["digest"]),
            metric=str(document["metric"]),
            greater_is_better=bool(document["greaterIsBetter"]),
            value=_float(document["candidate"]["value"]),
            champion=champion.get("version"),
            champion_value=_float(champion.get("value")),
            gain=_float(gain.get("value")),
            gain_low=_float(gain.get("ciLow")),
            gain_high=_float(gain.get("ciHigh")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _reaches(seen: Comparison, threshold: float) -> bool:
    assert seen.value is not None  # noqa: S101  the caller has looked
    return seen.value >= threshold if seen.greater_is_better else seen.value <= threshold


def _finite(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _number(value: float | None, *, sign: bool = True) -> str:
    if value is None:
        return "unknown"
    return f"{value:+.4f}" if sign else f"{value:.4f}"
