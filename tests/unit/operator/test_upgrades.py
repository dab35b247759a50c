"""Who waits for the turn when a release replaces pods, and who does not."""

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.errors import (
    ClusterRefusalError,
    TransientError,
    WebhookUnavailableError,
)
from fairlead_operator.upgrades import Upgrades, is_ready, is_upgrade, mark
from support.fakes import START

READY = {"observedGeneration": 1, "availableReplicas": 1, "updatedReplicas": 1}
LATER = START + timedelta(minutes=3)


def deployment(image: str = "serving:1", *, asked: str = "spec", **status: Any) -> dict[str, Any]:
    built = {
        "metadata": {"name": "d", "generation": 1},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": image}]}}},
    }
    return mark(built, asked={"spec": asked}) | {"status": READY | status}


def unmarked(image: str) -> dict[str, Any]:
    """Return a Deployment as 0.1.0 applied it."""
    live = deployment(image)
    return live | {"metadata": {"name": "d", "generation": 1}}


def grown(wanted: dict[str, Any]) -> dict[str, Any]:
    return wanted | {"spec": wanted["spec"] | {"replicas": 3}}


def larger(wanted: dict[str, Any]) -> dict[str, Any]:
    (container,) = wanted["spec"]["template"]["spec"]["containers"]
    pod = {"containers": [container | {"resources": {"limits": {"memory": "2Gi"}}}]}
    return {"spec": wanted["spec"] | {"template": {"spec": pod}}}


NEW = deployment("serving:2")


@pytest.mark.parametrize(
    ("live", "wanted", "upgrade"),
    [
        pytest.param(deployment(), deployment(), False, id="nothing changes"),
        pytest.param(deployment(), NEW, True, id="another image"),
        pytest.param(deployment(), deployment("serving:2", asked="more"), False,
                     id="a spec asks for other pods: they have the new image at once"),
        pytest.param(unmarked("serving:1"), NEW, True, id="of 0.1.0, another image"),
        pytest.param(unmarked("serving:2"), NEW, False, id="of 0.1.0, the same image"),
        pytest.param(unmarked("serving:1"), grown(NEW), False, id="of 0.1.0, more pods asked for"),
        pytest.param(unmarked("serving:1"), NEW | larger(NEW), False,
                     id="of 0.1.0, larger pods asked for"),
    ],
)  # fmt: skip
def test_what_is_an_upgrade(live: dict[str, Any], wanted: dict[str, Any], upgrade: bool) -> None:
    assert is_upgrade(live, wanted) is upgrade


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        pytest.param({}, True, id="all pods are there"),
        pytest.param({"observedGeneration": 0}, False, id="the controller has not seen it"),
        pytest.param({"updatedReplicas": 0}, False, id="the old pod answers"),
        pytest.param({"unavailableReplicas": 1}, False, id="the new pod beside it does not start"),
        pytest.param({"availableReplicas": 0}, False, id="none answers"),
    ],
)
def test_whose_pods_are_ready(status: dict[str, int], ready: bool) -> None:
    assert is_ready(deployment(**status)) is ready


def test_a_zero_that_the_api_leaves_out_is_a_zero() -> None:
    """The first status after a change: the old pod is there, and none of the new."""
    status = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "availableReplicas": 1}

    assert not is_ready(deployment() | {"status": status})


@pytest.mark.parametrize(
    ("error", "holder"),
    [
        pytest.param(ClusterRefusalError("422"), None, id="refused"),
        pytest.param(WebhookUnavailableError("away"), None, id="a webhook that is away refuses"),
        pytest.param(TransientError("timeout"), "a/m", id="no answer: it may have been heard"),
        pytest.param(None, "a/m", id="applied"),
    ],
)
def test_a_change_that_is_refused_gives_the_turn_back(
    error: Exception | None, holder: str | None
) -> None:
    upgrades = Upgrades()
    first = upgrades.turn("a/m", START)
    first.hold(deployment(), NEW)

    with contextlib.suppress(TransientError, ClusterRefusalError), first.applying():
        if error is not None:
            raise error

    assert upgrades.take("b/m", START) == holder


def test_who_has_no_turn_gives_none_back() -> None:
    upgrades = Upgrades()
    upgrades.turn("a/m", START).hold(deployment(), NEW)

    with contextlib.suppress(ClusterRefusalError), upgrades.turn("c/m", START).applying():
        raise ClusterRefusalError("422")

    assert upgrades.take("b/m", START) == "a/m"


def test_the_second_waits_until_the_first_is_ready() -> None:
    upgrades = Upgrades()
    first, second = (upgrades.turn(who, START) for who in ("a/m", "b/m"))

    began = first.hold(deployment(), NEW)
    waits = second.hold(deployment(), NEW)
    first.hold(deployment("serving:2", updatedReplicas=0), NEW)
    still_waits = second.hold(deployment(), NEW)
    first.hold(NEW, NEW)

    assert (began, waits) == (None, "b/m is upgraded after a/m: one at a time")
    assert still_waits == waits
    assert second.hold(deployment(), NEW) is None


def test_pods_that_do_not_come_keep_the_turn_as_long_as_they_are_looked_at() -> None:
    upgrades = Upgrades()
    upgrades.turn("a/m", START).hold(deployment(), NEW)
    upgrades.turn("a/m", LATER).hold(deployment("serving:2", unavailableReplicas=1), NEW)

    assert upgrades.turn("b/m", LATER).hold(deployment(), NEW) is not None


def test_the_turn_of_a_model_that_is_gone_lapses() -> None:
    upgrades = Upgrades()
    upgrades.turn("a/m", START).hold(deployment(), NEW)

    assert upgrades.turn("b/m", LATER).hold(deployment(), NEW) is None


@pytest.mark.parametrize(
    ("live", "resting", "held"),
    [
        pytest.param(None, True, False, id="a new version has the new image"),
        pytest.param(deployment(availableReplicas=0), True, False, id="nothing to lose"),
        pytest.param(deployment(asked="less"), True, False, id="a person asks for it"),
        pytest.param(deployment(), False, True, id="not in the middle of a rollout"),
    ],
)
def test_who_takes_no_turn(live: dict[str, Any] | None, resting: bool, held: bool) -> None:
    upgrades = Upgrades()

    why = upgrades.turn("a/m", START, resting=resting).hold(live, NEW)

    assert (why is not None) is held
    assert upgrades.turn("b/m", START).hold(deployment(), NEW) is None
