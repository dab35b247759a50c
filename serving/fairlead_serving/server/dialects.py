"""The two ways in which predictions are asked for: our own, and the Open Inference Protocol.

They differ in how a question and its answer are written, and in nothing else.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from fairlead_serving.server.classes import Classes
from fairlead_serving.server.inference import MAX_BODY_BYTES, parse_tensors, write_tensors
from fairlead_serving.server.predictors.protocol import FEW_ROWS, Predictions
from fairlead_serving.server.question import Question, parse_instances
from fairlead_serving.server.settings import Settings
from fairlead_serving.server.shape import Limits

_FEW_VALUES: Final = 4000


class Dialect(Protocol):
    """How requests for predictions and their answers are written."""

    most_bytes: int  # of a body
    is_counted: bool  # whether a large body has to be, before it is parsed
    few: tuple[bytes, int]  # what a body of few rows has of a byte, at most

    def parse(self, body: bytearray) -> Question:
        """Read a body.

        Raises:
            BadInputError: it is none of this dialect.
        """

    def write(
        self, asked: str | None, prediction_id: str, predictions: Predictions
    ) -> Mapping[str, Any]:
        """Write an answer, to be JSON.

        Raises:
            PredictionError: the predictions have no place in it.
        """


class Rows:
    """`POST /predict`: a list of objects of column: value."""

    is_counted = True
    few = (b"{", FEW_ROWS + 1)

    def __init__(self, settings: Settings, limits: Limits, classes: Classes) -> None:
        self._classes = classes
        self.most_bytes = limits.body_bytes
        self._identity = {"model": settings.model, "version": settings.version}

    def parse(self, body: bytearray) -> Question:
        """Read a body."""
        return Question(parse_instances(body))

    def write(
        self, _asked: str | None, prediction_id: str, predictions: Predictions
    ) -> Mapping[str, Any]:
        """Write an answer."""
        told = self._classes.tell(predictions)
        return {**self._identity, "predictionId": prediction_id, "predictions": told}


class Tensors:
    """The Open Inference Protocol: a tensor for each column."""

    is_counted = False
    few = (b",", _FEW_VALUES)

    def __init__(self, settings: Settings, limits: Limits, classes: Classes) -> None:
        self._classes = classes
        self.most_bytes = min(limits.body_bytes, MAX_BODY_BYTES)
        self._model, self._version = settings.model, settings.version

    def parse(self, body: bytearray) -> Question:
        """Read a body."""
        return parse_tensors(body)

    def write(
        self, asked: str | None, prediction_id: str, predictions: Predictions
    ) -> Mapping[str, Any]:
        """Write an answer."""
        return write_tensors(
            self._model,
            self._version,
            asked=asked,
            prediction_id=prediction_id,
            predictions=predictions,
            labels=self._classes.choose(predictions),
        )
