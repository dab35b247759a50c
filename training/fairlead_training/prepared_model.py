"""A model of raw columns, stored and judged as one ONNX graph."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairlead_contract.graph import Description
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.failure import first_line
from fairlead_training.graph import (
    Graph,
    InvalidAnswerError,
    describe,
    find_difference,
    is_stored,
    join,
    log_graph,
)
from fairlead_training.learners.protocol import FittedModel, Setting, UnfaithfulFormError
from fairlead_training.metrics import Floats
from fairlead_training.preparation import verify
from fairlead_training.preparation.graph import build_graph
from fairlead_training.preparation.pipeline import Preparation

if TYPE_CHECKING:
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PreparedModel:
    """A fitted model of raw columns: the preparation, the learner's model, and the graph of both.

    What the graph answers is what is judged.
    """

    preparation: Preparation
    model: FittedModel
    proto: "onnx.ModelProto"
    graph: Graph
    task: Task
    size: float  # the least that a difference of answers is measured by

    @classmethod
    def of(
        cls, model: FittedModel, preparation: Preparation, table: Table, setting: Setting
    ) -> "PreparedModel":
        """Make the graph.

        Raises:
            UnfaithfulFormError: there is none.
        """
        description = describe(
            setting.task,
            preparation.columns,
            preparation.sources,
            labels=table.classes,
            classes=setting.probabilities,
        )
        # A converter may fail in any way, and none of them is worth more than a trial.
        try:
            proto = _join(model, preparation, description)
            graph = Graph(proto.SerializeToString(), threads=setting.threads)
        except UnfaithfulFormError:
            raise
        except Exception as error:
            raise UnfaithfulFormError(
                f"it cannot be made an ONNX graph ({type(error).__name__}: {first_line(error)})"
            ) from error
        size = 1.0 if setting.task is not Task.REGRESSION else float(np.std(table.target))
        return cls(
            preparation=preparation,
            model=model,
            proto=proto,
            graph=graph,
            task=setting.task,
            size=size,
        )

    @property
    def attribution(self) -> str:
        """Say what the numbers of ``attribute`` are, for people."""
        return f"{self.model.attribution}, summed by column"

    def verify(self, features: pd.DataFrame) -> None:
        """Compare the graph with what it was made of, on every row.

        Raises:
            UnfaithfulFormError: they differ by more than 32 bits allow.
        """
        self.model.verify(self.preparation.transform(features))
        try:
            # Of features first: what they change is no fault of the learner's.
            difference = verify.find_difference(
                self.graph, self.preparation, features
            ) or find_difference(self.graph, self._expect(features), features, size=self.size)
        except InvalidAnswerError as error:
            raise UnfaithfulFormError(str(error)) from error
        if difference is not None:
            raise UnfaithfulFormError(difference)

    def _expect(self, features: pd.DataFrame) -> Floats:
        return self.model.predict(self.preparation.transform(features))

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return what the graph answers."""
        return self.graph.predict(features)

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.floating[Any]]:
        """Return each column's part: the sum of those of the features that are made of it."""
        parts = self.model.attribute(self.preparation.transform(features))
        made_of = np.array(
            [[source == name for name in features] for source in self.preparation.sources]
        )
        summed: npt.NDArray[np.floating[Any]] = parts @ made_of.astype(parts.dtype)
        return summed

    def to_onnx(self, names: object) -> "onnx.ModelProto | None":
        """Return None: the graph is from columns, and not from features."""
        return None

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


def _join(
    model: FittedModel, preparation: Preparation, description: Description
) -> "onnx.ModelProto":
    learned = model.to_onnx(preparation.names)
    if learned is None:
        raise UnfaithfulFormError("it has no form as an ONNX graph")
    return join(build_graph(preparation, description), learned, description)
