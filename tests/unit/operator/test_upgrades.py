"""Who waits for the turn when a release replaces pods, and who does not."""

import contextlib
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.errors import (
    ClusterRefusalError,
    TransientError,
    WebhookUnavailableError,
)
from fairlead_operator.upgrades import (
    LONGEST_TURN,
    Order,
    Turn,
    Upgrades,
    is_ready,
    is_upgrade,
    leave,
    look,
    mark,
    take,
)
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
STUCK = deployment("serving:2", unavailableReplicas=1)


def turn(upgrades: Upgrades, who: str, now: datetime, **more: Any) -> Turn:
    return upgrades.turn(who, namespace_of(who), now, **more)


def namespace_of(who: str) -> str:
    return who.partition("/")[0]


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
    first = turn(upgrades, "a/m", START)
    first.hold(deployment(), NEW)

    with contextlib.suppress(TransientError, ClusterRefusalError), first.applying():
        if error is not None:
            raise error

    assert take(upgrades.order, "b/m", "b", START)[1] == holder


def test_who_has_no_turn_gives_none_back() -> None:
    upgrades = Upgrades()
    turn(upgrades, "a/m", START).hold(deployment(), NEW)

    with contextlib.suppress(ClusterRefusalError), turn(upgrades, "c/m", START).applying():
        raise ClusterRefusalError("422")

    assert take(upgrades.order, "b/m", "b", START)[1] == "a/m"


def test_the_second_waits_until_the_first_is_ready() -> None:
    upgrades = Upgrades()
    first, second = (turn(upgrades, who, START) for who in ("a/m", "b/m"))

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
    turn(upgrades, "a/m", START).hold(deployment(), NEW)
    turn(upgrades, "a/m", LATER).hold(STUCK, NEW)

    assert turn(upgrades, "b/m", LATER).hold(deployment(), NEW) is not None


def test_the_turn_of_a_model_that_is_gone_lapses() -> None:
    upgrades = Upgrades()
    turn(upgrades, "a/m", START).hold(deployment(), NEW)

    assert turn(upgrades, "b/m", LATER).hold(deployment(), NEW) is None


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

    why = turn(upgrades, "a/m", START, resting=resting).hold(live, NEW)

    assert (why is not None) is held
    assert turn(upgrades, "b/m", START).hold(deployment(), NEW) is None


MINUTE = timedelta(minutes=1)
TURN = LONGEST_TURN // MINUTE


def live(*steps: tuple[int, str, str]) -> list[str | None]:
    """Live these minutes, with a look of whose pods are awaited in each; return the answers."""
    order, awaited = Order(), set[str]()
    answers: list[str | None] = []
    for minute in range(max(step[0] for step in steps) + 1):
        now = START + minute * MINUTE
        for who in sorted(awaited):
            order = look(order, who, now)
        for _, who, what in (step for step in steps if step[0] == minute):
            if what == "asks":
                order, before = take(order, who, namespace_of(who), now)
                answers.append(before)
                awaited |= {who} if before is None else set()
            elif what == "is ready":
                order = leave(order, who, now)
            if what != "asks":
                awaited.discard(who)
    return answers


STAYS = [(0, "a/1", "asks")]
OVER = [*STAYS, (TURN, "a/2", "asks")]


@pytest.mark.parametrize(
    ("steps", "answers"),
    [
        pytest.param([*STAYS, (0, "b/1", "asks")], ["a/1"], id="one at a time"),
        pytest.param([*STAYS, (1, "a/1", "asks")], [None], id="asking twice is asking once"),
        pytest.param([*STAYS, (1, "a/1", "is ready"), (1, "b/1", "asks")], [None],
                     id="the next, once the pods of the one before are ready"),
        pytest.param([*STAYS, (1, "a/1", "is gone"), (3, "b/1", "asks")], ["a/1"],
                     id="one that does not look is waited for"),
        pytest.param([*STAYS, (1, "a/1", "is gone"), (4, "b/1", "asks")], [None],
                     id="but not for long"),
        pytest.param([*STAYS, (TURN - 1, "b/1", "asks")], ["a/1"],
                     id="pods that do not come are waited for"),
        pytest.param([*STAYS, (TURN, "b/1", "asks")], [None], id="until their time is up"),
        pytest.param([*OVER, (TURN, "b/1", "asks")], [None, None],
                     id="then others of that namespace hold nobody up"),
        pytest.param([*OVER, (TURN, "a/3", "asks")], [None, "a/2"],
                     id="and go on one at a time"),
        pytest.param([*OVER, (2 * TURN, "a/3", "asks")], [None, None],
                     id="each with its own time"),
        pytest.param([*OVER, (TURN, "b/1", "asks"), (TURN, "b/2", "asks")], [None, None, "b/1"],
                     id="all others still one at a time"),
        pytest.param([*STAYS, (4, "a/1", "is ready"), (4, "a/2", "asks"), (8, "a/2", "is ready"),
                      (8, "a/3", "asks"), (TURN, "b/1", "asks"), (TURN, "a/4", "asks")],
                     [None, None, None, "a/3"],
                     id="many short turns of a namespace add up"),
    ],
)  # fmt: skip
def test_the_order(steps: Sequence[tuple[int, str, str]], answers: list[str | None]) -> None:
    assert live(*steps)[1:] == answers


def test_pods_whose_time_is_up_say_what_they_wait_for_until_they_are_ready() -> None:
    upgrades = Upgrades()
    told = []
    for minute, pods in ((0, deployment()), (1, STUCK), (TURN, STUCK), (TURN + 1, NEW)):
        now = START + minute * MINUTE
        this = turn(upgrades, "a/m", now, obstacle="a/m-1: ImagePullBackOff")
        this.hold(pods, NEW)
        told.append(this.under_way())

    assert told == [
        "the pods of a/m are being replaced",
        "the pods of a/m are being replaced",
        (
            "the new pods of a/m are not ready after 10 minutes, and others are upgraded "
            "meanwhile: a/m-1: ImagePullBackOff"
        ),
        None,
    ]
    assert upgrades.order.late == {}


def test_who_is_gone_is_not_remembered() -> None:
    order, _ = take(Order(), "a/m", "a", START)
    order = look(order, "a/m", START + MINUTE)
    order = look(order, "a/m", START + LONGEST_TURN)
    was_late = set(order.late)

    order = look(order, "b/m", START + LONGEST_TURN + 3 * MINUTE)

    assert (was_late, set(order.late)) == ({"a/m"}, set())


durations = st.sampled_from([1, TURN - 1, None])  # minutes until the new pods are ready
tenants = st.lists(st.lists(durations, min_size=1, max_size=4), max_size=3)


@given(tenants, st.integers(0, 2**16))
def test_a_namespace_holds_the_others_up_for_one_turn_however_many_it_has(
    models: list[list[int | None]], seed: int
) -> None:
    chance = random.Random(seed)  # who looks first
    waiting = {
        f"{tenant}/{number}": minutes
        for tenant, of_tenant in enumerate(models)
        for number, minutes in enumerate(of_tenant)
    }
    waiting["me/m"] = 1
    order, ready_at = Order(), dict[str, int | None]()
    for minute in range((TURN + 2) * len(models) + 1):
        now = START + minute * MINUTE
        for who, end in list(ready_at.items()):
            over = end is not None and end <= minute
            order = (leave if over else look)(order, who, now)
        for who in chance.sample(sorted(waiting), k=len(waiting)):
            order, before = take(order, who, namespace_of(who), now)
            if before is None:
                minutes = waiting.pop(who)
                ready_at[who] = None if minutes is None else minute + minutes
        of_whom = [holder.who for holder in order.turns.values()]
        assert len(set(of_whom)) == len(of_whom)
        assert all(key in {"", order.turns[key].namespace} for key in order.turns)

    assert "me/m" in ready_at


@given(st.lists(st.tuples(st.integers(-5, 5), st.sampled_from("abc"), st.integers(0, 2))))
def test_it_is_total_and_who_is_told_to_go_on_holds_a_turn(
    steps: list[tuple[int, str, int]],
) -> None:
    """Whatever the clock does."""
    order, now = Order(), START
    for minutes, namespace, number in steps:
        now += minutes * MINUTE
        who = f"{namespace}/{number}"
        order, before = take(order, who, namespace, now)
        assert (before is None) == order.holds(who)
        assert before != who
