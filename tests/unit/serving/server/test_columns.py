"""Rows as one array a column: both of its readers take the same, and take it for the same."""

import math
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead_serving.server.columns import ColumnsReader
from fairlead_serving.server.instances import FLOAT32_MAX, BadInputError
from fairlead_serving.server.signature import Column, Kind

KINDS = {
    "price": (Kind.NUMBER, "double"),
    "rooms": (Kind.WHOLE, "long"),
    "sold": (Kind.BOOLEAN, "boolean"),
    "region": (Kind.CATEGORY, "string"),
    "note": (Kind.TEXT, "string"),
    "at": (Kind.TIME, "datetime"),
}
COLUMNS = {
    name: Column(name=name, kind=kind, mlflow_type=word) for name, (kind, word) in KINDS.items()
}
HINT = Column(name="hint", kind=Kind.TEXT, mlflow_type="string", required=False)

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, -0.0, 0.5, 2.0**53, 1e39, -FLOAT32_MAX, 2**63, 10**400]),
    st.text(max_size=2),
    st.sampled_from(["1970-01-02", "7", "true"]),
    st.just([]),
)


def read(names: list[str], *rows: dict[str, Any]) -> dict[str, Any] | str:
    """Return the first row as it is read, or why it is refused."""
    reader = ColumnsReader([*(COLUMNS[name] for name in names), HINT], limit=FLOAT32_MAX)
    try:
        return {name: column[0, 0] for name, column in reader.read(list(rows)).items()}
    except BadInputError as refusal:
        return str(refusal)


@given(st.dictionaries(st.sampled_from(sorted(COLUMNS)), cells, min_size=1))
@example({"sold": 1.0})
@example({"sold": 0.5})
@example({"price": True, "at": 1})
@example({"at": True})
def test_a_row_is_taken_for_the_same_beside_one_that_needs_a_closer_look(
    row: dict[str, Any],
) -> None:
    """`1.0` was true where every column was there, and was refused where one was left out."""
    names = list(row)

    alone = read(names, {**row, "hint": ""})
    looked_at = read(names, {**row, "hint": ""}, {**dict.fromkeys(names), "hint": None})
    without = read(names, row)

    assert _plain(alone) == _plain(looked_at) == _plain(without)


def _plain(answer: dict[str, Any] | str) -> Any:
    if isinstance(answer, str):
        return answer
    return {
        name: "missing" if isinstance(cell, float) and math.isnan(cell) else cell
        for name, cell in answer.items()
        if isinstance(cell, str | float | np.floating)
    }
