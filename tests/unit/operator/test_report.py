"""The Events of a report: one name for each transition, and what Kubernetes asks of them."""

from typing import Any

from fairlead_operator.api.events import Event
from fairlead_operator.report import build_event
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
