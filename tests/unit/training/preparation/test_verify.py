"""What a graph prepares otherwise than the preparation it was made of is told."""

import numpy as np
import pandas as pd

from fairlead_contract.graph import ColumnType
from fairlead_training.preparation.verify import find_difference
from support.customers import fit_on


def test_a_feature_that_differs_is_told_with_its_value() -> None:
    rows = pd.DataFrame({"age": np.arange(20.0)})
    types = {"age": ColumnType.NUMBER}
    preparation, graph = fit_on(rows, types, np.arange(20) % 2)
    preparation.steps.named_transformers_["numbers"].origin_[0] = 0.5

    difference = find_difference(graph, preparation, rows)

    assert difference == (
        "its ONNX graph prepares 20 of 20 held-out rows otherwise: the value of column age in "
        "row 1 becomes 0 in age, and not -0.5"
    )
