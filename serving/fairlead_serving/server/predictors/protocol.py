"""What every predictor does, whatever library its model comes from.

A new kind of predictor is one module beside this one, one row in `flavors`, and its form in
`fairlead_contract.artifact`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fairlead_serving.server.instances import InstanceReader

FEW_ROWS: Final = 200  # that the event loop predicts by itself, at most

Predictions: TypeAlias = npt.NDArray[np.floating[Any]] | list[Any]  # one entry an instance


class PredictionError(Exception):
    """The model returned something that is not a prediction."""


class NotExplainedError(Exception):
    """No fault of the client's; the message says what is not explained, and what would be."""


class Method(StrEnum):
    """How explanations were made."""

    TREES = "tree-shap"  # exact, along the trees' own paths
    ALL_ORDERS = "shapley"  # exact, against the rows of the input example
    DRAWN_ORDERS = "shapley-sampling"  # the same from some of the orders, with an error


class Scale(StrEnum):
    """What an explained score is."""

    VALUE = "value"
    PROBABILITY = "probability"
    LOG_ODDS = "log-odds"
    LOG = "log"
    MARGIN = "margin"  # what the objective makes its answer of


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What each column adds to the score of a row: together, what it differs from the base by."""

    score: float
    base: float
    attributions: Mapping[str, float]
    output: int | None = None  # the class whose score it is; None for a regression
    error: float | None = None  # one standard error of the least certain; None where exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """The explanations of some rows."""

    method: Method
    scale: Scale
    rows: Sequence[Explanation]


class Predictor(Protocol):
    """A loaded model."""

    reader: InstanceReader  # of what clients send
    is_fast: bool  # FEW_ROWS cost so little that probes and metrics may wait for them
    gives_text: bool  # in place of numbers, as far as its answers have shown

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value.

        Raises:
            BadInputError: the instances do not fit the model's columns.
            Exception: whatever the model's own code raises.
        """

    def explain(self, instances: object, is_over: Callable[[], bool]) -> Explained:
        """Explain the answers to a list of objects of column: value.

        Args:
            is_over: whether nobody waits for it any more.

        Raises:
            BadInputError: the instances do not fit the model's columns.
            NotExplainedError: this kind of model is not explained.
            Exception: whatever the model's own code raises.
        """
