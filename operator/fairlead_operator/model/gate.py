"""The gate: may this candidate be shipped in place of the champion?  Pure and total.

The trainer measured both on the same hold-out rows; the interval of the
difference is a paired bootstrap's.  What was not measured is doubt, and doubt
does not pass.
"""

import dataclasses
import json
import math
from typing import Any, Final

from fairlead_operator.api.model import GateStatus
from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.model.gates import (
    GateDemand,
    GateNumbers,
    find_reason,
    judge_gates,
    parse_numbers,
)
from fairlead_operator.text import contrast, shorten

_NO_VALUE: Final = (
    "the training measured no score of the candidate; `fairlead retrain MODEL` trains again"
)


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
    unavailable: str = ""  # why the champion was not scored
    warnings: tuple[str, ...] = ()  # what the trainer finds odd
    gates: tuple[GateNumbers, ...] = ()  # what it measured for them


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the Model asks of a candidate."""

    min_improvement: float
    significance: bool
    threshold: float | None
    gates: tuple[GateDemand, ...] = ()


def judge_candidate(
    comparison: Comparison | None, demand: Demand, *, stable: str | None, change: str = ""
) -> GateStatus:
    """Compare a candidate with the version in charge.

    Args:
        change: what it takes or gives otherwise, for people.  That is no reason to refuse it.
    """
    if comparison is None:
        return GateStatus(
            version="",
            champion="",
            passed=False,
            reason=GateReason.RESULT_UNREADABLE,
            message=_NO_VALUE,
            results=(),
        )
    passed, reason, message = _judge(comparison, demand, stable)
    results = judge_gates(
        demand.gates, comparison.gates, stable=stable, champion=comparison.champion
    )
    refusal = find_reason(results)
    if refusal is not None:
        message = f"{refusal[1]}; {message}" if passed else f"{message}; {refusal[1]}"
        reason = refusal[0] if passed else reason
        passed = False
    if change:
        message = f"{change}; {message}"
    return GateStatus(
        version=comparison.version,
        champion=comparison.champion or "",
        passed=passed,
        reason=reason,
        message=shorten(message),
        results=results,
    )


def refuse_old_recipe(gate: GateStatus) -> GateStatus:
    """Let nothing pass that was trained by a recipe which the spec has changed meanwhile."""
    if not gate.passed:
        return gate
    message = (
        f"the recipe in the spec has changed since {gate.version} began to be trained, and the "
        f"next training uses it; spec.version ships {gate.version} as it is; {gate.message}"
    )
    update = {"passed": False, "reason": GateReason.RECIPE_CHANGED, "message": shorten(message)}
    return gate.model_copy(update=update)


def refuse_outdated(gate: GateStatus | None, version: str, *, in_charge: str) -> GateStatus | None:
    """Take back that a version passed, now that it was not compared with the one in charge."""
    if gate is None or gate.version != version or not gate.passed:
        return gate  # it is of a later training
    compared = f"compared with {gate.champion}" if gate.champion else "compared with no other"
    message = (
        f"{version} was {compared}, and {in_charge} is in charge by now; {_ways(version)}; "
        f"{gate.message}"
    )
    update = {
        "passed": False,
        "reason": GateReason.CHAMPION_NOT_COMPARED,
        "message": shorten(message),
    }
    return gate.model_copy(update=update)


def _ways(version: str) -> str:
    return (
        "`fairlead retrain MODEL` compares a new one, "
        f"spec.version: {version} ships this one as it is"
    )


def _judge(
    comparison: Comparison, demand: Demand, stable: str | None
) -> tuple[bool, GateReason, str]:
    """Say whether it passes, why, and the same with numbers."""
    if comparison.value is None or not math.isfinite(comparison.value):
        return False, GateReason.RESULT_UNREADABLE, _NO_VALUE
    asked = () if demand.threshold is None else (demand.threshold,)
    shown, *threshold = contrast([comparison.value], asked, decimals=4)
    measured = f"{comparison.metric} {shown} on the held-out rows"
    if demand.threshold is not None and not _reaches(comparison, demand.threshold):
        word = "at least" if comparison.greater_is_better else "at most"
        message = f"{measured}, promotion.threshold demands {word} {threshold[0]}"
        return False, GateReason.BELOW_THRESHOLD, message
    if stable is None:
        warnings = "".join(f"; warning: {warning}" for warning in comparison.warnings)
        return True, GateReason.FIRST_VERSION, measured + warnings
    if comparison.champion != stable or not _finite(comparison.gain, comparison.gain_low):
        message = (
            f"{measured}, but not compared with the version in charge, {stable}; "
            f"{_ways(comparison.version)}"
        )
        if comparison.champion == stable and comparison.unavailable:
            message = (
                f"{measured}, but the version in charge, {stable}, could not be scored: "
                f"{shorten(comparison.unavailable, 500)}; "
                f"spec.version: {comparison.version} ships this one as it is"
            )
        return False, GateReason.CHAMPION_NOT_COMPARED, message
    return _against_champion(comparison, demand, measured)


def _against_champion(
    comparison: Comparison, demand: Demand, measured: str
) -> tuple[bool, GateReason, str]:
    decisive = comparison.gain_low if demand.significance else comparison.gain
    passed = decisive is not None and decisive > demand.min_improvement
    champion_value = _number(comparison.champion_value, sign=False)
    gains = [value for value in (comparison.gain, comparison.gain_low) if value is not None]
    gain, low, least = contrast(gains, [demand.min_improvement], decimals=4, flags="+")
    interval = f"95 % interval {low} to {_number(comparison.gain_high)}"
    decides = "its lower end" if demand.significance else "the gain"
    message = (
        f"{measured} against {champion_value} of {comparison.champion}: "
        f"gain {gain} ({interval}); {decides} must exceed {least}"
    )
    return passed, GateReason.BETTER if passed else GateReason.NOT_BETTER, message


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
            unavailable=str(document.get("championUnavailable") or ""),
            warnings=tuple(str(warning) for warning in document.get("warnings") or ()),
            gates=parse_numbers(document),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _reaches(comparison: Comparison, threshold: float) -> bool:
    assert comparison.value is not None  # noqa: S101  the caller has looked
    if comparison.greater_is_better:
        return comparison.value >= threshold
    return comparison.value <= threshold


def _finite(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _number(value: float | None, *, sign: bool = True) -> str:
    if value is None:
        return "unknown"
    return f"{value:+.4f}" if sign else f"{value:.4f}"
