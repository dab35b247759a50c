"""Freeze windows: when they hold, until when, and the two days on which clocks jump.

Sydney's clocks in 2026: on 5 April 03:00 is followed by 02:00, so that 02:30 comes
twice; on 4 October 02:00 is followed by 03:00, so that 02:30 does not come.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairlead_operator.api.freeze import DAYS, FreezeWindow
from fairlead_operator.rollout.decision.freeze import find_freeze

SYDNEY = "Australia/Sydney"


def weekly(days: str, begins: str, ends: str, zone: str | None = SYDNEY) -> FreezeWindow:
    return FreezeWindow.model_validate(
        {"name": "w", "days": days.split(), "from": begins, "to": ends, "timeZone": zone}
    )


def dated(starts_at: str, ends_at: str) -> FreezeWindow:
    return FreezeWindow.model_validate({"name": "d", "startsAt": starts_at, "endsAt": ends_at})


def at(wall: str, zone: str = SYDNEY, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=fold)


NIGHT = weekly("Fri", "18:00", "08:00")
WEEKEND = weekly("Sat Sun", "00:00", "24:00")
TWICE = weekly("Sun", "01:00", "02:30")
SECOND = weekly("Sun", "02:30", "04:00")
YEAR_END = dated("2026-12-20T00:00:00+11:00", "2027-01-05T00:00:00+11:00")


@pytest.mark.parametrize(
    ("windows", "now", "until"),
    [
        pytest.param([], at("2026-06-05 19:00"), None, id="no window: never frozen"),
        pytest.param(
            [NIGHT], at("2026-06-05 17:59:59"), None, id="weekly: not frozen a second before"
        ),
        pytest.param(
            [NIGHT], at("2026-06-05 18:00"), at("2026-06-06 08:00"), id="weekly: over midnight"
        ),
        pytest.param(
            [NIGHT],
            at("2026-06-06 07:59"),
            at("2026-06-06 08:00"),
            id="weekly: after midnight it is still the window of the day before",
        ),
        pytest.param([NIGHT], at("2026-06-06 08:00"), None, id="weekly: the end is free"),
        pytest.param(
            [NIGHT], at("2026-06-06 19:00"), None, id="weekly: another evening is not meant"
        ),
        pytest.param(
            [WEEKEND],
            at("2026-06-06 10:00"),
            at("2026-06-08 00:00"),
            id="weekly: two whole days are one freeze",
        ),
        pytest.param(
            [NIGHT, WEEKEND],
            at("2026-06-05 20:00"),
            at("2026-06-08 00:00"),
            id="overlapping windows are one freeze",
        ),
        pytest.param(
            [weekly("Mon", "09:00", "17:00", None)],
            datetime(2026, 6, 8, 9, tzinfo=UTC),
            datetime(2026, 6, 8, 17, tzinfo=UTC),
            id="weekly: without a zone it is UTC",
        ),
        pytest.param(
            [YEAR_END],
            at("2026-12-31 23:00"),
            at("2027-01-05 00:00"),
            id="dated: across the year",
        ),
        pytest.param([YEAR_END], at("2027-01-05 00:00"), None, id="dated: over"),
        pytest.param([YEAR_END], at("2026-12-19 23:59"), None, id="dated: not yet"),
        pytest.param(
            [TWICE],
            at("2026-04-05 02:40"),
            at("2026-04-05 02:30", fold=1),
            id="clocks go back: an end that comes twice is its second time",
        ),
        pytest.param(
            [SECOND],
            at("2026-04-05 02:10", fold=1),
            at("2026-04-05 04:00"),
            id="clocks go back: a beginning that comes twice is its first time",
        ),
        pytest.param(
            [SECOND], at("2026-04-05 02:29"), None, id="clocks go back: not before the first time"
        ),
        pytest.param(
            [weekly("Sun", "00:00", "24:00")],
            at("2026-04-05 00:00"),
            at("2026-04-06 00:00"),
            id="clocks go back: the whole day has 25 hours",
        ),
        pytest.param(
            [SECOND],
            at("2026-10-04 03:00"),
            at("2026-10-04 04:00"),
            id="clocks go forward: a beginning that is skipped counts from the jump",
        ),
        pytest.param(
            [SECOND],
            at("2026-10-04 01:59"),
            None,
            id="clocks go forward: a beginning that is skipped does not count before the jump",
        ),
        pytest.param(
            [TWICE],
            at("2026-10-04 01:59"),
            at("2026-10-04 03:00"),
            id="clocks go forward: an end that is skipped is the jump",
        ),
        pytest.param(
            [weekly("Sun", "00:00", "24:00")],
            at("2026-10-04 12:00"),
            at("2026-10-05 00:00"),
            id="clocks go forward: the whole day has 23 hours",
        ),
    ],
)
def test_find_freeze(windows: list[FreezeWindow], now: datetime, until: datetime | None) -> None:
    freeze = find_freeze(windows, now)

    # In UTC: datetimes of one zone compare by what the clock shows.
    assert (freeze and freeze.until) == (until and until.astimezone(UTC))


def test_the_message_says_until_when_by_which_window_and_why() -> None:
    window = weekly("Fri", "18:00", "08:00").model_copy(update={"why": "nobody is on call"})

    freeze = find_freeze([window], at("2026-06-05 19:00"))

    assert freeze is not None
    assert freeze.message == (
        "frozen until Sat 2026-06-06 08:00 AEST by the window w: nobody is on call"
    )


def test_a_week_without_a_free_moment_still_answers() -> None:
    freeze = find_freeze([weekly(" ".join(DAYS), "00:00", "24:00")], at("2026-06-05 19:00"))

    assert freeze is not None
    assert freeze.until > at("2026-07-05 19:00")


clocks = st.times(timezones=st.none()).map(lambda moment: moment.replace(second=0, microsecond=0))
zones = st.sampled_from([SYDNEY, "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"])
moments = st.timedeltas(timedelta(0), timedelta(days=1000)).map(
    lambda span: datetime(2025, 1, 1, tzinfo=UTC) + span
)


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    begins=clocks,
    ends=clocks,
    zone=zones,
    now=moments,
)
def test_a_window_is_never_shorter_than_the_clock_on_the_wall_says(
    days: set[str], begins: time, ends: time, zone: str, now: datetime
) -> None:
    window = weekly(" ".join(days), f"{begins:%H:%M}", f"{ends:%H:%M}", zone)
    wall = now.astimezone(ZoneInfo(zone))
    today, yesterday = DAYS[wall.weekday()], DAYS[wall.weekday() - 1]
    overnight = ends <= begins
    shown = wall.time() >= begins and (overnight or wall.time() < ends) and today in days
    shown = shown or (overnight and wall.time() < ends and yesterday in days)

    freeze = find_freeze([window], now)

    assert freeze is not None or not shown


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1, max_size=6),
    begins=clocks,
    ends=clocks,
    zone=zones,
    week=st.integers(0, 150),
    minutes=st.integers(0, 24 * 60),
)
def test_a_freeze_ends_when_it_says_and_not_before(  # noqa: PLR0917  one strategy each
    days: set[str], begins: time, ends: time, zone: str, week: int, minutes: int
) -> None:
    window = weekly(" ".join(days), f"{begins:%H:%M}", f"{ends:%H:%M}", zone)
    monday = datetime(2025, 1, 6, tzinfo=ZoneInfo(zone)) + timedelta(weeks=week)
    first = monday + timedelta(days=min(map(DAYS.index, days)))
    length = timedelta(hours=ends.hour - begins.hour, minutes=ends.minute - begins.minute)
    if length <= timedelta(0):  # until the next day
        length += timedelta(days=1)
    wall = first.replace(hour=begins.hour, minute=begins.minute)
    now = (wall + timedelta(minutes=minutes) % length).astimezone(UTC)
    freeze = find_freeze([window], now)
    assume(freeze is not None)  # the clocks jump over it

    assert freeze.until > now
    assert find_freeze([window], freeze.until) is None
    assert find_freeze([window], freeze.until - timedelta(seconds=1)) is not None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"timeZone": "Europe/Atlantis"}, "not an IANA time zone", id="unknown zone"),
        pytest.param({"timeZone": "../../etc/passwd"}, "should match pattern", id="no zone at all"),
        pytest.param({"from": "25:00"}, "should match pattern", id="no time of the day"),
        pytest.param({"startsAt": "2026-12-20T00:00:00"}, "no offset", id="no offset"),
        pytest.param(
            {"startsAt": "9999-12-31T23:59:59-10:00"}, "outside the calendar", id="too late"
        ),
    ],
)
def test_a_window_that_means_nothing_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FreezeWindow.model_validate({"name": "w", **fields})
