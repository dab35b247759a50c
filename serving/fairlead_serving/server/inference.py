"""The Open Inference Protocol (V2, over REST) in the words of `POST /predict`.  Pure.

A request brings one tensor for each column, with a value for each row; which values a column
takes is the business of the same reader.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import numpy as np

from fairlead_contract.http import V2_MODELS
from fairlead_serving.server.classes import Classes
from fairlead_serving.server.instances import (
    MAX_INSTANCES,
    BadInputError,
    InstanceReader,
    TooLargeError,
    show,
)
from fairlead_serving.server.predictors.protocol import PredictionError, Predictions
from fairlead_serving.server.question import Question, read_json

# Some 4,000 rows of 30 numbers.  It cannot ask for much, so that it need not be counted before.
MAX_BODY_BYTES: Final = 1024 * 1024

OUTPUT: Final = "predictions"
LABELS: Final = "labels"  # where the artifact names its classes
_DATATYPES: Final[Mapping[str, str]] = {  # by MLflow's types
    "double": "FP64",
    "float": "FP32",
    "long": "INT64",
    "integer": "INT32",
    "boolean": "BOOL",
    "string": "BYTES",
    "datetime": "BYTES",
}
_TAKEN: Final = frozenset(
    {"BOOL", "BYTES", "FP16", "FP32", "FP64"}
    | {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
)
_LONGEST_ID: Final = 128  # characters


def model_paths(model: str, version: str) -> tuple[str, str]:
    """Return the paths of a model, without and with its version."""
    return f"{V2_MODELS}/{model}", f"{V2_MODELS}/{model}/versions/{version}"


def describe_model(
    model: str, version: str, reader: InstanceReader, classes: Classes, *, gives_text: bool = False
) -> dict[str, Any]:
    """Return the metadata of a model: its signature in the protocol's types."""
    inputs = [
        {"name": column.name, "datatype": _DATATYPES[column.mlflow_type], "shape": [-1, 1]}
        for column in reader.columns
    ]
    datatype = "BYTES" if gives_text else "FP64"
    outputs = [{"name": OUTPUT, "datatype": datatype, "shape": [-1, -1]}]
    if classes.labels:
        outputs.append({"name": LABELS, "datatype": "BYTES", "shape": [-1, 1]})
    return {
        "name": model,
        "versions": [version],
        "platform": "fairlead",
        "inputs": inputs,
        "outputs": outputs,
    }


def parse_tensors(body: bytearray) -> Question:
    """Read the rows that a request asks about.

    Raises:
        BadInputError: it is not as the protocol has it; the message names the tensor.
    """
    request = read_json(body)
    if not isinstance(request, dict) or not isinstance(inputs := request.get("inputs"), list):
        raise BadInputError(
            'body has no list of inputs; give {"inputs": [{"name": "column", "shape": [1, 1], '
            '"datatype": "FP64", "data": [1.5]}]}'
        )
    _check_outputs(request.get("outputs", []))
    asked = request.get("id")
    if asked is not None and not (isinstance(asked, str) and len(asked) <= _LONGEST_ID):
        raise BadInputError(f"id is not a string of at most {_LONGEST_ID} characters")
    columns: dict[str, list[object]] = {}
    for at, tensor in enumerate(inputs):
        name, data = _read_tensor(f"inputs[{at}]", tensor)
        if name in columns:
            raise BadInputError(f"inputs[{at}] is the column {show(name)} once more")
        columns[name] = data
    lengths = {name: len(data) for name, data in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{show(name)} {length}" for name, length in list(lengths.items())[:3])
        raise BadInputError(f"inputs do not have the same number of rows ({told}, …)")
    if max(lengths.values(), default=0) > MAX_INSTANCES:
        raise TooLargeError(
            f"{max(lengths.values())} rows in one request; send at most {MAX_INSTANCES}"
        )
    rows = zip(*columns.values(), strict=True)
    return Question([dict(zip(columns, row, strict=True)) for row in rows], asked)


def write_tensors(
    model: str,
    version: str,
    *,
    asked: str | None,
    prediction_id: str,
    predictions: Predictions,
    labels: Sequence[str] = (),
) -> dict[str, Any]:
    """Write predictions as one tensor, and the class of each row where it is named as another.

    Raises:
        PredictionError: they are no tensor.
    """
    values = np.asarray(predictions)
    if values.dtype.kind in "iub":
        values = values.astype(np.float64)
    is_text = values.dtype.kind == "U"
    if not (is_text or values.dtype in (np.float32, np.float64)) or values.ndim not in {1, 2}:
        raise PredictionError("the model's predictions are no tensor")
    rows = len(values)
    tensor = {
        "name": OUTPUT,
        # As the metadata has it, whatever the model calculates in: JSON's numbers are doubles.
        "datatype": "BYTES" if is_text else "FP64",
        "shape": [rows, values.size // rows],
        "data": values.reshape(-1).tolist()
        if is_text
        else np.ascontiguousarray(values).reshape(-1),
    }
    outputs = [tensor]
    if labels:
        outputs.append(
            {"name": LABELS, "datatype": "BYTES", "shape": [rows, 1], "data": list(labels)}
        )
    return {
        "model_name": model,
        "model_version": version,
        "id": asked or prediction_id,
        "parameters": {"predictionId": prediction_id},
        "outputs": outputs,
    }


def _read_tensor(where: str, tensor: object) -> tuple[str, list[object]]:
    if not isinstance(tensor, dict) or not isinstance(name := tensor.get("name"), str):
        raise BadInputError(f"{where} is not an object with a name")
    where = f"{where}, column {show(name)}"
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in _TAKEN:
        _refuse(where, "datatype", datatype, "give one of the protocol, as FP64")
    data, shape = tensor.get("data"), tensor.get("shape")
    if not isinstance(data, list):
        _refuse(where, "data", data, "give a list with a value for each row")
    if data and all(isinstance(cell, list) and len(cell) == 1 for cell in data):
        data = [cell[0] for cell in data]
    if shape not in ([len(data)], [len(data), 1]):
        _refuse(where, "shape", shape, f"give [{len(data)}, 1], one value for each row of its data")
    return name, data


def _check_outputs(outputs: object) -> None:
    given = outputs if isinstance(outputs, list) else [outputs]
    for output in given:
        if not isinstance(output, dict) or output.get("name") not in (OUTPUT, LABELS):
            raise BadInputError(
                f"outputs asks for what there is not; there is {OUTPUT!r}, and {LABELS!r} where "
                "the model names its classes"
            )


def _refuse(where: str, field: str, value: object, way_out: str) -> NoReturn:
    kind = "missing" if value is None else show(value) if isinstance(value, str) else "wrong"
    raise BadInputError(f"{where}: {field} is {kind}; {way_out}")
