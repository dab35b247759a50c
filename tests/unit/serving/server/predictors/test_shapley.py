"""What each column adds to a score, of functions that can be calculated by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.server.predictors.shapley import Attribution, attribute


def explain(function: Callable[[Any], Any], row: list[float], *others: list[float]) -> Attribution:
    """Divide what `function` says of a row, beside others, among the row's values."""

    def score(taken: Any, against: Any) -> Any:
        asked = np.where(taken, np.array(row), np.array(others)[against])
        assert asked.shape[0] * asked.shape[1] <= 200_000
        return function(asked)

    return attribute(score, columns=len(row), compared=len(others))


def total(table: Any) -> Any:
    return table.sum(axis=1)


@pytest.mark.parametrize(
    ("function", "row", "others", "base", "values"),
    [
        pytest.param(total, [3, 5], [[1, 1]], 2, [2, 4], id="a sum"),
        pytest.param(total, [3, 5], [[1, 1], [3, 1]], 3, [1, 4], id="beside several: the mean"),
        pytest.param(lambda t: t[:, 0] * t[:, 1], [2, 4], [[0, 0]], 0, [4, 4], id="a product"),
        pytest.param(lambda t: t.max(axis=1), [2, 4], [[0, 0]], 0, [1, 3], id="the largest"),
        pytest.param(lambda t: t[:, 0], [3, 5], [[1, 1]], 1, [2, 0], id="a column that is unused"),
        pytest.param(total, [7], [[4]], 4, [3], id="one column"),
    ],
)
def test_few_columns_are_counted_exactly(
    function: Callable[[Any], Any],
    row: list[float],
    others: list[list[float]],
    base: float,
    values: list[float],
) -> None:
    found = explain(function, row, *others)

    assert found.base == pytest.approx(base)
    assert found.values.tolist() == pytest.approx(values)
    assert found.error is None


numbers = st.floats(-10, 10).map(lambda number: round(number, 3))


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[float], list[list[float]], list[float]]:
    """Draw a row, rows to compare it with, and a weight for each column."""
    columns = draw(st.integers(1, 14))
    one = st.lists(numbers, min_size=columns, max_size=columns)
    return draw(one), draw(st.lists(one, min_size=1, max_size=3)), draw(one)


@given(questions())
def test_what_the_columns_add_makes_the_score(
    question: tuple[list[float], list[list[float]], list[float]],
) -> None:
    row, others, weights = question

    def function(table: Any) -> Any:
        return np.tanh(table @ np.array(weights)) + table[:, 0] * table[:, -1]

    found = explain(function, row, *others)

    assert found.base + found.values.sum() == pytest.approx(
        float(function(np.array([row]))[0]), abs=1e-9
    )
    assert found.base == pytest.approx(float(function(np.array(others)).mean()), abs=1e-9)


@given(questions())
def test_what_columns_add_by_themselves_is_found_however_many_there_are(
    question: tuple[list[float], list[list[float]], list[float]],
) -> None:
    row, others, weights = question

    found = explain(lambda table: table @ np.array(weights), row, *others)

    expected = np.array(weights) * (np.array(row) - np.array(others).mean(axis=0))
    assert found.values.tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_drawn_orders_are_within_their_error_of_all() -> None:
    """Twelve columns, of which each pair is multiplied: the exact values are known."""
    row = [float(at) for at in range(1, 13)]

    found = explain(lambda table: (table[:, ::2] * table[:, 1::2]).sum(axis=1), row, [0.0] * 12)

    exact = [row[at] * row[at ^ 1] / 2 for at in range(12)]
    assert found.error is not None
    assert np.abs(found.values - exact).max() <= 4 * found.error + 1e-9


def test_the_same_question_has_the_same_answer() -> None:
    row = list(np.linspace(-1, 1, 20))

    first, second = (explain(lambda t: np.sin(total(t) ** 2), row, [0.5] * 20) for _ in range(2))

    assert first.values.tolist() == second.values.tolist()


def test_thousands_of_columns_are_asked_about_in_pieces() -> None:
    asked: list[int] = []

    def score(taken: Any, _: Any) -> Any:
        asked.append(taken.size)
        return taken.sum(axis=1).astype(float)

    found = attribute(score, columns=1500, compared=5)

    assert found.values.tolist() == pytest.approx([1.0] * 1500)
    assert max(asked) <= 200_000
