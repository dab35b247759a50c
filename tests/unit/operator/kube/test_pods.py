"""Which pods answer."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.kube.pods import find_killed, find_refusal, is_ready, is_working
from support.fakes import START


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


FULL = 'Usage of EmptyDir volume "tmp" exceeds the limit "4Gi". '
EPHEMERAL = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "
NODE = "The node was low on resource: ephemeral-storage. "
DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]
RAISE = (
    "; what it may write is twice its memory limit, and 2Gi at least: "
    "raise spec.training.resources.limits.memory of the Model"
)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        pytest.param(
            {"message": FULL}, f"pod p was evicted: {FULL.strip(' .')}{RAISE}",
            id="its volume is full: that is as large as its memory makes it",
        ),
        pytest.param(
            {"message": EPHEMERAL}, f"pod p was evicted: {EPHEMERAL.strip(' .')}",
            id="another limit, of a LimitRange for example",
        ),
        pytest.param(
            {"message": NODE, "conditions": DISRUPTED}, None, id="a node needs room: no failure"
        ),
        pytest.param({"message": FULL, "reason": "Shutdown"}, None, id="it was not evicted"),
        pytest.param({"message": None}, "pod p was evicted: nothing says why",
                     id="the cluster does not say why"),
    ],
)  # fmt: skip
def test_a_trainer_that_wrote_too_much_was_evicted(
    status: dict[str, Any], words: str | None
) -> None:
    """The Job only said that it had failed too often."""
    evicted = {
        "metadata": {"name": "p"},
        "status": {"phase": "Failed", "reason": "Evicted", **status},
    }

    assert find_killed([{"metadata": {}}, evicted]) == words


@pytest.mark.parametrize(
    ("phase", "until", "works"),
    [
        pytest.param("Pending", None, True, id="it starts"),
        pytest.param("Running", None, True, id="it runs"),
        pytest.param("Running", 0, True, id="it ends"),
        pytest.param("Running", -29, True, id="it is slow to end"),
        pytest.param("Running", -30, False, id="its node is away"),
        pytest.param("Unknown", None, True, id="its node is silent"),
        pytest.param(None, None, True, id="no status yet"),
        pytest.param("Succeeded", None, False, id="it is done"),
        pytest.param("Failed", None, False, id="it has failed"),
    ],
)
def test_which_pods_work(phase: str | None, until: int | None, *, works: bool) -> None:
    meta = {}
    if until is not None:
        meta["deletionTimestamp"] = (START + timedelta(seconds=until)).isoformat()
    status = {} if phase is None else {"status": {"phase": phase}}

    assert is_working({"metadata": meta, **status}, START) is works
