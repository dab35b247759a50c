"""The gates beside the comparison with the champion: one row each.  Pure and total.

The trainer measured, the Model sets the bounds, and the end of the interval decides that is worse
for the candidate.  What was not measured, or not against the version in charge, is not passed.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.gates import Gate
from fairlead_operator.api.gates import GateOutcome, GateResult, GatesSpec
from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.text import contrast, printable, shorten, write_list

_LONGEST_NAME: Final = 60  # of a part, in a message
_LONGEST_REASON: Final = 200


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateDemand:
    """What one gate asks."""

    gate: Gate
    bound: float
    column: str = ""  # by which it parts the rows
    metric: str = ""  # that it is about, where it names one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateNumbers:
    """The trainer's numbers of one gate; None where there is none."""

    gate: str
    column: str = ""
    metric: str = ""
    of: str = ""  # the part that they are about
    value: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    judged: int | None = None  # parts with rows enough
    small: int | None = None  # and without
    missing: str = ""  # why there is no number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    reason: GateReason  # where it is not passed
    words: str  # what is measured
    at_least: bool  # the lower end must be above the bound; or the upper end at most the bound
    of_champion: bool = False  # it is about the version in charge


_KINDS: Final[Mapping[Gate, _Kind]] = {
    Gate.BASELINE: _Kind(
        reason=GateReason.NOT_BETTER_THAN_BASELINE,
        words="gain over always giving the same answer",
        at_least=True,
    ),
    Gate.SLICES: _Kind(
        reason=GateReason.WORSE_IN_A_SLICE,
        words="gain over the version in charge",
        at_least=True,
        of_champion=True,
    ),
    Gate.METRICS: _Kind(
        reason=GateReason.WORSE_IN_A_METRIC,
        words="gain over the version in charge",
        at_least=True,
        of_champion=True,
    ),
    Gate.DEMOGRAPHIC_PARITY: _Kind(
        reason=GateReason.GROUPS_TREATED_APART,
        words="demographic parity difference",
        at_least=False,
    ),
    Gate.EQUALIZED_ODDS: _Kind(
        reason=GateReason.GROUPS_TREATED_APART,
        words="equalized odds difference",
        at_least=False,
    ),
    Gate.CALIBRATION: _Kind(
        reason=GateReason.NOT_CALIBRATED, words="expected calibration error", at_least=False
    ),
}


def list_demands(gates: GatesSpec) -> tuple[GateDemand, ...]:
    """Return what the Model asks, one row for each gate and column or metric."""
    demands: list[GateDemand] = []
    slices, fairness = gates.slices, gates.fairness
    if gates.baseline:
        demands.append(GateDemand(gate=Gate.BASELINE, bound=0.0))
    if slices is not None:
        demands += [
            GateDemand(gate=Gate.SLICES, bound=-slices.max_loss, column=column)
            for column in slices.columns
        ]
    demands += [
        GateDemand(gate=Gate.METRICS, bound=-each.max_loss, metric=each.name)
        for each in gates.metrics
    ]
    if fairness is not None:
        bounds = (
            (Gate.DEMOGRAPHIC_PARITY, fairness.demographic_parity),
            (Gate.EQUALIZED_ODDS, fairness.equalized_odds),
        )
        demands += [
            GateDemand(gate=gate, bound=bound, column=column)
            for gate, bound in bounds
            if bound is not None
            for column in fairness.columns
        ]
    if gates.calibration is not None:
        demands.append(GateDemand(gate=Gate.CALIBRATION, bound=gates.calibration.max_error))
    return tuple(demands)


def judge_gates(
    demands: Sequence[GateDemand],
    measured: Sequence[GateNumbers],
    *,
    stable: str | None,
    champion: str | None,
) -> tuple[GateResult, ...]:
    """Judge each demand by the numbers of its gate and column.

    Args:
        stable: the version in charge; None where the candidate is the first.
        champion: the version that the trainer compared with.
    """
    return tuple(
        _judge(demand, _find(measured, demand), stable=stable, champion=champion)
        for demand in demands
    )


def find_reason(results: Sequence[GateResult]) -> tuple[GateReason, str] | None:
    """Return why the gates refuse, in one word and in a sentence; None where all are passed."""
    failed = [each for each in results if each.outcome is GateOutcome.FAILED]
    if not failed:
        return None
    first = failed[0]
    reason = GateReason.GATE_NOT_MEASURED
    if first.value is not None:
        reason = _KINDS[Gate(first.gate)].reason
    others = [
        " by ".join(filter(None, (each.gate, each.column or each.metric))) for each in failed[1:]
    ]
    more = f"; nor does it pass {write_list(others, between=', ', limit=300)}" if others else ""
    return reason, f"{first.message}{more}"


def _find(measured: Sequence[GateNumbers], demand: GateDemand) -> GateNumbers | None:
    wanted = (demand.gate, demand.column, demand.metric)
    return next(
        (each for each in measured if (each.gate, each.column, each.metric) == wanted), None
    )


def _judge(
    demand: GateDemand, numbers: GateNumbers | None, *, stable: str | None, champion: str | None
) -> GateResult:
    kind = _KINDS[demand.gate]
    by = demand.column or demand.metric
    where = f" by {by}" if by else ""
    if kind.of_champion and stable is None:
        message = f"{demand.gate}{where}: no version is in charge to compare with"
        return _result(demand, GateOutcome.NOT_ASKED, message)
    trouble = _find_trouble(numbers)
    if kind.of_champion and champion != stable:
        trouble = f"it was compared with {champion or 'no other version'}, and not with {stable}"
    if trouble or numbers is None:
        again = "; `fairlead retrain MODEL` trains and measures again" if numbers is None else ""
        message = f"{demand.gate}{where} was not measured: {trouble}{again}"
        return _result(demand, GateOutcome.FAILED, message)
    decisive = numbers.low if kind.at_least else numbers.high
    assert decisive is not None  # noqa: S101  or there was trouble
    passed = decisive > demand.bound if kind.at_least else decisive <= demand.bound
    return _result(
        demand,
        GateOutcome.PASSED if passed else GateOutcome.FAILED,
        _say(demand, kind, numbers, decisive),
        numbers=numbers,
    )


def _find_trouble(numbers: GateNumbers | None) -> str:
    """Say why there are no numbers to judge by; nothing where there are."""
    if numbers is None:
        return "the training was not asked to"
    values = (numbers.value, numbers.low, numbers.high)
    if numbers.missing:
        of = f"{numbers.column} {printable(numbers.of, limit=_LONGEST_NAME)}: " * bool(numbers.of)
        return of + printable(numbers.missing, limit=_LONGEST_REASON)
    if not all(value is not None and math.isfinite(value) for value in values):
        return "its interval has no number at an end"
    return ""


def _say(demand: GateDemand, kind: _Kind, numbers: GateNumbers, decisive: float) -> str:
    """Say in a sentence what was measured and asked."""
    assert numbers.value is not None  # noqa: S101  the caller has looked
    assert numbers.low is not None  # noqa: S101  as above
    assert numbers.high is not None  # noqa: S101  as above
    shown, bound = contrast([decisive], [demand.bound], decimals=4)
    ends = (shown, f"{numbers.high:.4f}") if kind.at_least else (f"{numbers.low:.4f}", shown)
    asked = f"lower end must be above {bound}" if kind.at_least else f"upper end at most {bound}"
    parted = f" of {numbers.judged} judged" if numbers.judged is not None else ""
    where = ""
    if numbers.of:
        where = f" in {demand.column} {printable(numbers.of, limit=_LONGEST_NAME)}, worst{parted}"
    elif demand.metric:
        where = f" by {demand.metric}"
    elif demand.column:
        where = f" by {demand.column}{f', {numbers.judged} groups' if numbers.judged else ''}"
    small = f"; {numbers.small} with too few rows were not judged" if numbers.small else ""
    return (
        f"{demand.gate}: {kind.words}{where} {numbers.value:.4f} "
        f"(95 % interval {ends[0]} to {ends[1]}, {numbers.rows or 0} rows); its {asked}{small}"
    )


def _result(
    demand: GateDemand,
    outcome: GateOutcome,
    message: str,
    *,
    numbers: GateNumbers | None = None,
) -> GateResult:
    """Build the row; its numbers are there only where they decided."""
    return GateResult(
        gate=demand.gate,
        column=demand.column,
        metric=demand.metric,
        outcome=outcome,
        value=numbers.value if numbers else None,
        low=numbers.low if numbers else None,
        high=numbers.high if numbers else None,
        bound=demand.bound,
        rows=numbers.rows if numbers else None,
        message=shorten(message),
    )


def parse_numbers(document: Mapping[str, Any]) -> tuple[GateNumbers, ...]:
    """Read the gates of the trainer's result.

    Raises:
        TypeError: they are none.
        KeyError: one has no name.
    """
    return tuple(
        GateNumbers(
            gate=str(row["gate"]),
            column=str(row.get("column") or ""),
            metric=str(row.get("metric") or ""),
            of=str(row.get("of") or ""),
            value=_number(row.get("value")),
            low=_number(row.get("ciLow")),
            high=_number(row.get("ciHigh")),
            rows=_count(row.get("rows")),
            judged=_count(row.get("judged")),
            small=_count(row.get("small")),
            missing=str(row.get("missing") or ""),
        )
        for row in document.get("gates") or ()
    )


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
