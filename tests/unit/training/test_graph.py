"""What a graph says otherwise than the model it was made of is told."""

from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from fairlead_training.config import Task
from fairlead_training.graph import Graph, find_difference, join
from fairlead_training.preparation import verify
from fairlead_training.preparation.graph import build_graph
from fairlead_training.preparation.pipeline import fit
from support.customers import ROWS, TYPES, customers, describe


def linear(width: int, classes: int, *, wrong: float = 0.0) -> onnx.ModelProto:
    """Build a learner's graph as the protocol wants it."""
    weights = np.linspace(-1, 1, width * classes).reshape(width, classes)
    weights[0, 0] += wrong
    answer = "probabilities" if classes > 1 else "value"
    nodes = [
        helper.make_node("IsNaN", ["features"], ["0"]),
        helper.make_node("Where", ["0", "zero", "features"], ["1"]),
        helper.make_node("Tanh", ["1"], ["2"]),
        helper.make_node("MatMul", ["2", "weights"], ["3" if classes > 1 else answer]),
    ]
    if classes > 1:
        nodes.append(helper.make_node("Softmax", ["3"], [answer]))
    graph = helper.make_graph(
        nodes,
        "learner",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, [None, classes])],
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets)
    model.ir_version = 8
    return model


def answer_natively(features: pd.DataFrame, classes: int) -> Any:
    matrix = np.tanh(features.fillna(0).to_numpy(np.float64))
    margin = matrix @ np.linspace(-1, 1, matrix.shape[1] * classes).reshape(-1, classes)
    if classes == 1:
        return margin[:, 0]
    odds = np.exp(margin - margin.max(axis=1, keepdims=True))
    shares = odds / odds.sum(axis=1, keepdims=True)
    return shares[:, 1] if classes == 2 else shares


@pytest.mark.parametrize(
    ("task", "classes"),
    [
        pytest.param(Task.BINARY, 2, id="binary"),
        pytest.param(Task.MULTICLASS, 3, id="three classes"),
        pytest.param(Task.REGRESSION, 1, id="regression"),
    ],
)
def test_one_graph_answers_as_preparation_and_model_do(task: Task, classes: int) -> None:
    rows = customers()
    target = np.arange(ROWS) % max(2, classes)
    preparation, _ = fit(rows, TYPES, target * 1.0, task=task, seed=7)
    description = describe(preparation, task, classes)
    prepared = build_graph(preparation, description)
    width = len(preparation.names)
    expected = answer_natively(preparation.transform(rows), classes)

    right = Graph(join(prepared, linear(width, classes), description).SerializeToString())
    wrong = join(prepared, linear(width, classes, wrong=1e-2), description)
    difference = find_difference(Graph(wrong.SerializeToString()), expected, rows)

    assert right.description == description
    assert find_difference(right, expected, rows) is None
    assert verify.find_difference(right, preparation, rows) is None, "explanations start from them"
    assert difference is not None
    assert "of 240 held-out rows otherwise" in difference
