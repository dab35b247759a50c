"""What a client may send, and how a refusal names the place."""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fairlead_serving.server.instances import (
    FLOAT32_MAX,
    MAX_INSTANCES,
    BadInputError,
    InstanceReader,
    TooLargeError,
)
from fairlead_serving.server.signature import Column, Kind

PRICE = Column(name="price", kind=Kind.NUMBER)
COUNT = Column(name="count", kind=Kind.WHOLE, mlflow_type="long")
OPEN = Column(name="open", kind=Kind.BOOLEAN, mlflow_type="boolean")
REGION = Column(name="region", kind=Kind.TEXT, mlflow_type="string")
NOTE = Column(name="note", kind=Kind.TEXT, mlflow_type="string", required=False)

GOOD = {"price": 1.5, "count": 3}


def booster_reader(*columns: Column) -> InstanceReader:
    return InstanceReader(columns or (PRICE, COUNT), null_is_missing=True, limit=FLOAT32_MAX)


def pyfunc_reader(*columns: Column) -> InstanceReader:
    return InstanceReader(columns, null_is_missing=False)


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        pytest.param(None, "instances is null; give a list of objects", id="null"),
        pytest.param({}, "instances is {}; give a list of objects", id="an object"),
        pytest.param([], "instances is empty; give at least one object", id="empty"),
        pytest.param([GOOD, 7], "instances[1] is 7; give an object", id="a number for a row"),
        pytest.param([[1.5, 3]], "instances[0] is [1.5, 3]; give an object", id="a list"),
        pytest.param([GOOD, {"price": 1}], "instances[1] has no column 'count'", id="missing"),
        pytest.param(
            [{**GOOD, "prise": 1}],
            "instances[0] has the unknown column 'prise'; the model takes price, count",
            id="unknown",
        ),
        pytest.param(
            [GOOD, GOOD, {**GOOD, "price": "12"}],
            "instances[2], column 'price': '12' is not a number",
            id="text that looks like a number",
        ),
        pytest.param(
            [{**GOOD, "price": [1]}],
            "instances[0], column 'price': [1] is not a number",
            id="a list for a number",
        ),
        pytest.param(
            [{**GOOD, "price": math.inf}], "column 'price': inf is too large", id="infinity"
        ),
        pytest.param(
            [{**GOOD, "price": -1e39}], "column 'price': -1e+39 is too large", id="float32 overflow"
        ),
        pytest.param([{**GOOD, "price": 10**400}], "is too large", id="a number beyond floats"),
        pytest.param(
            [{**GOOD, "count": 2.5}], "column 'count': 2.5 is not a whole number", id="half a count"
        ),
        pytest.param(
            [{**GOOD, "price": "x" * 500}], "xxx… is not a number", id="long values are cut"
        ),
    ],
)
def test_a_refusal_names_the_place(instances: object, message: str) -> None:
    with pytest.raises(BadInputError) as refusal:
        booster_reader().read_matrix(instances)

    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        pytest.param([GOOD], [[1.5, 3.0]], id="numbers"),
        pytest.param([{"count": 3, "price": 1.5}], [[1.5, 3.0]], id="any order of columns"),
        pytest.param([{"price": 1, "count": 3.0}], [[1.0, 3.0]], id="13 is 13.0 and back"),
        pytest.param([{"price": None, "count": None}], [[math.nan] * 2], id="null is missing"),
        pytest.param([{"price": math.nan, "count": 1}], [[math.nan, 1.0]], id="so is NaN"),
        pytest.param([{**GOOD, "price": FLOAT32_MAX}], [[FLOAT32_MAX, 3.0]], id="the largest"),
    ],
)
def test_a_matrix_has_the_columns_in_order(instances: object, expected: list[list[float]]) -> None:
    matrix = booster_reader().read_matrix(instances)

    np.testing.assert_array_equal(matrix, expected)


def test_one_column_is_read_like_many() -> None:
    matrix = booster_reader(PRICE).read_matrix([{"price": 1}, {"price": 2}])

    assert matrix.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    "reader", [booster_reader(), pyfunc_reader(PRICE, COUNT)], ids=["booster", "pyfunc"]
)
def test_true_and_false_are_one_and_zero_where_numbers_belong(reader: InstanceReader) -> None:
    """A training reads a column of booleans so, and its clients were refused."""
    instances = [{"price": True, "count": False}, {"price": 0.5, "count": True}]

    rows = reader.read_rows(instances)

    assert [[type(cell) for cell in row] for row in rows] == [[int, int], [float, int]]
    assert rows == [(1, 0), (0.5, 1)]
    assert reader.read_matrix(instances).tolist() == [[1.0, 0.0], [0.5, 1.0]]


def test_an_optional_column_may_be_left_out() -> None:
    optional = Column(name="price", kind=Kind.NUMBER, required=False)

    matrix = booster_reader(optional, COUNT).read_matrix([{"count": 3}])

    np.testing.assert_array_equal(matrix, [[math.nan, 3.0]])


def test_more_rows_than_one_request_holds_are_refused() -> None:
    with pytest.raises(TooLargeError, match=f"send at most {MAX_INSTANCES}"):
        booster_reader().read_matrix([GOOD] * (MAX_INSTANCES + 1))


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        pytest.param(OPEN, True, None, id="boolean: true"),
        pytest.param(OPEN, 1, None, id="boolean: one"),
        pytest.param(OPEN, 1.0, None, id="boolean: one with a point"),
        pytest.param(OPEN, 0.5, "0.5 is not true or false", id="boolean: a half"),
        pytest.param(OPEN, 2, "2 is not true or false", id="boolean: two"),
        pytest.param(OPEN, "yes", "'yes' is not true or false", id="boolean: text"),
        pytest.param(OPEN, None, "null; give a boolean", id="boolean: null"),
        pytest.param(REGION, "NSW1", None, id="string: text"),
        pytest.param(REGION, 7, "7 is not a string", id="string: a number"),
        pytest.param(REGION, None, "null; give a string", id="string: null"),
        pytest.param(NOTE, None, None, id="string: null where optional"),
        pytest.param(COUNT, None, "null; give a whole number", id="whole: null"),
        pytest.param(COUNT, 2**63, "is too large", id="whole: beyond 64 bits"),
        pytest.param(PRICE, None, None, id="number: null is missing"),
        pytest.param(PRICE, 1e300, None, id="number: a float64"),
    ],
)
def test_cells_of_a_model_without_missing_values(
    column: Column, value: object, problem: str | None
) -> None:
    reader = pyfunc_reader(column)

    if problem is None:
        assert reader.read_rows([{column.name: value}]) == [(value,)]
    else:
        with pytest.raises(BadInputError) as refusal:
            reader.read_rows([{column.name: value}])
        assert problem in str(refusal.value)


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)
rows: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"price": cells, "count": cells}),
    st.fixed_dictionaries({"price": st.floats(width=32), "count": st.integers(-9, 9)}),
    st.dictionaries(st.sampled_from(["price", "count", "prise"]), cells),
    cells,
)


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        pytest.param(
            pyfunc_reader(PRICE),
            {"type": ["number", "null"], "format": "double"}
            | {"minimum": -sys.float_info.max, "maximum": sys.float_info.max},
            id="a number may be missing",
        ),
        pytest.param(
            booster_reader(PRICE),
            {"type": ["number", "null"], "format": "double"}
            | {"minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX},
            id="a booster's has 32 bits",
        ),
        pytest.param(
            pyfunc_reader(COUNT),
            {"type": "integer", "format": "int64"} | {"minimum": 1 - 2**63, "maximum": 2**63 - 1},
            id="a whole number may not",
        ),
        pytest.param(
            booster_reader(COUNT),
            {"type": ["integer", "null"], "format": "int64"}
            | {"minimum": 1 - 2**63, "maximum": 2**63 - 1},
            id="a booster's may",
        ),
        pytest.param(pyfunc_reader(OPEN), {"type": "boolean"}, id="a boolean"),
        pytest.param(pyfunc_reader(REGION), {"type": "string"}, id="a string"),
        pytest.param(pyfunc_reader(NOTE), {"type": ["string", "null"]}, id="an optional one"),
    ],
)
def test_a_schema_says_what_a_column_takes(
    reader: InstanceReader, expected: dict[str, object]
) -> None:
    (column,) = reader.columns

    assert reader.schema() == {
        "type": "object",
        "properties": {column.name: expected},
        "required": [column.name] if column.required else [],
        "additionalProperties": False,
    }


@given(
    st.sampled_from([booster_reader, pyfunc_reader]),
    st.sampled_from([PRICE, COUNT, OPEN, REGION, NOTE]),
    st.one_of(cells, st.sampled_from([2.0, 2**63, -(2**63), 10**400, FLOAT32_MAX, 1e39])),
)
def test_what_the_schema_allows_is_read(
    build: Callable[[Column], InstanceReader], column: Column, cell: object
) -> None:
    reader = build(column)

    for instance in ({column.name: cell}, {}, {column.name: cell, "other": cell}):
        if Draft202012Validator(reader.schema()).is_valid(instance):
            assert len(reader.read_rows([instance])) == 1


def ask(read: Callable[[object], Any], instances: object) -> Any:
    """What a reader reads, or the message of its refusal."""
    try:
        return read(instances)
    except BadInputError as refusal:
        return str(refusal)


@given(st.one_of(cells, st.lists(rows, max_size=4)))
def test_the_quick_reader_accepts_nothing_the_thorough_one_refuses(instances: Any) -> None:
    reader = booster_reader()

    thorough, quick = ask(reader.read_rows, instances), ask(reader.read_matrix, instances)

    if isinstance(thorough, str):
        assert quick == thorough
    else:
        np.testing.assert_array_equal(quick, np.array(thorough, dtype=np.float64))


@given(st.one_of(cells, st.lists(rows, max_size=4)))
def test_a_refusal_is_the_only_exception(instances: Any) -> None:
    answer = ask(pyfunc_reader(PRICE, OPEN, NOTE).read_rows, instances)

    assert isinstance(answer, list) or "instances" in answer
