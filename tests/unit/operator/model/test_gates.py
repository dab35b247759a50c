"""The gates beside the champion, row by row: a number that is missing is not passed."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.gates import Gate
from fairlead_operator.api.gates import GateOutcome, GatesSpec
from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.model.gate import Demand, judge_candidate, parse_comparison
from fairlead_operator.model.gates import GateDemand, GateNumbers, judge_gates, list_demands
from support.model_builders import comparison

BASELINE = GateDemand(gate=Gate.BASELINE, bound=0.0)
SLICES = GateDemand(gate=Gate.SLICES, bound=-0.02, column="region")
PARITY = GateDemand(gate=Gate.DEMOGRAPHIC_PARITY, bound=0.1, column="sex")
ODDS = GateDemand(gate=Gate.EQUALIZED_ODDS, bound=0.1, column="sex")
CALIBRATION = GateDemand(gate=Gate.CALIBRATION, bound=0.05)
METRIC = GateDemand(gate=Gate.METRICS, bound=-0.02, metric="recall")
EVERY = (BASELINE, SLICES, METRIC, PARITY, ODDS, CALIBRATION)


def numbers(asked: GateDemand, **changes: Any) -> GateNumbers:
    """Build numbers that pass."""
    value = 0.4 if asked is BASELINE else 0.0
    good = GateNumbers(
        gate=asked.gate,
        column=asked.column,
        metric=asked.metric,
        value=value,
        low=value - 0.01,
        high=value + 0.01,
        rows=900,
    )
    return dataclasses.replace(good, **changes)


def demand(*gates: GateDemand) -> Demand:
    return Demand(min_improvement=0.0, significance=True, threshold=None, gates=gates)


@pytest.mark.parametrize(
    ("asked", "changes", "reason"),
    [
        *(pytest.param(each, {}, None, id=f"{each.gate}: good") for each in EVERY),
        pytest.param(BASELINE, {"low": 0.0}, GateReason.NOT_BETTER_THAN_BASELINE,
                     id="no better than the same answer"),
        pytest.param(SLICES, {"low": -0.02, "of": "north"}, GateReason.WORSE_IN_A_SLICE,
                     id="a slice that may be worse by as much"),
        pytest.param(SLICES, {"low": -0.0199, "of": "north"}, None,
                     id="a slice that is worse by less"),
        pytest.param(METRIC, {"low": -0.02}, GateReason.WORSE_IN_A_METRIC,
                     id="a metric that may be worse by as much"),
        pytest.param(METRIC, {"low": -0.0199}, None, id="a metric that is worse by less"),
        pytest.param(METRIC, {"metric": "f1"}, GateReason.GATE_NOT_MEASURED,
                     id="of another metric"),
        pytest.param(PARITY, {"high": 0.1}, None, id="apart by as much as may be"),
        pytest.param(PARITY, {"high": 0.1001}, GateReason.GROUPS_TREATED_APART, id="apart"),
        pytest.param(ODDS, {"high": 0.2}, GateReason.GROUPS_TREATED_APART, id="odds apart"),
        pytest.param(CALIBRATION, {"value": 0.04, "high": 0.06}, GateReason.NOT_CALIBRATED,
                     id="calibrated within chance alone"),
        *(
            pytest.param(each, {end: bad}, GateReason.GATE_NOT_MEASURED,
                         id=f"{each.gate}: {end} is {bad}")
            for each in EVERY for end in ("value", "low", "high") for bad in (None, math.nan)
        ),
        pytest.param(SLICES, {"missing": "no value has 100 rows or more"},
                     GateReason.GATE_NOT_MEASURED, id="no slice is large enough"),
        pytest.param(PARITY, {"column": "age"}, GateReason.GATE_NOT_MEASURED,
                     id="of another column"),
        pytest.param(PARITY, {"gate": "equalizedOdds"}, GateReason.GATE_NOT_MEASURED,
                     id="of another gate"),
    ],
)  # fmt: skip
def test_a_gate_refuses_in_a_word_of_its_own(
    asked: GateDemand, changes: dict[str, Any], reason: GateReason | None
) -> None:
    seen = comparison(gates=(numbers(asked, **changes),))

    outcome = judge_candidate(seen, demand(asked), stable="1.0.0")

    (row,) = outcome.results
    assert outcome.reason == (reason or GateReason.BETTER)
    assert outcome.passed == (reason is None)
    assert row.outcome == (GateOutcome.PASSED if reason is None else GateOutcome.FAILED)
    assert (row.gate, row.column, row.metric) == (asked.gate, asked.column, asked.metric)
    assert row.bound == asked.bound
    assert row.message in outcome.message or reason is None


def test_the_numbers_stand_in_the_row() -> None:
    seen = comparison(
        gates=(numbers(SLICES, of="north", value=-0.01, low=-0.03, judged=4, small=2),)
    )

    outcome = judge_candidate(seen, demand(SLICES), stable="1.0.0")

    (row,) = outcome.results
    assert (row.value, row.low, row.high, row.rows) == (-0.01, -0.03, 0.01, 900)
    assert outcome.message.startswith(
        "slices: gain over the version in charge in region north, worst of 4 judged -0.0100 "
        "(95 % interval -0.0300 to 0.0100, 900 rows); its lower end must be above -0.02; "
        "2 with too few rows were not judged; roc_auc 0.9100 on the held-out rows"
    )


def test_a_metric_is_named_in_its_sentence() -> None:
    seen = comparison(gates=(numbers(METRIC, value=-0.03, low=-0.05),))

    outcome = judge_candidate(seen, demand(METRIC), stable="1.0.0")

    assert outcome.message.startswith(
        "metrics: gain over the version in charge by recall -0.0300 (95 % interval -0.0500 to "
        "0.0100, 900 rows); its lower end must be above -0.02; roc_auc"
    )


def test_all_that_is_not_passed_is_named() -> None:
    seen = comparison(gates=(numbers(BASELINE, low=-0.1), numbers(CALIBRATION, high=0.2)))

    outcome = judge_candidate(seen, demand(BASELINE, PARITY, METRIC, CALIBRATION), stable="1.0.0")

    assert outcome.reason == GateReason.NOT_BETTER_THAN_BASELINE
    assert (
        "; nor does it pass demographicParity by sex, metrics by recall, calibration; "
        in outcome.message
    )


def test_a_version_that_is_not_better_anyway_keeps_that_reason() -> None:
    seen = comparison(gain_low=-0.1, gates=(numbers(CALIBRATION, high=0.2),))

    outcome = judge_candidate(seen, demand(CALIBRATION), stable="1.0.0")

    assert (outcome.passed, outcome.reason) == (False, GateReason.NOT_BETTER)
    assert "calibration: expected calibration error" in outcome.message


def test_a_first_version_passes_them_too_but_for_the_champions() -> None:
    seen = comparison(champion=None, gain=None, gates=tuple(map(numbers, EVERY)))

    passed = judge_candidate(seen, demand(*EVERY), stable=None)
    refused = judge_candidate(comparison(champion=None, gain=None), demand(*EVERY), stable=None)

    assert (passed.passed, passed.reason) == (True, GateReason.FIRST_VERSION)
    not_asked = [row.gate for row in passed.results if row.outcome == GateOutcome.NOT_ASKED]
    assert not_asked == [Gate.SLICES, Gate.METRICS]
    assert (refused.passed, refused.reason) == (False, GateReason.GATE_NOT_MEASURED)
    assert "`fairlead retrain MODEL`" in refused.message


def test_slices_of_another_champion_say_nothing_of_the_one_in_charge() -> None:
    (row,) = judge_gates([SLICES], [numbers(SLICES)], stable="1.0.0", champion="0.9.0")

    assert row.outcome == GateOutcome.FAILED
    assert "it was compared with 0.9.0, and not with 1.0.0" in row.message


anything = st.none() | st.floats()
measured = st.builds(
    GateNumbers,
    gate=st.sampled_from([*Gate, "unknown"]),
    column=st.sampled_from(["", "region", "sex"]),
    metric=st.sampled_from(["", "recall"]),
    of=st.text(max_size=100),
    value=anything,
    low=anything,
    high=anything,
    rows=st.none() | st.integers(),
    judged=st.none() | st.integers(),
    small=st.none() | st.integers(),
    missing=st.sampled_from(["", "why"]),
)


@given(
    st.lists(st.sampled_from(EVERY), unique=True),
    st.lists(measured),
    st.sampled_from([None, "1.0.0"]),
    st.sampled_from([None, "1.0.0", "0.9.0"]),
)
def test_only_a_finite_number_beyond_its_bound_passes(
    asked: list[GateDemand],
    found: list[GateNumbers],
    stable: str | None,
    champion: str | None,
) -> None:
    rows = judge_gates(asked, found, stable=stable, champion=champion)

    assert [(row.gate, row.column) for row in rows] == [(each.gate, each.column) for each in asked]
    for row, each in zip(rows, asked, strict=True):
        of_champion = each.gate in {Gate.SLICES, Gate.METRICS}
        assert (row.outcome == GateOutcome.NOT_ASKED) == (of_champion and stable is None)
        if row.outcome == GateOutcome.PASSED:
            ends = (row.low, row.value, row.high)
            assert all(end is not None and math.isfinite(end) for end in ends)
            assert not (of_champion and champion != stable)
            assert row.low is not None
            assert row.high is not None
            assert row.low > each.bound if each.bound <= 0 else row.high <= each.bound


@given(st.lists(st.sampled_from(EVERY), min_size=1, unique=True), st.lists(measured, max_size=3))
def test_a_gate_more_never_lets_more_through(
    asked: list[GateDemand], found: list[GateNumbers]
) -> None:
    seen = comparison(gates=tuple(found))

    with_fewer = judge_candidate(seen, demand(*asked[:-1]), stable="1.0.0").passed
    with_all = judge_candidate(seen, demand(*asked), stable="1.0.0").passed

    assert with_all <= with_fewer


def test_the_spec_asks_for_one_row_by_gate_and_column() -> None:
    spec = GatesSpec.model_validate(
        {
            "baseline": True,
            "slices": {"columns": ["region", "plan"], "maxLoss": 0.02},
            "fairness": {"columns": ["sex"], "demographicParity": 0.1, "equalizedOdds": 0.2},
            "calibration": {"maxError": 0.05},
        }
    )

    assert [(each.gate, each.column, each.bound) for each in list_demands(spec)] == [
        ("baseline", "", 0.0),
        ("slices", "region", -0.02),
        ("slices", "plan", -0.02),
        ("demographicParity", "sex", 0.1),
        ("equalizedOdds", "sex", 0.2),
        ("calibration", "", 0.05),
    ]
    assert list_demands(GatesSpec()) == ()


@pytest.mark.parametrize(
    ("gates", "seen"),
    [
        pytest.param(None, (), id="of an earlier trainer"),
        pytest.param([], (), id="none"),
        pytest.param(
            [{"gate": "slices", "column": "region", "of": "north", "value": 0.1, "ciLow": 0,
              "ciHigh": "x", "rows": 9, "judged": True}],
            (GateNumbers(gate="slices", column="region", of="north", value=0.1, low=0.0, rows=9),),
            id="what is no number is none",
        ),
    ],
)  # fmt: skip
def test_the_trainers_rows_are_read(gates: Any, seen: tuple[GateNumbers, ...]) -> None:
    document = {
        "version": "1.1.0", "registryVersion": "2", "digest": "sha256:1", "metric": "roc_auc",
        "greaterIsBetter": True, "candidate": {"value": 0.91}, "gates": gates,
    }  # fmt: skip

    found = parse_comparison(json.dumps(document))

    assert found is not None
    assert found.gates == seen
