"""Feedback as clients send it."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from fairlead_serving.server.classes import Classes
from fairlead_serving.server.feedback import Feedback, feedback_schema, parse_feedback
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.signature import Task

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ID = "0b0e7a5c-1d0c-4f61-9f0e-0f7f6b2b8c11"
WORDS = Classes(labels=("no", "yes"))


def told(**fields: Any) -> bytes:
    return json.dumps({"predictionId": ID, **fields}).encode()


@pytest.mark.parametrize(
    ("task", "label", "value", "name"),
    [
        pytest.param(Task.BINARY, 1, 1.0, "1", id="binary: a number"),
        pytest.param(Task.BINARY, False, 0.0, "0", id="binary: a boolean"),
        pytest.param(Task.BINARY, "up", None, "up", id="binary: a name"),
        pytest.param(Task.MULTICLASS, 2.0, 2.0, "2", id="multiclass: a whole number"),
        pytest.param(Task.REGRESSION, -3.5, -3.5, "-3.5", id="regression: a number"),
    ],
)
def test_a_label_is_a_number_and_a_name(
    task: Task, label: Any, value: float | None, name: str
) -> None:
    feedback = parse_feedback(told(label=label, row=3), task, received=NOW)

    assert feedback == Feedback(
        prediction_id=ID,
        row_index=3,
        given_at=NOW,
        label_value=value,
        label_class=name,
        reward=None,
    )


@pytest.mark.parametrize(
    ("task", "label", "value", "name"),
    [
        pytest.param(Task.BINARY, "yes", None, "yes", id="a word"),
        pytest.param(Task.MULTICLASS, "maybe", None, "maybe", id="one that another version knows"),
        pytest.param(Task.MULTICLASS, 3, 3.0, "3", id="a number that another version knows"),
    ],
)
def test_a_label_is_one_of_the_words(
    task: Task, label: Any, value: float | None, name: str
) -> None:
    feedback = parse_feedback(told(label=label), task, received=NOW, classes=WORDS)

    assert (feedback.label_value, feedback.label_class) == (value, name)


@pytest.mark.parametrize(
    ("labels", "label", "value", "name"),
    [
        pytest.param((1, 2), 2, 2.0, "2", id="a number"),
        pytest.param((1, 2), "2", None, "2", id="its text"),
        pytest.param((-1, 1), -1, -1.0, "-1", id="a negative one"),
        pytest.param((False, True), True, 1.0, "1", id="true"),
        pytest.param((False, True), "false", None, "0", id="false as answers call it"),
    ],
)
def test_a_label_joins_its_prediction_however_it_is_written(
    labels: tuple[Any, ...], label: Any, value: float | None, name: str
) -> None:
    classes = Classes(labels=labels)

    feedback = parse_feedback(told(label=label), Task.BINARY, received=NOW, classes=classes)

    assert (feedback.label_value, feedback.label_class) == (value, name)


@pytest.mark.parametrize("label", ["Yes", "maybe", "", 1, 0, True, 2.5, ["yes"], {}])
def test_of_two_words_it_is_one(label: Any) -> None:
    with pytest.raises(BadInputError, match="neither no nor yes; the model has these two"):
        parse_feedback(told(label=label), Task.BINARY, received=NOW, classes=WORDS)


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
@pytest.mark.parametrize("label", ["no", "yes", "maybe", "", 1, True, ["yes"], None, "x" * 257])
def test_the_schema_allows_words_that_are_taken(task: Task, label: Any) -> None:
    schema = feedback_schema(task, WORDS)
    is_allowed = Draft202012Validator(schema).is_valid({"predictionId": ID, "label": label})

    if is_allowed:
        parse_feedback(told(label=label), task, received=NOW, classes=WORDS)
    else:
        with pytest.raises(BadInputError):
            parse_feedback(told(label=label), task, received=NOW, classes=WORDS)


@pytest.mark.parametrize("reward", [0, 0.25, 1])
def test_a_reward_needs_no_label(reward: float) -> None:
    feedback = parse_feedback(told(reward=reward), Task.REGRESSION, received=NOW)

    assert (feedback.row_index, feedback.label_class, feedback.reward) == (0, None, reward)


def test_a_row_is_whole_however_it_is_written() -> None:
    feedback = parse_feedback(told(reward=1, row=7.0), Task.REGRESSION, received=NOW)

    assert (feedback.row_index, type(feedback.row_index)) == (7, int)


@pytest.mark.parametrize(
    ("at", "given_at"),
    [
        pytest.param(None, NOW, id="none: when it was received"),
        pytest.param("2026-11-30T11:59:59.5Z", NOW - timedelta(milliseconds=500), id="earlier"),
        pytest.param("2026-11-30T12:30:00+01:00", NOW - timedelta(minutes=30), id="elsewhere"),
        pytest.param("2026-11-30T12:00:01Z", NOW, id="a clock ahead: when it was received"),
        pytest.param("2026-11-30t11:59:30z", NOW - timedelta(seconds=30), id="small letters"),
        pytest.param("2026-11-30T11:59:60Z", NOW - timedelta(seconds=1), id="a leap second"),
        pytest.param(
            "2026-11-30t11:59:60.25+00:00", NOW - timedelta(milliseconds=750), id="a part of one"
        ),
        pytest.param("9999-12-31T23:59:59-14:00", NOW, id="at the end of time: the same"),
        pytest.param(
            "0001-01-01T00:00:00+14:00",
            datetime.fromisoformat("0001-01-01T00:00:00+14:00"),
            id="at its beginning",
        ),
    ],
)
def test_feedback_was_given_when_the_client_says_but_not_later_than_now(
    at: str | None, given_at: datetime
) -> None:
    assert parse_feedback(told(reward=1, at=at), Task.BINARY, received=NOW).given_at == given_at


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"{bad", "not JSON", id="no JSON"),
        pytest.param(b"[]", "not an object", id="a list"),
        pytest.param(told(), "label and reward", id="nothing told"),
        pytest.param(told(label=1, weight=2), "unknown fields weight", id="a field more"),
        pytest.param(told(label=1, predictionId="7"), "predictionId", id="no UUID"),
        pytest.param(told(label=1, predictionId=None), "predictionId", id="no id"),
        pytest.param(told(label=1, row=-1), "row", id="a row before the first"),
        pytest.param(told(label=1, row=10_000), "row", id="a row after the last"),
        pytest.param(told(label=1, row=0.5), "row", id="a part of a row"),
        pytest.param(told(label=1, row=True), "row", id="a row that is none"),
        pytest.param(told(label=[1]), "label", id="a label of many"),
        pytest.param(told(label=2), "label is neither 0 nor 1", id="a third class of two"),
        pytest.param(told(label=""), "label", id="an empty name"),
        pytest.param(told(label="x" * 257), "label", id="a long name"),
        pytest.param(told(reward=1.01), "reward", id="too high a reward"),
        pytest.param(told(reward=True), "reward", id="a reward that is no number"),
        pytest.param(told(reward="1"), "reward", id="a reward in words"),
        pytest.param(told(label=1, at="yesterday"), "at is not a time", id="a time in words"),
        pytest.param(
            told(label=1, at="2026-11-30T11:00:00"), "offset from UTC", id="a time of nowhere"
        ),
        pytest.param(told(label=1, at="2026-11-30"), "offset from UTC", id="a day"),
        pytest.param(told(label=1, at="2026-11-30T11:59:61Z"), "at is not", id="a 61st second"),
        pytest.param(told(label=1, at="2026-11-30T11:60:00Z"), "at is not", id="a 60th minute"),
        pytest.param(told(label=1, at=1_796_000_000), "at is not a time", id="seconds"),
    ],
)
def test_what_is_wrong_is_named(body: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_feedback(body, Task.BINARY, received=NOW)


@pytest.mark.parametrize("label", ["3.5", True, None, "NaN"])
def test_a_regression_takes_numbers(label: Any) -> None:
    with pytest.raises(BadInputError, match="label"):
        parse_feedback(told(label=label), Task.REGRESSION, received=NOW)


LABELS = (0, 1, 2, -3.5, 1.0, 1.5, 1e300, True, False, None, "", "up", "x" * 256, "x" * 257, [1])


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(
    "fields",
    [
        *({"label": label} for label in LABELS),
        *({"reward": reward} for reward in (-0.1, 0, 0.5, 1, 1.01, True, "1", None)),
        *(
            {"label": 1, "row": row}
            for row in (-1, 0, 1.0, -0.0, 1.5, 9_999.0, 10_000, 1e300, True, None)
        ),
        {},
        {"label": 1, "reward": 1, "at": "2026-11-30T11:59:59.5Z"},
        {"label": 1, "at": "2026-11-30t11:59:59z"},
        {"label": 1, "weight": 2},
        {"label": 1, "predictionId": 7},
    ],
    ids=lambda fields: str(fields)[:30],
)
def test_the_schema_allows_what_is_taken(task: Task, fields: dict[str, Any]) -> None:
    is_allowed = Draft202012Validator(feedback_schema(task)).is_valid({"predictionId": ID} | fields)

    if is_allowed:
        parse_feedback(told(**fields), task, received=NOW)
    else:
        with pytest.raises(BadInputError):
            parse_feedback(told(**fields), task, received=NOW)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
))  # fmt: skip
def test_any_value_in_any_field_is_taken_or_refused(value: Any) -> None:
    for task in Task:
        for field in ("predictionId", "row", "label", "reward", "at"):
            body = json.dumps({"predictionId": str(uuid.uuid4()), "label": 1} | {field: value})
            try:
                feedback = parse_feedback(body.encode(), task, received=NOW)
            except BadInputError:
                continue
            assert feedback.given_at <= NOW
            assert feedback.reward is None or 0 <= feedback.reward <= 1
            assert "\x00" not in (feedback.label_class or "")
