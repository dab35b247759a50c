"""What a person or a verdict left stays left, until someone asks for it again."""

import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp.test_utils import make_mocked_request

from fairlead_operator.alert_labels import AlertLabels
from fairlead_operator.alert_note import Note, write_note
from fairlead_operator.inbound.webhook import Webhook
from support.alertmanager import alert, body
from support.world import NAMESPACE, World, model_manifest

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
NAME: Final = f"{NAMESPACE}.nsw-price"
MENDED: Final = f"sha256:{'e' * 64}"

CANARY: Final = {"steps": [{"weight": 20, "hold": "5m"}, {"weight": 50, "hold": "5m"}]}
BLUE_GREEN: Final = {"strategy": "blueGreen", "blueGreen": {"hold": "5m"}, "steps": None}
SHADOW: Final = {"strategy": "shadow", "shadow": {"hold": "5m"}, "steps": [{"weight": 20}]}
AB_TEST: Final = {
    "strategy": "abTest",
    "steps": None,
    "abTest": {"goal": {"metric": "success-rate"}, "weight": 20, "maxDuration": "1h"},
}
BANDIT: Final = {
    "strategy": "bandit",
    "steps": None,
    "bandit": {"goal": {"metric": "success-rate"}, "maxDuration": "1h"},
}
RECREATE: Final = {"strategy": "recreate", "steps": None}
STRATEGIES: Final[dict[str, dict[str, Any]]] = {
    "canary": CANARY,
    "blueGreen": BLUE_GREEN,
    "shadow": SHADOW,
    "abTest": AB_TEST,
    "bandit": BANDIT,
    "recreate": RECREATE,
}


def change(world: World, **spec: Any) -> None:
    meta = {"namespace": NAMESPACE, "name": "nsw-price"}
    world.kube.put({"kind": "Model", "metadata": meta, "spec": spec})


def annotate(world: World, what: str, text: str, *, kind: str = "Rollout") -> None:
    name = world.model()["status"]["rollout"] if kind == "Rollout" else "nsw-price"
    meta = {
        "namespace": NAMESPACE,
        "name": name,
        "annotations": {f"fairlead.dev/{what}": text},
    }
    world.kube.put({"kind": kind, "metadata": meta})


def by_hand(world: World, name: str, version: str, **spec: Any) -> None:
    """Create a Rollout as a person does."""
    meta = {"namespace": NAMESPACE, "name": name}
    body = {"model": "nsw-price", "version": version, **spec}
    world.kube.put({"kind": "Rollout", "metadata": meta, "spec": body})


async def serving(version: str = "1.0.0", **spec: Any) -> World:
    """Return a Model that serves this version by a pin, with further ones in the registry."""
    world = World()
    world.prometheus.healthy()
    for number, registered in enumerate(("1.0.0", "1.1.0", "1.2.0", "1.3.0")):
        world.registry.register(NAME, registered, digest=f"sha256:{number}")
    world.kube.put(model_manifest(version=version, **spec))
    await world.run()
    return world


async def trained(**spec: Any) -> World:
    """Return a Model that serves 1.0.0, which it trained."""
    world = World()
    world.prometheus.healthy()
    world.kube.put(model_manifest(**spec))
    await world.train("nsw-price-training-1", "1.0.0")
    return world


def blocked(world: World) -> list[str]:
    return [entry["version"] for entry in world.model()["status"].get("blocked", [])]


def rollouts(world: World) -> list[str]:
    """Return the versions that Rollouts were made for, oldest first."""
    found = [item for key, item in world.kube.objects.items() if key[0] == "Rollout"]
    found.sort(key=lambda item: item["metadata"]["uid"])
    return [item["spec"]["version"] for item in found]


# A block, and what ends it.


async def aborted(rollout: dict[str, Any], *, pinned: bool) -> World:
    """1.0.0 serves; 1.1.0 was tried and taken back by a person."""
    if pinned:
        world = await serving(rollout=rollout)
        change(world, version="1.1.0")
    else:
        world = await trained(rollout=rollout)
        annotate(world, "retrain", "Ada: new tariff", kind="Model")
        await world.train("nsw-price-training-2", "1.1.0", champion="1.0.0")
    await world.run()
    assert world.rollout()["spec"]["version"] == "1.1.0"
    annotate(world, "abort", "Ada: wrong data")
    await world.pass_time(MINUTE)
    assert world.rollout()["status"]["phase"] == "RolledBack"
    return world


OTHER_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "a time-out": {"serving": {"requestTimeout": "11s"}},
    "replicas": {"serving": {"replicas": 2}},
    "resources": {"serving": {"resources": {"limits": {"memory": "2Gi"}}}},
    "the steps": {"rollout": {"guard": {"duration": "2m"}, "patience": "9m"}},
    "onNewTarget": {"rollout": {"onNewTarget": "queue"}},
    "the gate": {"promotion": {"minImprovement": 0.5}},
    "how Jobs run": {"training": {"retries": 1, "search": {"timeout": "11m"}}},
    "a Secret": {"data": {"source": {"credentials": {"name": "rows"}}}},
    "a freeze": {"freezeWindows": [{"name": "x", "startsAt": "2020-01-01T00:00:00Z",
                                    "endsAt": "2020-01-02T00:00:00Z"}]},
    "a pause of the Model": {"suspend": True},
}  # fmt: skip


@pytest.mark.parametrize("field", OTHER_FIELDS)
@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "trained"])
async def test_no_other_field_of_the_spec_brings_a_version_back(field: str, pinned: bool) -> None:
    world = await aborted(CANARY, pinned=pinned)
    change(world, **OTHER_FIELDS[field])
    await world.pass_time(MINUTE)
    change(world, suspend=False)
    await world.pass_time(20 * MINUTE)

    assert world.weights().get("1.1.0", 0) == 0
    assert rollouts(world).count("1.1.0") == 1
    assert blocked(world) == ["1.1.0"]


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_nor_under_another_strategy(strategy: str) -> None:
    world = await aborted(STRATEGIES[strategy], pinned=True)
    change(world, serving={"requestTimeout": "11s"})
    await world.pass_time(20 * MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert rollouts(world).count("1.1.0") == 1
    assert world.model()["status"]["phase"] == "Blocked"


def pin_another_and_back(world: World) -> Callable[[], None]:
    change(world, version="1.0.0")
    return lambda: change(world, version="1.1.0")


def say_retry(world: World) -> Callable[[], None]:
    return lambda: annotate(world, "retry", "Ada: the data is mended", kind="Model")


def register_anew(world: World) -> Callable[[], None]:
    def register() -> None:
        world.registry.register(NAME, "1.1.0", digest=MENDED)
        versions = world.registry.versions
        world.registrations.take(
            {(name, found.registry_version): found for (name, _), found in versions.items()}
        )
        change(world, versionDigest=MENDED)

    return register


@pytest.mark.parametrize("ask", [pin_another_and_back, say_retry, register_anew])
async def test_what_asked_for_it_has_changed_or_someone_says_retry(
    ask: Callable[[World], Callable[[], None]],
) -> None:
    world = await aborted(CANARY, pinned=True)
    again = ask(world)
    await world.pass_time(MINUTE)
    before = rollouts(world).count("1.1.0")
    again()
    await world.pass_time(MINUTE)

    assert before == 1
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}
    assert blocked(world) == []


async def test_a_pin_asks_for_what_was_trained_and_blocked() -> None:
    world = await aborted(CANARY, pinned=False)
    change(world, version="1.1.0")
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}


async def test_a_changed_recipe_trains_another_and_leaves_the_blocked_one() -> None:
    world = await aborted(CANARY, pinned=False)
    change(world, training={"search": {"seed": 8}})
    await world.train("nsw-price-training-3", "1.2.0", champion="1.0.0")
    await world.pass_time(MINUTE)

    assert world.weights() == {"1.0.0": 80, "1.2.0": 20}
    assert blocked(world) == ["1.1.0"]


async def test_a_version_that_is_registered_at_last_is_tried() -> None:
    world = await serving(rollout=CANARY)
    change(world, version="1.9.0")
    await world.pass_time(MINUTE)
    missing = world.model()["status"]
    world.registry.register(NAME, "1.9.0", digest="sha256:9")
    world.registrations.take(await world.registry.registrations())
    change(world, serving={"requestTimeout": "12s"})
    await world.pass_time(MINUTE)

    assert missing["blocked"][0]["reason"] == "VersionNotFound"
    assert world.weights() == {"1.0.0": 80, "1.9.0": 20}


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "trained"])
async def test_what_an_earlier_release_blocked_stays_blocked(pinned: bool) -> None:
    """Its status knew the generation of the spec, and nothing of what had asked."""
    world = await aborted(CANARY, pinned=pinned)
    status = world.model()["status"]
    for entry in status["blocked"]:
        del entry["asked"]
        entry.pop("digest", None)
    world.restart_operator()
    await world.run()
    change(world, serving={"requestTimeout": "11s"})
    await world.pass_time(20 * MINUTE)

    assert world.weights() == {"1.0.0": 100}
    assert blocked(world) == ["1.1.0"]
    annotate(world, "retry", "Ada: again", kind="Model")
    await world.pass_time(MINUTE)
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}


@pytest.mark.parametrize("field", ["a time-out", "the gate", "replicas"])
async def test_a_refused_target_does_not_come_back_by_another_field(field: str) -> None:
    quick = {"steps": [{"weight": 50, "hold": "30s"}], "guard": {"duration": "1m"}}
    world = await serving(rollout=quick | {"onNewTarget": "reject"})
    change(world, version="1.1.0")
    await world.run()
    change(world, version="1.2.0")
    await world.pass_time(3 * MINUTE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    change(world, **OTHER_FIELDS[field])
    await world.pass_time(20 * MINUTE)

    assert world.weights() == {"1.1.0": 100}
    assert world.model()["status"]["refused"]["version"] == "1.2.0"


# A Rollout made by hand beside a pin.


@pytest.mark.parametrize("policy", ["supersede", "queue", "reject"])
@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "recreate"])
async def test_a_rollout_by_hand_is_not_taken_back_for_a_blocked_pin(
    strategy: str, policy: str
) -> None:
    world = await aborted(STRATEGIES[strategy] | {"onNewTarget": policy}, pinned=True)
    quick = CANARY | {"steps": [{"weight": 50, "hold": "30s"}], "guard": {"duration": "30s"}}
    by_hand(world, "ada-1", "1.2.0", **({"policy": quick} if strategy == "canary" else {}))
    await world.pass_time(2 * MINUTE if strategy == "canary" else 10 * MINUTE)
    status = world.model()["status"]

    assert world.rollout()["metadata"]["name"] == "ada-1"
    assert world.rollout()["status"]["phase"] == "Succeeded"
    assert status["stable"]["version"] == "1.2.0"
    assert (status["phase"], blocked(world)) == ("Blocked", ["1.1.0"])
    assert "refused" not in status


# A rollback by hand.

AT_ONCE: Final = {"strategy": "canary", "steps": [{"weight": 100, "hold": "0s"}]}


async def left(*, pinned: bool, **rollout: Any) -> World:
    """1.1.0 is in charge, 1.0.0 was before; a person goes back to it, and nobody asks it yet."""
    quick = {"steps": [{"weight": 20, "hold": "1m"}], "guard": {"duration": "1m"}}
    rules = quick | rollout
    if pinned:
        world = await serving(rollout=rules)
        change(world, version="1.1.0")
    else:
        world = await trained(rollout=rules)
        annotate(world, "retrain", "Ada: new tariff", kind="Model")
        await world.train("nsw-price-training-2", "1.1.0", champion="1.0.0")
        world.registry.register(NAME, "1.2.0")
        world.registry.register(NAME, "1.3.0")
    await world.pass_time(3 * MINUTE)
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    world.prometheus.success_rate = world.prometheus.requests = None
    return world


async def go_back(world: World, *, by_steps: bool = False, **policy: Any) -> None:
    rules = {} if by_steps else {"policy": AT_ONCE | {"guard": {"duration": "1m"}} | policy}
    by_hand(world, "nsw-price-rollback-1", "1.0.0", trigger="rollback", **rules)
    await world.pass_time(2 * MINUTE)


@pytest.mark.parametrize("pinned", [True, False], ids=["pinned", "unpinned"])
@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "recreate"])
async def test_the_next_rollout_goes_back_to_where_a_person_went(
    strategy: str, pinned: bool
) -> None:
    """It has all traffic, and waits for somebody to ask it: there is no evidence yet."""
    world = await left(pinned=pinned)
    await go_back(world)
    assert world.weights() == {"1.1.0": 0, "1.0.0": 100}
    assert world.rollout()["status"]["phase"] == "Progressing"
    change(world, version="1.2.0", rollout=STRATEGIES[strategy])
    seen = await follow(world, MINUTE)
    status = world.rollout()["status"]

    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert status["stable"]["version"] == "1.0.0"
    assert all(not weights.get("1.1.0") for weights in seen), seen
    annotate(world, "abort", "Ada: no good either")
    await world.pass_time(MINUTE)
    assert world.weights() == {"1.0.0": 100}


async def follow(world: World, span: timedelta) -> list[dict[str, int]]:
    """Let time pass, and return what the route said at each moment."""
    seen = []
    world.kube.after_write = lambda: seen.append(world.weights())
    await world.pass_time(span)
    return seen


@pytest.mark.parametrize(
    "moment", ["while it starts", "without evidence", "in its guard window", "paused by a person"]
)
async def test_whatever_the_moment_another_target_comes(moment: str) -> None:
    world = await left(pinned=True)
    if moment == "while it starts":
        world.slow.add("1.0.0")
    await go_back(world)
    if moment == "in its guard window":
        world.prometheus.healthy()
        await world.pass_time(30 * SECOND)
        assert world.rollout()["status"]["phase"] == "Guarding"
    if moment.startswith("paused"):
        annotate(world, "pause", "Ada: a look first")
        await world.run()
    change(world, version="1.2.0")
    await world.pass_time(MINUTE)
    before = world.weights()
    world.slow.clear()
    await world.pass_time(2 * MINUTE)

    if moment == "while it starts":
        assert before == {"1.1.0": 100, "1.0.0": 0}
    assert world.rollout()["status"]["stable"]["version"] == "1.0.0"
    assert world.rollout()["spec"]["version"] == "1.2.0"


@pytest.mark.parametrize("policy", ["queue", "reject"])
async def test_a_target_that_waits_or_is_refused_finds_it_done(policy: str) -> None:
    world = await left(pinned=True, onNewTarget=policy)
    await go_back(world)
    change(world, version="1.2.0")
    await world.pass_time(MINUTE)
    in_flight = world.weights()
    world.prometheus.healthy()
    await world.pass_time(3 * MINUTE)
    annotate(world, "retry", "Ada: now", kind="Model")
    await world.pass_time(30 * SECOND)

    assert in_flight == {"1.1.0": 0, "1.0.0": 100}
    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert world.rollout()["status"]["stable"]["version"] == "1.0.0"


async def test_going_back_by_steps_is_finished_first_and_it_is_said() -> None:
    world = await left(pinned=True)
    world.prometheus.healthy()
    by_hand(world, "nsw-price-rollback-1", "1.0.0", trigger="rollback",
            policy={"steps": [{"weight": 50, "hold": "3m"}]})  # fmt: skip
    await world.pass_time(MINUTE)
    change(world, version="1.2.0")
    await world.pass_time(MINUTE)
    waiting = world.weights(), said(world)
    await world.pass_time(2 * MINUTE)

    assert waiting[0] == {"1.1.0": 50, "1.0.0": 50}
    assert "nsw-price-rollback-1 to 1.0.0; 1.2.0 follows" in waiting[1]
    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert world.rollout()["status"]["stable"]["version"] == "1.0.0"


def said(world: World) -> str:
    (ready,) = (c for c in world.model()["status"]["conditions"] if c["type"] == "Ready")
    return str(ready["message"])


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_follows_goes_back_to_where_a_person_went(seed: int) -> None:
    """Nobody asks anything, so nothing is promoted: each way back is the same."""
    chance = random.Random(seed)
    world = await left(pinned=seed % 2 == 0)
    await go_back(world, by_steps=seed % 4 == 0)
    events: list[Callable[[], None]] = [
        lambda: change(world, version="1.2.0"),
        lambda: change(world, version="1.3.0"),
        lambda: change(world, serving={"requestTimeout": f"{chance.randint(2, 60)}s"}),
        lambda: change(world, rollout=chance.choice(list(STRATEGIES.values()))),
        lambda: annotate(world, "pause", f"Ada: {chance.random()}"),
    ]
    if world.weights()["1.0.0"] < 100:  # by steps, which nothing allows without evidence
        annotate(world, "promote", "Ada: now --unmeasured")
        await world.run()
    for _ in range(8):
        chance.choice(events)()
        seen = await follow(world, timedelta(seconds=chance.randint(1, 120)))
        rollout = world.rollout()
        if rollout["spec"]["version"] != "1.0.0":
            assert rollout["status"]["stable"]["version"] == "1.0.0"
            annotate(world, "abort", f"Ada: {chance.random()}")
            seen += await follow(world, MINUTE)
        assert all(not weights.get("1.1.0") for weights in seen), seen


async def test_evidence_against_where_a_person_went_still_counts() -> None:
    world = await left(pinned=True)
    await go_back(world)
    world.prometheus.healthy()
    world.prometheus.success_rate = 0.7
    await world.pass_time(MINUTE)

    assert world.rollout()["status"]["reason"] == "AnalysisFailed"
    assert world.weights() == {"1.1.0": 100}


async def test_a_pin_that_went_back_to_what_was_in_charge_is_where_a_person_went() -> None:
    world = await left(pinned=True)
    world.prometheus.healthy()
    change(world, version="1.0.0")
    await world.pass_time(90 * SECOND)
    assert world.rollout()["status"]["phase"] == "Guarding"
    change(world, version="1.2.0")
    seen = await follow(world, MINUTE)

    assert world.rollout()["status"]["stable"]["version"] == "1.0.0"
    assert all(not weights.get("1.1.0") for weights in seen), seen


async def test_a_pin_to_a_new_version_that_makes_way_goes_back() -> None:
    """It was never in charge: nothing but its evidence could keep the traffic with it."""
    world = await left(pinned=True)
    world.prometheus.healthy()
    change(world, version="1.2.0")
    await world.pass_time(90 * SECOND)
    assert world.rollout()["status"]["phase"] == "Guarding"
    change(world, version="1.3.0")
    await world.pass_time(30 * SECOND)

    assert world.rollout()["spec"]["version"] == "1.3.0"
    assert world.rollout()["status"]["stable"]["version"] == "1.1.0"


async def test_a_pinned_model_can_be_gone_back_from_by_hand() -> None:
    world = await left(pinned=True)
    await go_back(world)
    world.prometheus.healthy()
    await world.pass_time(2 * MINUTE)
    change(world, serving={"requestTimeout": "11s"})
    await world.pass_time(MINUTE)
    status = world.model()["status"]
    back = world.weights(), status["phase"], status["blocked"][0]["reason"]
    annotate(world, "retry", "Ada: mended", kind="Model")
    await world.pass_time(30 * SECOND)

    assert back == ({"1.0.0": 100}, "Blocked", "LeftByHand")
    assert world.weights() == {"1.0.0": 80, "1.1.0": 20}


async def test_what_was_trained_while_a_person_went_back_comes_after_that() -> None:
    world = await left(pinned=False)
    await go_back(world)
    annotate(world, "retrain", "Ada: without the bad day", kind="Model")
    await world.train("nsw-price-training-3", "1.2.0", champion="1.1.0")
    await world.pass_time(30 * SECOND)

    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert world.rollout()["status"]["stable"]["version"] == "1.0.0"


async def test_a_version_that_does_not_exist_takes_nothing_back_and_is_not_retried() -> None:
    world = await left(pinned=True)
    change(world, version="1.2.0")
    world.prometheus.healthy()
    await world.pass_time(30 * SECOND)
    by_hand(world, "nsw-price-rollback-1", "9.9.9", trigger="rollback", policy=AT_ONCE)
    await world.run()
    ended = world.kube.objects["Rollout", NAMESPACE, "nsw-price-rollback-1"]["status"]

    assert (ended["phase"], ended["reason"]) == ("RolledBack", "VersionNotFound")
    assert "candidate" not in ended
    assert world.rollout()["spec"]["version"] == "1.2.0"
    assert world.weights() == {"1.1.0": 80, "1.2.0": 20}


async def test_a_slip_of_the_pen_at_rest_is_not_what_a_retry_means() -> None:
    world = await left(pinned=False)
    by_hand(world, "nsw-price-rollback-1", "9.9.9", trigger="rollback", policy=AT_ONCE)
    await world.pass_time(MINUTE)
    annotate(world, "retry", "Ada: again", kind="Model")
    await world.pass_time(MINUTE)
    (*_, answer) = world.model()["status"]["requests"]

    assert blocked(world) == []
    assert (answer["outcome"], "nothing to retry" in answer["message"]) == ("Refused", True)


# Pressing twice is pressing once.


def answers(world: World) -> list[tuple[str, str]]:
    requests = world.rollout()["status"]["requests"]
    return [(entry["action"], entry["outcome"]) for entry in requests]


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "abTest", "bandit"])
async def test_promoting_twice_leaves_the_guard_window_as_it_is(strategy: str) -> None:
    world = await serving(rollout=STRATEGIES[strategy] | {"guard": {"duration": "10m"}})
    change(world, version="1.1.0")
    await world.pass_time(30 * SECOND)
    for text in ("Ada: hotfix --unmeasured", "Ada: hotfix --unmeasured, again"):
        annotate(world, "promote", text)
        await world.pass_time(SECOND)
    before = world.rollout()["status"]["phase"], world.weights()
    world.prometheus.success_rate = 0.5
    await world.pass_time(MINUTE)

    assert answers(world) == [("promote", "Accepted"), ("promote", "Refused")]
    assert before == ("Guarding", {"1.1.0": 100, "1.0.0": 0})
    assert world.rollout()["status"]["reason"] == "AnalysisFailed"
    assert world.weights() == {"1.0.0": 100}


@pytest.mark.parametrize(
    ("pressed", "steps", "phase"),
    [
        pytest.param("approve", [{"weight": 20, "hold": "1m", "pause": True},
                                 {"weight": 50, "hold": "1h", "pause": True}],
                     "Progressing", id="approve"),
        pytest.param("pause", [{"weight": 20, "hold": "1h"}], "Paused", id="pause"),
        pytest.param("abort", [{"weight": 20, "hold": "1h"}], "RolledBack", id="abort"),
    ],
)  # fmt: skip
async def test_what_else_is_pressed_twice_is_done_once(
    pressed: str, steps: list[dict[str, Any]], phase: str
) -> None:
    world = await serving(rollout={"steps": steps})
    change(world, version="1.1.0")
    await world.pass_time(2 * MINUTE)
    for text in ("Ada: one", "Ada: two"):
        annotate(world, pressed, text)
        await world.pass_time(SECOND)

    assert world.rollout()["status"]["phase"] == phase
    assert answers(world) == [(pressed, "Accepted"), (pressed, "Refused")]


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "abTest", "bandit"])
async def test_what_nobody_asked_is_promoted_with_one_word_more(strategy: str) -> None:
    world = await serving(rollout=STRATEGIES[strategy])
    world.prometheus.success_rate = world.prometheus.requests = None
    change(world, version="1.1.0")
    await world.pass_time(MINUTE)
    annotate(world, "promote", "Ada: hotfix")
    await world.pass_time(30 * SECOND)
    weight = world.weights()["1.1.0"]
    annotate(world, "promote", "Ada: hotfix, nobody asks at night --unmeasured")
    await world.run()

    assert answers(world) == [("promote", "Refused"), ("promote", "Accepted")]
    assert weight < 100
    assert world.weights()["1.1.0"] == 100


async def test_what_was_measured_before_a_pause_was_measured() -> None:
    world = await serving(rollout=CANARY)
    change(world, version="1.1.0")
    await world.pass_time(30 * SECOND)
    for pressed in ("pause", "resume", "promote"):
        annotate(world, pressed, "Ada: so it goes")
        await world.run()

    assert answers(world)[-1] == ("promote", "Accepted")


# Alerts.

GARBAGE: Final = ["garbage", "[]", "{}", "7", '{"message": "slow"}', "take it back"]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "abTest"])
async def test_an_annotation_that_is_nobodys_alert_is_told_and_takes_nothing_back(
    strategy: str, garbage: str
) -> None:
    world = await serving(rollout=STRATEGIES[strategy])
    change(world, version="1.1.0")
    await world.pass_time(30 * SECOND)
    before = world.weights()
    annotate(world, "alert", garbage)
    await world.pass_time(MINUTE)
    status = world.rollout()["status"]
    (told,) = (entry for entry in status["conditions"] if entry["type"] == "AlertRead")
    unreadable = [message for reason, message in world.events() if reason == "AlertUnreadable"]

    assert (status["phase"], world.weights()) == ("Progressing", before)
    assert (told["status"], told["reason"]) == ("False", "AlertUnreadable")
    assert unreadable == [told["message"]]

    note = Note(version="1.1.0", message="FairleadVersionSlow", received=world.clock())
    annotate(world, "alert", write_note(note))
    await world.run()
    status = world.rollout()["status"]
    assert status["reason"] == "AlertFired"
    assert not [entry for entry in status["conditions"] if entry["type"] == "AlertRead"]


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "shadow", "recreate"])
@pytest.mark.parametrize("slow", [True, False], ids=["Pending", "in traffic"])
async def test_an_alert_that_is_repeated_does_not_end_the_retry(slow: bool, strategy: str) -> None:
    world = await serving(rollout=STRATEGIES[strategy])
    change(world, version="1.1.0")
    await world.pass_time(30 * SECOND)
    firing = world.clock()
    await post(world, firing)
    await world.pass_time(MINUTE)
    ended = world.rollout()["status"]["reason"]
    if slow:
        world.slow.add("1.1.0")
    annotate(world, "retry", "Ada: mended", kind="Model")
    await world.run()
    await post(world, firing)
    await world.pass_time(20 * SECOND)
    repeated = world.rollout()["status"]["phase"]
    await post(world, world.clock())
    await world.pass_time(20 * SECOND)

    assert ended == "AlertFired"
    assert repeated not in {"RollingBack", "RolledBack"}
    assert world.rollout()["status"]["reason"] == "AlertFired"
    assert rollouts(world).count("1.1.0") == 2


async def post(world: World, since: datetime) -> None:
    """Let Alertmanager say that it fires, and since when."""
    webhook = Webhook(
        world.ports,
        token="token",
        labels=AlertLabels(),
    )
    request = make_mocked_request("POST", "/alerts", headers={"Authorization": "Bearer token"})
    request._read_bytes = json.dumps(body(alert(startsAt=since.isoformat()))).encode()
    response = await webhook.handle(request)
    assert response.status == 200, response.text
    await world.run()


# More pods and more traffic in one write.

FROZEN: Final = [{"name": "all", "startsAt": "2025-12-01T00:00:00Z",
                  "endsAt": "2026-06-01T00:00:00Z"}]  # fmt: skip
LAST_STEP: Final = {"steps": [{"weight": 50, "hold": "1m"}]}


async def hold_by_freeze(world: World) -> dict[str, Any]:
    change(world, freezeWindows=FROZEN)
    await world.pass_time(5 * MINUTE)
    return {"freezeWindows": []}


async def hold_by_suspension(world: World) -> dict[str, Any]:
    change(world, suspend=True)
    await world.pass_time(5 * MINUTE)
    return {"suspend": False}


async def hold_by_the_clock(world: World) -> dict[str, Any]:
    await world.pass_time(59 * SECOND)
    world.clock.advance(5 * SECOND)  # the hold is over, and this write comes first
    return {}


@pytest.mark.parametrize("hold", [hold_by_freeze, hold_by_suspension, hold_by_the_clock])
@pytest.mark.parametrize(
    "rollout",
    [LAST_STEP, BLUE_GREEN | {"blueGreen": {"hold": "1m"}},
     SHADOW | {"shadow": {"hold": "1m"}}],
    ids=["canary", "blueGreen", "shadow"],
)  # fmt: skip
async def test_the_pods_of_the_same_write_are_there_before_its_traffic(
    rollout: dict[str, Any], hold: Callable[[World], Any]
) -> None:
    world = await serving(rollout=rollout)
    change(world, version="1.1.0")
    await world.run()
    lift = await hold(world)
    before = world.weights().get("1.1.0", 0)
    world.room["1.1.0"] = 1
    change(world, serving={"replicas": 2}, **lift)
    await world.pass_time(2 * MINUTE)
    short = world.weights().get("1.1.0", 0), world.rollout()["status"]["message"]
    world.room.clear()
    await world.pass_time(2 * MINUTE)

    assert short[0] == before < 100
    assert "1 of 2 pods ready" in short[1]
    assert world.weights()["1.1.0"] > before


async def test_a_rollout_that_waits_begins_with_the_pods_of_the_same_write() -> None:
    world = await serving(rollout=CANARY)
    change(world, version="1.1.0", freezeWindows=FROZEN)
    await world.pass_time(MINUTE)
    world.room["1.1.0"] = 1
    change(world, serving={"replicas": 2}, freezeWindows=[])
    await world.pass_time(MINUTE)

    assert world.rollout()["status"]["reason"] == "WaitingForCandidate"
    assert not world.weights().get("1.1.0")


# The same words again.


@pytest.mark.parametrize("between", ["removed", "replaced", "taken off by the operator"])
async def test_the_same_words_are_heard_again(between: str) -> None:
    steps = [{"weight": weight, "hold": "1m", "pause": True} for weight in (20, 50)]
    world = await serving(rollout={"steps": steps})
    change(world, version="1.1.0")
    await world.pass_time(2 * MINUTE)
    if between == "taken off by the operator":
        annotated = {"f:metadata": {"f:annotations": {"f:fairlead.dev/approve": {}}}}
        entry = {"manager": "kubectl-annotate", "operation": "Update", "fieldsV1": annotated}
        world.rollout()["metadata"]["managedFields"] = [entry]
    annotate(world, "approve", "Ada: looks good")
    await world.pass_time(MINUTE)
    at_first = world.weights()["1.1.0"]
    if between == "removed":
        name = world.rollout()["metadata"]["name"]
        await world.kube.annotate("Rollout", NAMESPACE, name, {"fairlead.dev/approve": None})
    if between == "replaced":
        annotate(world, "approve", "Ada: so far")
    await world.pass_time(MINUTE)
    annotate(world, "approve", "Ada: looks good")
    await world.pass_time(SECOND)

    assert at_first == 50
    assert world.weights()["1.1.0"] == 100
    heard = [entry["text"] for entry in world.rollout()["status"]["requests"]]
    assert heard.count("Ada: looks good") == 2


async def test_words_that_stand_are_heard_once() -> None:
    steps = [{"weight": weight, "hold": "1m", "pause": True} for weight in (20, 50)]
    world = await serving(rollout={"steps": steps})
    change(world, version="1.1.0")
    await world.pass_time(2 * MINUTE)
    annotate(world, "approve", "Ada: looks good")
    await world.pass_time(5 * MINUTE)

    assert world.weights()["1.1.0"] == 50
    assert answers(world) == [("approve", "Accepted")]
