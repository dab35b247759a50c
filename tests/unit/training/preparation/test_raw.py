"""The values of a column as the graph takes them, or what is wrong with them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.graph import ColumnType
from fairlead_training.columns import Fault
from fairlead_training.preparation.raw import find_origins, read_raw
from fairlead_training.preparation.types import infer_type

NUMBER, INTEGER, BOOLEAN = ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN
CATEGORY, TEXT, TIME = ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.TIME


def series(*values: Any, dtype: Any = None) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        pytest.param(series(1, None), NUMBER, [1, np.nan], id="a gap"),
        pytest.param(series("1.5", "", " 2 "), NUMBER, [1.5, np.nan, 2], id="numbers as texts"),
        pytest.param(series(True, "0", "FALSE"), BOOLEAN, [1, 0, 0], id="truths in any form"),
        pytest.param(series(1.0, None), BOOLEAN, [1, np.nan], id="truths as numbers"),
        pytest.param(
            series("1970-01-02", None, "1969-12-31T23:59:59.5Z"),
            TIME,
            [86_400, np.nan, -0.5],
            id="times before 1970, and a gap",
        ),
        pytest.param(series("0001-01-01", "9999-12-31"), TIME, [-62_135_596_800, 253_402_214_400],
                     id="the first and the last day that databases know"),
        pytest.param(series(12345.0, None), CATEGORY, ["12345", ""], id="codes beside a gap"),
        pytest.param(series(True, 1, 1.5, None, "x", dtype=object), CATEGORY,
                     ["true", "1", "1.5", "", "x"], id="categories of all sorts"),
        pytest.param(series("a", np.nan, pd.NA, pd.NaT, dtype=object), TEXT, ["a", "", "", ""],
                     id="gaps of all sorts"),
    ],
)  # fmt: skip
def test_values_are_read_as_the_graph_takes_them(
    column: "pd.Series[Any]", kind: ColumnType, expected: list[Any]
) -> None:
    values = read_raw(column, "x", kind)

    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        pytest.param(
            series("1", "n/a", "2", "-"), NUMBER,
            "column x holds '-' where a number belongs, in row 4 of 4",
            id="words among numbers",
        ),
        pytest.param(
            series(1.0, 2.5), INTEGER,
            "column x holds 2.5 where a whole number belongs, in row 2 of 2", id="a half",
        ),
        pytest.param(
            series("true", "perhaps"), BOOLEAN,
            "column x holds 'perhaps' where true or false belongs, in row 2 of 2", id="a doubt",
        ),
        pytest.param(
            series("2026-01-31", "2026-02-30"), TIME,
            "column x holds '2026-02-30' where a time belongs, in row 2 of 2", id="no day",
        ),
        pytest.param(
            series(1.5), TIME, "column x holds numbers, not times", id="numbers for times"
        ),
        pytest.param(
            series([1], [2]), NUMBER,
            "column x holds [1], [2] where a number belongs, in every row", id="lists",
        ),
        pytest.param(
            series(None, " "), BOOLEAN, "column x is empty in every row", id="nothing at all"
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(column: "pd.Series[Any]", kind: ColumnType, said: str) -> None:
    fault = read_raw(column, "x", kind)

    assert isinstance(fault, Fault)
    assert fault.text == said


@pytest.mark.parametrize(
    ("kind", "there", "expected"),
    [
        pytest.param(NUMBER, "1", 1.0, id="of a number"),
        pytest.param(BOOLEAN, "true", 1.0, id="of a truth"),
        pytest.param(TIME, "1970-01-02", 86_400.0, id="of a time"),
    ],
)
def test_texts_that_say_that_there_is_nothing_are_gaps(
    kind: ColumnType, there: str, expected: float
) -> None:
    values = read_raw(series(there, "NA", "n/a", " ", "NaN", "null", "None"), "x", kind)

    assert isinstance(values, np.ndarray)
    np.testing.assert_array_equal(values, [expected, *[np.nan] * 6])


def test_they_are_words_among_words() -> None:
    values = read_raw(series("none", "NA", None), "x", CATEGORY)

    assert isinstance(values, np.ndarray)
    assert values.tolist() == ["none", "NA", ""]


def test_names_that_no_graph_can_have_are_refused() -> None:
    for name, said in (("fairlead.x", "begins with fairlead."), ("", "column '' has no name")):
        fault = read_raw(series("a"), name, CATEGORY)

        assert isinstance(fault, Fault)
        assert said in fault.text


def test_a_fault_quotes_nothing_of_a_source_that_may_be_none() -> None:
    fault = read_raw(series("true", "secret"), "x", BOOLEAN, quotes=False, label="3")

    assert isinstance(fault, Fault)
    assert fault.text == "column 3 holds other values where true or false belongs, in row 2 of 2"


@pytest.mark.parametrize(
    ("values", "origin"),
    [
        pytest.param([1.7e9, 1.7e9 + 3600], 1.7e9, id="an hour of epoch seconds"),
        pytest.param([1e9, 1.7e9], 0.0, id="years of them"),
        pytest.param([-1e9, -1e9 + 1, np.nan], -1e9, id="before 1970, with a gap"),
        pytest.param([0.001, 0.002], 0.0, id="small numbers"),
        pytest.param([1.7e9, 1.7e9], 0.0, id="a constant"),
        pytest.param([np.nan, np.nan], 0.0, id="nothing"),
    ],
)
def test_only_what_32_bits_would_lose_is_moved(values: list[float], origin: float) -> None:
    low, high = np.fmin.reduce([values], axis=1), np.fmax.reduce([values], axis=1)

    assert find_origins(low, high).tolist() == [origin]


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.dates(), st.binary()
)


@given(st.lists(_VALUES, min_size=1, max_size=8), st.sampled_from(ColumnType))
def test_any_column_is_read_or_refused(values: list[Any], declared: ColumnType) -> None:
    column = pd.Series(values, dtype=object)

    for kind in (infer_type(column), declared):
        read = read_raw(column, "x", kind)
        assert isinstance(read, Fault) or len(read) == len(values)
