"""Freeze windows as they are read: clocks, time zones and moments."""

from datetime import UTC, datetime, time
from typing import Any

import pytest
from pydantic import ValidationError

from fairlead_operator.api.freeze import FreezeWindow, parse_clock


def weekly(**fields: Any) -> FreezeWindow:
    return FreezeWindow.model_validate(
        {"name": "nights", "days": ["Mon"], "from": "18:00", "to": "08:00"} | fields
    )


def dated(**fields: Any) -> FreezeWindow:
    usual = {"startsAt": "2026-12-20T00:00:00Z", "endsAt": "2027-01-05T00:00:00Z"}
    return FreezeWindow.model_validate({"name": "holidays"} | usual | fields)


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        pytest.param("00:00", time(0, 0), id="the day begins"),
        pytest.param("18:30", time(18, 30), id="in the evening"),
        pytest.param("23:59", time(23, 59), id="the last minute"),
        pytest.param("24:00", time(0, 0), id="the end of a day is the beginning of the next"),
    ],
)
def test_parse_clock(text: str, clock: time) -> None:
    assert parse_clock(text) == clock


@pytest.mark.parametrize(
    ("fields", "zone"),
    [
        pytest.param({}, "UTC", id="UTC unless it is said"),
        pytest.param({"timeZone": "Australia/Sydney"}, "Australia/Sydney", id="as it is said"),
    ],
)
def test_the_zone_of_a_weekly_window(fields: dict[str, Any], zone: str) -> None:
    assert weekly(**fields).zone.key == zone


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"timeZone": "Australia/Atlantis"}, id="no such zone"),
        pytest.param({"timeZone": "../etc/passwd"}, id="a path"),
        pytest.param({"from": "24:00"}, id="no day begins at its end"),
        pytest.param({"to": "24:01"}, id="after the end of the day"),
        pytest.param({"from": "8:00"}, id="one digit"),
        pytest.param({"days": ["Monday"]}, id="a day in full"),
        pytest.param({"days": []}, id="no day"),
    ],
)
def test_a_weekly_window_that_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        weekly(**fields)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-12-20T00:00:00Z", datetime(2026, 12, 20, tzinfo=UTC), id="in UTC"),
        pytest.param(
            "2026-12-20T00:00:00+11:00", datetime(2026, 12, 19, 13, tzinfo=UTC), id="elsewhere"
        ),
    ],
)
def test_a_dated_window_is_kept_in_utc(text: str, moment: datetime) -> None:
    starts = dated(startsAt=text).starts_at

    assert (starts, starts and starts.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-12-20T00:00:00", id="no offset: it is another moment elsewhere"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before the calendar"),
        pytest.param("next week", id="no moment"),
    ],
)
def test_a_dated_window_that_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        dated(startsAt=text)
