"""Models that are stored and served as an ONNX graph, whatever the library that trained them.

A model of scikit-learn would be a pickle, which is a program; a graph is data.  It takes the raw
columns (``fairlead_contract.graph``), turns them into 32 bits, and answers as the model does: that
is checked on every row of the hold-out before anything is registered.

    prepare   each column, 64 bits ──▶ features, 32 bits
    answer    features ──▶ probabilities or value
"""

import dataclasses
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
from fairlead_training.graph import (
    OPSETS,
    Graph,
    InvalidAnswerError,
    describe,
    find_difference,
    is_stored,
    join,
    log_graph,
    make_cast,
    make_model,
)
from fairlead_training.learners.protocol import Setting, UnfaithfulFormError
from fairlead_training.learners.unit import Unit
from fairlead_training.metrics import Floats

if TYPE_CHECKING:
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

FEATURES: Final = "features"
PROBABILITIES: Final = "probabilities"
VALUE: Final = "value"
TARGETS: Final = OPSETS
# The latest that onnxmltools writes; its nodes are the same in ours.
BOOSTER_OPSET: Final = 15


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


def open_stored(directory: Path, flavor: Mapping[str, Any]) -> Graph:
    """Open a stored model by the flavor's entry in its ``MLmodel`` file."""
    return Graph(directory / confine(flavor.get("data", contract.FILE)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GraphModel:
    """A fitted model, and the graph that is stored of it and judged in its place."""

    native: Native
    setting: Setting
    unit: Unit
    proto: "onnx.ModelProto"
    stored: Graph

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
            names = [str(name) for name in table.features]
            description = describe(
                setting.task,
                dict.fromkeys(names, contract.ColumnType.NUMBER),
                names,
                labels=table.classes,
                classes=setting.probabilities,
            )
            proto = join(make_cast(names), native.to_onnx(len(names)), description)
            stored = Graph(proto.SerializeToString(), threads=setting.threads)
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
        size = 1.0
        if self.setting.task is Task.REGRESSION:
            size = self.unit.one + abs(self.unit.zero)
        try:
            difference = find_difference(
                self.stored, self.native.predict(to_matrix(features)), features, size=size
            )
        except InvalidAnswerError as error:
            raise UnfaithfulFormError(str(error)) from error
        if difference is not None:
            raise UnfaithfulFormError(difference)

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
        return is_stored(self.proto, directory)


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
    return make_model(graph)


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
