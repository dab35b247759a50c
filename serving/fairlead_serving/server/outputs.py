"""Predictions and labels in the words of the record (docs/contracts.md, section 6).  Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from fairlead_contract.classes import name_in_record
from fairlead_serving.server.predictors.protocol import Predictions
from fairlead_serving.server.signature import Task

# value, class, probabilities
Output: TypeAlias = tuple[float | None, str | None, list[float] | None]


def to_outputs(task: Task, predictions: Predictions, names: Sequence[str] = ()) -> Iterator[Output]:
    """Write each row as an output of the record.

    Args:
        names: how the record calls each class; where there are none, by its number.
    """
    rows = predictions.tolist() if isinstance(predictions, np.ndarray) else predictions
    return (_to_output(task, row, names) for row in rows)


def _to_output(task: Task, row: Any, names: Sequence[str]) -> Output:
    if isinstance(row, list):
        if task is Task.REGRESSION or not row:
            return None, None, None
        number = max(range(len(row)), key=row.__getitem__)
        return None, names[number] if names else str(number), row
    if isinstance(row, str):
        return None, name_in_record(row), None
    match task:
        case Task.REGRESSION:
            return float(row), None, None
        case Task.BINARY:
            negative, positive = names or ("0", "1")
            return float(row), positive if row >= 0.5 else negative, None
        case Task.MULTICLASS:
            return None, name_in_record(row), None
