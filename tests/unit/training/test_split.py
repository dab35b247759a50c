"""The split: neither time nor group leaks, and the order of a file decides nothing."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.classes import Label
from fairlead_contract.graph import ColumnType
from fairlead_training.config import Task, ValidationConfig, parse_config
from fairlead_training.data import Table
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.split import name_draw, split, warn_of_few
from support.trainer_config import config_document

RELAXED = settings(max_examples=50)
gaps = st.lists(st.integers(0, 3), min_size=60, max_size=200)
validations = st.builds(
    ValidationConfig, folds=st.integers(2, 6), holdout_fraction=st.floats(0.05, 0.5)
)


def table(times: list[int], target: list[int] | None = None) -> Table:
    rows = len(times)
    return Table(
        times=np.array(times, dtype=np.int64),
        features=pd.DataFrame({"demand": np.arange(rows, dtype=np.float64)}),
        target=np.array(target or [row % 2 for row in range(rows)], dtype=np.float64),
        rows=np.arange(rows),
    )


@RELAXED
@given(gaps, validations)
def test_nothing_is_learned_from_a_moment_that_is_judged_or_later(
    steps: list[int], validation: ValidationConfig
) -> None:
    try:
        parts = split(table(list(np.cumsum(steps))), validation)
    except TrainingFailure:
        return  # too few moments

    assert parts.search.times.max() < parts.holdout.times.min()
    for fold in parts.folds:
        assert parts.search.times[: fold.cut].max() < parts.search.times[fold.cut : fold.end].min()


@RELAXED
@given(gaps, validations)
def test_no_row_is_lost_and_each_is_validated_once_at_most(
    steps: list[int], validation: ValidationConfig
) -> None:
    rows = table(list(np.cumsum(steps)))
    try:
        parts = split(rows, validation)
    except TrainingFailure:
        return

    assert len(parts.search) + len(parts.holdout) == len(rows)
    assert all(
        earlier.end <= later.cut
        for earlier, later in zip(parts.folds, parts.folds[1:], strict=False)
    )
    assert parts.validated is None, "rows of one moment are in the order of time"


def test_the_window_expands() -> None:
    validation = ValidationConfig(folds=3, holdout_fraction=0.2)

    parts = split(table(list(range(100))), validation)

    assert [(fold.cut, fold.end) for fold in parts.folds] == [(20, 40), (40, 60), (60, 80)]
    assert len(parts.holdout) == 20


@pytest.mark.parametrize(
    ("times", "target", "reason", "named"),
    [
        pytest.param([5] * 100, None, Reason.TOO_FEW_ROWS, "1 moments", id="one moment"),
        pytest.param(list(range(5)), None, Reason.TOO_FEW_ROWS, "5 rows", id="few rows"),
        pytest.param([7], [0], Reason.TOO_FEW_ROWS, "has 1 row at 1 moments", id="one row"),
        pytest.param(
            [*[0] * 40, *range(1, 11)], None, Reason.TOO_FEW_ROWS, "folds", id="no fold has rows"
        ),
        pytest.param(
            list(range(100)),
            [*[0, 1] * 40, *[1] * 20],
            Reason.TARGET_CONSTANT,
            "in the hold-out",
            id="hold-out of one class",
        ),
        pytest.param(
            list(range(100)),
            [*[0] * 80, *[0, 1] * 10],
            Reason.TARGET_CONSTANT,
            "before the hold-out",
            id="search of one class",
        ),
        pytest.param(
            list(range(100)),
            [*[0] * 60, *[1] * 20, *[0, 1] * 10],
            Reason.TARGET_CONSTANT,
            "every fold",
            id="folds of one class each",
        ),
    ],
)
def test_a_part_that_cannot_be_judged_is_refused(
    times: list[int], target: list[int] | None, reason: Reason, named: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        split(table(times, target), ValidationConfig(folds=3, holdout_fraction=0.2))

    assert caught.value.reason is reason
    assert named in caught.value.message


def unordered(target: list[int], groups: list[int] | None = None, *, copies: bool = False) -> Table:
    """Rows without times; they are told apart by their number, if they are no copies."""
    rows = len(target)
    return Table(
        times=np.zeros(rows, dtype=np.int64),
        features=pd.DataFrame({"number": np.arange(rows) * (0.0 if copies else 1.0)}),
        target=np.array(target, dtype=np.float64),
        rows=np.arange(rows),
        by_time=False,
        groups=None if groups is None else np.array(groups, dtype=np.uint64),
    )


def numbers(part: Table) -> set[float]:
    return set(part.features["number"])


VALIDATION = ValidationConfig(folds=4, holdout_fraction=0.2)


@RELAXED
@given(
    st.lists(st.integers(0, 2), min_size=30, max_size=120),
    st.lists(st.integers(0, 9), min_size=120, max_size=120) | st.none(),
    validations,
)
def test_each_row_without_times_is_held_out_or_validated_beside_none_of_its_group(
    target: list[int], groups: list[int] | None, validation: ValidationConfig
) -> None:
    rows = unordered(target, groups and groups[: len(target)])
    try:
        parts = split(rows, validation)
    except TrainingFailure:
        return  # too few groups, or rows of a class

    for learned, judged in (
        (parts.search, parts.holdout),
        *(fold.of(parts.search) for fold in parts.folds),
    ):
        assert not numbers(learned) & numbers(judged)
        if learned.groups is not None and judged.groups is not None:
            assert not set(learned.groups) & set(judged.groups)
    assert numbers(parts.search) | numbers(parts.holdout) == numbers(rows)
    validated = [number for fold in parts.folds for number in numbers(fold.of(parts.search)[1])]
    assert len(validated) == len(set(validated))
    units = parts.validated
    judged_groups = [fold.of(parts.search)[1].groups for fold in parts.folds]
    assert units is not None
    assert len(units) == len(validated)
    assert len(set(units)) == (
        len(validated) if groups is None else len(set(np.concatenate(judged_groups)))
    )


@pytest.mark.parametrize(
    "groups",
    [
        pytest.param(None, id="rows by themselves"),
        pytest.param([row // 5 for row in range(400)], id="groups of five, each of one class"),
    ],
)
def test_a_sorted_file_gives_each_part_its_share_of_each_class(groups: list[int] | None) -> None:
    target = [*[0] * 300, *[1] * 80, *[2] * 20]

    parts = split(unordered(target, groups), VALIDATION)

    judged = [parts.holdout, *(fold.of(parts.search)[1] for fold in parts.folds)]
    counts = [np.bincount(part.target.astype(int), minlength=3).tolist() for part in judged]
    for zero, one, two in counts:
        assert (zero, one, two) == pytest.approx((60, 16, 4), abs=5)


def test_rows_that_are_alike_are_parted_all_the_same() -> None:
    parts = split(unordered([0, 1] * 50, copies=True), VALIDATION)

    assert (len(parts.search), len(parts.holdout)) == (80, 20)
    assert parts.holdout.target.mean() == 0.5


def test_the_split_follows_from_rows_and_seed_alone() -> None:
    rows = unordered([0, 1] * 100)
    other = ValidationConfig(folds=4, holdout_fraction=0.2, seed=8)

    once, again = (split(rows, VALIDATION) for _ in range(2))

    assert np.array_equal(once.search.rows, again.search.rows)
    assert once.folds == again.folds
    assert numbers(split(rows, other).holdout) != numbers(once.holdout)


def test_rows_that_come_later_move_few_across_the_cut() -> None:
    """The champion learned from what was not held out then, and is judged on what is now."""
    before = split(unordered([0, 1] * 500), VALIDATION)
    now = split(unordered([0, 1] * 550), VALIDATION)

    assert len(numbers(now.holdout) & numbers(before.search)) < 20


@pytest.mark.parametrize("groups", [None, [row // 4 for row in range(400)]])
@pytest.mark.parametrize(
    ("before", "now"),
    [
        pytest.param((), (0, 1, 5), id="plain classes, and another number"),
        pytest.param((2, 3, 4), (2.0, 3.0, 3.5, 4.0), id="a number between"),
        pytest.param(("b", "c", "d"), ("a", "b", "c", "d"), id="a word before them"),
        pytest.param(("b", "c"), ("c", "b"), id="the other positive class"),
        pytest.param((), (True, False), id="and of 0 and 1"),
    ],
)
def test_new_labels_and_their_numbers_move_no_row(
    before: tuple[Label, ...], now: tuple[Label, ...], groups: list[int] | None
) -> None:
    known = before or tuple(label for label in now if label in {0, 1})
    plain = sorted(known) if not before else list(known)
    rows = unordered([row % len(plain) for row in range(400)], groups)
    first = dataclasses.replace(rows, classes=before)
    number = {float(at): float(now.index(label)) for at, label in enumerate(plain)}
    then = dataclasses.replace(
        rows, classes=now, target=np.array([number[value] for value in rows.target])
    )

    assert numbers(split(first, VALIDATION).holdout) == numbers(split(then, VALIDATION).holdout)


def typed(kind: ColumnType) -> Table:
    rows = unordered([0] * 9)
    return dataclasses.replace(rows, types=dict.fromkeys(map(str, rows.features), kind))


def draw(rows: Table, **changes: Any) -> str | None:
    changes = {"data__timestampColumn": None, "validation__strategy": "random"} | changes
    return name_draw(rows, parse_config(json.dumps(config_document(**changes))))


OTHER_COLUMN = pd.DataFrame({"another": np.arange(9.0)})


@pytest.mark.parametrize(
    ("rows", "changes", "is_same"),
    [
        pytest.param(unordered([0, 1] * 9), {}, True, id="more rows"),
        pytest.param(unordered([0] * 9), {"validation__folds": 5}, True, id="other folds"),
        pytest.param(unordered([0] * 9), {"search__seed": 8}, False, id="another seed"),
        pytest.param(
            unordered([0] * 9), {"validation__holdoutFraction": 0.4}, False, id="more held out"
        ),
        pytest.param(unordered([0] * 9), {"data__target": "down"}, False, id="another target"),
        pytest.param(typed(ColumnType.INTEGER), {}, True, id="numbers that are whole"),
        pytest.param(typed(ColumnType.CATEGORY), {}, False, id="numbers as words"),
        pytest.param(
            unordered([0] * 9, [0] * 9), {"data__groupBy": "patient"}, False, id="groups now"
        ),
        pytest.param(unordered([0] * 9), {"task": "regression", "search__metric": "rmse"},
                     False,
                     id="not by classes"),
        pytest.param(
            dataclasses.replace(unordered([0] * 9), features=OTHER_COLUMN), {}, False,
            id="other columns",
        ),
        pytest.param(table([0] * 9), {}, False, id="by time"),
    ],
)  # fmt: skip
def test_what_decides_the_hold_out_has_a_name(
    rows: Table, changes: dict[str, Any], is_same: bool
) -> None:
    assert (draw(rows, **changes) == draw(unordered([0, 1] * 5))) == is_same


def test_with_groups_the_columns_decide_nothing() -> None:
    rows = unordered([0] * 9, [0] * 9)
    others = dataclasses.replace(rows, features=OTHER_COLUMN)

    named = [draw(each, data__groupBy="patient") for each in (rows, others)]

    assert named[0] == named[1] != draw(rows, data__groupBy="machine")


def test_a_table_of_few_rows_is_validated_crosswise_and_warned_of() -> None:
    parts = split(unordered([0, 1] * 10), ValidationConfig(folds=3, holdout_fraction=0.2))

    assert (len(parts.holdout), len(parts.folds)) == (4, 3)
    assert warn_of_few(parts, Task.BINARY) == (
        "only 4 rows are held out, so that the interval of the metric says little",
    )
    assert warn_of_few(split(unordered([0, 1] * 100), VALIDATION), Task.BINARY) == ()


@pytest.mark.parametrize(
    ("classes", "named"),
    [
        pytest.param(("a", "b", "c"), "one row of each: c", id="by its name"),
        pytest.param((), "one row of each: 2", id="by its number"),
    ],
)
def test_a_class_of_one_row_is_warned_of(classes: tuple[str, ...], named: str) -> None:
    rows = dataclasses.replace(unordered([*[0, 1] * 100, 2]), classes=classes)

    (warning,) = warn_of_few(split(rows, VALIDATION), Task.MULTICLASS)

    assert named in warning


@pytest.mark.parametrize(
    ("target", "groups", "reason", "named"),
    [
        pytest.param([0], None, Reason.TOO_FEW_ROWS, "has 1 row and that is too few", id="one row"),
        pytest.param([0, 1] * 50, [0] * 100, Reason.TOO_FEW_ROWS, "in 1 groups", id="one group"),
        pytest.param(
            [*[0] * 99, 1],
            None,
            Reason.TARGET_CONSTANT,
            "in all 20 rows in the hold-out, and the rarest class has 1 row of 100",
            id="one row of a class",
        ),
    ],
)
def test_rows_without_times_that_cannot_be_judged_are_refused(
    target: list[int], groups: list[int] | None, reason: Reason, named: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        split(unordered(target, groups), VALIDATION)

    assert caught.value.reason is reason
    assert named in caught.value.message
