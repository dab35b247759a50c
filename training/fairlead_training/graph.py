"""ONNX graphs of the contract: put together, opened as a server opens them, compared, and logged.

Conversions go wrong without a word.  So a graph is compared with what it was made of, row by row,
before it is taken for it.
"""

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract import graph as contract
from fairlead_contract.graph import TEXTUAL, ColumnType, Description
from fairlead_training.config import Task

if TYPE_CHECKING:
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

Floats = npt.NDArray[np.float64]

OPSETS: Final[Mapping[str, int]] = {"": contract.OPSET, "ai.onnx.ml": contract.ML_OPSET}

_IR_VERSION: Final = 10  # of ONNX 1.16, which came with these
_CLOSE: Final = 2e-5  # of an answer's size: 32 bits, and some hundred of them added up
_ROWS: Final = 10_000  # at a time
_NAMED: Final = 3


class InvalidAnswerError(Exception):
    """A graph that gives another number of rows or classes than the model."""


def describe(
    task: Task,
    columns: Mapping[str, ColumnType],
    sources: Sequence[str],
    *,
    labels: Sequence[contract.Label] = (),
    classes: int = 0,
) -> Description:
    """Say what a graph says of itself.

    Args:
        task: says what it answers.
        columns: it takes.
        sources: column that each feature is made of.
        labels: of the classes, where they are others than 0, 1, 2, …
        classes: number of the probabilities; of a regression it says nothing.
    """
    named: tuple[contract.Label, ...] | None = None
    if task is not Task.REGRESSION:
        named = (*labels, *range(len(labels), classes))[:classes]
    return Description(task=str(task), classes=named, columns=columns, sources=tuple(sources))


def make_model(graph: "onnx.GraphProto", *, domains: Sequence[str] = ()) -> "onnx.ModelProto":
    """Make a graph a model of the opsets that servers know.

    Args:
        graph: the nodes, with what goes in and out.
        domains: other sets of operators that it takes from, of version 1.
    """
    from onnx import helper  # noqa: PLC0415  a search has no use for it

    versions = {**OPSETS, **dict.fromkeys(domains, 1)}
    opsets = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="fairlead")
    model.ir_version = _IR_VERSION
    return model


def make_cast(names: Sequence[str]) -> "onnx.ModelProto":
    """Make the graph from columns of numbers to features: beside each other, in 32 bits."""
    from onnx import TensorProto, helper  # noqa: PLC0415  a search has no use for it

    columns = f"{contract.RESERVED}columns"
    graph = helper.make_graph(
        [
            helper.make_node("Concat", list(names), [columns], axis=1),
            helper.make_node("Cast", [columns], [contract.FEATURES], to=TensorProto.FLOAT),
        ],
        "fairlead",
        [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in names],
        [helper.make_tensor_value_info(contract.FEATURES, TensorProto.FLOAT, [None, len(names)])],
    )
    return make_model(graph)


def join(
    prepared: "onnx.ModelProto", learned: "onnx.ModelProto", description: Description
) -> "onnx.ModelProto":
    """Put a learner's graph, from ``features`` to its answer, behind one that gives these."""
    import onnx  # noqa: PLC0415  a search has no use for it
    from onnx import compose, helper  # noqa: PLC0415  as above

    learned = compose.add_prefix(learned, contract.RESERVED)  # also to the names of its ends
    learned.ir_version = prepared.ir_version
    model = compose.merge_models(
        prepared,
        learned,
        io_map=[(contract.FEATURES, contract.FEATURES)],
        name="fairlead",
        producer_name="fairlead",
    )
    model.graph.output.extend(prepared.graph.output)
    del model.metadata_props[:]
    helper.set_model_props(model, contract.write_metadata(description))
    onnx.checker.check_model(model)
    return model


class Graph:
    """A graph of the contract, opened as a server opens it."""

    def __init__(self, content: bytes | Path, *, threads: int = 1) -> None:
        """Open a graph.

        Raises:
            InvalidGraphError: it is another one.
        """
        import onnxruntime  # noqa: PLC0415  a search has no use for it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # what is wrong is raised
        self._session = onnxruntime.InferenceSession(
            str(content) if isinstance(content, Path) else content,
            options,
            providers=["CPUExecutionProvider"],
        )
        properties = self._session.get_modelmeta().custom_metadata_map
        self.description: Description = contract.read_metadata(properties)

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""
        (answers,) = self.run(features, self.description.answer)
        given = answers.astype(np.float64)
        return given if self.description.task == Task.MULTICLASS else given[:, -1]

    def run(self, rows: pd.DataFrame, *outputs: str) -> list[npt.NDArray[np.float32]]:
        """Return these outputs for rows whose columns ``preparation.raw`` has read."""
        parts = [
            self._session.run(outputs, self._feed(rows.iloc[start : start + _ROWS]))
            for start in range(0, len(rows), _ROWS)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _feed(self, rows: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
        return {
            name: rows[name].to_numpy(object if kind in TEXTUAL else np.float64).reshape(-1, 1)
            for name, kind in self.description.columns.items()
        }


def find_difference(
    graph: Graph, expected: Floats, rows: pd.DataFrame, *, size: npt.ArrayLike = 1.0
) -> str | None:
    """Say in words where a graph answers otherwise than its model, beyond what 32 bits allow.

    Args:
        graph: with an answer as an output.
        expected: what the model itself says: one probability, one a class, or a value.
        rows: whose columns ``preparation.raw`` has read.
        size: the least that a difference is measured by; 1 for probabilities.

    Raises:
        InvalidAnswerError: the two cannot be compared.
    """
    (found,) = graph.run(rows, graph.description.answer)
    wanted = expected.reshape(len(rows), -1)
    if graph.description.classes is not None and wanted.shape[1] == 1:
        wanted = np.hstack([1 - wanted, wanted])
    if found.shape != wanted.shape:
        raise InvalidAnswerError(f"the graph gives {found.shape} answers, not {wanted.shape}")
    difference = np.abs(found.astype(np.float64) - wanted)
    # What is no number is wrong as well, unless the model says so too.
    wrong = ~((difference <= _CLOSE * np.maximum(np.abs(wanted), size)) | (found == wanted))
    wrong &= ~(np.isnan(found) & np.isnan(wanted))
    if not wrong.any():
        return None
    far = np.where(wrong, np.nan_to_num(difference, nan=np.inf), -1)
    worst = np.unravel_index(int(far.argmax()), far.shape)
    by_row = wrong.any(axis=1)
    first = ", ".join(str(row + 1) for row in np.flatnonzero(by_row)[:_NAMED])
    return (
        f"its ONNX graph answers {count(by_row)} otherwise (first: {first}), by up to "
        f"{difference[worst]:.3g}: {found[worst]:.9g} in row {worst[0] + 1}, and not "
        f"{wanted[worst]:.9g}"
    )


def count(wrong: npt.NDArray[np.bool_]) -> str:
    """Say how many of the rows that were compared differ."""
    return f"{int(wrong.sum())} of {len(wrong)} held-out rows"


def log_graph(
    proto: "onnx.ModelProto",
    *,
    signature: "ModelSignature",
    example: pd.DataFrame,
    metadata: Mapping[str, str],
    run_id: str,
) -> "ModelInfo":
    """Log a graph to MLflow in its ONNX flavor."""
    # Imported late: only the finishing Job logs, and MLflow takes seconds.
    import mlflow.onnx  # noqa: PLC0415  as above
    import onnx  # noqa: PLC0415  as above
    import onnxruntime  # noqa: PLC0415  as above
    from mlflow.models import Model  # noqa: PLC0415  as above

    def save_model(*, validate_serving_input: bool, **told: Any) -> None:
        del validate_serving_input  # which is for ``Model.log``
        mlflow.onnx.save_model(**told)

    info: ModelInfo = Model.log(
        artifact_path=None,  # which ``name`` has replaced
        flavor=types.SimpleNamespace(save_model=save_model, __name__="mlflow.onnx"),
        # MLflow's own server gives each column as one dimension, ours as two.
        validate_serving_input=False,
        onnx_model=proto,
        onnx_execution_providers=["CPUExecutionProvider"],
        name="model",
        signature=signature,
        input_example=example,
        metadata={**contract.MARK, **metadata},
        # Given, since MLflow would otherwise import everything to find out.
        pip_requirements=[
            f"onnx=={onnx.__version__}",
            f"onnxruntime=={onnxruntime.__version__}",
        ],
        save_as_external_data=False,
        run_id=run_id,
    )
    return info


def is_stored(proto: "onnx.ModelProto", directory: Path) -> bool:
    """Tell whether the artifact directory holds this graph, byte for byte."""
    stored: bytes = proto.SerializeToString()
    return (directory / contract.FILE).read_bytes() == stored
