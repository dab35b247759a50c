"""What a check demands, and that a judgment is kept as it was."""

from typing import Any

import pytest

from fairlead_operator.api.builtins import BUILTINS, Builtin
from fairlead_operator.api.checks import Check
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.rollout.evidence.judgment import from_status, to_criteria, to_status
from fairlead_operator.rollout.statistics.verdict import Judgment, Tolerance


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", **fields})


@pytest.mark.parametrize("builtin", BUILTINS.values(), ids=lambda row: row.name)
def test_a_builtin_needs_the_samples_of_its_row_unless_the_check_says_so(
    builtin: Builtin,
) -> None:
    usual = to_criteria(check(builtin=builtin.name, atMost=1), stages=1)
    own = to_criteria(check(builtin=builtin.name, atMost=1, minSamples=7), stages=1)

    assert (usual.min_samples, usual.counted) == (builtin.samples.least, builtin.samples.of)
    assert (own.min_samples, own.counted) == (7, builtin.samples.of)


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        pytest.param({}, 0, id="a number proves by itself"),
        pytest.param({"minSamples": 5}, 0, id="whatever is asked for"),
        pytest.param({"total": "t"}, 20, id="a share needs events"),
        pytest.param({"total": "t", "minSamples": 5}, 5, id="as many as are asked for"),
    ],
)
def test_a_query_needs_samples_where_it_has_a_total(fields: Any, needed: int) -> None:
    criteria = to_criteria(check(query="q", atLeast=0.5, **fields), stages=1)

    assert (criteria.min_samples, criteria.counted) == (needed, "events")


@pytest.mark.parametrize(
    ("asked", "unit"),
    [
        pytest.param({"builtin": "latency-p95"}, " ms", id="a time"),
        pytest.param({"builtin": "saturation"}, " per pod", id="requests in progress"),
        pytest.param({"builtin": "prediction-drift"}, "", id="an index has none"),
        pytest.param({"query": "q"}, "", id="nobody says what a query counts"),
    ],
)
def test_a_value_is_shown_in_the_unit_of_its_row(asked: dict[str, str], unit: str) -> None:
    assert to_criteria(check(atMost=1, **asked), stages=1).unit == unit


@pytest.mark.parametrize(("stages", "alpha"), [(0, 0.05), (1, 0.05), (5, 0.01)])
def test_the_stages_of_a_rollout_share_alpha(stages: int, alpha: float) -> None:
    beside = check(builtin="success-rate", relative={"margin": 0.02, "alpha": 0.05})

    assert to_criteria(beside, stages=stages).tolerance == Tolerance(
        margin=0.02, alpha=pytest.approx(alpha)
    )


def test_bounds_limit_and_dry_run_are_the_checks() -> None:
    criteria = to_criteria(
        check(query="q", atLeast=1, atMost=2, failureLimit=3, dryRun=True), stages=1
    )

    assert (criteria.at_least, criteria.at_most) == (1, 2)
    assert (criteria.failure_limit, criteria.dry_run, criteria.tolerance) == (3, True, None)


def test_a_judgment_comes_back_from_status_as_it_was() -> None:
    judgment = Judgment(
        name="c",
        verdict=Verdict.FAILED,
        value=0.5,
        samples=100,
        failures=2,
        message="c: 0.5",
        dry_run=True,
        bound=25,
        stable=0.9,
        low=-0.5,
        high=-0.3,
        evidence_against=1e6,
        evidence_for=0.1,
    )
    status = to_status(judgment, "1.1.0")

    assert status.version == "1.1.0"
    assert from_status(status) == judgment
