"""How many rows there is room for."""

import pandas as pd
import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import room
from fairlead_training.sources.room import Room, make_room

ROWS = pd.DataFrame({"a": [0.5] * 1000})  # 8,000 bytes


@pytest.mark.parametrize(
    ("size", "times"),
    [
        pytest.param(None, 50, id="no limit"),
        pytest.param(8000, 1, id="as much as there is"),
        pytest.param(24_000, 3, id="in pieces"),
    ],
)
def test_rows_that_have_room_are_taken(size: int | None, times: int) -> None:
    place = Room("s3://b/d.csv", size)

    for _ in range(times):
        place.take(ROWS)


@pytest.mark.parametrize("size", [-5, 0, 7999, 15_999])
def test_rows_that_have_none_are_named_with_what_to_do(size: int) -> None:
    place = Room("s3://b/d.csv", size)
    twice = pd.concat([ROWS, ROWS])

    with pytest.raises(TrainingFailure, match=r"s3://b/d.csv .* 2000 rows of it take") as caught:
        place.take(twice)

    assert caught.value.reason is Reason.TOO_MUCH_DATA
    for way_out in ("spec.data.features", "query", "Parquet", "limits.memory"):
        assert way_out in caught.value.message


def test_what_is_given_back_is_room_again() -> None:
    place = Room("d", 8000)
    place.take_bytes(8000)

    place.give_back(8000)

    place.take(ROWS)


def test_bytes_that_are_no_rows_yet_are_called_so() -> None:
    with pytest.raises(TrainingFailure, match="its bytes alone take 2 MiB, where 1 MiB are left"):
        Room("d", 2**20).take_bytes(2**21)


@pytest.mark.parametrize(
    ("limit", "used", "fits"),
    [
        pytest.param(None, 10**9, True, id="no limit"),
        pytest.param(64_000, 32_000, True, id="four times the rows"),
        pytest.param(63_000, 32_000, False, id="less than that"),
        pytest.param(1000, 32_000, False, id="nothing is left"),
    ],
)
def test_room_is_what_the_container_has_left_for_all_copies_of_the_rows(
    limit: int | None, used: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "read_memory_limit", lambda: limit)
    monkeypatch.setattr(room, "read_memory_used", lambda: used)
    place = make_room("d")

    try:
        place.take(ROWS)
    except TrainingFailure:
        assert not fits
    else:
        assert fits
