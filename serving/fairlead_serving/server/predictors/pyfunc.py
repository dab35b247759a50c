"""Predict with any MLflow model.  Tens of milliseconds a request, for models of no faster form."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import mlflow.pyfunc
import numpy as np
import pandas as pd

from fairlead_contract.artifact import WITHOUT_CODE
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import FLOAT32_MAX, BadInputError, InstanceReader, Row
from fairlead_serving.server.predictors.protocol import (
    Explained,
    NotExplainedError,
    PredictionError,
    Predictions,
)
from fairlead_serving.server.shape import check_answer
from fairlead_serving.server.signature import Column

_DTYPES = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
    "string": "object",
}


class FrameModel(Protocol):
    """What we need of `mlflow.pyfunc.PyFuncModel`."""

    def predict(self, data: pd.DataFrame) -> Any:
        """Predict for each row."""


class PyfuncPredictor:
    """A model behind MLflow's generic interface."""

    is_fast = False

    def __init__(self, model: FrameModel, columns: Sequence[Column]) -> None:
        self._model = model
        self.reader = InstanceReader(columns, null_is_missing=False)
        self.gives_text = False

    @classmethod
    def load(cls, artifact: Artifact) -> "PyfuncPredictor":
        """Load the model of an artifact, running whatever code it brings."""
        return cls(mlflow.pyfunc.load_model(str(artifact.path)), artifact.columns)

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value."""
        rows = self.reader.read_rows(instances)
        try:
            output = self._model.predict(self._to_frame(rows))
        except Exception as error:
            extreme = next(filter(None, map(self._find_extreme, range(len(rows)), rows)), None)
            if extreme is not None:
                raise BadInputError(f"{extreme}, and the model fails on it") from error
            raise
        if isinstance(output, pd.DataFrame | pd.Series | np.ndarray):
            check_answer(len(rows), output)  # as a list it takes many times the room
        predictions = _to_list(output)
        if len(predictions) != len(rows):
            raise PredictionError(
                f"the model returned {len(predictions)} predictions for {len(rows)} instances"
            )
        odd = next((at for at, each in enumerate(predictions) if not _is_finite(each)), None)
        if odd is not None:
            raise self._not_finite(odd, rows[odd])
        self.gives_text = isinstance(predictions[0], str)
        return predictions

    def explain(self, _instances: object, _is_over: Callable[[], bool]) -> Explained:
        """Explain nothing: each of thousands of questions would take the model milliseconds."""
        raise NotExplainedError(
            f"a model that MLflow opens is not explained; register it as {WITHOUT_CODE}"
        )

    def _not_finite(self, at: int, row: Row) -> Exception:
        """Blame a row of values that few models have an answer to, and any other on the model."""
        why = self._find_extreme(at, row)
        if why is None and None in row:
            why = f"instances[{at}] has a null"
        if why is None:
            return PredictionError("the model's prediction is not a finite number")
        return BadInputError(f"{why}, and the model's answer to it is not a finite number")

    def _find_extreme(self, at: int, row: Row) -> str | None:
        """Say which number of a row is larger than most libraries hold; None if none is."""
        for column, cell in zip(self.reader.columns, row, strict=True):
            if isinstance(cell, int | float) and abs(cell) > FLOAT32_MAX:
                return f"instances[{at}], column {column.name!r}: {cell!r} is very large"
        return None

    def _to_frame(self, rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
        """Build a frame of exactly the signature's types, which MLflow insists on."""
        series = {}
        for column, cells in zip(self.reader.columns, zip(*rows, strict=True), strict=True):
            # An optional column with a gap has no plain type; MLflow takes it as it is.
            has_gap = not column.required and None in cells
            dtype = "object" if has_gap else _DTYPES[column.mlflow_type]
            series[column.name] = pd.Series(list(cells), dtype=dtype)
        return pd.DataFrame(series)


def _to_list(output: Any) -> list[Any]:
    if isinstance(output, pd.DataFrame):
        output = output.iloc[:, 0] if output.shape[1] == 1 else output.to_numpy()
    if isinstance(output, pd.Series | np.ndarray):
        output = output.tolist()
    if not isinstance(output, list):
        raise PredictionError(f"the model returned a {type(output).__name__}, not a list")
    return output


def _is_finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_finite(item) for item in value)
    if isinstance(value, int | float | np.number):
        return math.isfinite(value)
    return value is not None
