"""Durations and moments: what is read, what is refused, and how each is written."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from fairlead_operator.api.base import (
    Duration,
    Moment,
    Rule,
    Spec,
    Status,
    above,
    at_most,
    between,
    parse_duration,
    to_duration,
    to_moment,
)
from fairlead_operator.api.schema import structural_schema
from support.forms import with_patterns


class Wait(Spec):
    """A wait."""

    longest_hold: Annotated[Duration, Field(description="How long.")]


class Waited(Status):
    longest_hold: Duration
    ended_at: Annotated[Moment | None, Field(default=None)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("45s", 45, id="seconds"),
        pytest.param("15m", 900, id="minutes"),
        pytest.param("2h", 7200, id="hours"),
        pytest.param("1h30m", 5400, id="hours and minutes"),
        pytest.param("1h1m1s", 3661, id="all three"),
        pytest.param("90m", 5400, id="more minutes than an hour has"),
        pytest.param("0s", 0, id="none at all"),
        pytest.param("007m", 420, id="zeros in front"),
        pytest.param("999999h", 999_999 * 3600, id="the longest part"),
        pytest.param(timedelta(minutes=2), 120, id="a duration that was read already"),
    ],
)
def test_parse_duration(text: object, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("90", id="no unit"),
        pytest.param("s", id="a unit alone"),
        pytest.param("5S", id="a capital"),
        pytest.param(90, id="a number"),
        pytest.param("1d", id="days"),
        pytest.param("500ms", id="milliseconds"),
        pytest.param("1.5h", id="a fraction"),
        pytest.param("-5m", id="a negative one"),
        pytest.param("5m1h", id="the smaller unit first"),
        pytest.param("1m1m", id="a unit twice"),
        pytest.param("5 m", id="a space"),
        pytest.param("5m\n", id="a line break at the end"),
        pytest.param("1000000s", id="seven digits"),
        pytest.param(None, id="null"),
    ],
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        pytest.param(timedelta(0), "0s", id="none"),
        pytest.param(timedelta(seconds=45), "45s", id="seconds"),
        pytest.param(timedelta(minutes=90), "1h30m", id="minutes become hours"),
        pytest.param(timedelta(hours=1, seconds=5), "1h5s", id="no minutes, no part"),
        pytest.param(timedelta(days=2), "48h", id="days are hours"),
        pytest.param(timedelta(seconds=1.9), "1s", id="a fraction is left out"),
    ],
)
def test_to_duration(span: timedelta, text: str) -> None:
    assert to_duration(span) == text


DURATION = with_patterns(structural_schema(Wait)["properties"]["longestHold"])
PARTS = st.integers(0, 999_999)


@given(st.integers(0, 999_999 * 3600).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_duration_is_read_as_it_was_written_and_the_crd_takes_it(span: timedelta) -> None:
    text = to_duration(span)

    assert parse_duration(text) == span
    jsonschema.validate(text, DURATION)


@given(PARTS, PARTS, PARTS)
def test_the_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"

    assert parse_duration(text) == timedelta(hours=hours, minutes=minutes, seconds=seconds)
    jsonschema.validate(text, DURATION)


@given(st.text(alphabet="0159hms. -\n\u0661", max_size=12) | st.text(max_size=6))
def test_the_operator_reads_what_the_crd_takes_and_nothing_else(text: str) -> None:
    taken = jsonschema.Draft4Validator(DURATION).is_valid(text)

    # Python's $ also matches before a last line break; that of the API server does not.
    assert is_duration(text) == (taken and not text.endswith("\n"))


def is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00.000Z", id="in UTC"),
        pytest.param(
            datetime(2026, 1, 1, 10, 0, tzinfo=timezone(timedelta(hours=11))),
            "2025-12-31T23:00:00.000Z",
            id="from another zone",
        ),
        pytest.param(
            datetime(2026, 1, 1, 0, 0, 0, 123_999, tzinfo=UTC),
            "2026-01-01T00:00:00.123Z",
            id="milliseconds, the rest is cut",
        ),
    ],
)
def test_to_moment(moment: datetime, text: str) -> None:
    assert to_moment(moment) == text


def test_a_spec_speaks_camel_case_and_refuses_what_it_does_not_know() -> None:
    assert Wait.model_validate({"longestHold": "5m"}).longest_hold == timedelta(minutes=5)
    with pytest.raises(ValidationError, match="longestHolds"):
        Wait.model_validate({"longestHold": "5m", "longestHolds": "6m"})


def test_a_status_of_a_newer_operator_is_read() -> None:
    newer = {"longestHold": "5m", "ofTomorrow": True}

    assert Waited.model_validate(newer).longest_hold == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("status", "manifest"),
    [
        pytest.param({}, {"longestHold": "1h30m"}, id="what is not set is left out"),
        pytest.param(
            {"endedAt": "2026-01-01T10:00:00+11:00"},
            {"longestHold": "1h30m", "endedAt": "2025-12-31T23:00:00.000Z"},
            id="moments in UTC",
        ),
    ],
)
def test_to_manifest(status: dict[str, str], manifest: dict[str, str]) -> None:
    assert Waited.model_validate({"longestHold": "90m"} | status).to_manifest() == manifest


@pytest.mark.parametrize(
    ("rule", "cel", "message"),
    [
        pytest.param(above(0), "self > 0", "must be above 0", id="above a number"),
        pytest.param(above(0.5), "self > 0.5", "must be above 0.5", id="above a fraction"),
        pytest.param(
            at_most("168h"),
            "duration(self) <= duration('168h')",
            "must be at most 168h",
            id="no longer than",
        ),
        pytest.param(
            between("1m", "24h"),
            "duration(self) >= duration('1m') && duration(self) <= duration('24h')",
            "must be between 1m and 24h",
            id="between two durations, both included",
        ),
    ],
)
def test_a_rule_of_a_field(rule: Rule, cel: str, message: str) -> None:
    assert rule == Rule(cel, message)
