"""Schedules as they are read: cron, by the clock of a time zone."""

import itertools
import re
from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fairlead_operator.api.base import Rule
from fairlead_operator.api.schedule import Schedule

ZONES = ("UTC", "Australia/Sydney", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu")
# Sydney: at 02:00 on 4 October 2026 the clock shows 03:00, at 03:00 on 5 April 2026 it shows 02:00.
BEFORE_GAP = datetime(2026, 10, 3, 12, tzinfo=UTC)
BEFORE_FOLD = datetime(2026, 4, 4, 12, tzinfo=UTC)


def schedule(cron: str, zone: str = "UTC") -> Schedule:
    return Schedule.model_validate({"cron": cron, "timeZone": zone})


@pytest.mark.parametrize(
    ("cron", "zone", "after", "moments"),
    [
        pytest.param("0 3 * * MON", "UTC", datetime(2026, 1, 1, tzinfo=UTC),
                     ["Mon 2026-01-05 03:00 UTC", "Mon 2026-01-12 03:00 UTC"], id="weekly"),
        pytest.param("0 3 * * mon", "UTC", datetime(2026, 1, 5, 3, tzinfo=UTC),
                     ["Mon 2026-01-12 03:00 UTC"], id="after a moment comes the next one"),
        pytest.param("0 3 L * *", "Australia/Sydney", datetime(2026, 2, 1, tzinfo=UTC),
                     ["Sat 2026-02-28 03:00 AEDT"], id="the last day of a month"),
        pytest.param("0 0 29 2 *", "UTC", datetime(2026, 1, 1, tzinfo=UTC),
                     ["Tue 2028-02-29 00:00 UTC", "Sun 2032-02-29 00:00 UTC"], id="leap days"),
        pytest.param("0 0 31 2 MON", "UTC", datetime(2026, 1, 1, tzinfo=UTC),
                     ["Mon 2026-02-02 00:00 UTC"], id="either of both days"),
        pytest.param("30 2 * * *", "Australia/Sydney", BEFORE_GAP,
                     ["Sun 2026-10-04 03:00 AEDT", "Mon 2026-10-05 02:30 AEDT"],
                     id="a time that is skipped comes at the jump"),
        pytest.param("30 2 * * *", "Australia/Sydney", BEFORE_FOLD,
                     ["Sun 2026-04-05 02:30 AEDT", "Mon 2026-04-06 02:30 AEST"],
                     id="a time that comes twice counts once"),
        pytest.param("30 2 * * *", "Australia/Sydney", datetime(2026, 4, 4, 16, 10, tzinfo=UTC),
                     ["Mon 2026-04-06 02:30 AEST"], id="and not in the second of both hours"),
        pytest.param("*/30 * * * *", "Australia/Sydney", datetime(2026, 4, 4, 15, 10, tzinfo=UTC),
                     ["Sun 2026-04-05 02:30 AEDT", "Sun 2026-04-05 02:00 AEST",
                      "Sun 2026-04-05 02:30 AEST", "Sun 2026-04-05 03:00 AEST"],
                     id="every half hour knows no jump"),
    ],
)  # fmt: skip
def test_the_moments_of_a_schedule(
    cron: str, zone: str, after: datetime, moments: list[str]
) -> None:
    read = schedule(cron, zone)

    assert [read.tell(one) for one in itertools.islice(read.after(after), len(moments))] == moments


FIELDS = st.tuples(
    st.sampled_from(["0", "*/20", "15,45", "59"]),
    st.sampled_from(["*", "2", "1-3", "*/5", "23"]),
    st.sampled_from(["*", "1", "L", "15", "29"]),
    st.sampled_from(["*", "4,10", "FEB", "jan"]),
    st.sampled_from(["*", "SUN", "1-5", "7"]),
).map(" ".join)


@given(FIELDS, st.sampled_from(ZONES), st.timedeltas(timedelta(), timedelta(days=2000)))
def test_moments_only_go_on_and_none_lies_between(cron: str, zone: str, later: timedelta) -> None:
    after = datetime(2024, 1, 1, tzinfo=UTC) + later
    read = schedule(cron, zone)
    first, second = itertools.islice(read.after(after), 2)

    assert after < first < second
    assert next(read.after(first)) == second
    assert next(read.after(after + (first - after) / 2)) == first
    assert next(read.after(first - timedelta(seconds=1))) == first


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"cron": "0 0 31 2 *"}, "bad day-of-month", id="31 February"),
        pytest.param({"cron": "0 0 30 2 */2"}, "bad day-of-month", id="no cron, said otherwise"),
        pytest.param({"cron": "5-1 * * * *"}, "bad minute", id="a span that ends before it begins"),
        pytest.param({"cron": "60 * * * *"}, "match pattern", id="minute 60"),
        pytest.param({"cron": "0 24 * * *"}, "match pattern", id="24 o'clock"),
        pytest.param({"cron": "0 0 0 * *"}, "match pattern", id="day 0"),
        pytest.param({"cron": "0 0 * 13 *"}, "match pattern", id="month 13"),
        pytest.param({"cron": "0 0 * * 8"}, "match pattern", id="weekday 8"),
        pytest.param({"cron": "@daily"}, "match pattern", id="a word"),
        pytest.param({"cron": "0 3 * *"}, "match pattern", id="a field is missing"),
        pytest.param({"cron": "0 0 3 * * *"}, "match pattern", id="seconds"),
        pytest.param({"cron": "*/0 * * * *"}, "match pattern", id="a step of nothing"),
        pytest.param({"cron": "0 3 * * *", "timeZone": "Europe/Atlantis"}, "not an IANA time zone",
                     id="no such zone"),
    ],
)  # fmt: skip
def test_a_schedule_that_cannot_be_read_is_refused(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Schedule.model_validate(fields)


def _refuses(cron: str) -> bool:
    """Tell whether one of the field's own rules refuses it, as the API server would."""
    rules = [one for one in Schedule.model_fields["cron"].metadata if isinstance(one, Rule)]
    patterns = [re.fullmatch(r"!self\.matches\('(.*)'\)", one.rule) for one in rules]
    assert len(patterns) > 1
    return any(pattern is not None and re.search(pattern[1], cron) for pattern in patterns)


DAYS = ["*", "1", "29", "30", "31", "30,31", "30-31", "31,30", "1,31", "29-31", "L"]
MONTHS = ["*", "2", "02", "FEB", "feb", "2,2", "4", "6,9", "11,APR", "4-6", "2,3", "2,4", "12"]


@pytest.mark.parametrize("weekday", ["*", "1"])
def test_the_api_server_refuses_what_never_comes_and_nothing_else(weekday: str) -> None:
    for day, month in itertools.product(DAYS, MONTHS):
        cron = f"0 3 {day} {month} {weekday}"
        try:
            comes = next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)), None) is not None
        except CronSimError:
            comes = False
        assert _refuses(cron) is not comes, cron
