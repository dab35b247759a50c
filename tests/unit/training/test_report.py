"""What the page says, and that no name of a column becomes a part of its code."""

from collections.abc import Mapping
from typing import Any

import pytest

from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import Column, Profile, Spread, Values
from fairlead_training.evaluate import Estimate
from fairlead_training.report import render

RESULT: Mapping[str, Any] = {
    "version": "1.1.0",
    "digest": "sha256:2",
    "metric": "roc_auc",
    "trivial": 0.5,
    "candidate": {"value": 0.914, "ciLow": 0.905, "ciHigh": None},
    "champion": None,
    "difference": None,
    "seconds": 61.2,
    "data": {"rows": 2000},
    "trials": {"finished": 40},
}
PROFILE = Profile(
    rows=10,
    columns={
        "plan": Column(
            type=ColumnType.CATEGORY,
            seen=Values(missing=1, counts={"<a>": 5, "b": 2, "c": 1, "d": 1}, different=4),
        ),
        "begun": Column(
            type=ColumnType.TIME,
            seen=Spread(missing=0, low=0.0, high=86400.0, mean=9.0, edges=(5.0,), counts=(5, 5)),
        ),
        "ended": Column(type=ColumnType.TIME, seen=Spread(missing=0, low=-1e15, high=0.0)),
        "note": Column(
            type=ColumnType.TEXT,
            seen=Spread(missing=0, low=3.0, high=80.0, mean=40.5, edges=(9.0,), counts=(1, 9)),
        ),
        "member": Column(
            type=ColumnType.BOOLEAN,
            seen=Spread(missing=0, low=0.0, high=1.0, mean=0.25, edges=(1.0,), counts=(7, 3)),
        ),
        "gone": Column(type=ColumnType.NUMBER, seen=Spread(missing=10)),
    },
    target=Values(missing=0, counts={"no": 7, "yes": 3}, different=2),
    answered=4,
    answers=Spread(missing=0, low=0.1, high=0.9, mean=0.5, edges=(0.5,), counts=(2, 2)),
)
CHAMPION = {"version": "1.0.0", "value": 0.897}
DIFFERENCE = {"value": 0.017, "ciLow": 0.009, "ciHigh": 0.025}


def page(importance: Mapping[str, float] | None = None, **changes: Any) -> str:
    return render(
        "energy.nsw-price 1.1.0",
        {**RESULT, **changes},
        metrics={"roc_auc": Estimate(value=0.914, low=0.905, high=0.92)},
        baseline={"roc_auc": 0.5},
        naive={"last_value": {"roc_auc": 0.75}},
        parameters={"max_depth": 6},
        attribution="SHAP values",
        importance=importance or {},
        profile=PROFILE,
    )


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        pytest.param({}, "0.914 (0.905 to unknown)", "champion", id="a first version"),
        pytest.param(
            {"champion": CHAMPION, "difference": DIFFERENCE, "comparedRows": 40},
            "0.017 (0.009 to 0.025)",
            "no comparison",
            id="a comparison",
        ),
        pytest.param({"warnings": ["it is odd"]}, "it is odd", "champion", id="a warning"),
        pytest.param(
            {"champion": CHAMPION | {"value": None}, "championUnavailable": "it is gone"},
            "it is gone",
            "better by",
            id="no comparison: why",
        ),
    ],
)
def test_the_verdict_is_on_the_page(changes: dict[str, Any], said: str, unsaid: str) -> None:
    content = page(**changes)

    assert said in content
    assert unsaid not in content


def test_each_metric_is_shown_with_its_interval_beside_the_baseline() -> None:
    measured = "0.914 (0.905 to 0.92); always the same answer: 0.5; last value: 0.75"
    assert measured in page()


def test_names_cannot_change_the_page() -> None:
    content = page({"<script>x</script>": 0.5}, championUnavailable="<b>gone</b>")

    assert "<script>" not in content
    assert "<b>" not in content
    assert "&lt;script&gt;" in content


def test_the_longest_bar_is_the_first_and_twenty_are_enough() -> None:
    content = page({f"column-{number}": 1 / number for number in range(1, 31)})

    assert content.index("width:100.0%") < content.index("width:50.0%")
    assert "column-20<" in content
    assert "column-21<" not in content


def test_features_that_carry_nothing_have_a_bar_of_no_length() -> None:
    assert "width:0.0%" in page({"noise": 0.0})


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            "category; 10.0% missing, &lt;a&gt;: 5, b: 2, c: 1, 1 other values", id="words"
        ),
        pytest.param("time; 1970-01-01 00:00 to 1970-01-02 00:00", id="times"),
        pytest.param("time; -1e+15 s after 1970 to 1970-01-01 00:00", id="a time of no calendar"),
        pytest.param("text; 3 to 80 characters, mean 40.5", id="texts: their lengths alone"),
        pytest.param("boolean; 25.0% true", id="truths"),
        pytest.param("number; 100.0% missing", id="nothing"),
        pytest.param("no: 7, yes: 3", id="the target"),
        pytest.param("answers on 4 held-out rows", id="the answers"),
    ],
)
def test_the_page_says_what_the_columns_were_like(said: str) -> None:
    assert said in page()
