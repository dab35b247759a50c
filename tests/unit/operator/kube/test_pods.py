"""Which pods answer."""

from typing import Any

import pytest

from fairlead_operator.kube.pods import find_killed, is_ready


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


def test_only_a_pod_at_its_memory_limit_was_killed() -> None:
    def ended(reason: str, where: str) -> dict[str, Any]:
        state = {where: {"terminated": {"reason": reason}}}
        return {"metadata": {"name": "p"}, "status": {"containerStatuses": [state]}}

    assert find_killed([ended("Error", "state"), {"metadata": {}}]) is None
    for where in ("state", "lastState"):
        killed = find_killed([ended("Error", "state"), ended("OOMKilled", where)])
        assert killed is not None
        assert "pod p was ended at its memory limit" in killed
