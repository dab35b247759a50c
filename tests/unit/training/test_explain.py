"""SHAP values to an order of the features, and to a plot."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fairlead_training.data import Table
from fairlead_training.explain import draw, explain
from fairlead_training.learners.protocol import FittedModel


class Attributed:
    """As much of a model as an explanation needs; remembers how many rows it was given."""

    def __init__(self, values: npt.NDArray[np.float64]) -> None:
        self._values = values
        self.rows = 0

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.float64]:
        self.rows = len(features)
        return np.resize(self._values, (len(features), *self._values.shape[1:]))


def table(rows: int, *names: str) -> Table:
    features = pd.DataFrame({name: np.arange(float(rows)) for name in names})
    positions = np.arange(rows)
    return Table(times=positions, features=features, target=np.zeros(rows), rows=positions)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([[1, -3], [-1, 5]], {"b": 4, "a": 1}, id="size counts, not direction"),
        pytest.param([[2, 2], [2, 2]], {"a": 2, "b": 2}, id="equal: by name"),
        pytest.param([[[1, 0], [3, 0]], [[1, 0], [3, 0]]], {"a": 2, "b": 0}, id="classes: mean"),
    ],
)
def test_features_are_ordered_by_their_mean_share(
    values: list[list[float]], expected: dict[str, float]
) -> None:
    model: FittedModel = Attributed(np.array(values, dtype=np.float64))  # type: ignore[assignment]

    importance = explain(model, table(2, "a", "b"), seed=7)

    assert list(importance.items()) == list(expected.items())


def test_two_thousand_rows_are_enough() -> None:
    model = Attributed(np.ones((1, 1)))

    explain(model, table(5000, "a"), seed=7)  # type: ignore[arg-type]

    assert model.rows == 2000


def test_the_plot_is_a_png() -> None:
    assert draw({"demand": 0.5, "price": 0.1}, of="SHAP values").startswith(b"\x89PNG")
