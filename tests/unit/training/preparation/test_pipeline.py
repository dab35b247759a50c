"""Raw columns to numbers."""

import numpy as np
import pandas as pd

from fairlead_contract.graph import ColumnType
from fairlead_training.config import Task
from fairlead_training.preparation.pipeline import fit
from support.customers import LABELS, ROWS, TYPES, customers, fit_on


def test_features_are_named_for_people() -> None:
    preparation, _ = fit_on(customers(), TYPES, LABELS)

    assert preparation.names[:8] == (
        "age _years_", "visits", "member", "epoch",
        "plan=none", "plan=gold", "plan=größte", "plan=silver",
    )  # fmt: skip
    assert "since month" in preparation.names
    assert "since hour" in preparation.names
    assert "note has slow" in preparation.names


def test_a_table_of_numbers_is_only_cast() -> None:
    rows = customers()[["age [years]", "visits", "member"]]
    types = {name: TYPES[name] for name in rows}

    _, features = fit(rows, types, LABELS, task=Task.BINARY, seed=7)

    np.testing.assert_array_equal(features.to_numpy(), rows.to_numpy(np.float32))


def test_large_numbers_keep_their_differences() -> None:
    rows = customers()[["epoch"]]

    _, features = fit(rows, {"epoch": ColumnType.NUMBER}, LABELS, task=Task.BINARY, seed=7)

    assert features["epoch"].tolist() == list(range(ROWS))


def test_what_is_learned_from_the_target_is_not_a_row_s_own() -> None:
    """A category of its own in each pair of rows must not tell them their target."""
    rows = pd.DataFrame({"city": [f"city {n // 2}" for n in range(ROWS)]})
    target = np.random.default_rng(7).permutation(LABELS)

    preparation, features = fit(
        rows, {"city": ColumnType.CATEGORY}, target, task=Task.BINARY, seed=7
    )

    told = np.corrcoef(features["city"], target)[0, 1]
    itself = np.corrcoef(preparation.transform(rows)["city"], target)[0, 1]
    assert told < 0.2
    assert itself > 0.5, "so it would be"
