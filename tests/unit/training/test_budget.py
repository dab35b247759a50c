"""The budget of a search: what a worker does next, and how long it will take."""

import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_training.budget import Counts, Step, decide, estimate_left

NONE = Counts(complete=0, pruned=0, failed=0, running=0)


@pytest.mark.parametrize(
    ("counts", "left", "expected"),
    [
        pytest.param(NONE, 9, Step.TRY, id="nothing done yet"),
        pytest.param(NONE, 0, Step.STOP, id="time is over"),
        pytest.param({"complete": 6, "running": 3}, 9, Step.TRY, id="one left"),
        pytest.param({"complete": 6, "running": 4}, 9, Step.WAIT, id="the last ones run"),
        pytest.param({"complete": 6, "pruned": 4}, 9, Step.STOP, id="all finished"),
        pytest.param({"failed": 10}, 9, Step.STOP, id="errors use up the budget"),
        pytest.param({"complete": 9, "running": 4}, 0, Step.STOP, id="no waiting past the time"),
    ],
)
def test_a_worker_decides(counts: Counts | dict[str, int], left: float, expected: Step) -> None:
    seen = counts if isinstance(counts, Counts) else dataclasses.replace(NONE, **counts)

    assert decide(seen, trials=10, seconds_left=left) is expected


@given(
    st.builds(
        Counts, **dict.fromkeys(("complete", "pruned", "failed", "running"), st.integers(0, 50))
    ),
    st.integers(1, 50),
)
def test_the_budget_is_never_exceeded(counts: Counts, trials: int) -> None:
    assume(counts.finished + counts.running >= trials)

    assert decide(counts, trials=trials, seconds_left=1) is not Step.TRY


def test_the_time_left_follows_the_pace() -> None:
    half = dataclasses.replace(NONE, complete=5)

    assert estimate_left(NONE, trials=10, spent=0, seconds_left=60) == 60
    assert estimate_left(half, trials=10, spent=20, seconds_left=60) == 20
    assert estimate_left(half, trials=10, spent=20, seconds_left=3) == 3
