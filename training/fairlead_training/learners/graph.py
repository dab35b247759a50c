"""Models that are stored and served as an ONNX graph, whatever the library that trained them.

A model of scikit-learn would be a pickle, which is a program; a graph is data.  It takes the raw
columns (``fairlead_contract.graph``), turns them into 32 bits, and answers as the model does: that
is checked on every row of the hold-out before anything is registered.

    prepare   each column, 64 bits ──▶ features, 32 bits
    answer    features ──▶ probabilities or value
"""

import dataclasses
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract import graph as contract
from fairlead_contract.artifact import confine
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.failure import first_line
from fairlead_training.learners.protocol import Setting, UnfaithfulFormError
from fairlead_training.learners.unit import Unit
from fairlead_training.metrics import Floats

if TYPE_CHECKING:
    import onnx
    import onnxruntime
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

FEATURES: Final = "features"
PROBABILITIES: Final = "probabilities"
VALUE: Final = "value"
TARGETS: Final[Mapping[str, int]] = {"": contract.OPSET, "ai.onnx.ml": contract.ML_OPSET}
# The latest that onnxmltools writes; its nodes are the same in ours.
BOOSTER_OPSET: Final = 15

_IR_VERSION: Final = 10  # of ONNX 1.16 and later
_CLOSE: Final = 2e-5  # of a probability, or of the target's size; 32 bits and some hundred sums
_ALL_COLUMNS: Final = f"{contract.RESERVED}columns"


class Native(Protocol):
    """A model as its library has it.  It is given numbers of 32 bits, as 64."""

    @property
    def attribution(self) -> str:
        """Say what the numbers of ``attribute`` are, for people."""

    def predict(self, features: Floats) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return each feature's part: rows first, features last, classes between if several."""

    def to_onnx(self, width: int) -> "onnx.ModelProto":
        """Return the model as a graph from ``features``, which are so many."""


def to_matrix(features: pd.DataFrame) -> Floats:
    """Return the numbers as every server will see them: of 32 bits."""
    return features.to_numpy(np.float32).astype(np.float64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredGraph:
    """A graph that answers from raw columns."""

    session: "onnxruntime.InferenceSession"
    task: Task
    columns: Mapping[str, contract.ColumnType]

    @classmethod
    def open(cls, graph: bytes | Path, *, threads: int = 1) -> "StoredGraph":
        """Open a graph of the contract.

        Raises:
            InvalidGraphError: it is another one.
        """
        import onnxruntime  # noqa: PLC0415  a search has no use for it

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            str(graph) if isinstance(graph, Path) else graph,
            options,
            providers=["CPUExecutionProvider"],
        )
        described = contract.read_metadata(session.get_modelmeta().custom_metadata_map)
        return cls(session=session, task=Task(described.task), columns=described.columns)

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""
        columns = {
            name: features[[name]].to_numpy(object if kind in contract.TEXTUAL else np.float64)
            for name, kind in self.columns.items()
        }
        wanted = contract.VALUE if self.task is Task.REGRESSION else contract.PROBABILITIES
        (answer,) = self.session.run([wanted], columns)
        answer = np.asarray(answer, dtype=np.float64)
        return answer if self.task is Task.MULTICLASS else answer[:, -1]


def open_stored(directory: Path, flavor: Mapping[str, Any]) -> StoredGraph:
    """Open a stored model by the flavor's entry in its ``MLmodel`` file."""
    return StoredGraph.open(directory / confine(flavor.get("data", contract.FILE)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphModel:
    """A fitted model, and the graph that is stored of it and judged in its place."""

    native: Native
    setting: Setting
    unit: Unit
    proto: "onnx.ModelProto"
    stored: StoredGraph

    @classmethod
    def of(
        cls, native: Native, table: Table, setting: Setting, unit: Unit | None = None
    ) -> "GraphModel":
        """Make the graph of a model that learned from this table.

        Raises:
            UnfaithfulFormError: there is none.
        """
        # A converter may fail in any way, and none of them is worth more than a trial.
        try:
            answer = native.to_onnx(table.features.shape[1])
            proto = from_columns(
                answer, [str(name) for name in table.features], setting, labels=table.classes
            )
            stored = StoredGraph.open(proto.SerializeToString(), threads=setting.threads)
        except Exception as error:
            raise UnfaithfulFormError(
                f"it cannot be made an ONNX graph ({type(error).__name__}: {first_line(error)})"
            ) from error
        return cls(native=native, setting=setting, unit=unit or Unit(), proto=proto, stored=stored)

    @property
    def attribution(self) -> str:
        """Say what the numbers of ``attribute`` are, for people."""
        return self.native.attribution

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return what the graph answers."""
        return self.stored.predict(features)

    def verify(self, features: pd.DataFrame) -> None:
        """Compare the graph with the model on every row.

        Raises:
            UnfaithfulFormError: they differ by more than 32 bits allow.
        """
        expected = self.native.predict(to_matrix(features))
        size = np.ones(1)
        if self.setting.task is Task.REGRESSION:
            size = np.maximum(np.abs(expected), self.unit.one + abs(self.unit.zero))
        difference = np.abs(self.predict(features) - expected) / size
        difference = difference.reshape(len(features), -1).max(axis=1)
        wrong = ~(difference <= _CLOSE)  # not a number is wrong as well
        if wrong.any():
            raise UnfaithfulFormError(
                f"its ONNX graph differs from the model in {int(wrong.sum())} of {len(features)} "
                f"held-out rows, by {np.nanmax(difference[wrong], initial=0.0):.2g} at most"
            )

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.floating[Any]]:
        """Return each feature's part in the model's own words."""
        return self.native.attribute(to_matrix(features))

    def to_onnx(self, names: Sequence[str]) -> "onnx.ModelProto":
        """Return the graph from ``features``."""
        return self.native.to_onnx(len(names))

    def log(
        self,
        *,
        signature: "ModelSignature",
        example: pd.DataFrame,
        metadata: Mapping[str, str],
        run_id: str,
    ) -> "ModelInfo":
        """Log the graph to MLflow in its ONNX flavor."""
        return log_graph(
            self.proto, signature=signature, example=example, metadata=metadata, run_id=run_id
        )

    def is_stored_in(self, directory: Path) -> bool:
        """Tell whether the artifact directory holds this graph, byte for byte."""
        graph: bytes = self.proto.SerializeToString()
        return (directory / contract.FILE).read_bytes() == graph


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


def from_columns(
    answer: "onnx.ModelProto",
    names: Sequence[str],
    setting: Setting,
    *,
    labels: Sequence[contract.Label] = (),
) -> "onnx.ModelProto":
    """Put the raw columns before a graph that answers from ``features``.

    Args:
        labels: of the classes, where they are others than 0, 1, 2, …
    """
    import onnx  # noqa: PLC0415  a search has no use for it
    from onnx import TensorProto, compose, helper  # noqa: PLC0415  as above

    classes: tuple[contract.Label, ...] | None = None
    if setting.task is not Task.REGRESSION:
        classes = tuple(range(setting.probabilities))
        classes = (*labels, *classes[len(labels) :])[: len(classes)]
    inner = compose.add_prefix(answer, contract.RESERVED).graph
    nodes = [
        helper.make_node("Concat", list(names), [_ALL_COLUMNS], axis=1),
        helper.make_node("Cast", [_ALL_COLUMNS], [contract.FEATURES], to=TensorProto.FLOAT),
        *inner.node,
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in names]
    output = contract.PROBABILITIES if classes else contract.VALUE
    width = len(classes) if classes else 1
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])]
    graph = helper.make_graph(nodes, "fairlead", inputs, outputs, initializer=inner.initializer)
    model = as_model(graph)
    described = contract.Description(
        task=str(setting.task),
        classes=classes,
        columns=dict.fromkeys(names, contract.ColumnType.NUMBER),
        sources=tuple(names),
    )
    helper.set_model_props(model, contract.write_metadata(described))
    onnx.checker.check_model(model)
    return model


def name_output(
    model: "onnx.ModelProto",
    output: str,
    *,
    unit: Unit | None = None,
    is_log: bool = False,
    places: Sequence[int] | None = None,
    classes: int = 0,
) -> "onnx.ModelProto":
    """Keep one output of a converted model, under the name that it has among us.

    Args:
        unit: in which a value is to be said.
        is_log: whether the output is the value's logarithm.
        places: class of each probability, where the model has not seen all of the classes.
    """
    from onnx import (  # noqa: PLC0415  a search has no use for it
        TensorProto,
        compose,
        helper,
        numpy_helper,
    )

    # Converters have names of their own, and some of them are ours.
    model = compose.add_prefix(model, "learner.", rename_inputs=False)
    output = f"learner.{output}"
    nodes, constants = list(model.graph.node), list(model.graph.initializer)

    def constant(name: str, value: npt.ArrayLike) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    if unit is not None:
        if is_log:
            nodes.append(helper.make_node("Exp", [output], ["power"]))
            output = "power"
        nodes += [
            helper.make_node("Mul", [output, constant("unit.one", unit.one)], ["scaled"]),
            helper.make_node("Add", ["scaled", constant("unit.zero", unit.zero)], [VALUE]),
        ]
        name, width = VALUE, 1
    else:
        spread = np.eye(classes)[list(range(classes) if places is None else places)]
        nodes.append(
            helper.make_node("MatMul", [output, constant("classes", spread)], [PROBABILITIES])
            if places is not None
            else helper.make_node("Identity", [output], [PROBABILITIES])
        )
        name, width = PROBABILITIES, classes
    graph = helper.make_graph(
        nodes,
        "learner",
        model.graph.input,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])],
        initializer=constants,
    )
    return as_model(graph)


def attribute_by_median(
    predict: Callable[[Floats], Floats], features: Floats, usual: Floats
) -> Floats:
    """Return by how much the answer changes when one feature alone is at its median."""
    answer = predict(features)
    parts = []
    for number, value in enumerate(usual):
        without = features.copy()
        without[:, number] = value
        parts.append(answer - predict(without))
    return np.stack(parts, axis=-1)


def as_model(graph: "onnx.GraphProto") -> "onnx.ModelProto":
    """Say for which versions of ONNX a graph is."""
    from onnx import helper  # noqa: PLC0415  a search has no use for it

    opsets = [helper.make_opsetid(domain, version) for domain, version in TARGETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="fairlead")
    model.ir_version = _IR_VERSION
    return model
