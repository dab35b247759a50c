"""The snapshot that names rows, and the same rows again from a source that has changed."""

import dataclasses
import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.config import TrainingConfig
from fairlead_training.data import slice_rows
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.snapshot import read_snapshot, restore, take_snapshot
from support.training_rows import check, config, frame

RELAXED = settings(max_examples=30)


@RELAXED
@given(st.permutations(range(30)), st.lists(st.integers(0, 5), min_size=30, max_size=30))
def test_the_digest_does_not_depend_on_the_order_of_the_rows(
    order: list[int], hours: list[int]
) -> None:
    times = pd.to_datetime("2026-01-01", utc=True) + pd.to_timedelta(hours, unit="h")
    rows = frame(timestamp=times)

    first, second = check(rows, config()), check(rows.iloc[order], config())

    assert take_snapshot(first) == take_snapshot(second)


@RELAXED
@given(st.integers(0, 29), st.sampled_from(["features", "target", "times"]))
def test_the_digest_depends_on_every_value(row: int, part: str) -> None:
    table = check(frame(), config())
    changed = getattr(table, part).copy()
    if part == "features":
        changed.iloc[row, 0] += 1
    else:
        changed[row] += 1

    altered = dataclasses.replace(table, **{part: changed})

    assert take_snapshot(altered).digest != take_snapshot(table).digest


@pytest.mark.parametrize(
    "new",
    [
        pytest.param({"timestamp": "2026-01-05"}, id="later"),
        pytest.param({}, id="at the last moment, as a table of days grows"),
        pytest.param({"timestamp": "2026-01-02"}, id="at an earlier moment"),
        pytest.param({"timestamp": "2025-12-31"}, id="before the first"),
        pytest.param({"demand": 2.9, "up": 1}, id="the same as one that is there"),
        pytest.param({"demand": None}, id="with a gap"),
    ],
)
def test_new_rows_do_not_change_a_snapshot(new: dict[str, Any]) -> None:
    days = [f"2026-01-0{1 + number // 10}" for number in range(30)]
    before = check(frame(timestamp=days), config())
    added = {"timestamp": "2026-01-03", "demand": 0.5, "up": 1} | new
    grown = pd.concat([frame(timestamp=days), pd.DataFrame([added] * 3)], ignore_index=True)
    table = check(grown.sample(frac=1, random_state=1), config())

    kept = restore(table, take_snapshot(before))

    assert take_snapshot(kept) == take_snapshot(before)
    assert len(kept.rows) == 30


@pytest.mark.parametrize("rows", [200, 60_000])
def test_new_rows_without_times_do_not_change_a_snapshot(rows: int) -> None:
    """Of more than 50,000 rows, only those at the end were known, and new ones lie anywhere."""
    drawn = config(validation__strategy="random", data__timestampColumn=None)
    values = pd.Series(range(rows)) % 1000 / 7
    given = pd.DataFrame({"demand": values, "wind": range(rows, 0, -1), "up": values.index % 2})
    given["wind"] *= 0.5
    # Equal to one, between two, before all, after all, and with a gap.
    new = {"demand": [0.0, 71.0, -5.0, 999.0, None], "wind": [rows / 2, 1, 2, 3, 4], "up": [0] * 5}
    snapshot = take_snapshot(check(given, drawn))
    grown = pd.concat([pd.DataFrame(new), given])

    kept = restore(check(grown.sample(frac=1, random_state=1), drawn), snapshot)

    assert take_snapshot(kept) == snapshot


def test_of_rows_without_times_that_went_the_advice_is_about_rows() -> None:
    drawn = config(validation__strategy="random", data__timestampColumn=None)
    rows = frame().drop(columns="timestamp")
    snapshot = take_snapshot(check(rows, drawn))

    with pytest.raises(TrainingFailure, match="let no row go or change") as caught:
        restore(check(rows.iloc[1:], drawn), snapshot)

    assert "now()" not in caught.value.message


def test_words_are_part_of_a_snapshot() -> None:
    rows = frame(plan=["gold", "silver", None] * 10)
    table = check(rows, config())
    altered = check(rows.replace("gold", "Gold"), config())

    assert take_snapshot(table).types == {"demand": "number", "plan": "category"}
    assert take_snapshot(check(rows.iloc[::-1], config())) == take_snapshot(table)
    assert take_snapshot(altered).digest != take_snapshot(table).digest


def test_more_rows_that_look_like_another_type_do_not_change_a_snapshot() -> None:
    few = check(frame(plan=["a word or two", "and some more"] * 15), config())
    new = frame(70, plan=[f"these words come once {n}" for n in range(70)], timestamp="2027-01-01")
    grown = check(pd.concat([frame(plan=["a word or two", "and some more"] * 15), new]), config())

    assert str(few.types["plan"]) == "category"
    assert str(grown.types["plan"]) == "text"
    assert restore(grown, take_snapshot(few)).types == few.types


def test_new_columns_do_not_change_a_snapshot() -> None:
    """A row number, too, is one no longer when a number is left out later."""
    before = check(frame(nth=range(30)), config())
    grown = frame(31, nth=[*range(30), 40], weather=1.0)
    table = check(grown, config())

    kept = restore(table, take_snapshot(before))

    assert list(table.features) == ["demand", "nth", "weather"]
    assert take_snapshot(kept) == take_snapshot(before)


def test_a_new_class_does_not_change_a_snapshot() -> None:
    several = config(task="multiclass-classification", search__metric="log_loss")
    before = check(frame(up=["a", "c"] * 15), several)
    table = check(frame(33, up=[*["a", "c"] * 15, "b", None, "a"]), config_of_gaps(several))

    kept = restore(table, take_snapshot(before))

    assert table.classes == ("a", "b", "c")
    assert take_snapshot(kept) == take_snapshot(before)
    assert kept.classes == ("a", "c")


def test_an_older_row_that_gets_its_label_does_not_change_a_snapshot() -> None:
    labels = ["no", "yes"] * 15
    before = check(frame(up=[*labels[:3], None, *labels[4:]]), config_of_gaps(config()))

    kept = restore(check(frame(up=labels), config()), take_snapshot(before))

    assert take_snapshot(kept) == take_snapshot(before)
    assert len(kept) == 29


def config_of_gaps(told: TrainingConfig) -> TrainingConfig:
    return dataclasses.replace(told, data=dataclasses.replace(told.data, missing_labels=0.1))


def test_a_snapshot_of_an_earlier_release_is_still_restored() -> None:
    table = check(frame(), config())
    snapshot = dataclasses.replace(take_snapshot(slice_rows(table, 0, 20)), columns=(), latest="")

    assert len(restore(table, snapshot)) == 20


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        pytest.param({}, set(), id="this release's"),
        pytest.param({}, {"columns", "latest", "classes"}, id="an earlier one's"),
        pytest.param({"kinds": ["number"]}, set(), id="a later one's, from which one went back"),
    ],
)
def test_a_snapshot_is_read_from_the_study(changes: dict[str, Any], without: set[str]) -> None:
    snapshot = take_snapshot(check(frame(up=["a", "b"] * 15), config()))
    said = json.loads(json.dumps(dataclasses.asdict(snapshot) | changes))
    told = {name: value for name, value in said.items() if name not in without}

    read = read_snapshot(told)

    assert read.digest == snapshot.digest
    assert read == snapshot or without


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(frame(demand=frame()["demand"] + 1), id="other values"),
        pytest.param(frame(demand=[9.9, *frame()["demand"][1:]]), id="one other value"),
        pytest.param(frame(29), id="one is gone"),
        pytest.param(frame().iloc[3:], id="the oldest have left a window that slides"),
        pytest.param(frame(wind=1.0).drop(columns="demand"), id="a column is gone"),
    ],
)
def test_changed_rows_end_the_training(rows: pd.DataFrame) -> None:
    snapshot = take_snapshot(check(frame(), config()))

    with pytest.raises(TrainingFailure) as caught:
        restore(check(rows, config()), snapshot)

    assert caught.value.reason is Reason.DATA_CHANGED
    assert "with a fixed beginning" in caught.value.message
