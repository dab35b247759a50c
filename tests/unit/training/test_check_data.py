"""The report of a check: what would be learned from, or all that is wrong, and no more of it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairlead_training.__main__ import main
from fairlead_training.check_data import describe
from fairlead_training.examine import examine
from fairlead_training.result import MOST_BYTES, to_message
from support.trainer_config import config_document
from support.training_rows import config, frame

HTTP = {"data__uri": "https://internal.example/rows.csv", "data__query": None}


def report(rows: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    told = config(**changes)
    found = examine(rows, told, refused_in_names="[]<")
    return describe(found, told, rows=len(rows), columns=len(rows.columns))


def test_what_would_be_learned_from_is_said_with_types_and_counts() -> None:
    rows = frame(
        up=["yes", "no", "no"] * 10, demand=[None, *range(29)], id=range(30), wind=range(30, 0, -1)
    )

    said = report(rows.assign(wind=rows["wind"] / 2))

    assert (said["outcome"], said["stage"]) == ("Succeeded", "check")
    assert said["message"] == "30 rows with 2 features can be learned from"
    assert (said["rows"], said["columnCount"]) == (30, 5)
    assert {name: said["data"][name] for name in ("rows", "holdoutRows", "positiveClass")} == {
        "rows": 30, "holdoutRows": 6, "positiveClass": "yes",
    }  # fmt: skip
    assert said["columns"] == [
        {"name": "up", "role": "target", "type": "class", "values": "no: 20, yes: 10", "empty": 0},
        {"name": "timestamp", "role": "timestamp", "type": "time", "empty": 0},
        {"name": "demand", "role": "feature", "type": "number", "empty": 1},
        {"name": "wind", "role": "feature", "type": "number", "empty": 0},
        {"name": "id", "role": "left out", "type": "name of row", "empty": 0},
    ]


def test_each_feature_has_the_type_it_was_taken_for_and_its_gaps() -> None:
    rows = frame(
        plan=["gold", None, "silver"] * 10,
        since=["2026-01-31", None, "2026-02-01", "2026-02-03", "2026-02-09"] * 6,
        member=[True, False, None] * 10,
        zip=[2000, 2010, 3000, 3010, 3020] * 6,
    )

    said = report(rows, data__columns={"zip": "category", "demand": "number"})

    assert {each["name"]: (each["type"], each["empty"]) for each in said["columns"][2:]} == {
        "demand": ("number", 0),
        "plan": ("category", 10),
        "since": ("time", 6),
        "member": ("boolean", 10),
        "zip": ("category", 0),
    }


def test_a_number_that_is_predicted_is_told_by_its_range() -> None:
    said = report(
        frame(up=[index / 4 for index in range(30)], demand=[index % 7 for index in range(30)]),
        task="regression",
        search__metric="rmse",
    )

    assert said["columns"][0]["values"] == "0 to 7.25"


def test_what_is_wrong_is_said_beside_what_can_be_read() -> None:
    said = report(
        frame(demand=["?"] + [1.0] * 29, wind=["n/k"] * 30, sun=[0.5] * 30),
        data__columns={"wind": "number"},
    )

    assert (said["outcome"], said["reason"]) == ("Failed", "FeatureInvalid")
    assert said["faults"] == [
        "column demand holds '?' where a number belongs, in row 1 of 30",
        "column wind holds 'n/k' where a number belongs, in every row",
    ]
    assert [column["name"] for column in said["columns"]] == ["up", "timestamp", "sun"]


SUSPICIOUS = {
    "always": ["so"] * 30,
    "wind": [index * 7 % 11 for index in range(30)],
    "again": [index * 7 % 11 for index in range(30)],
}


def checked(rows: pd.DataFrame, told: Path, **changes: Any) -> dict[str, Any]:
    """Check a file as a pod does."""
    path = told.with_name("rows.csv")
    rows.to_csv(path, index=False)
    source = {"data__uri": f"file://{path}", "data__query": None}
    document = config_document(mlflowRunId=None, **(source | changes))
    main(["check", "--config", json.dumps(document)])
    said: dict[str, Any] = json.loads(told.read_text())
    return said


def second(told: Path, rows: Any) -> dict[str, str]:
    """Return another source that has these rows."""
    with tempfile.NamedTemporaryFile(dir=told.parent, suffix=".csv", delete=False) as file:
        pd.DataFrame(rows).to_csv(file.name, index=False)
    return {"uri": f"file://{file.name}"}


def test_suspicious_columns_are_warned_of(told: Path) -> None:
    said = checked(frame(**SUSPICIOUS), told)

    assert said["outcome"] == "Succeeded"
    assert "column always is the same in every row" in said["warnings"]
    assert any("column again" in warning for warning in said["warnings"])


def test_suspicious_columns_that_the_model_refuses_are_told_beside_other_faults(
    told: Path,
) -> None:
    rows = frame(**SUSPICIOUS, sun=["?", *[1.0] * 29])

    said = checked(rows, told, data__suspiciousColumns="refuse")

    assert (said["outcome"], said["reason"]) == ("Failed", "FeatureInvalid")
    for words in ("column sun holds '?'", "column always is the same", "column again"):
        assert [fault for fault in said["faults"] if words in fault], said["faults"]


def test_rows_that_are_united_joined_and_queried_have_types_as_any_others(told: Path) -> None:
    rows = frame(zone=["a", "b", "c"] * 10, plan=["gold", "silver", None, "gold", "tin"] * 6)
    busy = "SELECT *, demand > 1 AS busy FROM data"
    zones = {"zone": ["a", "b"], "kind": ["shop", "depot"], "opened": ["2020-01-31", "2021-02-03"]}

    said = checked(
        rows[:20],
        told,
        data__query=busy,
        data__union=[{**second(told, rows[20:]), "query": busy}],
        data__joins=[{"source": second(told, zones), "keys": ["zone"]}],
        data__columns={"kind": "category"},
    )

    assert said["outcome"] == "Succeeded", said
    assert {each["name"]: (each["type"], each["empty"]) for each in said["columns"][2:]} == {
        "demand": ("number", 0),
        "plan": ("category", 6),
        "busy": ("boolean", 0),
        "kind": ("category", 10),
        "opened": ("time", 10),
    }


@pytest.mark.parametrize(("kind", "is_feature"), [("category", True), ("ignore", False)])
def test_a_key_of_a_join_is_a_feature_where_the_model_gives_it_a_type(
    kind: str, is_feature: bool, told: Path
) -> None:
    zones = {"zone": ["a", "b"], "size": [10, 20]}

    said = checked(
        frame(zone=["a", "b", "b"] * 10),
        told,
        data__joins=[{"source": second(told, zones), "keys": ["zone"]}],
        data__columns={"zone": kind},
    )

    assert said["outcome"] == "Succeeded", said
    assert ("zone" in [each["name"] for each in said["columns"]]) is is_feature


def test_of_an_answer_over_http_that_is_no_table_nothing_is_shown() -> None:
    """It may be what a service has to say that only the trainer can reach."""
    rows = frame(secret=["hush", *[1.0] * 29], hidden=[0.5] * 30)

    said = json.dumps(report(rows, **HTTP))

    assert "column 4 holds other values" in said
    assert not {word for word in ("secret", "hush", "hidden") if word in said}


def test_of_a_table_over_http_that_would_be_learned_from_the_columns_are_shown() -> None:
    """The version that a training makes of it shows them."""
    said = report(frame(wind=[index % 5 for index in range(30)]), **HTTP)

    assert [column["name"] for column in said["columns"]] == ["up", "timestamp", "demand", "wind"]


def test_a_report_on_many_columns_fits_and_counts_what_it_leaves_out() -> None:
    some = {f"a column with a long name {number}": ["?", *[1.0] * 29] for number in range(100)}
    others = {f"another column {number}": [number * 0.1] * 29 + [1] for number in range(100)}

    said = report(frame(**some, **others))
    message = to_message(said)

    assert len(message.encode()) <= MOST_BYTES
    kept = json.loads(message)
    assert kept["faultsLeftOut"] + len(kept["faults"]) == 100
    assert kept["columnsLeftOut"] + len(kept["columns"]) == len(said["columns"])
    assert kept["faults"], "what is wrong goes before what is there"
    assert json.loads(to_message(said, most=None)) == said


@pytest.fixture(name="told")
def _told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pod of a check: it is told of neither MLflow nor a database."""
    for name in ("MLFLOW_TRACKING_URI", "FAIRLEAD_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FAIRLEAD_TERMINATION_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.mark.parametrize(
    ("rows", "code", "reason"),
    [
        pytest.param(frame(), 0, None, id="data that can be used"),
        pytest.param(frame(demand=["?", *[1.0] * 29]), 3, "FeatureInvalid", id="data that cannot"),
        pytest.param(None, 3, "DataSourceUnavailable", id="no data"),
    ],
)
def test_a_check_needs_neither_mlflow_nor_a_database(
    rows: pd.DataFrame | None, code: int, reason: str | None, told: Path
) -> None:
    path = told.with_name("rows.csv")
    if rows is not None:
        rows.to_csv(path, index=False)
    document = config_document(
        mlflowRunId=None, data__uri=f"file://{path}", search__algorithms=["linear"]
    )

    assert main(["check", "--config", json.dumps(document)]) == code
    said = json.loads(told.read_text())
    assert (said["stage"], said.get("reason")) == ("check", reason)
