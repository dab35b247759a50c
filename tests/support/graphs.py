"""ONNX graphs from raw columns, small enough to calculate by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from fairlead_contract import graph
from fairlead_contract.graph import ColumnType, Description, Label

WORDS: Mapping[str, float] = {"north": 10.0, "south": 20.0, "7": 30.0, "true": 40.0}  # others: 0


def build_graph(
    columns: Mapping[str, ColumnType],
    *,
    classes: Sequence[Label] | None = None,
    nodes: Sequence[Any] = (),
    initializers: Sequence[Any] = (),
    metadata: Mapping[str, str] | None = None,
    width: int | None = None,
) -> Any:
    """Build a graph that adds up what its columns hold; a missing number counts as -1.

    Of classes, the first gets the softmax of 0, the second that of the sum, any other that of 0.
    """
    inputs, parts = [], []
    made = [helper.make_node("Identity", ["minus"], ["fairlead.minus"]), *nodes]
    for at, (name, kind) in enumerate(columns.items()):
        part, is_text = f"fairlead.part.{at}", kind in graph.TEXTUAL
        tensor = TensorProto.STRING if is_text else TensorProto.DOUBLE
        inputs.append(helper.make_tensor_value_info(name, tensor, [None, 1]))
        parts.append(part)
        if is_text:
            made.append(
                helper.make_node(
                    "LabelEncoder",
                    [name],
                    [part],
                    domain="ai.onnx.ml",
                    keys_strings=list(WORDS),
                    values_floats=list(WORDS.values()),
                    default_float=0.0,
                )
            )
            continue
        made += [
            helper.make_node("IsNaN", [name], [f"{part}.missing"]),
            helper.make_node("Where", [f"{part}.missing", "fairlead.minus", name], [f"{part}.f"]),
            helper.make_node("Cast", [f"{part}.f"], [part], to=TensorProto.FLOAT),
        ]
    answer = graph.VALUE if classes is None else graph.PROBABILITIES
    sum_ = answer if classes is None else "fairlead.sum"
    made.append(helper.make_node("Sum", parts, [sum_]))
    if classes is not None:
        zero = "fairlead.zero"
        made += [
            helper.make_node("Sub", [sum_, sum_], [zero]),
            helper.make_node(
                "Concat",
                [sum_ if at == 1 else zero for at in range(width or len(classes))],
                ["fairlead.scores"],
                axis=1,
            ),
            helper.make_node("Softmax", ["fairlead.scores"], [answer], axis=1),
        ]
    minus = helper.make_tensor("minus", TensorProto.DOUBLE, [1, 1], [-1.0])
    body = helper.make_graph(
        made,
        "fairlead",
        inputs,
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, [None, None])],
        [minus, *initializers],
    )
    opsets = [
        helper.make_opsetid("", graph.OPSET),
        helper.make_opsetid("ai.onnx.ml", graph.ML_OPSET),
        helper.make_opsetid("example.org", 1),
    ]
    model = helper.make_model(body, opset_imports=opsets, ir_version=9)
    task = "regression" if classes is None else "classification"
    described = Description(
        task=task,
        classes=None if classes is None else tuple(classes),
        columns=columns,
        sources=tuple(columns),
    )
    given = graph.write_metadata(described) if metadata is None else metadata
    helper.set_model_props(model, dict(given))
    return model


def save_graph(model: Any, folder: Path) -> Path:
    """Save a graph as MLflow does."""
    folder.mkdir(exist_ok=True)
    (folder / graph.FILE).write_bytes(model.SerializeToString())
    return folder


def external(location: str) -> Any:
    """Return an initializer whose value is in another file."""
    tensor = onnx.TensorProto(name="outside", data_type=TensorProto.DOUBLE, dims=[1, 1])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "8"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor
