"""Percentiles and medians, as the tables name them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.numbers import percentile, summarize


@pytest.mark.parametrize(
    ("percent", "value"),
    [
        pytest.param(95, 19, id="of twenty the p95 is the second largest"),
        pytest.param(99, 20, id="of twenty the p99 is the largest"),
        pytest.param(100, 20, id="the p100 is the largest"),
        pytest.param(5, 1, id="the p5 is the smallest"),
        pytest.param(0, 1, id="the p0 is the smallest"),
    ],
)
def test_a_percentile_is_the_nearest_rank(percent: float, value: int) -> None:
    assert percentile(range(1, 21), percent) == value


@pytest.mark.parametrize(
    ("values", "median"),
    [
        pytest.param([3.0, 1.0, 2.0], 2.0, id="odd: the middle one"),
        pytest.param([4.0, 1.0, 2.0, 3.0], 2.5, id="even: between the two in the middle"),
        pytest.param([7.0], 7.0, id="one: itself"),
    ],
)
def test_the_median_is_in_the_middle(values: list[float], median: float) -> None:
    assert summarize(values).median == median


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_numbers_are_in_order(values: list[float]) -> None:
    found = summarize(values)

    assert found.minimum <= found.median <= found.maximum
    assert found.minimum <= found.p95 <= found.p99 <= found.maximum
    assert {found.minimum, found.p95, found.p99, found.maximum} <= set(values)
    assert found.count == len(values)


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        summarize([])
