"""Which pods answer."""

from typing import Any

import pytest

from fairlead_operator.kube.pods import find_killed, find_refusal, is_ready


def pod(*conditions: tuple[str, str], **meta: str) -> dict[str, Any]:
    told = [{"type": kind, "status": status} for kind, status in conditions]
    return {"metadata": meta, "status": {"conditions": told}}


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        pytest.param(pod(("Ready", "True")), True, id="ready"),
        pytest.param(pod(("Ready", "False")), False, id="not ready"),
        pytest.param(pod(("Ready", "Unknown")), False, id="its node is silent"),
        pytest.param(pod(("PodScheduled", "True")), False, id="only placed"),
        pytest.param(pod(("Ready", "True"), deletionTimestamp="now"), False, id="leaving"),
        pytest.param({"metadata": {}}, False, id="no status"),
        pytest.param({"metadata": {}, "status": {"conditions": None}}, False, id="no conditions"),
    ],
)
def test_which_pods_answer(seen: dict[str, Any], *, ready: bool) -> None:
    assert is_ready(seen) is ready


def told(reason: str, message: str, *, at: int, field: str = "lastTimestamp") -> dict[str, Any]:
    """Tell of a Job, at this second, in one of the forms that Events have had."""
    moment = f"2026-01-01T00:00:{at:02}Z"
    when = {"series": {"lastObservedTime": moment}} if field == "series" else {field: moment}
    if field == "creationTimestamp":
        return {"metadata": when, "reason": reason, "message": message}
    return {"metadata": {}, "reason": reason, "message": message, **when}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        pytest.param([], None, id="nothing was told"),
        pytest.param([told("FailedCreate", "quota", at=1)], "quota", id="a pod was refused"),
        pytest.param(
            [told("FailedCreate", "b", at=9), told("FailedCreate", "a", at=1)], "b",
            id="the latest counts",
        ),
        pytest.param(
            [told("FailedCreate", "b", at=1), told("SuccessfulCreate", "made", at=9)], None,
            id="refused, and made since",
        ),
        pytest.param(
            [told("SuccessfulCreate", "made", at=1), told("FailedCreate", "b", at=9)], "b",
            id="made, and refused since",
        ),
        pytest.param([told("BackoffLimitExceeded", "x", at=1)], None, id="something else"),
        *(
            pytest.param(
                [told("FailedCreate", "b", at=9, field=field), told("FailedCreate", "a", at=1)],
                "b",
                id=f"told by {field}",
            )
            for field in ("series", "eventTime", "creationTimestamp")
        ),
    ],
)  # fmt: skip
def test_why_a_pod_was_refused(events: list[dict[str, Any]], words: str | None) -> None:
    assert find_refusal(events) == words


def test_only_a_pod_at_its_memory_limit_was_killed() -> None:
    def ended(reason: str, where: str) -> dict[str, Any]:
        state = {where: {"terminated": {"reason": reason}}}
        return {"metadata": {"name": "p"}, "status": {"containerStatuses": [state]}}

    assert find_killed([ended("Error", "state"), {"metadata": {}}]) is None
    for where in ("state", "lastState"):
        killed = find_killed([ended("Error", "state"), ended("OOMKilled", where)])
        assert killed is not None
        assert "pod p was ended at its memory limit" in killed
