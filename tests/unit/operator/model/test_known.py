"""What the children of a Model tell of its versions."""

from typing import Any

import pytest

from fairlead_operator.model.known import newest_first, read_trained, read_tried

TOLD = {"version": "1.1.0", "registryVersion": "2", "digest": "sha256:1"}
STABLE = {"version": "1.0.0", "registryVersion": "1", "digest": "sha256:0"}


@pytest.mark.parametrize(
    ("status", "versions"),
    [
        pytest.param({"phase": "Succeeded", "trained": TOLD}, ["1.1.0"], id="registered"),
        pytest.param({"phase": "Finishing", "trained": TOLD}, [], id="not at its end"),
        pytest.param({"phase": "Succeeded"}, [], id="of 0.1.0, whose Job is gone"),
        pytest.param({"phase": "Succeeded", "trained": TOLD | {"digest": ""}}, [], id="no digest"),
        pytest.param({"phase": "Succeeded", "trained": {"digest": "sha256:1"}}, [],
                     id="unreadable"),
        pytest.param(None, [], id="not looked at yet"),
    ],
)  # fmt: skip
def test_what_a_training_tells(status: dict[str, Any] | None, versions: list[str]) -> None:
    run = {"metadata": {"name": "t"}, **({"status": status} if status is not None else {})}

    assert [told.version for told in read_trained(run)] == versions


@pytest.mark.parametrize(
    ("status", "versions"),
    [
        pytest.param({"candidate": TOLD, "stable": STABLE, "liveSince": "2026-01-01T00:00:00Z"},
                     {"1.1.0", "1.0.0"}, id="the candidate has had traffic"),
        pytest.param({"candidate": TOLD, "stable": STABLE}, {"1.0.0"},
                     id="it never had: it may still be mended"),
        pytest.param({"arms": [TOLD, TOLD | {"version": "1.2.0"}],
                      "liveSince": "2026-01-01T00:00:00Z"}, {"1.1.0", "1.2.0"}, id="a trial"),
        pytest.param({}, set(), id="not looked at yet"),
    ],
)  # fmt: skip
def test_what_a_rollout_tells(status: dict[str, Any], versions: set[str]) -> None:
    told = read_tried({"metadata": {"name": "r"}, "status": status})

    assert {one.version for one in told} == versions


def test_the_newest_tells_first() -> None:
    children = [
        {"metadata": {"name": name, "creationTimestamp": f"2026-01-0{day}T00:00:00Z"}}
        for name, day in (("a", 1), ("c", 2), ("b", 2))
    ]

    assert [child["metadata"]["name"] for child in newest_first(children)] == ["c", "b", "a"]
