"""Predictions and labels in the words of the record (docs/contracts.md, section 6).  Pure."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from fairlead_serving.server.predictors.protocol import Predictions
from fairlead_serving.server.signature import Task

# value, class, probabilities
Output: TypeAlias = tuple[float | None, str | None, list[float] | None]


def to_outputs(task: Task, predictions: Predictions) -> Iterator[Output]:
    """Write each row as an output of the record."""
    rows = predictions.tolist() if isinstance(predictions, np.ndarray) else predictions
    return (_to_output(task, row) for row in rows)


def class_name(label: float | bool | str) -> str:
    """Name a class in one way, however it was written: 1, 1.0 and true are the same."""
    if isinstance(label, str):
        return label.replace("\x00", "")  # which PostgreSQL's text cannot hold
    return str(int(label)) if label == int(label) else repr(label)


def _to_output(task: Task, row: Any) -> Output:
    if isinstance(row, list):
        if task is Task.REGRESSION or not row:
            return None, None, None
        return None, str(max(range(len(row)), key=row.__getitem__)), row
    if isinstance(row, str):
        return None, class_name(row), None
    match task:
        case Task.REGRESSION:
            return float(row), None, None
        case Task.BINARY:
            return float(row), "1" if row >= 0.5 else "0", None
        case Task.MULTICLASS:
            return None, class_name(row), None
