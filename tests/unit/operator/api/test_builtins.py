"""The rows of the built-in checks, and what follows from them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fairlead_operator.api.base import Rule
from fairlead_operator.api.builtins import (
    BUILTINS,
    FOR_COPIES,
    FOR_TRAFFIC,
    RECORDED,
    Builtin,
    Comparison,
    Direction,
    Needs,
    Unit,
    cel_is_other,
    find_builtin,
    spoken,
    spoken_names,
)
from fairlead_operator.api.checks import Check
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.schema import structural_schema
from fairlead_operator.api.strategy import Step

REPO = Path(__file__).parents[4]
EACH = pytest.mark.parametrize("builtin", BUILTINS.values(), ids=lambda row: row.name)


def check(builtin: str, **fields: Any) -> Check:
    return Check.model_validate({"name": "c", "builtin": builtin, **fields})


def rule_against(field: str, builtin: Builtin) -> bool:
    """Whether a rule names the check where it says what a field does not go with."""
    return any(
        f"'{builtin.name}'" in rule.rule
        for rule in Check.rules
        if rule.rule.startswith(f"!has(self.{field})") and rule.field_path == f".{field}"
    )


@EACH
def test_the_name_in_a_manifest_is_the_row_in_python(builtin: Builtin) -> None:
    one = check(builtin.name, atMost=1)

    assert one.builtin is builtin
    assert one.model_dump(mode="json", by_alias=True, exclude_none=True)["builtin"] == builtin.name
    assert Check.model_validate(one.model_dump(by_alias=True)) == one


@EACH
def test_the_crd_takes_it(builtin: Builtin) -> None:
    field = structural_schema(Check)["properties"]["builtin"]

    assert builtin.name in field["enum"]
    assert f"{builtin.name} ({builtin.meaning})" in field["description"]


def test_the_crd_takes_no_other() -> None:
    assert structural_schema(Check)["properties"]["builtin"]["enum"] == list(BUILTINS)


@pytest.mark.parametrize("name", ["uptime", "", "Success-Rate", 5])
def test_an_unknown_name_is_refused(name: Any) -> None:
    with pytest.raises(ValueError, match="there is no built-in check"):
        find_builtin(name)
    with pytest.raises(ValidationError, match="there is no built-in check"):
        check(name, atMost=1)


@EACH
def test_a_row_does_not_contradict_itself(builtin: Builtin) -> None:
    assert (builtin.unit is Unit.SHARE) == (builtin.direction is Direction.AT_LEAST)
    assert (builtin.unit is Unit.LOSS) == (builtin.comparison is Comparison.LOSSES)
    assert (builtin.comparison is None) == builtin.relative.startswith("no: ")
    assert builtin.needs is None or builtin.comparison is None
    assert builtin.samples.least > 0
    assert builtin.fits("regression") or builtin.fits("binary-classification")


@EACH
def test_rules_name_it_where_they_must(builtin: Builtin) -> None:
    at_least = next(rule for rule in Check.rules if "self.atLeast > 0.0" in rule.rule)
    margin = next(rule for rule in Check.rules if "self.relative.margin < 1.0" in rule.rule)
    quoted = f"'{builtin.name}'"

    assert rule_against("atMost", builtin) == (builtin.direction is Direction.AT_LEAST)
    assert (quoted in at_least.rule) == (builtin.direction is Direction.AT_LEAST)
    assert rule_against("relative", builtin) == (builtin.comparison is None)
    assert (quoted in margin.rule) == (builtin.comparison is Comparison.LOSSES)
    assert rule_against("window", builtin) == builtin.is_recorded
    window = next(rule for rule in Check.rules if rule.field_path == ".window")
    assert (builtin.name in window.message) == builtin.is_recorded


@EACH
def test_a_model_is_held_to_what_it_needs(builtin: Builtin) -> None:
    named = [rule for rule in ModelSpec.rules if f"'{builtin.name}'" in rule.rule]

    assert bool(named) == builtin.is_recorded
    assert all(builtin.name in rule.message for rule in named)


@pytest.mark.parametrize("rows", [FOR_COPIES, FOR_TRAFFIC, RECORDED], ids=spoken_names)
def test_a_check_is_told_apart_from_rows_in_cel(rows: list[Builtin]) -> None:
    names = [row.name for row in rows]

    assert [name for name in BUILTINS if f"'{name}'" in cel_is_other("c", rows)] == names


@pytest.mark.parametrize(
    ("words", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "b", "c"], "a, b and c")],
)
def test_words_are_joined_as_people_do(words: list[str], text: str) -> None:
    assert spoken(words) == text


def test_the_documentation_has_the_rows() -> None:
    """On a difference, put the lines expected here into the table."""
    lines = (REPO / "docs" / "evidence.md").read_text().splitlines()
    header = "| `builtin` | Value | Unit | Bound | Source | Minimum samples | `relative` compares |"
    start = lines.index(header) + 2

    assert lines[start : start + len(BUILTINS)] == [
        f"| `{row.name}` | {row.meaning} | {row.unit} | `{row.direction}` | {row.source} "
        f"| {row.samples.of}, {row.samples.least} | {row.relative} |"
        for row in BUILTINS.values()
    ]


@EACH
def test_a_policy_that_cannot_bring_about_what_it_needs_is_refused_by_name(
    builtin: Builtin,
) -> None:
    named = [rule for rule in RolloutPolicy.rules if f"'{builtin.name}'" in rule.rule]

    assert bool(named) == (builtin.needs is not None)
    assert all(builtin.name in rule.message for rule in named)


@EACH
def test_a_step_is_held_to_the_traffic_it_has(builtin: Builtin) -> None:
    own = [one for one in Step.model_fields["checks"].metadata if isinstance(one, Rule)]
    named = [rule for rule in own if f"'{builtin.name}'" in rule.rule]

    assert bool(named) == (builtin.needs is Needs.COPIES)
    assert all(builtin.name in rule.message for rule in named)
