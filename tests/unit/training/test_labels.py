"""The target: labels of any kind, the order of the classes, and what cannot be one."""

import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.classes import Label, spell
from fairlead_training.columns import Fault
from fairlead_training.config import Task
from fairlead_training.failure import Reason
from fairlead_training.labels import Target, read_target

NAN = np.nan


def series(*values: Any, dtype: Any = None) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


def read(column: "pd.Series[Any]", task: Task = Task.BINARY, **more: Any) -> Target:
    target = read_target(column, "up", task, **more)
    assert isinstance(target, Target)
    return target


@pytest.mark.parametrize(
    ("column", "values"),
    [
        pytest.param(series(0, 1, 1), [0, 1, 1], id="0 and 1"),
        pytest.param(series(0.0, None, 1.0), [0, NAN, 1], id="with a gap"),
        pytest.param(series(True, False), [1, 0], id="truths"),
        pytest.param(series(True, False, None, dtype=object), [1, 0, NAN], id="truths with a gap"),
        pytest.param(series(1, 0, dtype="category"), [1, 0], id="categories of 0 and 1"),
    ],
)
def test_plain_classes_need_no_names(column: "pd.Series[Any]", values: list[float]) -> None:
    target = read(column)

    np.testing.assert_array_equal(target.values, values)
    assert target.classes == ()


@pytest.mark.parametrize(
    ("column", "classes", "values"),
    [
        pytest.param(series("yes", "no"), ("no", "yes"), [1, 0], id="words, by the alphabet"),
        pytest.param(series("YES", "no"), ("no", "YES"), [1, 0], id="whatever their case"),
        pytest.param(series(" yes", "no ", "yes"), ("no", "yes"), [1, 0, 1], id="blanks around"),
        pytest.param(series("y", "", None, "n"), ("n", "y"), [1, NAN, NAN, 0], id="empty: none"),
        pytest.param(series("n", "y", dtype="category"), ("n", "y"), [0, 1], id="categories"),
        pytest.param(series("n", "y", dtype="string"), ("n", "y"), [0, 1], id="texts"),
        pytest.param(series("n", "n\0", "y"), ("n", "y"), [0, 0, 1], id="NUL is nothing"),
        pytest.param(series("n", "\0", " \0", "y"), ("n", "y"), [0, NAN, NAN, 1], id="NUL alone"),
        pytest.param(
            series(0, 2**53 - 1), (0, 2**53 - 1), [0, 1], id="the largest number that is itself"
        ),
        pytest.param(series(1, 2), (1, 2), [0, 1], id="1 and 2"),
        pytest.param(series(1.0, None, 2.0), (1, 2), [0, NAN, 1], id="1 and 2 with a gap"),
        pytest.param(series(2, None, 1, dtype="Int64"), (1, 2), [1, NAN, 0], id="nullable"),
        pytest.param(series(1, -1), (-1, 1), [1, 0], id="-1 and 1"),
        pytest.param(series(0.5, 1.5), (0.5, 1.5), [0, 1], id="parts"),
        pytest.param(series("0", "1"), ("0", "1"), [0, 1], id="texts of numbers are words"),
        pytest.param(series(1, "1", "no"), ("1", "no"), [0, 0, 1], id="a number among words"),
        pytest.param(series(True, "False"), ("False", "true"), [1, 0], id="a truth among words"),
        pytest.param(series("<=50K", ">50K"), ("<=50K", ">50K"), [0, 1], id="signs"),
    ],
)
def test_labels_of_any_kind_name_two_classes(
    column: "pd.Series[Any]", classes: tuple[Label, ...], values: list[float]
) -> None:
    target = read(column)

    assert target.classes == classes
    assert [type(label) for label in target.classes] == [type(label) for label in classes]
    np.testing.assert_array_equal(target.values, values)


@pytest.mark.parametrize(
    ("column", "positive", "classes", "values"),
    [
        pytest.param(series("no", "yes"), "no", ("yes", "no"), [1, 0], id="the first word"),
        pytest.param(series("no", None, "yes"), "yes", ("no", "yes"), [0, NAN, 1], id="the second"),
        pytest.param(series(1, None, 2), "1", ("2", "1"), [1, NAN, 0], id="a number"),
        pytest.param(series(0, 1), "0", ("1", "0"), [1, 0], id="0 of 0 and 1"),
        pytest.param(series(0, 1), "1", ("0", "1"), [0, 1], id="1: answers are then in words"),
        pytest.param(series(True, False), "false", ("true", "false"), [0, 1], id="false"),
    ],
)
def test_the_positive_class_is_the_second(
    column: "pd.Series[Any]", positive: str, classes: tuple[str, ...], values: list[float]
) -> None:
    target = read(column, positive=positive)

    assert tuple(map(spell, target.classes)) == classes
    np.testing.assert_array_equal(target.values, values)


@pytest.mark.parametrize(
    ("column", "classes", "values"),
    [
        pytest.param(series(0, 2, 1), (), [0, 2, 1], id="numbers without a gap"),
        pytest.param(series(0, 3, 2), (0, 2, 3), [0, 2, 1], id="with a gap"),
        pytest.param(series(1, 2, 3), (1, 2, 3), [0, 1, 2], id="from 1 on"),
        pytest.param(series(0, 1, 1.5), (0, 1, 1.5), [0, 1, 2], id="a part"),
        pytest.param(series("b", "a", "c"), ("a", "b", "c"), [1, 0, 2], id="words"),
        pytest.param(series("b", "a"), ("a", "b"), [1, 0], id="only two"),
    ],
)
def test_labels_of_any_kind_name_several_classes(
    column: "pd.Series[Any]", classes: tuple[Label, ...], values: list[float]
) -> None:
    target = read(column, Task.MULTICLASS)

    assert target.classes == classes
    np.testing.assert_array_equal(target.values, values)


@given(st.lists(st.sampled_from(["a", "B", "b", "c", "", None]), min_size=3, max_size=30))
def test_the_number_of_a_class_is_that_of_its_label_in_any_order(labels: list[str | None]) -> None:
    target = read_target(pd.Series(labels, dtype=object), "up", Task.MULTICLASS)
    if isinstance(target, Fault):
        assert len({*labels} - {"", None}) < 2
        return

    again = read(pd.Series(labels[::-1], dtype=object), Task.MULTICLASS)

    assert again.classes == target.classes
    told = [None if np.isnan(at) else target.classes[int(at)] for at in target.values]
    assert told == [label or None for label in labels]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        pytest.param(series(1e6, 1e6 + 1), [1e6, 1e6 + 1], id="far from zero"),
        pytest.param(series(1e-9, 2e-9), [1e-9, 2e-9], id="small"),
        pytest.param(series(decimal.Decimal("1.5"), 2), [1.5, 2], id="decimals"),
        pytest.param(series(1.5, None, 2.5), [1.5, NAN, 2.5], id="with a gap"),
    ],
)
def test_a_value_is_itself(column: "pd.Series[Any]", values: list[float]) -> None:
    np.testing.assert_array_equal(read(column, Task.REGRESSION).values, values)


@pytest.mark.parametrize(
    ("column", "task", "said"),
    [
        pytest.param(
            pd.Series(["a", "b", "c"] * 9),
            Task.BINARY,
            "holds 3 different labels ('a', 'b', 'c') where binary-classification has two; set "
            "task: multiclass-classification",
            id="three words",
        ),
        pytest.param(
            pd.Series([0, 1] * 20 + [2]),
            Task.BINARY,
            "holds 2 beside the labels 0, 1, in row 41 of 41",
            id="one more among 0 and 1",
        ),
        pytest.param(
            pd.Series(["no", "yes"] * 30 + ["?"] * 2),
            Task.BINARY,
            "holds '?' beside the labels 'no', 'yes', in 2 of 62 rows, first in row 61",
            id="a mark for none",
        ),
        pytest.param(
            pd.Series(["no", "yes", "Yes", "NO"] * 9),
            Task.BINARY,
            "holds two labels in 4 spellings ('NO', 'no', 'Yes', 'yes'); write each in one",
            id="one label in two spellings",
        ),
        pytest.param(
            pd.Series(np.arange(2000)),
            Task.MULTICLASS,
            "holds 2000 different labels, such as 0, 1, 2,",
            id="too many for classes",
        ),
        pytest.param(
            series("x" * 201, "no"), Task.BINARY, "labels of more than 200 characters", id="texts"
        ),
        pytest.param(
            series(2**53, 2**53 + 1, 5),
            Task.MULTICLASS,
            "as a label, which a number of 64 bits cannot tell from the next one, in 2 of 3 rows, "
            "first in row 1; give the labels as text",
            id="two that would be one",
        ),
        pytest.param(series(0, 1e20), Task.BINARY, "cannot tell from the next", id="of 67 bits"),
        pytest.param(
            series(0, -(2**53), None), Task.BINARY, "holds -9007199254740992", id="below zero"
        ),
        pytest.param(series(0, np.inf), Task.BINARY, "holds inf where a label", id="infinite"),
        pytest.param(
            series({}, [1], "yes"),
            Task.BINARY,
            "holds {}, [1] where a label belongs, in 2 of 3 rows",
            id="objects",
        ),
        pytest.param(series(None, None), Task.BINARY, "is empty in every row", id="all empty"),
        pytest.param(series("", " "), Task.BINARY, "is empty in every row", id="all blank"),
        pytest.param(
            series(None, None), Task.REGRESSION, "is empty in every row", id="no value at all"
        ),
        pytest.param(
            series(1.5, np.inf, None),
            Task.REGRESSION,
            "holds inf beyond ±3.4e+38, a model's largest number, in row 2 of 3",
            id="an infinite value",
        ),
        pytest.param(series(1.0, 1e39), Task.REGRESSION, "holds 1e+39", id="out of float32"),
        pytest.param(
            series("cheap", 2), Task.REGRESSION, "holds 'cheap' where a number", id="word"
        ),
        pytest.param(
            series(1e12, 1e12 + 5),
            Task.REGRESSION,
            "varies by 2.5e+00 around 1e+12",
            id="finer than float32",
        ),
        pytest.param(series(1e-40, 2e-40), Task.REGRESSION, "varies by 5.0e-41", id="tiny"),
    ],
)
def test_a_target_that_does_not_fit_the_task(
    column: "pd.Series[Any]", task: Task, said: str
) -> None:
    fault = read_target(column, "up", task)

    assert isinstance(fault, Fault)
    assert said in fault.text
    assert fault.reason is Reason.TARGET_INVALID


def test_an_amount_is_not_below_0() -> None:
    told = "the metric poisson_deviance"
    read = [
        read_target(column, "sold", Task.REGRESSION, amounts=amounts)
        for column, amounts in ((series(0, 3), told), (series(-1, 3), told), (series(-1, 3), ""))
    ]

    assert [isinstance(found, Fault) for found in read] == [False, True, False]
    assert isinstance(read[1], Fault)
    assert "column sold holds -1 where the metric poisson_deviance takes 0" in read[1].text


def test_a_positive_class_that_is_none_of_the_two() -> None:
    fault = read_target(series("no", "yes"), "up", Task.BINARY, positive="Yes")

    assert isinstance(fault, Fault)
    assert "the labels 'no', 'yes', and spec.data.positiveClass names 'Yes'" in fault.text


@pytest.mark.parametrize(
    ("column", "task", "said"),
    [
        pytest.param(series("yes", "yes"), Task.BINARY, "is 'yes' in every row", id="a word"),
        pytest.param(series(1, 1), Task.MULTICLASS, "is 1 in every row", id="a number"),
        pytest.param(
            series(1, None), Task.BINARY, "is 1 in every row that is not empty", id="or none"
        ),
        pytest.param(series(1.5, 1.5), Task.REGRESSION, "is 1.5 in every row", id="a value"),
    ],
)
def test_a_target_that_never_changes(column: "pd.Series[Any]", task: Task, said: str) -> None:
    fault = read_target(column, "up", task)

    assert isinstance(fault, Fault)
    assert fault.text == f"column up {said}"
    assert fault.reason is Reason.TARGET_CONSTANT
