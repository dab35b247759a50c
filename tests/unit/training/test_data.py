"""Raw rows to a checked table."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_contract.classes import Label
from fairlead_training.data import format_time, renumber
from fairlead_training.failure import Reason, TrainingFailure
from support.training_rows import check, config, frame

REGRESSION = {"task": "regression", "search__metric": "rmse"}
RANDOM = {"validation__strategy": "random"}
MULTICLASS = {"task": "multiclass-classification", "search__metric": "f1_macro"}


def twice(*columns: str) -> pd.DataFrame:
    return pd.concat([frame(), frame()[list(columns)]], axis=1)


def test_rows_are_brought_in_time_order() -> None:
    table = check(frame().iloc[::-1], config())

    assert list(table.times) == sorted(table.times)
    assert table.features["demand"].to_numpy()[0] == 0.0
    assert list(table.features.columns) == ["demand"], "neither target nor timestamp"


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(["2026-01-01T00:00:00Z", "2026-01-01 00:30:00+00:00"] * 15, id="mixed texts"),
        pytest.param(pd.date_range("2026-01-01", periods=30), id="without zone, meaning UTC"),
        pytest.param(pd.date_range("2026-01-01", periods=30, tz="Asia/Tokyo"), id="another zone"),
    ],
)
def test_times_of_every_kind_are_read(column: Any) -> None:
    table = check(frame(timestamp=column), config())

    assert format_time(int(table.times[0])) in {"2026-01-01T00:00:00Z", "2025-12-31T15:00:00Z"}


@pytest.mark.parametrize(
    ("columns", "changes", "reason", "named"),
    [
        pytest.param(
            {},
            {"gates": {"slices": {"columns": ["regio", "demand", "sx"], "minRows": 9}}},
            Reason.COLUMN_MISSING,
            "columns regio, sx are not in the data (columns: timestamp, demand, up); correct "
            "spec.promotion.gates.slices.columns",
            id="columns of a gate",
        ),
        pytest.param(
            {},
            {"gates": {"fairness": {"columns": ["sx"], "minRows": 9}}},
            Reason.COLUMN_MISSING,
            "correct spec.promotion.gates.fairness.columns",
            id="a column of a gate, with its field",
        ),
        pytest.param(
            {}, {"data__target": "price"}, Reason.COLUMN_MISSING, "spec.data.target", id="no target"
        ),
        pytest.param(
            {},
            {"data__timestampColumn": "at"},
            Reason.COLUMN_MISSING,
            "spec.data.timestampColumn",
            id="no timestamp",
        ),
        pytest.param(
            {},
            {"data__features": ["wind"]},
            Reason.COLUMN_MISSING,
            "spec.data.features",
            id="no feature",
        ),
        pytest.param(
            {"timestamp": range(30)},
            {},
            Reason.TIMESTAMP_INVALID,
            "numbers",
            id="times are numbers",
        ),
        pytest.param(
            {"timestamp": "soon"}, {}, Reason.TIMESTAMP_INVALID, "timestamp", id="times are words"
        ),
        pytest.param(
            {"timestamp": [None, *["2026-01-01T00:00:00Z"] * 29]},
            {},
            Reason.TIMESTAMP_INVALID,
            "in row 1 of 30",
            id="a time is missing",
        ),
        pytest.param(
            {"who": ["a", None] * 15},
            {"data__timestampColumn": None, "data__groupBy": "who", **RANDOM},
            Reason.GROUP_INVALID,
            "column who is empty in 15 of 30 rows, first in row 2",
            id="a row without a group",
        ),
        pytest.param(
            {},
            {"data__timestampColumn": None, "data__groupBy": "who", **RANDOM},
            Reason.COLUMN_MISSING,
            "correct spec.data.groupBy",
            id="no group",
        ),
        pytest.param({"up": 1}, {}, Reason.TARGET_CONSTANT, "column up is 1", id="constant"),
        pytest.param(
            {"up": ["yes", "no", "?"] * 10}, {}, Reason.TARGET_INVALID, "'yes'", id="three labels"
        ),
        pytest.param(
            {"up": [None, *[0, 1] * 14, 0]},
            {},
            Reason.TARGET_INVALID,
            "in row 1 of 30",
            id="gap in target",
        ),
        pytest.param(
            {"up": [*["no", "yes"] * 14, None, ""]},
            {"data__missingLabels": 0.05},
            Reason.TARGET_INVALID,
            "column up is empty in 2 of 30 rows, first in row 29, more than the 5% of the rows",
            id="more gaps in the target than may be",
        ),
        pytest.param(
            {"up": [0, 1, 2] * 10}, {}, Reason.TARGET_INVALID, "3 different labels", id="not two"
        ),
        pytest.param(
            {"up": ["no", "yes"] * 15},
            {"data__positiveClass": "ja"},
            Reason.TARGET_INVALID,
            "spec.data.positiveClass names 'ja'",
            id="a positive class that no row has",
        ),
        pytest.param(
            {"up": [1, 2] * 15, "code": [1, 2] * 15},
            {},
            Reason.FEATURE_INVALID,
            "column code equals the target up",
            id="the labels under another name",
        ),
        pytest.param(
            {"up": ["a", "b"] * 15, "code": [0, 1] * 15},
            {},
            Reason.FEATURE_INVALID,
            "column code equals the target up",
            id="the numbers of the labels",
        ),
        pytest.param(
            {"up": [*[0, 1] * 14, None, None]},
            {"data__missingLabels": 0.1, "data__minRows": 29},
            Reason.TOO_FEW_ROWS,
            "28 rows with a target",
            id="too few with a label",
        ),
        pytest.param(
            {"up": [0.0, np.inf] * 15},
            REGRESSION,
            Reason.TARGET_INVALID,
            "holds inf",
            id="infinite",
        ),
        pytest.param(
            {"wind": ["w0", *[1.0] * 29]},
            {},
            Reason.FEATURE_INVALID,
            "column wind holds 'w0'",
            id="feature has a word among its numbers",
        ),
        pytest.param(
            {"wind": [{}] * 30}, {}, Reason.FEATURE_INVALID, "column wind", id="feature is objects"
        ),
        pytest.param(
            {"wind": None}, {}, Reason.FEATURE_INVALID, "empty in every row", id="feature is empty"
        ),
        pytest.param(
            {"wind": [np.inf, 1.0] * 15},
            {},
            Reason.FEATURE_INVALID,
            "in 15 of 30 rows, first in row 1",
            id="infinite rows",
        ),
        pytest.param(
            {"up.1": np.arange(30) % 2},
            {},
            Reason.FEATURE_INVALID,
            "equals the target up in every row",
            id="the target under another name",
        ),
        pytest.param(
            {"up.1": np.arange(30) % 2},
            {"data__features": ["up.1"]},
            Reason.FEATURE_INVALID,
            "equals the target",
            id="also when it is asked for",
        ),
        pytest.param({"a[0]": 1.0}, {}, Reason.FEATURE_INVALID, "[ ] <", id="name with a bracket"),
        pytest.param({}, {"data__minRows": 31}, Reason.TOO_FEW_ROWS, "30 rows", id="too few rows"),
    ],
)
def test_bad_rows_are_refused_by_name(
    columns: dict[str, Any], changes: dict[str, Any], reason: Reason, named: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(frame(**columns), config(**changes))

    assert caught.value.reason is reason
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("rows", "reason", "named"),
    [
        pytest.param(frame(0), Reason.DATA_EMPTY, "no rows", id="no rows"),
        pytest.param(
            twice("demand"),
            Reason.DATA_FORMAT_INVALID,
            "column demand appears",
            id="a column twice",
        ),
        pytest.param(
            twice("up", "timestamp"),
            Reason.DATA_FORMAT_INVALID,
            "columns timestamp, up appear",
            id="target and times twice",
        ),
        pytest.param(
            frame().drop(columns="demand"),
            Reason.COLUMN_MISSING,
            "only the target and the timestamp",
            id="nothing to learn from",
        ),
        pytest.param(
            frame(demand=range(30)),
            Reason.COLUMN_MISSING,
            "columns that number or name the rows (demand)",
            id="nothing but row numbers",
        ),
    ],
)
def test_rows_of_a_bad_shape_are_refused(rows: pd.DataFrame, reason: Reason, named: str) -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(rows, config())

    assert caught.value.reason is reason
    assert named in caught.value.message


def test_a_column_that_is_there_twice_and_not_wanted_is_no_trouble() -> None:
    table = check(
        pd.concat([frame(wind=1.0), frame()["demand"]], axis=1), config(data__features=["wind"])
    )

    assert list(table.features) == ["wind"]


def test_all_that_is_wrong_is_told_at_once() -> None:
    columns = {
        "up": ["no", "yes", "?"] * 10,
        "timestamp": [*["2026-01-01"] * 29, "9999-12-31"],
        "demand": ["?", *[1.0] * 29],
        "wind": [1.0, -1.8e308] * 15,
        "sky": [[1]] * 30,
    }

    with pytest.raises(TrainingFailure) as caught:
        check(frame(**columns), config(data__minRows=31))

    message = caught.value.message
    assert caught.value.reason is Reason.TARGET_INVALID, "of the first"
    assert [f"column {name} holds" in message for name in columns] == [True] * 5
    assert "30 rows" in message
    for field in ("spec.data.target", "spec.data.timestampColumn", "spec.data.features"):
        assert field in message


def test_all_missing_columns_are_told_at_once_beside_what_is_wrong_with_the_others() -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(
            frame(demand=["?", *[1.0] * 29]),
            config(data__target="price", data__features=["demand", "wind"]),
        )

    assert caught.value.reason is Reason.COLUMN_MISSING
    assert "columns price, wind are not in the data" in caught.value.message
    assert "correct spec.data.target and spec.data.features" in caught.value.message
    assert "column demand holds '?'" in caught.value.message


def test_what_has_no_room_in_a_condition_is_for_the_log() -> None:
    words = {f"weather-{number}": [["a" * 100]] * 30 for number in range(40)}

    with pytest.raises(TrainingFailure) as caught:
        check(frame(**words), config())

    assert len(caught.value.message) <= 1000
    assert "more, all in the training's log; correct the data" in caught.value.message
    assert len(caught.value.details) == 40


def test_columns_that_number_the_rows_are_left_out_unless_they_are_asked_for() -> None:
    rows = frame(**{"Unnamed: 0": range(30), "id": np.arange(30) * 2, "Unnamed: 5": None})

    table = check(rows, config())
    asked = check(rows, config(data__features=["id", "demand"]))

    assert list(table.features) == ["demand"]
    assert table.left_out == ("Unnamed: 0", "id", "Unnamed: 5")
    assert list(asked.features) == ["id", "demand"]
    assert asked.left_out == ()


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    labels = ["no", "yes", None, *["no", "yes"] * 13, ""]

    table = check(frame(up=labels), config(data__missingLabels=0.1))

    assert (len(table), table.unlabelled, table.classes) == (28, 2, ("no", "yes"))
    assert set(range(30)) - set(table.rows) == {2, 29}
    assert list(table.target[:4]) == [0, 1, 0, 1]


def test_the_share_of_rows_without_a_label_is_met_exactly() -> None:
    for empty in range(1, 30):
        labels = [*[None] * empty, *([0, 1] * 50)[empty:]]

        table = check(frame(100, up=labels), config(data__missingLabels=empty / 100))

        assert table.unlabelled == empty


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        pytest.param(["a", "c"], ("a", "b", "c"), [0, 2], id="one more between"),
        pytest.param(["a", "b", "c"], ("a", "c"), [0, 3, 1], id="one that was not there: above"),
        pytest.param([1, 3], (), [1, 3], id="numbers, which were plain"),
        pytest.param(["x", "y"], (), [-1, -2], id="words in place of plain numbers: none of them"),
        pytest.param([0, 1], (1, 0), [1, 0], id="the other positive class"),
        pytest.param([0, 1], ("0", "1"), [0, 1], id="numbers that were texts"),
    ],
)
def test_classes_are_numbered_as_another_table_has_them(
    labels: list[Label], classes: tuple[Label, ...], numbers: list[int]
) -> None:
    rows = frame(len(labels) * 10, up=labels * 10)
    table = check(rows, config(**MULTICLASS))

    renumbered = renumber(table, classes)

    assert list(renumbered.target[: len(labels)]) == numbers
    assert renumbered.classes == classes


def test_rows_may_have_no_times() -> None:
    rows = frame(who=[1, 2, 3] * 10).drop(columns="timestamp")
    told = config(data__timestampColumn=None, data__groupBy="who", **RANDOM)

    table = check(rows, told)
    again = check(rows.sample(frac=1, random_state=1), told)

    assert (table.by_time, set(table.times), list(table.features)) == (False, {0}, ["demand"])
    assert table.groups is not None
    assert again.groups is not None
    assert len(set(table.groups)) == 3
    assert table.features.equals(again.features)
    assert list(table.groups) == list(again.groups)


def test_a_row_is_known_by_its_place_in_the_source() -> None:
    table = check(frame().iloc[::-1], config())

    assert list(table.rows) == list(range(29, -1, -1))


HIDDEN = {"data__uri": "https://data.example/export", "data__query": None}


@pytest.mark.parametrize(
    ("columns", "changes", "said"),
    [
        pytest.param(
            {"s3cret": 1.0},
            {"data__target": "price"},
            "column price is not in the data (which has 4 columns)",
            id="the columns there are",
        ),
        pytest.param(
            {"s3cret": ["x", *[1] * 29]}, {}, "column 4 holds other values where a number",
            id="a column's name",
        ),
        pytest.param(
            {"wind": ["s3cret", *[1.0] * 29]},
            {"data__features": ["wind"]},
            "column wind holds other values where a number belongs, in row 1 of 30",
            id="a value of a feature",
        ),
        pytest.param(
            {"up": ["s3cret", "yes", "no"] * 10}, {}, "column up holds 3 different labels where",
            id="labels",
        ),
        pytest.param(
            {"up": ["s3cret", "S3CRET", "no"] * 10}, {}, "two labels in 3 spellings; write",
            id="spellings",
        ),
        pytest.param(
            {"up": ["s3cret", "no"] * 15}, {"data__positiveClass": "yes"},
            "has the labels two others, and", id="the two labels",
        ),
        pytest.param({"up": [77.5, 1, 0] * 10}, {}, "3 different labels where", id="numbers"),
        pytest.param({"up": [77.5, *[0, 1] * 14, 0]}, {}, "in row 1 of 30", id="a stray number"),
        pytest.param({"up": 77.5}, {}, "column up is the same in every row", id="one value"),
        pytest.param(
            {"up": [1e30, 7.75e38] * 15}, REGRESSION, "other values beyond", id="a large number"
        ),
        pytest.param(
            {"up": [77500000000.0, 77500000000.1] * 15}, REGRESSION, "up varies less than",
            id="a spread",
        ),
        pytest.param(
            {"timestamp": "s3cret"}, {}, "column timestamp holds other values where a time",
            id="a time",
        ),
        pytest.param(
            {"timestamp": [*["2026-01-01"] * 29, "7750-12-31"]}, {}, "in row 30 of 30",
            id="a time beyond",
        ),
        pytest.param(
            {"s3cret<": 1.0}, {}, "column 4 has one of the characters", id="a name with a bracket"
        ),
        pytest.param(
            {"s3cret": np.arange(30) % 2}, {}, "column 4 equals the target up", id="a copy"
        ),
        pytest.param(
            {"demand": range(30), "id": range(30)}, {}, "number or name the rows (2)", id="numbers",
        ),
    ],
)  # fmt: skip
def test_nothing_of_an_answer_over_http_is_shown(
    columns: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    """The answer of a service that only the trainer can reach came back in a message."""
    with pytest.raises(TrainingFailure) as caught:
        check(frame(**columns), config(**HIDDEN, **changes))

    shown = " ".join([caught.value.message, *caught.value.details])
    assert said in shown
    assert not [word for word in ("s3cret", "77", "7.75", "7750", "demand", "id)") if word in shown]


def test_a_column_that_is_there_twice_over_http_is_named_by_the_model_alone() -> None:
    with pytest.raises(TrainingFailure) as caught:
        check(twice("demand", "up"), config(**HIDDEN))

    assert "columns 2, up appear more than once" in caught.value.message


def test_what_is_suspicious_ends_a_training_that_refuses_it_with_all_else_that_is_wrong() -> None:
    plan = np.arange(200) % 7
    rows = frame(
        200, plan=plan, again=plan, one=1, wind=["?", *[1.0] * 199], up=np.arange(200) % 3 % 2
    )
    rows["copy"] = rows["up"]

    with pytest.raises(TrainingFailure) as caught:
        check(rows, config(data__suspiciousColumns="refuse"))

    assert caught.value.reason is Reason.FEATURE_INVALID
    assert list(caught.value.details) == [
        "column wind holds '?' where a number belongs, in row 1 of 200",
        "column copy equals the target up in every row, so a model would learn nothing else",
        "column again equals plan in every row, which spec.data.suspiciousColumns refuses",
        "column one is the same in every row, which spec.data.suspiciousColumns refuses",
    ]


@pytest.mark.parametrize(
    ("columns", "faults"),
    [
        pytest.param({"plan": ["a", "b"] * 15}, [], id="with words, whose features have our names"),
        pytest.param(
            {"plan": [1, 3, 5] * 10},
            ["column age [years] has one of the characters [ ] < in its name"],
            id="of numbers, which learners are given by their names",
        ),
    ],
)
def test_what_a_learner_keeps_for_itself_may_be_in_names_of_a_table(
    columns: dict[str, Any], faults: list[str]
) -> None:
    rows = frame(**columns, **{"age [years]": [20, 40, 60] * 10})

    try:
        found = list(check(rows, config()).types) * 0
    except TrainingFailure as failure:
        found = list(failure.details)

    assert found == faults
