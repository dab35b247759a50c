"""What is written of a report: differences only, and an Event that is the same when repeated."""

from typing import Any

import pytest

from fairlead_operator.api.events import Event
from fairlead_operator.report import Report, build_event, publish
from support.fakes import START, Clock, FakeKube

EVENT = Event(reason="Promoted", message="1.0.0 is in charge")


def body(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "r", "namespace": "energy", "uid": "u"},
        "spec": {},
        "status": status,
    }


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube(Clock())
    kube.put(body(phase="Pending"))
    kube.writes.clear()
    return kube


async def test_nothing_new_writes_nothing(kube: FakeKube) -> None:
    await publish(body(phase="Pending"), Report(status={"phase": "Pending"}), kube, now=START)

    assert kube.writes == []


async def test_what_differs_is_written_once_with_its_event_before(kube: FakeKube) -> None:
    report = Report(status={"phase": "Succeeded"}, events=(EVENT,))
    await publish(body(phase="Pending"), report, kube, now=START)

    assert [(verb, kind) for verb, kind, _ in kube.writes] == [
        ("apply", "Event"),
        ("status", "Rollout"),
    ]


async def test_a_reconcile_that_was_cut_off_announces_the_same_once(kube: FakeKube) -> None:
    report = Report(status={"phase": "Succeeded"}, events=(EVENT,))
    kube.fail_next = []
    await publish(body(phase="Pending"), report, kube, now=START)
    await publish(body(phase="Pending"), report, kube, now=START)

    assert len([key for key in kube.objects if key[0] == "Event"]) == 1


def name(event: Event, **status: Any) -> str:
    return str(build_event(body(**status), event, now=START)["metadata"]["name"])


def test_another_transition_is_another_event() -> None:
    assert name(EVENT, phase="Pending") != name(EVENT, phase="Guarding")
    assert name(EVENT, step=0) != name(EVENT, step=1)
    assert name(EVENT) != name(Event(reason="Promoted", message="other"))


def test_an_event_as_kubernetes_wants_it() -> None:
    event = build_event(
        body(), Event(reason="Aborted", message="x" * 2000, warning=True), now=START
    )

    assert event["type"] == "Warning"
    assert len(event["message"]) == 1000
    assert event["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["involvedObject"]["uid"] == "u"
    assert event["metadata"]["namespace"] == "energy"
