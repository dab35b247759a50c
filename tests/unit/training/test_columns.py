"""One column: what is read of it, and what is said of one that cannot be used."""

import datetime
import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairlead_training.columns import (
    Fault,
    is_row_number,
    read_feature,
    read_numbers,
)
from fairlead_training.failure import Reason

MICROSECONDS = "datetime64[us]"


def series(*values: Any, dtype: Any = None) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


def text(fault: object) -> str:
    assert isinstance(fault, Fault)
    return fault.text


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param(series(1.5, None), [1.5, np.nan], id="floats"),
        pytest.param(series(1, None, dtype="Int64"), [1, np.nan], id="nullable integers"),
        pytest.param(series(True, None, dtype=object), [1, np.nan], id="booleans with gaps"),
        pytest.param(series(True, 2.5, dtype=object), [1, 2.5], id="booleans among numbers"),
        pytest.param(series(True, False), [1, 0], id="booleans"),
        pytest.param(series(decimal.Decimal("1.5"), None), [1.5, np.nan], id="decimals"),
        pytest.param(series(2**53 + 1, 2), [2.0**53, 2], id="an integer of more than 53 bits"),
        pytest.param(series(10**30, 2, dtype=object), [1e30, 2], id="of more than 64 bits"),
        pytest.param(series(7, None, 3, dtype="category"), [7, np.nan, 3], id="number categories"),
        pytest.param(series(None, None, dtype=object), [np.nan, np.nan], id="nothing"),
    ],
)
def test_numbers_of_every_kind_become_floats(
    column: "pd.Series[Any]", expected: list[float]
) -> None:
    values = read_numbers(column)

    assert values is not None
    np.testing.assert_array_equal(values, expected)
    assert values.dtype == np.float64


@pytest.mark.parametrize(
    ("column", "said"),
    [
        pytest.param(
            pd.Series([1.0, 2.0, "?"] * 10),
            "holds '?' where a number belongs, in 10 of 30 rows, first in row 3",
            id="a mark for a missing value",
        ),
        pytest.param(
            series("1", "n/a", "2"),
            "holds 'n/a' where a number belongs, in row 2 of 3",
            id="among numbers that became texts by it: the culprit alone",
        ),
        pytest.param(
            series("calm", "wind", None),
            "holds 'calm', 'wind' where a number belongs, in 2 of 3 rows, first in row 1",
            id="words",
        ),
        pytest.param(
            pd.Series([f"w{n}" for n in range(9)]),
            "holds 'w0', 'w1', 'w2', 'w3', … where a number belongs, in every row",
            id="many words: the first ones",
        ),
        pytest.param(series("a", "b", dtype="category"), "holds 'a', 'b' where", id="categories"),
        pytest.param(series("1", "2"), "holds '1', '2' where", id="numbers that are texts"),
        pytest.param(
            series(1, True, "True"), "holds 'True' where a number belongs, in row 3", id="mixed"
        ),
        pytest.param(
            series(datetime.date(2026, 1, 31)), "holds 2026-01-31 where a number", id="dates"
        ),
        pytest.param(
            series("2026-01-31", dtype=MICROSECONDS), "holds 2026-01-31T00:00:00 where", id="times"
        ),
        pytest.param(series(datetime.timedelta(days=2)), "holds 2 days 00:00:00", id="lengths"),
        pytest.param(
            series(uuid.UUID(int=7), b"x"), "holds 00000000-0000-0000-0000-000000000007", id="bytes"
        ),
        pytest.param(series(np.arange(2), np.arange(3)), "holds [0 1], [0 1 2] where", id="arrays"),
        pytest.param(series({}, [1]), "holds {}, [1] where a number belongs", id="objects"),
        pytest.param(
            series(1.0, -1.8e308, dtype=object).astype(float),
            "holds -inf beyond ±3.4e+38, a model's largest number, in row 2 of 2",
            id="infinite",
        ),
        pytest.param(series(1.0, -1.7e308), "holds -1.7e+308 beyond", id="a double for no data"),
        pytest.param(series(1e39, 1.0, None), "holds 1e+39 beyond", id="just out of float32"),
        pytest.param(series(10**39, 1, dtype=object), "holds 1000", id="an integer out of float32"),
        pytest.param(series(None, None), "is empty in every row", id="empty"),
        pytest.param(series(None, dtype="Int64"), "is empty in every row", id="empty, typed"),
    ],
)
def test_a_feature_that_is_not_all_numbers(column: "pd.Series[Any]", said: str) -> None:
    fault = read_feature(column, "wind")

    assert text(fault).startswith(f"column wind {said}")
    assert isinstance(fault, Fault)
    assert fault.reason is Reason.FEATURE_INVALID


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(series(3.4e38, -3.4e38), id="the largest of float32"),
        pytest.param(series(1e-320, None), id="the smallest"),
        pytest.param(series(5.0, 5.0), id="constant: harmless"),
    ],
)
def test_a_feature_at_the_edge_of_what_can_be_used(column: "pd.Series[Any]") -> None:
    assert not isinstance(read_feature(column, "wind"), Fault)


@pytest.mark.parametrize(
    ("name", "column", "expected"),
    [
        pytest.param("Unnamed: 0", series(0, 1, 2), True, id="pandas' index"),
        pytest.param("", series(5, 9, 7), True, id="no name: whole numbers, each once"),
        pytest.param("Unnamed: 0", series("a", "b", "c"), True, id="names of rows"),
        pytest.param("Unnamed: 3", series(None, None, None), True, id="a comma at each row's end"),
        pytest.param("Unnamed: 1", series(1.5, 2.5, 3.5), False, id="no name, but measured"),
        pytest.param("Unnamed: 1", series(1, 1, 2), False, id="no name, but counted"),
        pytest.param("Unnamed: 1", series("a", "a", "b"), False, id="no name, but words"),
        pytest.param("index", series(3, 8, 12), True, id="an index with gaps"),
        pytest.param("Row Number", series(3, 8, 12), True, id="as people write it"),
        pytest.param("ID", series("x1", "x2", "x3"), True, id="a key of texts"),
        pytest.param("id", series(3, 3, 12), False, id="a key of something else"),
        pytest.param("id", series(3.5, 4.5, 5.0), False, id="no whole numbers"),
        pytest.param("id", series(3, None, 5), False, id="not in each row"),
        pytest.param("id", series(None, None, None), False, id="an empty one: a fault"),
        pytest.param("id", series({}, [], {}), False, id="objects that come twice"),
        pytest.param("nth", series(7, 8, 9), True, id="another name: one by one"),
        pytest.param("nth", series(9, 7, 8), True, id="in another order"),
        pytest.param("nth", series(7, 8, 10), False, id="with a gap: it may be a measure"),
        pytest.param("nth", series(7, 7, 9), False, id="one twice"),
        pytest.param("nth", series(0.5, 1.5, 2.5), False, id="between the whole numbers"),
        pytest.param("word", series("a", "b", "c"), False, id="words under another name"),
    ],
)
def test_a_column_that_only_numbers_the_rows(
    name: str, column: "pd.Series[Any]", expected: bool
) -> None:
    assert is_row_number(column, name, read_feature(column, name)) is expected
