"""The Events of a report, and what it says of writes that failed."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.events import Event
from fairlead_operator.attempts import Failure
from fairlead_operator.report import (
    Report,
    build_event,
    read_failures,
    report_failures,
    report_login,
    report_unread,
)
from support.builders import plain_rollout
from support.fakes import START

EVENT = Event(reason="Promoted", message="1.0.0 is in charge")


def name(event: Event, **status: Any) -> str:
    return str(build_event(plain_rollout(**status), event, now=START)["metadata"]["name"])


def test_another_transition_is_another_event() -> None:
    assert name(EVENT, phase="Pending") != name(EVENT, phase="Guarding")
    assert name(EVENT, step=0) != name(EVENT, step=1)
    assert name(EVENT) != name(Event(reason="Promoted", message="other"))


def test_an_event_as_kubernetes_wants_it() -> None:
    event = build_event(
        plain_rollout(), Event(reason="Aborted", message="x" * 2000, warning=True), now=START
    )

    assert event["type"] == "Warning"
    assert len(event["message"]) == 1000
    assert event["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["involvedObject"]["uid"] == "u"
    assert event["metadata"]["namespace"] == "energy"


REFUSED = Failure(message="PATCH …: 422 no", refused=True)
NO_LOGIN = Failure(message="no CREATEROLE", refused=True, login=True)
AWAY = Failure(message="PATCH …: 503 away", refused=False)
SECOND = timedelta(seconds=1)


def told(
    *failures: Failure,
    status: dict[str, Any] | None = None,
    after: timedelta = timedelta(0),
    planned: timedelta | None = None,
) -> Report:
    """Report these failures of an object with this status, some time after the start."""
    body = plain_rollout(**(status or {}))
    report = Report(status={"phase": "Progressing", **(status or {})}, look_again=planned)
    return report_failures(body, report, failures, now=START + after)


def applied(report: Report) -> tuple[str, str, str]:
    (condition,) = report.status["conditions"]
    return condition["status"], condition["reason"], condition.get("message", "")


@pytest.mark.parametrize(
    ("failures", "condition", "events"),
    [
        pytest.param((REFUSED,), ("False", "ClusterRefused", "PATCH …: 422 no"), 1, id="refused"),
        pytest.param((AWAY,), ("False", "ClusterUnavailable", "PATCH …: 503 away"), 0, id="away"),
        pytest.param(
            (AWAY, REFUSED, REFUSED),
            ("False", "ClusterRefused", "PATCH …: 422 no; PATCH …: 503 away"), 1,
            id="both: what someone must mend first, and each sentence once",
        ),
        pytest.param((NO_LOGIN, AWAY),
                     ("False", "LoginNotAllowed", "no CREATEROLE; PATCH …: 503 away"), 1,
                     id="a login that the database does not allow"),
        pytest.param((NO_LOGIN, REFUSED),
                     ("False", "ClusterRefused", "no CREATEROLE; PATCH …: 422 no"), 1,
                     id="beside a refusal of the cluster"),
    ],
)  # fmt: skip
def test_what_could_not_be_written_is_a_condition(
    failures: tuple[Failure, ...], condition: tuple[str, str, str], events: int
) -> None:
    report = told(*failures)

    assert applied(report) == condition
    assert len(report.events) == events
    (failure,) = read_failures(report.status)
    assert failure.refused == (condition[1] != "ClusterUnavailable")
    assert failure.login == (condition[1] == "LoginNotAllowed")


def test_nothing_is_said_where_nothing_ever_failed() -> None:
    report = told()

    assert "conditions" not in report.status
    assert report.look_again is None
    assert read_failures(report.status) == ()


def test_it_is_said_when_it_is_over() -> None:
    report = told(status=dict(told(REFUSED).status), after=SECOND)

    assert applied(report)[:2] == ("True", "Applied")
    assert report.look_again is None
    assert read_failures(report.status) == ()


@pytest.mark.parametrize(
    ("lasted", "planned", "expected"),
    [
        pytest.param(0, None, 0.2, id="at first soon"),
        pytest.param(8, None, 8, id="then as long as it has lasted"),
        pytest.param(3600, None, 30, id="and never later than this"),
        pytest.param(8, 5, 5, id="a look that is due earlier comes earlier"),
        pytest.param(8, 60, 8, id="and one that is due later does not delay it"),
    ],
)
def test_it_is_tried_again_after_as_long_as_it_has_lasted(
    lasted: float, planned: float | None, expected: float
) -> None:
    report = told(
        REFUSED,
        status=dict(told(REFUSED).status),
        after=lasted * SECOND,
        planned=None if planned is None else planned * SECOND,
    )

    assert report.look_again == expected * SECOND
    assert report.events == (), "it was announced already"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param(REFUSED, Failure(message="another", refused=True), "another", id="refused"),
        pytest.param(AWAY, Failure(message="port 4711", refused=False), AWAY.message,
                     id="away: the sentence has a port that is another each time"),
    ],
)  # fmt: skip
def test_a_sentence_that_differs_each_time_writes_no_status(
    before: Failure, after: Failure, message: str
) -> None:
    assert applied(told(after, status=dict(told(before).status)))[2] == message


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        pytest.param((None,), [], id="never: nothing is said"),
        pytest.param(("why",), [("False", "LoginShared")], id="shared"),
        pytest.param(("why", "why"), [("False", "LoginShared")], id="still"),
        pytest.param(("why", None), [("True", "OwnLogin")], id="no more"),
    ],
)
def test_a_shared_login_is_a_condition(
    shared: tuple[str | None, ...], expected: list[tuple[str, str]]
) -> None:
    status: dict[str, Any] = {"phase": "Progressing"}
    for each in shared:
        body = plain_rollout(**status)
        status = dict(report_login(body, Report(status=status), each, now=START).status)

    told = status.get("conditions", [])
    assert [(entry["status"], entry["reason"]) for entry in told] == expected


@pytest.mark.parametrize(
    ("unread", "expected", "events"),
    [
        pytest.param((None,), [], 0, id="never: nothing is said"),
        pytest.param(("a",), [("False", "a")], 1, id="one stands"),
        pytest.param(("a", "a"), [("False", "a")], 1, id="still: told once"),
        pytest.param(("a", "a, b"), [("False", "a, b")], 2, id="another comes"),
        pytest.param(("a", None), [("True", "gone by now: a")], 1, id="it is gone"),
        pytest.param(("a", None, None), [("True", "gone by now: a")], 1, id="it stays gone"),
        pytest.param(("a", None, "a"), [("False", "a")], 2, id="the same again"),
    ],
)
def test_what_nobody_reads_is_a_condition_and_an_event(
    unread: tuple[str | None, ...], expected: list[tuple[str, str]], events: int
) -> None:
    status: dict[str, Any] = {"phase": "Progressing"}
    announced = 0
    for each in unread:
        told = report_unread(plain_rollout(**status), Report(status=status), each, now=START)
        status, announced = dict(told.status), announced + len(told.events)

    said = status.get("conditions", [])
    assert [(entry["status"], entry["message"]) for entry in said] == expected
    assert announced == events


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("`fairlead retry MODEL` tries it again", "`fairlead retry web` tries it again",
                     id="a command"),
        pytest.param("`fairlead promote MODEL --unmeasured`, or `fairlead abort MODEL`",
                     "`fairlead promote web --unmeasured`, or `fairlead abort web`", id="two"),
        pytest.param("MODEL is a word", "MODEL is a word", id="no command"),
        pytest.param("`fairlead retry MODELS`", "`fairlead retry MODELS`", id="another word"),
        pytest.param("`fairlead retry web`", "`fairlead retry web`", id="named before"),
    ],
)  # fmt: skip
def test_commands_are_told_with_the_name_of_the_model(text: str, named: str) -> None:
    """People copied the placeholder into their terminal."""
    status = {"message": text, "summary": text, "arms": [{"message": text}],
              "gate": {"message": text, "version": text}}  # fmt: skip
    report = Report(status=status, events=(Event(reason="r", message=text),))

    told = report.naming("web")

    assert told.status == {"message": named, "summary": named, "arms": [{"message": named}],
                           "gate": {"message": named, "version": text}}  # fmt: skip
    assert [event.message for event in told.events] == [named]


def test_what_a_person_wrote_stays_as_it_is() -> None:
    """Its text makes a request the same or another: another one would be answered for ever."""
    asked = {"action": "abort", "text": "`fairlead abort MODEL`", "why": "`fairlead abort MODEL`"}

    assert Report(status={"requests": [asked]}).naming("web").status == {"requests": [asked]}
