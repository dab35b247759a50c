"""What a check of the data is asked by, and what is shown of its report."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fairlead_operator.api.training_run import TrainingRunSpec
from fairlead_operator.command.check_data import (
    build_check,
    describe_report,
    draw_report,
    find_report,
    is_cut,
    is_usable,
    read_report,
    say_unusable,
)
from support.command_builders import plain_model

DOCS = (Path(__file__).resolve().parents[4] / "docs" / "command.md").read_text(encoding="utf-8")
MODEL = plain_model()
USABLE: dict[str, Any] = {
    "outcome": "Succeeded", "stage": "check", "rows": 2000, "columnCount": 5,
    "message": "1990 rows with 3 features can be learned from",
    "data": {"rows": 1990, "holdoutRows": 398, "positiveClass": "yes"},
    "columns": [
        {"name": "churned", "role": "target", "type": "class", "values": "no: 1469, yes: 521",
         "empty": 10},
        {"name": "age", "role": "feature", "type": "number", "empty": 0},
        {"name": "spent", "role": "feature", "type": "number", "empty": 17},
        {"name": "plan", "role": "feature", "type": "category", "empty": 4},
        {"name": "id", "role": "left out", "type": "name of row", "empty": 0},
    ],
    "warnings": [
        "no features, as they number or name the rows: id",
        "10 rows have no label, and were left out",
    ],
}  # fmt: skip
FAULTY: dict[str, Any] = {
    "outcome": "Failed", "stage": "check", "reason": "FeatureInvalid", "message": "all of it",
    "rows": 2000, "columnCount": 5,
    "columns": [{"name": "spent", "role": "feature", "type": "number", "empty": 17}],
    "faults": [
        "column churned holds '?' beside the labels 'no', 'yes', in 4 of 2000 rows, first in row 9",
        "column age holds 'n/k' where a number belongs, in 3 of 2000 rows, first in row 17",
    ],
}  # fmt: skip


def run(phase: str = "Succeeded", **status: Any) -> dict[str, Any]:
    meta = {"name": "nsw-price-check-x7k2p", "namespace": "energy"}
    return {"metadata": meta, "status": {"phase": phase, **status}}


def drawn(report: Any) -> list[str]:
    console = Console(width=100, color_system=None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(draw_report(report))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_the_check_is_a_dry_run_that_goes_with_its_model() -> None:
    made = build_check(MODEL)

    spec = TrainingRunSpec.model_validate(made["spec"])
    assert (spec.model, spec.dry_run, spec.trigger) == ("nsw-price", True, "hand")
    assert made["metadata"]["generateName"] == "nsw-price-check-"
    assert [owner["uid"] for owner in made["metadata"]["ownerReferences"]] == ["u-1"]


@pytest.mark.parametrize(
    ("status", "report"),
    [
        pytest.param({"result": json.dumps(USABLE)}, USABLE, id="what the pod said"),
        pytest.param(
            {"result": None, "reason": "JobFailed", "message": "killed"},
            {"outcome": "Failed", "stage": "check", "reason": "JobFailed", "message": "killed"},
            id="the operator's words of a pod that said nothing",
        ),
        pytest.param(
            {"result": "[1]", "reason": "JobFailed", "message": "killed"},
            {"outcome": "Failed", "stage": "check", "reason": "JobFailed", "message": "killed"},
            id="a result of another form",
        ),
    ],
)
def test_the_report_is_read(status: dict[str, Any], report: Any) -> None:
    assert read_report(run(**status)) == report


def test_what_status_has_no_room_for_is_found_in_the_log() -> None:
    whole = {**FAULTY, "faults": ["one", "two", "three"]}
    log = f'{{"level": "error"}}\nno JSON\n{json.dumps(whole)}\n{{"stage": "search"}}'

    assert is_cut({**FAULTY, "faultsLeftOut": 1})
    assert not is_cut(FAULTY)
    assert find_report(log) == whole
    assert find_report("nothing") is None


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(USABLE, id="data that can be used"),
        pytest.param(FAULTY, id="data that cannot"),
    ],
)
def test_the_reports_shown_in_the_docs_are_what_is_drawn(report: Any) -> None:
    assert "\n".join(drawn(report)) in DOCS


def test_all_faults_are_drawn_and_what_is_not_there_is_counted() -> None:
    lines = drawn({**FAULTY, "faultsLeftOut": 7})

    assert lines[-3:] == [
        *(f"Fault  {text}" for text in FAULTY["faults"]),
        "Fault  and 7 more, all in the log of the check's pod",
    ]


def test_a_check_that_could_not_be_made_is_drawn_with_why() -> None:
    lines = drawn(read_report(run("Failed", reason="JobFailed", message="killed for its memory")))

    assert lines[-1] == "Fault  killed for its memory"


@pytest.mark.parametrize(
    ("report", "words"),
    [
        pytest.param(FAULTY, "cannot be used: 2 faults", id="faults"),
        pytest.param({**FAULTY, "faults": ["a"]}, "cannot be used: 1 fault", id="one"),
        pytest.param({**FAULTY, "faultsLeftOut": 7}, "cannot be used: 9 faults", id="and more"),
        pytest.param({"reason": "JobFailed"}, "could not be checked: JobFailed", id="no report"),
    ],
)
def test_what_is_said_at_the_end(report: Any, words: str) -> None:
    assert say_unusable(MODEL, report) == f"the data of nsw-price {words}"


def test_scripts_get_the_report_and_whether_the_data_can_be_used() -> None:
    told = describe_report(MODEL, run(), USABLE)

    assert told == {
        "model": "nsw-price", "namespace": "energy", "trainingRun": "nsw-price-check-x7k2p",
        "usable": True, **USABLE,
    }  # fmt: skip
    assert not is_usable(run("Failed"))
