"""What is written of a report: differences only, and an Event that is the same when repeated."""

import pytest

from fairlead_operator.api.events import Event
from fairlead_operator.engine.publish import publish
from fairlead_operator.report import Report
from support.builders import plain_rollout
from support.fakes import START, Clock, FakeKube

EVENT = Event(reason="Promoted", message="1.0.0 is in charge")


@pytest.fixture
def kube() -> FakeKube:
    kube = FakeKube(Clock())
    kube.put(plain_rollout(phase="Pending"))
    kube.writes.clear()
    return kube


async def test_nothing_new_writes_nothing(kube: FakeKube) -> None:
    await publish(
        plain_rollout(phase="Pending"), Report(status={"phase": "Pending"}), kube, now=START
    )

    assert kube.writes == []


async def test_what_differs_is_written_once_with_its_event_before(kube: FakeKube) -> None:
    report = Report(status={"phase": "Succeeded"}, events=(EVENT,))
    await publish(plain_rollout(phase="Pending"), report, kube, now=START)

    assert [(verb, kind) for verb, kind, _ in kube.writes] == [
        ("apply", "Event"),
        ("status", "Rollout"),
    ]


async def test_a_reconcile_that_was_cut_off_announces_the_same_once(kube: FakeKube) -> None:
    report = Report(status={"phase": "Succeeded"}, events=(EVENT,))
    kube.fail_next = []
    await publish(plain_rollout(phase="Pending"), report, kube, now=START)
    await publish(plain_rollout(phase="Pending"), report, kube, now=START)

    assert len([key for key in kube.objects if key[0] == "Event"]) == 1
