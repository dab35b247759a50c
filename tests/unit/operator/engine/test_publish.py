"""What is written of a report: differences only, and an Event that is the same when repeated."""

from typing import Any

import pytest

from fairlead_operator.api.events import Event
from fairlead_operator.engine.publish import publish
from fairlead_operator.errors import TransientError
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


@pytest.mark.parametrize(
    ("failures", "events"),
    [pytest.param(1, 1, id="once"), pytest.param(9, 0, id="whatever is tried")],
)
async def test_the_status_does_not_wait_for_an_event_that_fails(
    kube: FakeKube, monkeypatch: pytest.MonkeyPatch, failures: int, events: int
) -> None:
    """Clusters may keep Events in a store of their own, which is away: no phase ever changed."""
    apply, left = kube.apply, iter(range(failures))

    async def fail(manifest: Any) -> dict[str, Any]:
        if next(left, None) is not None:
            raise TransientError("etcdserver: request timed out")
        return await apply(manifest)

    monkeypatch.setattr(kube, "apply", fail)
    report = Report(status={"phase": "Succeeded"}, events=(EVENT,))
    await publish(plain_rollout(phase="Pending"), report, kube, now=START)

    (rollout,) = [item for key, item in kube.objects.items() if key[0] == "Rollout"]
    assert rollout["status"]["phase"] == "Succeeded"
    assert len([key for key in kube.objects if key[0] == "Event"]) == events
