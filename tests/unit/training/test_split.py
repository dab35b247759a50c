"""The split: time never leaks."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.config import ValidationConfig
from fairlead_training.data import Table
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.split import split

RELAXED = settings(max_examples=50)
gaps = st.lists(st.integers(0, 3), min_size=60, max_size=200)
validations = st.builds(
    ValidationConfig, folds=st.integers(2, 6), holdout_fraction=st.floats(0.05, 0.5)
)


def table(times: list[int], target: list[int] | None = None) -> Table:
    rows = len(times)
    return Table(
        times=np.array(times, dtype=np.int64),
        features=pd.DataFrame({"demand": np.arange(rows, dtype=np.float64)}),
        target=np.array(target or [row % 2 for row in range(rows)], dtype=np.float64),
        rows=np.arange(rows),
    )


@RELAXED
@given(gaps, validations)
def test_nothing_is_learned_from_a_moment_that_is_judged_or_later(
    steps: list[int], validation: ValidationConfig
) -> None:
    try:
        parts = split(table(list(np.cumsum(steps))), validation)
    except TrainingFailure:
        return  # too few moments

    assert parts.search.times.max() < parts.holdout.times.min()
    for fold in parts.folds:
        assert parts.search.times[: fold.cut].max() < parts.search.times[fold.cut : fold.end].min()


@RELAXED
@given(gaps, validations)
def test_no_row_is_lost_and_each_is_validated_once_at_most(
    steps: list[int], validation: ValidationConfig
) -> None:
    rows = table(list(np.cumsum(steps)))
    try:
        parts = split(rows, validation)
    except TrainingFailure:
        return

    assert len(parts.search) + len(parts.holdout) == len(rows)
    assert all(
        earlier.end <= later.cut
        for earlier, later in zip(parts.folds, parts.folds[1:], strict=False)
    )


def test_the_window_expands() -> None:
    validation = ValidationConfig(folds=3, holdout_fraction=0.2)

    parts = split(table(list(range(100))), validation)

    assert [(fold.cut, fold.end) for fold in parts.folds] == [(20, 40), (40, 60), (60, 80)]
    assert len(parts.holdout) == 20


@pytest.mark.parametrize(
    ("times", "target", "reason", "named"),
    [
        pytest.param([5] * 100, None, Reason.TOO_FEW_ROWS, "1 moments", id="one moment"),
        pytest.param(list(range(25)), None, Reason.TOO_FEW_ROWS, "25 rows", id="few rows"),
        pytest.param(
            [*[0] * 40, *range(1, 11)], None, Reason.TOO_FEW_ROWS, "folds", id="no fold has rows"
        ),
        pytest.param(
            list(range(100)),
            [*[0, 1] * 40, *[1] * 20],
            Reason.TARGET_CONSTANT,
            "in the hold-out",
            id="hold-out of one class",
        ),
        pytest.param(
            list(range(100)),
            [*[0] * 80, *[0, 1] * 10],
            Reason.TARGET_CONSTANT,
            "before the hold-out",
            id="search of one class",
        ),
        pytest.param(
            list(range(100)),
            [*[0] * 60, *[1] * 20, *[0, 1] * 10],
            Reason.TARGET_CONSTANT,
            "every fold",
            id="folds of one class each",
        ),
    ],
)
def test_a_part_that_cannot_be_judged_is_refused(
    times: list[int], target: list[int] | None, reason: Reason, named: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        split(table(times, target), ValidationConfig(folds=3, holdout_fraction=0.2))

    assert caught.value.reason is reason
    assert named in caught.value.message
