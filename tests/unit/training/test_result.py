"""The result document: what it says, and that it always fits."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.classes import Label
from fairlead_contract.gates import Gate
from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import Column, Profile, Values
from fairlead_operator.api.gates import COLUMN_CHARACTERS, MOST_COLUMNS
from fairlead_training.budget import Counts
from fairlead_training.config import Task, parse_config
from fairlead_training.evaluate import Comparison, Estimate, Judgment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.gates import Measured
from fairlead_training.report import render
from fairlead_training.result import (
    MOST_BYTES,
    Outcome,
    data_document,
    failure_document,
    stage_document,
    success_document,
    to_message,
)
from fairlead_training.snapshot import Snapshot
from support.trainer_config import config_document

CHAMPION = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:a"}
VALUE = Estimate(value=0.9141592653, low=0.9, high=math.nan)


def outcome(
    *,
    warnings: tuple[str, ...] = (),
    gates: tuple[Measured, ...] = (),
    begun_with: str | None = None,
    **changes: Any,
) -> Outcome:
    values: dict[str, Any] = {
        "metrics": {"roc_auc": VALUE},
        "baseline": {"roc_auc": 0.5},
        "trivial": 0.5,
        "candidate": VALUE,
        "comparison": None,
        "compared_rows": 0,
        "champion_unavailable": None,
    }
    snapshot = Snapshot(rows=100, first=0, last=10**18, digest="sha256:c")
    return Outcome(
        version="1.1.0",
        digest="sha256:b",
        judgment=Judgment(**(values | changes)),
        warnings=warnings,
        counts=Counts(complete=30, pruned=8, failed=2, running=0),
        seconds=61.234,
        data=data_document(snapshot, 20, trained_to=10**17 + 1),
        gates=gates,
        begun_with=begun_with,
    )


def document(champion: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    config = parse_config(json.dumps(config_document(champion=champion)))
    return success_document(config, outcome(**changes))


def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    found = document()

    assert (found["champion"], found["difference"]) == (None, None)
    assert found["candidate"] == {"value": 0.914159, "ciLow": 0.9, "ciHigh": None}
    assert found["trials"] == {"finished": 40, "pruned": 8, "failed": 2}
    assert found["data"]["from"] == "1970-01-01T00:00:00Z"
    assert found["data"]["trainedTo"] == "1973-03-03T09:46:40.000000001Z"
    assert "championUnavailable" not in found
    assert "comparedRows" not in found


def test_the_training_is_named_whose_best_the_search_tried_first() -> None:
    assert document(begun_with="nsw-price-3")["trials"]["begunWith"] == "nsw-price-3"


def test_rows_without_times_say_how_they_were_held_out() -> None:
    snapshot = Snapshot(rows=100, first=0, last=0, digest="sha256:c")

    found = data_document(snapshot, 20, trained_to=None, draw="0f")

    assert found == {"rows": 100, "holdoutRows": 20, "draw": "0f", "digest": "sha256:c"}


def test_types_of_columns_are_told() -> None:
    snapshot = Snapshot(rows=100, first=0, last=0, digest="sha256:c")

    found = data_document(snapshot, 20, trained_to=None, columns="category: plan; number: age")

    assert found["columns"] == "category: plan; number: age"


@pytest.mark.parametrize(
    ("classes", "task", "said"),
    [
        pytest.param((), Task.BINARY, {}, id="plain classes"),
        pytest.param(
            ("no", "yes"),
            Task.BINARY,
            {"classes": "no, yes", "positiveClass": "yes"},
            id="words: the second is positive",
        ),
        pytest.param((1, 2), Task.MULTICLASS, {"classes": "1, 2"}, id="none is positive"),
        pytest.param(
            tuple(range(1, 1001)),
            Task.MULTICLASS,
            {"classes": "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …"},
            id="the first of many",
        ),
    ],
)
def test_classes_are_told_where_they_have_names(
    classes: tuple[Label, ...], task: Task, said: dict[str, str]
) -> None:
    snapshot = Snapshot(rows=100, first=0, last=1, digest="sha256:c", classes=classes)

    found = data_document(snapshot, 20, trained_to=1, task=task, unlabelled=3)

    assert found.pop("rowsWithoutLabel") == 3
    assert {name: found[name] for name in found if "lass" in name} == said


def test_a_comparison_is_told_with_its_interval() -> None:
    difference = Estimate(value=0.017, low=0.009, high=0.025)
    comparison = Comparison(candidate=VALUE, champion=0.897, difference=difference)

    found = document(CHAMPION, comparison=comparison, compared_rows=12)

    assert found["champion"] == {"version": "1.0.0", "value": 0.897}
    assert found["difference"] == {"value": 0.017, "ciLow": 0.009, "ciHigh": 0.025}
    assert found["comparedRows"] == 12


def test_a_champion_without_a_score_is_doubt_and_not_absence() -> None:
    found = document(CHAMPION, champion_unavailable="it is gone")

    assert found["champion"] == {"version": "1.0.0", "value": None}
    assert found["difference"] is None
    assert found["championUnavailable"] == "it is gone"


def test_what_a_person_should_look_at_is_told_in_short() -> None:
    found = document(warnings=("odd", "x" * 1000))

    assert found["warnings"] == ["odd", "x" * 249 + "…"]
    assert found["trivial"] == 0.5
    assert "warnings" not in document()


def test_gates_are_told_in_short() -> None:
    gates = (
        Measured(gate=Gate.CALIBRATION, estimate=VALUE, rows=90),
        Measured(gate=Gate.SLICES, column="region", missing="x" * 200, judged=0, small=3),
    )

    found = document(gates=gates)

    assert found["gates"] == [
        {"gate": "calibration", "value": 0.914159, "ciLow": 0.9, "rows": 90},
        {
            "gate": "slices", "column": "region", "rows": 0, "judged": 0, "small": 3,
            "missing": "x" * 119 + "…",
        },
    ]  # fmt: skip
    assert "gates" not in document()


def test_as_many_gates_as_a_model_may_have_fit_with_all_their_numbers() -> None:
    """The rest gives way: a gate without its number is not passed."""
    of = "\U0001f600" * 40
    long = "\U0001f600" * (COLUMN_CHARACTERS // MOST_COLUMNS - 1)
    names = [f"{n}{long}" for n in range(MOST_COLUMNS)]
    exact = Estimate(value=-0.123456789, low=-0.123456789, high=-0.123456789)
    columned = (Gate.SLICES, Gate.DEMOGRAPHIC_PARITY, Gate.EQUALIZED_ODDS)
    gates = [
        Measured(
            gate=gate, column=name, of=of * (gate is Gate.SLICES), estimate=exact,
            rows=1_000_000, judged=50, small=1_000_000,
        )
        for gate in columned
        for name in names
    ]  # fmt: skip
    plain = [
        Measured(gate=gate, estimate=exact, rows=10**6)
        for gate in (Gate.BASELINE, Gate.CALIBRATION)
    ]

    said = document(CHAMPION, gates=(*plain, *gates), warnings=("w" * 999,) * 9)
    said["data"] |= {"columns": "c" * 999, "classes": of * 12}
    text = to_message(said)

    assert len(text.encode()) <= MOST_BYTES
    numbers = [(row["gate"], row.get("column"), row["ciLow"]) for row in json.loads(text)["gates"]]
    assert numbers == [(str(g.gate), g.column or None, -0.123457) for g in (*plain, *gates)]


def test_a_search_worker_says_its_stage() -> None:
    assert stage_document("search") == {"outcome": "Succeeded", "stage": "search"}


@given(st.text(max_size=20_000), st.sampled_from(Reason))
def test_a_failure_always_fits_and_keeps_its_reason(message: str, reason: Reason) -> None:
    text = to_message(failure_document(TrainingFailure(reason, message), "data"))

    assert len(text.encode()) <= MOST_BYTES
    assert json.loads(text)["reason"] == reason


@given(st.text(alphabet="\x00\ud800🎈a", max_size=5000))
def test_a_success_always_fits(said: str) -> None:
    result = document(CHAMPION, champion_unavailable=said, warnings=(said,) * 12)
    result["data"] = {**result["data"], "columns": said}

    text = to_message(result)

    assert len(text.encode()) <= MOST_BYTES
    assert json.loads(text)["version"] == "1.1.0"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.COLUMN_MISSING, 3),
        (Reason.CREDENTIALS_REFUSED, 3),
        (Reason.TRACKING_UNAVAILABLE, 1),
        (Reason.SEARCH_FOUND_NOTHING, 1),
        (Reason.INTERNAL_ERROR, 1),
    ],
)
def test_the_exit_code_says_whether_another_try_helps(reason: Reason, code: int) -> None:
    assert TrainingFailure(reason, "…").exit_code == code


def test_the_report_escapes_what_it_is_given_and_needs_nothing_else() -> None:
    comparison = Comparison(candidate=VALUE, champion=0.8, difference=VALUE)
    result = document(CHAMPION, comparison=comparison, champion_unavailable="<script>")

    page = render(
        "energy.<b>",
        result,
        metrics={"roc_auc": Estimate(value=0.9, low=0.8, high=1.0)},
        baseline={"roc_auc": 0.5},
        naive={},
        parameters={"max_depth": 6},
        importance={"<i>demand": 0.5, "wind": 0.0},
        attribution="SHAP values",
        profile=_profile({"<b>plan": Column(type=ColumnType.CATEGORY, seen=COUNTED)}),
    )

    assert "<script>" not in page
    assert "energy.&lt;b&gt;" in page
    assert "http" not in page
    assert "&lt;i&gt;demand" in page
    assert "<th>&lt;b&gt;plan</th>" in page
    assert "&lt;i&gt;: 3" in page


COUNTED = Values(missing=0, counts={"<i>": 3}, different=1)


def _profile(columns: Mapping[str, Column]) -> Profile:
    return Profile(rows=3, columns=columns, target=COUNTED, answered=3, answers=COUNTED)


def test_a_report_without_features_has_no_bars() -> None:
    page = render(
        "m",
        document(),
        metrics={},
        baseline={},
        naive={},
        parameters={},
        importance={},
        attribution="SHAP",
        profile=_profile({}),
    )

    assert 'class="bar"' not in page
