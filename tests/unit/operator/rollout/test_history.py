"""Which entry of the history is due, told from the status that was written."""

from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.rollout.history import due_entry

BEGAN, LIVE, ENDED = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z", "2026-01-01T00:30:00Z"
PROMOTED = {"phase": "Succeeded", "liveSince": LIVE, "finishedAt": ENDED}
BACK = {"phase": "RolledBack", "liveSince": LIVE, "finishedAt": ENDED}
APPROVED = {"action": "approve", "text": "a", "by": "bob", "outcome": "Accepted"}
ABORTED = {"action": "abort", "text": "b", "by": "ada", "outcome": "Accepted"}
REFUSED = {"action": "promote", "text": "c", "by": "eve", "outcome": "Refused"}


def due(status: dict[str, Any], *, trigger: str = "trained", **annotations: str) -> Any:
    body = {
        "metadata": {
            "namespace": "energy", "name": "nsw-price-rollout-2", "uid": "u1",
            "annotations": annotations,
        },
        "spec": {"model": "nsw-price", "version": "1.1.0", "trigger": trigger},
    }  # fmt: skip
    return due_entry(body, RolloutStatus.model_validate({"startedAt": BEGAN} | status))


@pytest.mark.parametrize(
    ("status", "transition"),
    [
        pytest.param({"phase": "Pending"}, None, id="no traffic yet"),
        pytest.param({"phase": "Progressing", "liveSince": LIVE}, "Started",
                     id="its first traffic"),
        pytest.param({"phase": "Progressing", "liveSince": LIVE, "recorded": "Started"}, None,
                     id="its first traffic is recorded"),
        pytest.param(PROMOTED, "Promoted", id="promoted"),
        pytest.param(PROMOTED | {"recorded": "Started"}, "Promoted", id="promoted after a start"),
        pytest.param(PROMOTED | {"recorded": "Promoted"}, None, id="promoted and recorded"),
        pytest.param(BACK, "RolledBack", id="rolled back"),
        pytest.param(BACK | {"liveSince": None}, "RolledBack", id="given up without traffic"),
        pytest.param({"phase": "RollingBack", "liveSince": LIVE, "recorded": "Started"}, None,
                     id="on the way back"),
    ],
)  # fmt: skip
def test_which_entry_is_due(status: dict[str, Any], transition: str | None) -> None:
    entry = due(status)

    assert (entry.transition if entry else None) == transition


def test_an_entry_says_which_artifact_it_was() -> None:
    candidate = {"version": "1.1.0", "registryVersion": "2", "digest": "sha256:1"}

    numbers = due(PROMOTED | {"candidate": candidate}).numbers

    assert (numbers["registryVersion"], numbers["digest"]) == ("2", "sha256:1")
    assert "digest" not in due(BACK).numbers, "it was never found"


def test_a_version_that_went_back_had_traffic_from_to() -> None:
    assert (due(BACK).began is not None, due(BACK).ended is not None) == (True, True)
    assert due(BACK | {"liveSince": None}).ended is None
    assert due(PROMOTED).ended is None  # it is in charge


@pytest.mark.parametrize(
    ("status", "trigger", "annotations", "by"),
    [
        pytest.param(PROMOTED, "trained", {}, "operator", id="a training"),
        pytest.param(PROMOTED, "pinned", {}, "spec.version", id="a pinned version"),
        pytest.param(PROMOTED, "hand", {}, "a person", id="made by hand"),
        pytest.param(PROMOTED, "hand", {"fairlead.dev/request": "ada: it is better"}, "ada",
                     id="made by hand, with a name"),
        pytest.param(BACK | {"reason": "AlertFired"}, "trained", {}, "Alertmanager", id="an alert"),
        pytest.param(BACK | {"reason": "GuardTripped"}, "hand", {}, "gateway", id="the guard"),
        pytest.param(BACK | {"requests": [APPROVED, ABORTED]}, "trained", {}, "ada",
                     id="who aborted, not who approved"),
        pytest.param(PROMOTED | {"requests": [REFUSED]}, "trained", {}, "operator",
                     id="not who was refused"),
    ],
)  # fmt: skip
def test_who_decided(
    status: dict[str, Any], trigger: str, annotations: dict[str, str], by: str
) -> None:
    assert due(status, trigger=trigger, **annotations).by == by
