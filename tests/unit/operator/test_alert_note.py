"""What the webhook notes is read as it was written, and what else there may be is not."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.alert_note import Note, UnreadableNoteError, read_note, write_note

CANDIDATES = ("1.1.0", "1.2.0")
NOTE = Note(
    version="1.2.0",
    message="FairleadVersionSlow: p95 900 ms",
    received=datetime(2026, 1, 1, 12, 0, 0, 123000, tzinfo=UTC),
)
GOOD: dict[str, Any] = orjson.loads(write_note(NOTE))


def test_a_note_is_read_as_it_was_written() -> None:
    assert read_note(write_note(NOTE), CANDIDATES) == NOTE


def test_without_a_version_it_is_about_the_first_candidate() -> None:
    text = orjson.dumps({key: GOOD[key] for key in ("message", "receivedAt")}).decode()

    assert read_note(text, CANDIDATES).version == "1.1.0"


def test_a_moment_is_read_in_any_time_zone() -> None:
    text = orjson.dumps(GOOD | {"receivedAt": "2026-01-01T13:00:00.123+01:00"}).decode()

    assert read_note(text, CANDIDATES) == NOTE


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("garbage", "must be JSON", id="text"),
        pytest.param("", "must be JSON", id="nothing"),
        pytest.param("[]", "must be JSON", id="a list"),
        pytest.param("7", "must be JSON", id="a number"),
        pytest.param("null", "must be JSON", id="null"),
        pytest.param("[" * 100_000, "must be JSON", id="nested without end"),
        *(
            pytest.param(orjson.dumps(GOOD | changes).decode(), problem, id=f"{changes}")
            for changes, problem in [
                ({"message": None}, "message"),
                ({"message": ""}, "message"),
                ({"message": {"x": 1}}, "message"),
                ({"version": None}, "version"),
                ({"version": "1.0.0"}, "version: must be the candidate, 1.1.0 or 1.2.0"),
                ({"version": ["1.1.0"]}, "version"),
                ({"receivedAt": None}, "receivedAt"),
                ({"receivedAt": 1767268800}, "receivedAt"),
                ({"receivedAt": "noon"}, "receivedAt"),
                ({"receivedAt": "2026-01-01T12:00:00"}, "receivedAt"),
                ({"receivedAt": "0001-01-01T00:00:00+14:00"}, "receivedAt"),
            ]
        ),
    ],
)
def test_what_is_nobodys_alert_is_refused_by_field(text: str, problem: str) -> None:
    with pytest.raises(UnreadableNoteError) as unreadable:
        read_note(text, CANDIDATES)

    assert str(unreadable.value).startswith(problem)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(UnreadableNoteError):
        read_note(text, CANDIDATES)
