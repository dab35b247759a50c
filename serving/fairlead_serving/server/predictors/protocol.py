"""What every predictor does, whatever library its model comes from.

A new kind of predictor is one module beside this one, one row in `flavors`, and its form in
`fairlead_contract.artifact`.
"""

from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fairlead_serving.server.instances import InstanceReader

FEW_ROWS: Final = 200  # that the event loop predicts by itself, at most

Predictions: TypeAlias = npt.NDArray[np.floating[Any]] | list[Any]  # one entry an instance


class PredictionError(Exception):
    """The model returned something that is not a prediction."""


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
