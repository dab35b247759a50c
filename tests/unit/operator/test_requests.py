"""What a person may write into an annotation, and what is understood."""

import json
from datetime import UTC, datetime, timedelta, timezone

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
    pytest.param(
        '{"by": "a", "at": "0001-01-01T00:00:00+01:00"}',
        ("a", None, ""),
        id="JSON: before the first year",
    ),
    pytest.param(
        '{"by": "a", "at": "9999-12-31T23:59:59-01:00"}',
        ("a", None, ""),
        id="JSON: after the last year",
    ),
    pytest.param(
        '{"by": "a", "at": "2026-03-04T06:06:07+01:00"}', ("a", AT, ""), id="JSON: another zone"
    ),
    pytest.param('{"x": 1}', ("", None, '{"x": 1}'), id="JSON of another kind is text"),
    pytest.param('{"by"', ("", None, '{"by"'), id="JSON that ends early is text"),
]


@pytest.mark.parametrize(("value", "understood"), VALUES)
def test_parse_request(value: str, understood: tuple[str, datetime | None, str]) -> None:
    request = parse_request(Action.PAUSE, value)

    assert (request.by, request.at, request.why) == understood
    assert request.text == value


@given(
    st.datetimes(timezones=st.sampled_from([timezone(timedelta(hours=h)) for h in (-12, 0, 14)]))
)
def test_any_moment_of_a_request_can_be_told(at: datetime) -> None:
    request = parse_request(Action.ABORT, json.dumps({"by": "ada", "at": at.isoformat()}))
    (entry,) = record((), [Answer(request=request, accepted=True, message="")], {}, now=AT)

    assert entry.model_dump(mode="json")["by"] == "ada"


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


def say(
    listed: tuple[RequestStatus, ...], annotations: dict[str, str]
) -> tuple[tuple[RequestStatus, ...], list[str]]:
    """Look once: answer what is asked, and return the list and the texts that were answered."""
    asked = unanswered(annotations, listed)
    answers = [Answer(request=request, accepted=True, message="ok") for request in asked]
    return record(listed, answers, annotations, now=AT), [request.text for request in asked]


TARIFF, BAD_DAY = (
    {"fairlead.dev/retrain": "Ada: new tariff"},
    {"fairlead.dev/retrain": "Ada: without the bad day"},
)


@pytest.mark.parametrize(
    ("looks", "heard"),
    [
        pytest.param([TARIFF, TARIFF], 1, id="it stands: once"),
        pytest.param([TARIFF, {}, TARIFF], 2, id="it was gone: again"),
        pytest.param([TARIFF, BAD_DAY, TARIFF], 2, id="it said something else: again"),
        pytest.param([TARIFF, {}, TARIFF, TARIFF, {}, TARIFF], 3, id="and again"),
    ],
)
def test_the_same_words_are_a_new_request_once_they_were_gone(
    looks: list[dict[str, str]], heard: int
) -> None:
    listed: tuple[RequestStatus, ...] = ()
    answered: list[str] = []
    for annotations in looks:
        listed, texts = say(listed, annotations)
        answered += texts

    assert answered.count("Ada: new tariff") == heard
    assert len([entry for entry in listed if entry.text == "Ada: new tariff"]) == heard


@given(st.lists(st.sampled_from([TARIFF, BAD_DAY, {}]), max_size=60))
def test_each_change_of_words_is_heard_once_and_the_list_is_bounded(
    looks: list[dict[str, str]],
) -> None:
    listed: tuple[RequestStatus, ...] = ()
    before: dict[str, str] = {}
    for annotations in looks:
        listed, texts = say(listed, annotations)
        assert texts == ([] if annotations == before else list(annotations.values()))
        assert len(listed) <= 20
        before = annotations


def test_what_an_earlier_release_answered_is_not_asked_again() -> None:
    old = {"action": "retrain", "text": "Ada: new tariff", "outcome": "Accepted"}

    assert unanswered(TARIFF, [RequestStatus.model_validate(old)]) == ()
