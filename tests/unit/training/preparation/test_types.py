"""What kind of values a column holds."""

import datetime
import decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from fairlead_contract.graph import ColumnType
from fairlead_training.preparation.types import describe_types, infer_type, names_rows

NUMBER, INTEGER, BOOLEAN = ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN
CATEGORY, TEXT, TIME = ColumnType.CATEGORY, ColumnType.TEXT, ColumnType.TIME
DAY = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)


def series(*values: Any, dtype: Any = None) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param(series(1.0, 2.5), NUMBER, id="floats"),
        pytest.param(series(1.0, None), NUMBER, id="whole floats: the next may be none"),
        pytest.param(series(decimal.Decimal("1.5"), None), NUMBER, id="decimals"),
        pytest.param(series(1, 2), NUMBER, id="integers"),
        pytest.param(series(1, None, dtype="Int64"), NUMBER, id="integers with gaps"),
        pytest.param(series(2**70, 1, dtype=object), NUMBER, id="integers of 70 bits"),
        pytest.param(series(True, False), BOOLEAN, id="truths"),
        pytest.param(series(True, None, dtype=object), BOOLEAN, id="truths with gaps"),
        pytest.param(series("True", "false", ""), BOOLEAN, id="truths as texts"),
        pytest.param(series(True, 2, dtype=object), NUMBER, id="truths and numbers"),
        pytest.param(series(DAY), TIME, id="times"),
        pytest.param(series(DAY.date(), None, dtype=object), TIME, id="dates"),
        pytest.param(series("2026-01-31", "1969-12-31T23:00:00+02:00"), TIME, id="ISO 8601"),
        pytest.param(series(*["2026-01-31"] * 20, "2026-02-30"), TIME, id="one day that is none"),
        pytest.param(series("2026", "2027"), NUMBER, id="years as texts"),
        pytest.param(series("1.5", " 2", "-3e5"), NUMBER, id="numbers as texts"),
        pytest.param(series(*map(str, range(10, 30)), "n/a"), NUMBER, id="numbers but for one"),
        pytest.param(series("1", "2", "ten", "many"), CATEGORY, id="numbers and words"),
        pytest.param(series("1", *["NA", "n/a", " "] * 9), NUMBER, id="a number among gaps"),
        pytest.param(series("true", None, "NaN"), BOOLEAN, id="a truth among gaps"),
        pytest.param(series("1,234", "999", "-1,234,567.8"), NUMBER, id="thousands"),
        pytest.param(series("1.234,56", "0,5"), NUMBER, id="a comma for the point"),
        pytest.param(series("$12.50", "3 €", "12%"), NUMBER, id="prices and shares"),
        pytest.param(series("1.2.3", "10.0.0.1"), CATEGORY, id="versions and addresses"),
        pytest.param(series("01234", "98765"), CATEGORY, id="postal codes"),
        pytest.param(series("no", "yes"), CATEGORY, id="words"),
        pytest.param(series(UUID(int=7), None, dtype=object), CATEGORY, id="UUIDs"),
        pytest.param(series(datetime.time(8, 30), dtype=object), CATEGORY, id="times of the day"),
        pytest.param(series("a b c d", "a b c e"), CATEGORY, id="a few sentences"),
        pytest.param(series(1, 2, dtype="category"), NUMBER, id="numbers that pandas calls so"),
        pytest.param(series("a", None, dtype="category"), CATEGORY, id="pandas' categories"),
        pytest.param(series(*(f"seen on day {i}" for i in range(99))), TEXT, id="sentences"),
        pytest.param(series(*(f"user{i}" for i in range(99))), CATEGORY, id="names"),
        pytest.param(series(None, None), NUMBER, id="nothing"),
        pytest.param(series("", " "), NUMBER, id="texts of nothing"),
        pytest.param(series([1], [2]), NUMBER, id="lists, which reading refuses"),
    ],
)
def test_a_type_is_inferred(column: "pd.Series[Any]", expected: ColumnType) -> None:
    assert infer_type(column) is expected


@pytest.mark.parametrize(
    ("types", "said"),
    [
        pytest.param({"a": NUMBER, "b": NUMBER}, None, id="numbers alone are nothing to tell"),
        pytest.param({"a": NUMBER, "b": INTEGER}, "integer: b; number: a", id="a declared one"),
        pytest.param(
            {"age": NUMBER, "plan": CATEGORY, "since": TIME, "note": TEXT, "region": CATEGORY},
            "category: plan, region; text: note; time: since; number: age",
            id="what is no number first",
        ),
        pytest.param(
            {"plan": CATEGORY, **dict.fromkeys("abcdefg", NUMBER)},
            "category: plan; number: 7 columns",
            id="many of one type are counted",
        ),
    ],
)
def test_types_in_one_line(types: dict[str, ColumnType], said: str | None) -> None:
    assert describe_types(types) == said


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param([f"user{n}" for n in range(40)], True, id="a name for each row"),
        pytest.param([f"user{n}" for n in range(39)] + ["user1"], True, id="one comes twice"),
        pytest.param([f"user{n}" for n in range(20)] + [""] * 20, True, id="where there is one"),
        pytest.param([f"user{n // 2}" for n in range(40)], False, id="each comes twice"),
        pytest.param([f"user{n}" for n in range(19)], False, id="too few to tell"),
        pytest.param([""] * 40, False, id="none"),
    ],
)
def test_categories_may_name_their_rows(texts: list[str], expected: bool) -> None:
    assert names_rows(np.array(texts, dtype=object)) is expected
