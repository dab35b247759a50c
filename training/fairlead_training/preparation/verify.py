"""Compare the features that a graph gives with those of the preparation that it was made of."""

import numpy as np
import pandas as pd

from fairlead_contract import graph as contract
from fairlead_training.graph import Graph, InvalidAnswerError, count
from fairlead_training.preparation.pipeline import Preparation


def find_difference(graph: Graph, preparation: Preparation, rows: pd.DataFrame) -> str | None:
    """Say in words which features differ; they must be the same to the last bit.

    Args:
        graph: with the features as an output.
        preparation: it was made of.
        rows: whose columns ``raw`` has read.

    Raises:
        InvalidAnswerError: the two cannot be compared.
    """
    wanted = preparation.transform(rows).to_numpy()
    (found,) = graph.run(rows, contract.FEATURES)
    if found.shape != wanted.shape:
        raise InvalidAnswerError(f"the graph gives {found.shape} features, not {wanted.shape}")
    wrong = ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    if not wrong.any():
        return None
    row, feature = (int(place[0]) for place in np.nonzero(wrong))
    return (
        f"its ONNX graph prepares {count(wrong.any(axis=1))} otherwise: the value of column "
        f"{preparation.sources[feature]} in row {row + 1} becomes {found[row, feature]:.9g} in "
        f"{preparation.names[feature]}, and not {wanted[row, feature]:.9g}"
    )
