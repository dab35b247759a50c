"""What is counted of the rows that a version learned from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.classes import Label
from fairlead_contract.graph import ColumnType
from fairlead_contract.profile import MOST_BINS, Spread, Values, read_profile, write_profile
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.profile import see_numbers, see_values, take_profile
from fairlead_training.split import Split

NAN = float("nan")
COLUMNS = {
    "age": [1.0, 2.0, NAN, 4.0],
    "plan": ["a", "b", "", "a"],
    "note": ["two words", "", "x", "longer than these"],
    "member": [0.0, 1.0, 1.0, NAN],
    "begun": [0.0, 86400.0, NAN, 172800.0],
}
TYPES = {
    "plan": ColumnType.CATEGORY,
    "note": ColumnType.TEXT,
    "member": ColumnType.BOOLEAN,
    "begun": ColumnType.TIME,
}


def parts(target: Sequence[float], *, classes: tuple[Label, ...] = ()) -> Split:
    positions = np.arange(len(target))
    table = Table(
        times=positions,
        features=pd.DataFrame(COLUMNS),
        target=np.array(target, dtype=np.float64),
        rows=positions,
        classes=classes,
        types=TYPES,
    )
    return Split(search=table, holdout=table, classes=len(set(target)), folds=())


def test_each_column_is_counted_as_its_type_asks() -> None:
    profile = take_profile(parts([0, 1, 0, 1]), np.array([0.1, 0.9, 0.2, 0.8]), Task.BINARY)

    seen = {name: column.seen for name, column in profile.columns.items()}
    assert (profile.rows, profile.answered) == (4, 4)
    assert {name: column.type for name, column in profile.columns.items()} == {
        "age": ColumnType.NUMBER,
        **TYPES,
    }
    assert seen["plan"] == Values(missing=1, counts={"a": 2, "b": 1}, different=2)
    numbers = {
        name: (each.missing, each.low, each.high)
        for name, each in seen.items()
        if isinstance(each, Spread)
    }
    assert numbers == {
        "age": (1, 1, 4),
        "note": (1, 1, 17),
        "member": (1, 0, 1),
        "begun": (1, 0, 172800),
    }


@pytest.mark.parametrize(
    ("task", "classes", "score", "target", "answers"),
    [
        pytest.param(
            Task.BINARY, ("no", "yes"), [0.1, 0.9, 0.2, 0.8], {"no": 2, "yes": 2}, None, id="named"
        ),
        pytest.param(
            Task.BINARY, (), [0.1, 0.9, 0.2, 0.8], {"0": 2, "1": 2}, None, id="plain classes"
        ),
        pytest.param(
            Task.MULTICLASS,
            ("a", "b"),
            [[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]],
            {"a": 2, "b": 2},
            {"a": 3, "b": 1},
            id="the class that is answered",
        ),
        pytest.param(Task.REGRESSION, (), [0.1, 0.9, 0.2, 0.8], None, None, id="values"),
    ],
)
def test_target_and_answers_are_counted(
    task: Task, classes: tuple[Label, ...], score: Any, target: Any, answers: Any
) -> None:
    profile = take_profile(parts([0, 1, 0, 1], classes=classes), np.array(score), task)

    assert (profile.target.counts if isinstance(profile.target, Values) else None) == target
    assert (profile.answers.counts if isinstance(profile.answers, Values) else None) == answers
    assert read_profile(write_profile(profile)) == profile


def test_rare_and_long_values_are_counted_together() -> None:
    rare = [f"rare {number:03}" for number in range(60)]

    seen = see_values([*["often"] * 5, *rare, "x" * 101, "x" * 101], 3)

    assert seen.counts == {"often": 5, **dict.fromkeys(rare[:49], 1)}
    assert (seen.missing, seen.others, seen.different) == (3, 13, 62)


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        pytest.param([NAN, NAN], (), (), id="nothing"),
        pytest.param(
            [5.0, 5.0, NAN], (5.0, np.nextafter(5.0, 6.0)), (0, 2, 0), id="always the same"
        ),
        pytest.param([0.0, 0.0, 1.0], (1.0,), (2, 1), id="two values are two bins"),
        pytest.param([0.0] * 999 + [1.0], (1.0,), (999, 1), id="a value rarer than a decile"),
        pytest.param(
            [0.0] * 95 + [1.0, 2.0, 3.0], (1.0, 2.0, 3.0), (95, 1, 1, 1), id="mostly nothing"
        ),
        pytest.param(
            list(range(100)), tuple(range(10, 100, 10)), (10,) * 10, id="deciles are of one size"
        ),
    ],
)
def test_numbers_are_counted_between_their_deciles(
    values: list[float], edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    seen = see_numbers(np.array(values, dtype=np.float64))

    assert (seen.edges, seen.counts) == (edges, counts)


@given(
    st.lists(
        st.floats(min_value=-3.4e38, max_value=3.4e38, allow_nan=False) | st.just(NAN), max_size=60
    )
)
def test_every_number_is_in_the_bin_where_it_is_placed(values: list[float]) -> None:
    seen = see_numbers(np.array(values, dtype=np.float64))

    placed = [seen.place(value) for value in values]
    assert [placed.count(number) for number in range(len(seen.counts))] == list(seen.counts)
    assert placed.count(None) == seen.missing
    assert len(seen.counts) <= MOST_BINS
