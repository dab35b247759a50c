"""The steps that scikit-learn does not have."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_training.preparation.transformers import (
    RARE,
    RareCategories,
    read_calendar,
)


@given(st.datetimes())
def test_the_calendar_is_python_s(moment: datetime.datetime) -> None:
    seconds = (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(seconds=1)  # noqa: DTZ001  UTC

    (parts,) = read_calendar(np.array([[seconds]]), np.array([86_400.0]))

    at = moment.hour + moment.minute / 60 + moment.second / 3600
    assert abs(parts[0] - (seconds / 86_400 - 1)) < 1e-6
    assert tuple(parts[1:4]) == (moment.month, moment.day, moment.weekday())
    assert abs(parts[4] - at) < 1e-3


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        pytest.param(["b"] * 2 + ["a"] * 2 + ["c"], ["a", "b"], id="of few rows, once is rare"),
        pytest.param(["b"] * 9 + ["a"] * 991, ["a"], id="nine of a thousand rows are rare"),
        pytest.param(["b"] * 10 + ["a"] * 9990, ["a", "b"], id="ten are enough of any number"),
        pytest.param(["a", "b", "c"], [], id="each once"),
    ],
)
def test_rare_categories_become_one(values: list[str], kept: list[str]) -> None:
    column = np.array(values, dtype=object).reshape(-1, 1)

    step = RareCategories().fit(column)

    assert step.kept_ == [kept]
    assert step.transform(column)[:, 0].tolist() == [one if one in kept else RARE for one in values]
