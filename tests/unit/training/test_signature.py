"""The signature of a model of raw columns, and rows as a caller would give them."""

import json

import numpy as np
import pandas as pd

from fairlead_contract.graph import ColumnType
from fairlead_training.signature import build_inputs, show_raw

TYPES = {str(kind): kind for kind in ColumnType}


def test_each_column_has_its_type_and_says_whether_it_may_be_missing() -> None:
    inputs = json.loads(build_inputs(TYPES, {"number", "text"}).to_json())

    assert [(one["name"], one["type"], one["required"]) for one in inputs] == [
        ("number", "double", False),
        ("integer", "long", True),
        ("boolean", "boolean", True),
        ("category", "string", True),
        ("text", "string", False),
        ("time", "datetime", True),
    ]


def test_rows_are_shown_as_a_caller_gives_them() -> None:
    read = pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "integer": [2.0, np.nan],
            "boolean": [1.0, np.nan],
            "category": ["gold", ""],
            "text": ["a b", ""],
            "time": [-86_400.0, np.nan],
        }
    )

    shown = json.loads(show_raw(read, TYPES).to_json(orient="records", date_format="iso"))

    assert [list(row.values()) for row in shown] == [
        [1.5, 2, True, "gold", "a b", "1969-12-31T00:00:00.000"],
        [None] * 6,
    ]
