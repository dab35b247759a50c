"""A forecast without a model knows the values before."""

from datetime import timedelta

import numpy as np
import pytest

from fairlead_training.naive import forecast

HOUR = timedelta(hours=1)


def times(rows: int, step: timedelta) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.arange(rows) * int(step.total_seconds()) * 10**9


@pytest.mark.parametrize(
    ("step", "rows", "names"),
    [
        pytest.param(HOUR, 400, ["last_value", "day_before", "week_before"], id="hours"),
        pytest.param(HOUR, 60, ["last_value", "day_before"], id="hours of two days"),
        pytest.param(24 * HOUR, 60, ["last_value", "week_before"], id="days"),
        pytest.param(24 * 7 * HOUR, 60, ["last_value"], id="weeks"),
    ],
)
def test_what_is_known_before(step: timedelta, rows: int, names: list[str]) -> None:
    target, start = np.arange(rows, dtype=np.float64), rows // 2

    said = forecast(times(rows, step), target, start)

    assert list(said) == names
    back = {"last_value": 1, "day_before": 24 * HOUR // step, "week_before": 168 * HOUR // step}
    for name in names:
        assert np.array_equal(said[name], target[start:] - back[name]), name


def test_where_there_is_no_row_a_day_before_the_one_before_it_counts() -> None:
    all_times = np.delete(times(72, HOUR), 25)
    target = np.delete(np.arange(72.0), 25)

    said = forecast(all_times, target, 48)

    assert said["day_before"][:2].tolist() == [24.0, 26.0]


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param([0, 1, 1, 2], id="two rows of one moment"),
        pytest.param([0], id="one row"),
    ],
)
def test_rows_that_are_no_series_have_no_value_before(moments: list[int]) -> None:
    assert forecast(np.array(moments), np.zeros(len(moments)), 1) == {}
