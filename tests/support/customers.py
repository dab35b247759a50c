"""A table with a column of each type, and a preparation of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairlead_contract.graph import ColumnType, Description
from fairlead_training.config import Task
from fairlead_training.graph import Graph
from fairlead_training.preparation.graph import build_graph
from fairlead_training.preparation.pipeline import Preparation, fit

ROWS = 240
LABELS = np.arange(ROWS) % 2.0
TYPES: Mapping[str, ColumnType] = {
    "age [years]": ColumnType.NUMBER,
    "visits": ColumnType.INTEGER,
    "member": ColumnType.BOOLEAN,
    "epoch": ColumnType.NUMBER,
    "plan": ColumnType.CATEGORY,
    "city": ColumnType.CATEGORY,
    "since": ColumnType.TIME,
    "note": ColumnType.TEXT,
}


def customers(rows: int = ROWS) -> pd.DataFrame:
    """A column of each type, with gaps, as ``raw`` would read them."""
    number = np.arange(rows)
    return pd.DataFrame(
        {
            "age [years]": np.where(number % 11 == 0, np.nan, 20 + number % 60),
            "visits": number % 9 * 1.0,
            "member": np.where(number % 13 == 0, np.nan, number % 2),
            "epoch": 1.7e9 + number,
            "plan": np.array(["", "gold", "silver", "größte"], dtype=object)[number % 4],
            "city": np.array([f"city {n * n % 31}" for n in number], dtype=object),
            "since": np.where(number % 7 == 0, np.nan, (number - 100) * 1e7),
            "note": np.array([f"Slow, SLOW answer {n % 5} — ärgerlich" for n in number]),
        }
    )


def describe(preparation: Preparation, task: Task, classes: int = 2) -> Description:
    return Description(
        task=str(task),
        classes=None if task is Task.REGRESSION else tuple(range(classes)),
        columns=preparation.columns,
        sources=preparation.sources,
    )


def fit_on(
    rows: pd.DataFrame, types: Mapping[str, ColumnType], target: Any, task: Task = Task.BINARY
) -> tuple[Preparation, Graph]:
    preparation, _ = fit(rows, types, np.asarray(target, dtype=float), task=task, seed=7)
    description = describe(preparation, task, len(np.unique(target)))
    return preparation, Graph(build_graph(preparation, description).SerializeToString())
