"""Predictions and labels in the words of the record."""

from typing import Any

import numpy as np
import pytest

from fairlead_serving.server.outputs import Output, to_outputs
from fairlead_serving.server.signature import Task


@pytest.mark.parametrize(
    ("task", "predictions", "outputs"),
    [
        pytest.param(
            Task.BINARY,
            np.array([0.25, 0.5], dtype=np.float32),
            [(0.25, "0", None), (0.5, "1", None)],
            id="binary: the probability and the likelier class",
        ),
        pytest.param(
            Task.MULTICLASS,
            np.array([[0.25, 0.75, 0.0]]),
            [(None, "1", [0.25, 0.75, 0.0])],
            id="multiclass: all probabilities and the likeliest class",
        ),
        pytest.param(Task.REGRESSION, [3, -1.5], [(3.0, None, None), (-1.5, None, None)],
                     id="regression: the value"),
        pytest.param(Task.BINARY, ["up"], [(None, "up", None)], id="a model that gives names"),
        pytest.param(Task.MULTICLASS, [2], [(None, "2", None)], id="a model that gives classes"),
        pytest.param(Task.BINARY, [[0.9, 0.1]], [(None, "0", [0.9, 0.1])],
                     id="a model that gives both probabilities"),
        pytest.param(Task.REGRESSION, [[1.0, 2.0]], [(None, None, None)],
                     id="a model of several outputs: kept without them"),
    ],
)  # fmt: skip
def test_predictions_in_the_words_of_the_record(
    task: Task, predictions: Any, outputs: list[Output]
) -> None:
    assert list(to_outputs(task, predictions)) == outputs


@pytest.mark.parametrize(
    ("predictions", "outputs"),
    [
        pytest.param(
            np.array([0.25, 0.5], dtype=np.float32),
            [(0.25, "no", None), (0.5, "yes", None)],
            id="of two: that of the second, and the likelier",
        ),
        pytest.param([[0.75, 0.25]], [(None, "no", [0.75, 0.25])], id="of two, each told"),
    ],
)
def test_predictions_of_named_classes(predictions: Any, outputs: list[Output]) -> None:
    assert list(to_outputs(Task.BINARY, predictions, ("no", "yes"))) == outputs


def test_predictions_of_several_named_classes() -> None:
    outputs = to_outputs(Task.MULTICLASS, np.array([[0.25, 0.75, 0.0]]), ("a", "b", "7"))

    assert list(outputs) == [(None, "b", [0.25, 0.75, 0.0])]
