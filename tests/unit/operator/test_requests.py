"""What a person may write into an annotation, and what is understood."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.common import RequestStatus
from fairlead_operator.requests import (
    Action,
    Answer,
    Request,
    Word,
    parse_request,
    read_requests,
    record,
    unanswered,
)

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

VALUES = [
    pytest.param("Ada: wrong data", ("Ada", None, "wrong data"), id="text: who and why"),
    pytest.param("wrong data", ("", None, "wrong data"), id="text: why alone"),
    pytest.param("", ("", None, ""), id="text: none"),
    pytest.param("http://wiki/1", ("", None, "http://wiki/1"), id="text: a colon without a space"),
    pytest.param("w" * 65 + ": x", ("", None, "w" * 65 + ": x"), id="text: too long for a name"),
    pytest.param(
        '{"by": "ada", "at": "2026-03-04T05:06:07Z", "why": "wrong data"}',
        ("ada", AT, "wrong data"),
        id="JSON: as the command writes it",
    ),
    pytest.param('{"why": "late"}', ("", None, "late"), id="JSON: a part of it"),
    pytest.param('{"by": 7, "at": 7, "why": null}', ("", None, ""), id="JSON: of other types"),
    pytest.param('{"by": "a", "at": "2026-03-04"}', ("a", None, ""), id="JSON: no time zone"),
    pytest.param('{"x": 1}', ("", None, '{"x": 1}'), id="JSON of another kind is text"),
    pytest.param('{"by"', ("", None, '{"by"'), id="JSON that ends early is text"),
]


@pytest.mark.parametrize(("value", "understood"), VALUES)
def test_parse_request(value: str, understood: tuple[str, datetime | None, str]) -> None:
    request = parse_request(Action.PAUSE, value)

    assert (request.by, request.at, request.why) == understood
    assert request.text == value


@given(st.text() | st.text().map(lambda text: '{"by": ' + text))
def test_any_text_is_a_request_of_bounded_size(value: str) -> None:
    request = parse_request(Action.ABORT, value)

    assert len(request.text) <= 512
    assert len(request.by) <= 64
    assert len(request.why) <= 512
    assert request.describe()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        pytest.param("Ada: nobody asks at night --unmeasured", {Word.UNMEASURED}, id="text"),
        pytest.param("--end-guard --unmeasured", set(Word), id="text: several"),
        pytest.param("Ada: is --unmeasured-ness good?", set(), id="text: part of another word"),
        pytest.param('{"by": "ada", "unmeasured": true}', {Word.UNMEASURED}, id="JSON"),
        pytest.param('{"endGuard": true}', {Word.END_GUARD}, id="JSON: nothing else"),
        pytest.param('{"by": "ada", "endGuard": "yes"}', set(), id="JSON: of another type"),
        pytest.param('{"why": "not --unmeasured"}', set(), id="JSON: in the reason"),
        pytest.param("Ada: wrong data", set(), id="none"),
    ],
)
def test_what_is_said_besides(value: str, words: set[Word]) -> None:
    assert parse_request(Action.PROMOTE, value).words == words


def test_requests_are_read_strongest_first_and_others_left_alone() -> None:
    annotations = {
        "fairlead.dev/resume": "b",
        "fairlead.dev/abort": "a",
        "fairlead.dev/alert": "{}",
    }

    assert read_requests(annotations) == (
        Request(action=Action.ABORT, text="a", why="a"),
        Request(action=Action.RESUME, text="b", why="b"),
    )


def test_a_request_that_is_listed_is_not_asked_again_until_its_text_changes() -> None:
    asked = {"fairlead.dev/retrain": "Ada: new tariff"}
    (request,) = unanswered(asked, ())
    listed = record((), [Answer(request=request, accepted=True, message="ok")], asked, now=AT)

    again = unanswered({"fairlead.dev/retrain": "Ada: newer tariff"}, listed)

    assert listed[0].outcome == "Accepted"
    assert (listed[0].by, listed[0].why, listed[0].answered_at) == ("Ada", "new tariff", AT)
    assert unanswered(asked, listed) == ()
    assert [request.text for request in again] == ["Ada: newer tariff"]


def test_the_list_is_bounded_but_keeps_what_is_still_asked() -> None:
    asked = {"fairlead.dev/retry": "0"}
    listed: tuple[RequestStatus, ...] = ()
    for number in range(50):
        request = Request(action=Action.RETRY, text=str(number))
        answer = Answer(request=request, accepted=False, message="no")
        listed = record(listed, [answer], asked, now=AT)

    assert len(listed) == 20
    assert [entry.text for entry in listed] == ["0", *(str(number) for number in range(31, 50))]
