"""Foreign predictions brought into our form."""

import numpy as np
import pandas as pd
import pytest

from fairlead_training.artifact import ChampionUnavailableError, as_scores
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.metrics import Floats


def table(target: list[float]) -> Table:
    rows = len(target)
    return Table(
        times=np.arange(rows),
        features=pd.DataFrame(index=range(rows)),
        target=np.array(target),
        rows=np.arange(rows),
    )


@pytest.mark.parametrize(
    ("task", "score", "expected"),
    [
        pytest.param(Task.BINARY, [0.2, 0.9], [0.2, 0.9], id="probability of class 1"),
        pytest.param(Task.BINARY, [[0.8, 0.2], [0.1, 0.9]], [0.2, 0.9], id="of both classes"),
        pytest.param(Task.REGRESSION, [[5], [6]], [5, 6], id="one column"),
    ],
)
def test_predictions_are_brought_into_our_form(
    task: Task, score: list[float], expected: list[float]
) -> None:
    found = as_scores(np.array(score, dtype=np.float64), table([0, 1]), task)

    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("task", "score"),
    [
        pytest.param(Task.BINARY, [0.0, 1.0], id="classes instead of probabilities"),
        pytest.param(Task.BINARY, [-2.0, 3.0], id="margins instead of probabilities"),
        pytest.param(Task.BINARY, [0.5], id="too few"),
        pytest.param(Task.REGRESSION, [[1, 2], [3, 4]], id="two values for one"),
        pytest.param(Task.MULTICLASS, [0.1, 0.9], id="one value for many"),
        pytest.param(Task.MULTICLASS, [[0.5, 0.5], [0.5, 0.5]], id="a class is unknown"),
    ],
)
def test_predictions_that_cannot_be_compared_are_refused(task: Task, score: list[float]) -> None:
    values: Floats = np.array(score, dtype=np.float64)

    with pytest.raises(ChampionUnavailableError):
        as_scores(values, table([0, 2]), task)
