"""A second table beside the rows: by key, and by what was known at the time of a row."""

import datetime
import uuid
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_training.config import AsOf, JoinConfig, SourceConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.join import Second, add_columns
from fairlead_training.sources.room import Room
from support.trainer_config import data_config

SECRET = "top-secret"


def at(*hours: float) -> pd.DatetimeIndex:
    return pd.to_datetime("2026-01-01") + pd.to_timedelta(list(hours), unit="h")


def joined(
    left: dict[str, Any] | pd.DataFrame,
    right: dict[str, Any],
    *,
    keys: tuple[str, ...] = ("zone",),
    columns: tuple[str, ...] = (),
    prefix: str = "",
    as_of: AsOf | None = None,
    quotes: bool = True,
    size: int | None = None,
) -> pd.DataFrame:
    join = JoinConfig(
        source=SourceConfig(uri="s3://b/w"), keys=keys, columns=columns, prefix=prefix, as_of=as_of
    )
    second = Second(
        rows=pd.DataFrame(right), join=join, name="s3://b/w", field="spec.data.joins[0]",
        quotes=quotes,
    )  # fmt: skip
    return add_columns(pd.DataFrame(left), second, data_config(), Room("the data", size))


def values(frame: pd.DataFrame, name: str) -> list[object]:
    return frame[name].astype(object).where(frame[name].notna(), None).tolist()


@pytest.mark.parametrize(
    ("left", "right", "keys", "expected"),
    [
        pytest.param({"zone": ["b", "a", "b"]}, {"zone": ["a", "b"], "x": [1, 2]}, ("zone",),
                     [2, 1, 2], id="each row has the one of its key"),
        pytest.param({"zone": ["a", "c"]}, {"zone": ["a", "b"], "x": [1, 2]}, ("zone",),
                     [1, None], id="a key that the other lacks"),
        pytest.param({"zone": ["a", None]}, {"zone": ["a", None], "x": [1, 2]}, ("zone",),
                     [1, None], id="no key is no key of anybody"),
        pytest.param({"zone": ["a", None]}, {"zone": ["a", None, None], "x": [1, 2, 3]}, ("zone",),
                     [1, None], id="several rows without a key"),
        pytest.param({"zone": [1, 2]}, {"zone": [2.0, 1.0], "x": [1, 2]}, ("zone",), [2, 1],
                     id="whole numbers and others"),
        pytest.param({"zone": [2**53, 2**53 + 1]}, {"zone": [2**53 + 1, 2**53], "x": [1, 2]},
                     ("zone",), [2, 1], id="large numbers are not rounded"),
        pytest.param({"zone": ["a", "a", "b"], "n": [1, 2, 1]},
                     {"zone": ["a", "a", "b"], "n": [2, 1, 2], "x": [1, 2, 3]}, ("zone", "n"),
                     [2, 1, None], id="two keys"),
        pytest.param({"zone": at(0, 1)},
                     {"zone": at(1, 0).tz_localize("UTC").tz_convert("Europe/Oslo"), "x": [1, 2]},
                     ("zone",), [2, 1], id="times with and without a zone"),
        pytest.param({"zone": pd.Categorical(["b", "a"])}, {"zone": ["a", "b"], "x": [1, 2]},
                     ("zone",), [2, 1], id="categories"),
        pytest.param({"zone": [1, "a", 2.0]}, {"zone": ["a", "1", "2"], "x": [1, 2, 3]},
                     ("zone",), [2, 1, 3], id="numbers among words are words"),
        pytest.param({"zone": [uuid.UUID(int=1), uuid.UUID(int=2)]},
                     {"zone": [str(uuid.UUID(int=2))], "x": [1]}, ("zone",), [None, 1],
                     id="identifiers that a database has a type for"),
        pytest.param({"zone": [[1], [2]]}, {"zone": [[2]], "x": [1]}, ("zone",), [None, 1],
                     id="lists"),
        pytest.param({"zone": [datetime.date(9999, 12, 31), datetime.date(2026, 1, 1)]},
                     {"zone": at(0), "x": [1]}, ("zone",), [None, 1],
                     id="a day beyond nanoseconds"),
    ],
)  # fmt: skip
def test_by_key(
    left: dict[str, Any], right: dict[str, Any], keys: tuple[str, ...], expected: list[object]
) -> None:
    frame = joined(left, right, keys=keys)

    assert values(frame, "x") == expected
    assert list(frame.columns) == [*left, "x"]
    pd.testing.assert_frame_equal(frame[list(left)], pd.DataFrame(left))


HOUR = 3600


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param({}, [None, 1, 1, 2, 3], id="the latest that was known"),
        pytest.param({"tolerance": HOUR}, [None, 1, 1, 2, None], id="not too old"),
        pytest.param({"delay": HOUR}, [None, None, None, 1, 3], id="known an hour later"),
        pytest.param({"delay": HOUR, "tolerance": 2 * HOUR}, [None, None, None, 1, None],
                     id="both: the age counts from its time"),
    ],
)  # fmt: skip
def test_by_time(moment: dict[str, Any], expected: list[object]) -> None:
    """At 2:00 exactly, what holds since 2:00 is known; a second before, it is not."""
    frame = joined(
        {"timestamp": at(0.5, 1, 2 - 1 / HOUR, 2, 9)},
        {"since": at(3, 1, 2), "x": [3, 1, 2]},
        keys=(),
        as_of=AsOf(column="since", **moment),
    )

    assert values(frame, "x") == expected
    assert list(frame.columns) == ["timestamp", "x"]


def test_no_delay_makes_a_late_time_an_early_one() -> None:
    """Beyond the last moment of 64 bits, times would begin anew in 1677, and be known at once."""
    with pytest.raises(TrainingFailure, match="no row has a counterpart"):
        joined(
            {"timestamp": at(1)},
            {"since": ["2261-12-31"], "x": [1]},
            keys=(),
            as_of=AsOf(column="since", delay=200 * 24 * HOUR),
        )


@pytest.mark.parametrize("is_left", [True, False])
def test_keys_that_were_rounded_are_refused(is_left: bool) -> None:
    """Whole numbers beside a gap are doubles, of which two large ones may be one."""
    gaps, whole = [2**60, None], [2**60 + 1, 5]
    left, right = (gaps, whole) if is_left else (whole, gaps)

    with pytest.raises(TrainingFailure, match="column zone holds numbers beyond") as caught:
        joined({"zone": left}, {"zone": right, "x": [1, 2]})

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID


@pytest.mark.parametrize("name", ["zone", "timestamp"])
def test_a_column_that_the_rows_have_twice_is_told(name: str) -> None:
    left = pd.DataFrame([["a", at(1)[0], 0]], columns=["zone", "timestamp", name])

    with pytest.raises(TrainingFailure, match=f"column {name} is more than once in the rows"):
        joined(left, {"zone": ["a"], "since": at(0), "x": [1]}, as_of=AsOf(column="since"))


def test_by_key_and_time() -> None:
    frame = joined(
        {"timestamp": at(2, 1, 2, 2), "zone": ["b", "a", "a", None]},
        {"since": at(1, 1, 2, 0), "zone": ["a", "b", "a", None], "x": [1, 2, 3, 4]},
        as_of=AsOf(column="since"),
    )

    assert values(frame, "x") == [2, 1, 3, None]


def test_times_may_be_written_in_another_form() -> None:
    frame = joined(
        {"timestamp": ["2026-01-01T12:00:00Z"]},
        {"since": ["01/01/2026 11:00", "01/01/2026 13:00"], "x": [1, 2]},
        keys=(),
        as_of=AsOf(column="since", format="%d/%m/%Y %H:%M"),
    )

    assert values(frame, "x") == [1]


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=1, max_size=20),
    seconds=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=1, max_size=20, unique=True
    ),
    delay=st.integers(0, 5),
    more=st.none() | st.integers(0, 5),
)
def test_no_row_knows_what_came_after_it(
    rows: list[tuple[int, int]],
    seconds: list[tuple[int, int]],
    delay: int,
    more: int | None,
) -> None:
    tolerance = None if more is None else delay + more
    moment = AsOf(column="since", format="seconds", delay=delay, tolerance=tolerance)
    left = {"timestamp": [t for _, t in rows], "zone": [zone for zone, _ in rows]}
    right = {
        "since": [t for _, t in seconds],
        "zone": [zone for zone, _ in seconds],
        "x": [t for _, t in seconds],
    }
    expected = [
        max(
            (
                since
                for other, since in seconds
                if other == zone
                and since + delay <= time
                and (tolerance is None or time - since <= tolerance)
            ),
            default=None,
        )
        for zone, time in rows
    ]
    join = JoinConfig(source=SourceConfig(uri="s3://b/w"), keys=("zone",), as_of=moment)
    second = Second(rows=pd.DataFrame(right), join=join, name="w", field="f", quotes=True)
    config = data_config(timestampFormat="seconds")

    if not any(each is not None for each in expected):
        with pytest.raises(TrainingFailure, match="no row has a counterpart"):
            add_columns(pd.DataFrame(left), second, config, Room("w", None))
        return
    frame = add_columns(pd.DataFrame(left), second, config, Room("w", None))

    assert values(frame, "x") == expected


@pytest.mark.parametrize(
    ("left", "right", "changes", "reason", "words"),
    [
        pytest.param({"zone": ["a"]}, {"zone": [SECRET, "b", SECRET], "x": [1, 2, 3]}, {},
                     Reason.DATA_FORMAT_INVALID,
                     ["same column zone", "rows 1, 3", "joins[0].keys"], id="a key twice"),
        pytest.param({"timestamp": at(1), "zone": ["a"]},
                     {"zone": ["a", "a", "a"], "since": at(0, 1, 0), "x": [1, 2, 3]},
                     {"as_of": AsOf(column="since")}, Reason.DATA_FORMAT_INVALID,
                     ["same column zone and time", "rows 1, 3"], id="a key twice at one time"),
        pytest.param({"timestamp": at(1)}, {"since": at(0, 0), "x": [1, 2]},
                     {"as_of": AsOf(column="since"), "keys": ()}, Reason.DATA_FORMAT_INVALID,
                     ["same time", "rows 1, 2"], id="a time twice"),
        pytest.param({"zone": ["a"]}, {"zone": list("aabbccdd"), "x": range(8)}, {},
                     Reason.DATA_FORMAT_INVALID, ["1 more case"], id="many keys twice"),
        pytest.param({"zone": ["1"]}, {"zone": [1], "x": [1]}, {}, Reason.DATA_FORMAT_INVALID,
                     ["column zone holds text in the rows and numbers in s3://b/w"],
                     id="keys of two types"),
        pytest.param({"zone": ["a"]}, {"zone": ["b"], "x": [1]}, {}, Reason.DATA_FORMAT_INVALID,
                     ["no row has a counterpart", "joins[0].keys"], id="nothing in common"),
        pytest.param({"zone": ["a"], "x": [1]}, {"zone": ["a"], "x": [1]}, {},
                     Reason.DATA_FORMAT_INVALID, ["of s3://b/w would be there twice", "prefix"],
                     id="a name that is there"),
        pytest.param({"zone": ["a"], "w_x": [1]}, {"zone": ["a"], "x": [1]}, {"prefix": "w_"},
                     Reason.DATA_FORMAT_INVALID, ["twice"], id="a name that is there, prefixed"),
        pytest.param({"zone": ["a"]}, {"ZONE": ["a"], "x": [1]}, {}, Reason.COLUMN_MISSING,
                     ["column zone is not in s3://b/w"], id="no such key there"),
        pytest.param({"ZONE": ["a"]}, {"zone": ["a"], "x": [1]}, {}, Reason.COLUMN_MISSING,
                     ["column zone is not in the rows"], id="no such key here"),
        pytest.param({"zone": ["a"]}, {"zone": ["a"], "x": [1]}, {"columns": ("y",)},
                     Reason.COLUMN_MISSING, ["column y is not in s3://b/w"], id="no such column"),
        pytest.param({"timestamp": at(1)}, {"since": [SECRET], "x": [1]},
                     {"as_of": AsOf(column="since"), "keys": ()}, Reason.TIMESTAMP_INVALID,
                     ["in s3://b/w, column since"], id="no times there"),
        pytest.param({"timestamp": ["?"]}, {"since": at(1), "x": [1]},
                     {"as_of": AsOf(column="since"), "keys": ()}, Reason.TIMESTAMP_INVALID,
                     ["in the rows, column timestamp"], id="no times here"),
        pytest.param({"zone": ["a"]}, {"zone": [], "x": []}, {}, Reason.DATA_EMPTY,
                     ["s3://b/w has no rows"], id="an empty table"),
        pytest.param({"zone": ["a"] * 1000}, {"zone": ["a"], "x": ["long" * 100]}, {"size": 10_000},
                     Reason.TOO_MUCH_DATA, ["does not fit"], id="no room"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("quotes", [True, False])
def test_what_cannot_be_joined_is_told(  # noqa: PLR0917  pytest passes by name
    left: dict[str, Any],
    right: dict[str, Any],
    changes: dict[str, Any],
    reason: Reason,
    words: list[str],
    quotes: bool,
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        joined(left, right, quotes=quotes, **changes)

    assert caught.value.reason is reason
    assert all(word in caught.value.message for word in words)
    assert quotes or SECRET not in caught.value.message


def test_twins_are_told_with_their_key_where_messages_may_show_values() -> None:
    with pytest.raises(TrainingFailure, match=r"rows 1, 2 \(zone 'no1'\)"):
        joined({"zone": ["no1"]}, {"zone": ["no1", "no1"], "x": [1, 2]})


def test_a_prefix_and_a_choice_of_columns() -> None:
    frame = joined(
        {"zone": ["a"], "x": [0]},
        {"zone": ["a"], "x": [1], "y": [2]},
        columns=("x",),
        prefix="w_",
    )

    assert frame.to_dict("list") == {"zone": ["a"], "x": [0], "w_x": [1]}
