"""The column of times: forms that are inferred or declared, and what is said of others."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_training.columns import Fault
from fairlead_training.failure import Reason
from fairlead_training.times import read_times

MICROSECONDS = "datetime64[us]"


def series(*values: Any, dtype: Any = None) -> "pd.Series[Any]":
    return pd.Series(list(values), dtype=dtype)


def text(fault: object) -> str:
    assert isinstance(fault, Fault)
    return fault.text


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param(series("2026-01-01"), "2026-01-01", id="dates as texts"),
        pytest.param(series("2026-01-01 00:00:00 UTC"), "2026-01-01", id="UTC at the end"),
        pytest.param(series("2026/01/01", " 2026-01-02"), "2026-01-01", id="slashes, and a blank"),
        pytest.param(series(1_767_225_600), "2026-01-01", id="seconds"),
        pytest.param(series(1_767_225_600.0, 2e9), "2026-01-01", id="seconds as floats"),
        pytest.param(series("1767225600"), "2026-01-01", id="seconds as texts"),
        pytest.param(series(1_767_225_600_000), "2026-01-01", id="milliseconds"),
        pytest.param(series(1_767_225_600_000_000), "2026-01-01", id="microseconds"),
        pytest.param(series(1_767_225_600_000_000_001), "2026-01-01", id="nanoseconds as a number"),
        pytest.param(series(2026, 1999), "2026-01-01", id="years"),
        pytest.param(series("2026"), "2026-01-01", id="years as texts"),
        pytest.param(series(20260101), "2026-01-01", id="days as numbers"),
        pytest.param(series("01/01/2026", "31/12/2026"), "2026-01-01", id="a day above 12, first"),
        pytest.param(series("01/01/2026", "12/31/2026"), "2026-01-01", id="a day above 12, second"),
        pytest.param(series("1.1.2026 0:00", "31.1.2026 9:05:10.5"), "2026-01-01", id="clocks"),
        pytest.param(series("01 Jan 2026"), "2026-01-01", id="a month's name"),
        pytest.param(series("January 1, 2026"), "2026-01-01", id="a month's name, first"),
        pytest.param(
            series("2026-01-01T02:00:00+02:00", "2026-01-01T00:00:00"), "2026-01-01", id="zones"
        ),
        pytest.param(series("2026-01-01T00:00:00.000000001Z"), "2026-01-01", id="nanoseconds"),
        pytest.param(series(datetime.date(2026, 1, 1)), "2026-01-01", id="dates"),
        pytest.param(series("1678-01-01", "2261-12-31T23:59:59"), "1678-01-01", id="the edges"),
        pytest.param(
            pd.Series(pd.to_datetime(["2026-01-01"]).astype("datetime64[s]")), "2026-01-01", id="s"
        ),
        pytest.param(
            pd.Series(pd.to_datetime(["2026-01-01T09:00+09:00"])), "2026-01-01", id="another zone"
        ),
    ],
)
def test_times_are_nanoseconds_in_utc(column: "pd.Series[Any]", expected: str) -> None:
    times = read_times(column, "at")

    assert isinstance(times, np.ndarray)
    day = np.datetime64(expected, "ns").astype(np.int64)
    assert times[0] in {day, day + 1}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        pytest.param(
            series("2026-01-01", "9999-12-31"),
            "holds '9999-12-31' where a time from 1678-01-01 to 2261-12-31 belongs, in row 2 of 2",
            id="a date for no date",
        ),
        pytest.param(
            series("0001-01-01T00:00:00+09:00"), "'0001-01-01T00:00:00+09:00'", id="the first"
        ),
        pytest.param(series("1677-12-31T23:59:59"), "'1677-", id="just too early"),
        pytest.param(series("2262-01-01"), "'2262-", id="just too late"),
        pytest.param(series("10000-01-01", "2026-01-01"), "'10000-01-01' where", id="no ISO date"),
        pytest.param(
            series("2026-01-01T00:00:00.123456789Z", "9999-12-31"),
            "'9999-12-31' where",
            id="beside nanoseconds",
        ),
        pytest.param(
            series(datetime.date(9999, 12, 31), datetime.date(2026, 1, 1)),
            "holds 9999-12-31 where",
            id="of the database",
        ),
        pytest.param(
            series(datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)), "holds 0001-01-01", id="zoned"
        ),
        pytest.param(
            series("9999-12-31", "2026-01-01", dtype=MICROSECONDS),
            "holds 9999-12-31T00:00:00 where",
            id="of a Parquet file",
        ),
        pytest.param(
            series("2026-01-01", "soon", None, "2026-02-30"),
            "holds 'soon', '2026-02-30' where a time from 1678-01-01 to 2261-12-31 belongs, "
            "in 2 of 4 rows, first in row 2, and is empty in row 3 of 4",
            id="words and gaps",
        ),
        pytest.param(series(None, None), "is empty in every row", id="empty"),
        pytest.param(
            series(1, 2),
            "holds numbers from 1 to 2, which are neither all years nor all seconds, milliseconds",
            id="numbers of nothing",
        ),
        pytest.param(
            series(1_700_000_000, 1_700_000_000_000), "to 1700000000000", id="of two units"
        ),
        pytest.param(series(1.0, np.inf), "from 1 to inf", id="infinite"),
        pytest.param(series(20269931, 20260131), "holds 20269931 where", id="no day"),
        pytest.param(series(True, False), "holds true and false", id="truths"),
        pytest.param(
            series("01/02/2026", None, "03/04/2026"),
            "nobody can tell day and month, such as '01/02/2026' and '03/04/2026'; set "
            "spec.data.timestampFormat, for example to %d/%m/%Y",
            id="days that may be months",
        ),
        pytest.param(
            series("31.01.2026", "01.31.2026"),
            "with the day first and with the month first, such as '31.01.2026' and '01.31.2026'",
            id="days and months in both orders",
        ),
        pytest.param(
            series("31/01/2026", "31/02/2026"), "holds '31/02/2026' where", id="a day that is none"
        ),
        pytest.param(series("12/31/26"), "holds '12/31/26' where", id="two digits of a year"),
        pytest.param(series({}), "holds {} where", id="objects"),
        pytest.param(
            series("2026-01-01", "now", "Today"), "holds 'now', 'Today' where", id="no moment"
        ),
    ],
)
def test_times_that_cannot_be_used(column: "pd.Series[Any]", said: str) -> None:
    fault = read_times(column, "at")

    assert said in text(fault)
    assert isinstance(fault, Fault)
    assert fault.reason is Reason.TIMESTAMP_INVALID


@pytest.mark.parametrize(
    ("column", "form", "expected"),
    [
        pytest.param(series("01/02/2026"), "%d/%m/%Y", "2026-02-01", id="day first"),
        pytest.param(series("01/02/2026"), "%m/%d/%Y", "2026-01-02", id="month first"),
        pytest.param(series("1.2.26 9:05"), "%d.%m.%y %H:%M", "2026-02-01T09:05", id="short"),
        pytest.param(series(20260201), "%Y%m%d", "2026-02-01", id="a number by directives"),
        pytest.param(series(20260201.0, 20260202), "%Y%m%d", "2026-02-01", id="as a float"),
        pytest.param(series(86_400), "seconds", "1970-01-02", id="early seconds"),
        pytest.param(series(-86_400.5), "seconds", "1969-12-30T23:59:59.5", id="before 1970"),
        pytest.param(series("86400000"), "milliseconds", "1970-01-02", id="texts of numbers"),
        pytest.param(
            series("2026-02-01", dtype=MICROSECONDS), "%d", "2026-02-01", id="times already"
        ),
        pytest.param(
            series("2026-02-01T02:00+02:00"), "%Y-%m-%dT%H:%M%z", "2026-02-01", id="with a zone"
        ),
    ],
)
def test_a_form_is_declared(column: "pd.Series[Any]", form: str, expected: str) -> None:
    times = read_times(column, "at", form=form)

    assert isinstance(times, np.ndarray)
    assert times[0] == np.datetime64(expected, "ns").astype(np.int64)


@pytest.mark.parametrize(
    ("column", "form", "said"),
    [
        pytest.param(
            series("31.01.2026", "soon"),
            "%d.%m.%Y",
            "holds 'soon' where a time of the form %d.%m.%Y belongs, in row 2 of 2",
            id="another value",
        ),
        pytest.param(series("31.01.2026", "today"), "%d.%m.%Y", "holds 'today'", id="no moment"),
        pytest.param(series("31.01.2026", None), "%d.%m.%Y", "is empty in row 2", id="a gap"),
        pytest.param(series("x"), "seconds", "other values than numbers", id="no number"),
        pytest.param(series(1e30), "seconds", "holds 1e+30 where a time", id="beyond all times"),
        pytest.param(series(np.inf, 1), "seconds", "holds inf where a time", id="infinite"),
        pytest.param(series("x"), "%Q", "timestampFormat '%Q', which is no form", id="no form"),
    ],
)
def test_what_has_not_the_declared_form(column: "pd.Series[Any]", form: str, said: str) -> None:
    assert said in text(read_times(column, "at", form=form))


@given(st.lists(st.integers(400_000_000, 4_000_000_000), min_size=1, max_size=20))
def test_a_time_is_the_same_in_every_form_or_refused(seconds: list[int]) -> None:
    moments = [datetime.datetime.fromtimestamp(second, datetime.UTC) for second in seconds]
    forms: list[list[Any]] = [
        [moment.isoformat() for moment in moments],
        seconds,
        [second * 1000 for second in seconds],
        [f"{moment:%Y-%m-%d %H:%M:%S} UTC" for moment in moments],
        [f"{moment:%d.%m.%Y %H:%M:%S}" for moment in moments],
        [f"{moment:%m/%d/%Y %H:%M:%S}" for moment in moments],
    ]

    for column in forms:
        times = read_times(pd.Series(column), "at")

        if isinstance(times, Fault):
            assert "nobody can tell" in times.text
            assert all(moment.day <= 12 for moment in moments)
        else:
            assert times.tolist() == [second * 10**9 for second in seconds]


@pytest.mark.parametrize("form", ["%Y", "%Y%m%d", "%d.%m.%Y"])
def test_a_number_without_end_is_no_time_of_any_form(form: str) -> None:
    read = read_times(series(2026.0, np.inf, -np.inf), "at", form=form)

    assert "inf" in text(read)
