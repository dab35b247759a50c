"""Lives of candidates that refuse their callers with a 4xx, as the stable version does not.

The first of them is a version with one more input column, whose callers send what they always
sent: each of its answers was 400, the success rate was 1, and it was promoted.
"""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.signature import Column, Signature
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)
COMMON = {
    key: value for key, value in model_manifest()["spec"]["rollout"].items() if key != "steps"
}
STEPS = [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "1m"}]
SUCCESS = {"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99}
CANARY = {"steps": STEPS}
BLUE_GREEN = {"strategy": "blueGreen", "blueGreen": {"hold": "1m"}}
UNSEEN = {"strategy": "blueGreen", "blueGreen": {"hold": "1m", "mirror": 0}}
GOAL = {"metric": "success-rate"}
EVERY = [
    pytest.param(CANARY, id="canary"),
    pytest.param({"steps": [{"weight": 100, "hold": "1m"}]}, id="canary: all at once"),
    pytest.param(BLUE_GREEN, id="blueGreen: copies"),
    pytest.param({"strategy": "shadow", "shadow": {"hold": "1m"}}, id="shadow: copies"),
    pytest.param({"strategy": "abTest", "abTest": {"goal": GOAL, "weight": 20}}, id="abTest"),
    pytest.param({"strategy": "bandit", "bandit": {"goal": GOAL}}, id="bandit"),
    pytest.param({"strategy": "recreate"}, id="recreate"),
]


async def moving(policy: Any, **analysis: Any) -> World:
    """1.0.0 is in charge, and the Model was just pinned to 1.1.0, all of whose answers are quick.

    Nothing is said of 1.0.0's answers or 1.1.0's but that none of them has failed.
    """
    world = World()
    asked = {"analysis": {"interval": "10s", **analysis}} if analysis else {}
    world.kube.put(model_manifest(rollout=COMMON | policy | asked))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.pin("1.1.0")
    await world.run()
    return world


def answer(world: World, *, refused: int, total: int, stable: tuple[int, int] = (0, 900)) -> None:
    """Let both versions have answered; what is refused comes first."""
    world.prometheus.counts = {
        "candidate-refused": refused,
        "candidate-total": total,
        "candidate-bad": 0,
        "stable-refused": stable[0],
        "stable-total": stable[1],
        "stable-bad": 0,
    }


def standing(world: World) -> tuple[str, str, int]:
    """Phase, reason, and the candidate's weight."""
    status = world.rollout()["status"]
    return status["phase"], status["reason"], world.weights().get("1.1.0", 0)


def check_status(world: World) -> dict[str, Any]:
    (found,) = [
        check for check in world.rollout()["status"]["checks"] if check["name"] == "acceptance-rate"
    ]
    return dict(found)


BACK = ("RolledBack", "AnalysisFailed", 0)
DONE = ("Succeeded", "Promoted", 100)


@pytest.mark.parametrize("policy", EVERY)
async def test_a_candidate_that_refuses_every_request_goes_back(policy: Any) -> None:
    world = await moving(policy)
    answer(world, refused=352, total=352)

    await world.pass_time(MINUTE)

    assert standing(world) == BACK
    assert world.weights() == {"1.0.0": 100}
    message = world.rollout()["status"]["message"]
    assert message.startswith(
        "acceptance-rate: candidate 0 over 352 requests, stable version 1 over 900, margin 0.05: "
        "worse"
    )


@pytest.mark.parametrize("policy", EVERY)
async def test_callers_who_are_wrong_with_both_versions_are_not_its_fault(policy: Any) -> None:
    world = await moving(policy)
    answer(world, refused=90, total=300, stable=(270, 900))

    await world.pass_time(5 * MINUTE)

    status = world.rollout()["status"]
    assert status["phase"] not in {"RollingBack", "RolledBack", "Paused"}
    assert check_status(world)["abstains"]


@pytest.mark.parametrize(
    ("refused", "total"),
    [
        pytest.param(352, 352, id="a column more, or one less, or of another type"),
        pytest.param(60, 352, id="a value that a column may not hold any more: every sixth"),
        pytest.param(20, 20, id="as few as can prove it"),
    ],
)
async def test_what_makes_it_refuse_does_not_matter(refused: int, total: int) -> None:
    world = await moving(CANARY)
    answer(world, refused=refused, total=total)

    await world.pass_time(MINUTE)

    assert standing(world) == BACK


async def test_a_switch_that_nobody_tried_before_is_taken_back() -> None:
    """A preview without copies: the first to ask it are its callers, after the switch."""
    world = await moving(UNSEEN)
    await world.pass_time(MINUTE)
    assert standing(world)[::2] == ("Guarding", 100)

    answer(world, refused=352, total=352)
    await world.pass_time(timedelta(seconds=20))

    assert standing(world) == BACK


async def test_one_caller_who_is_wrong_after_the_switch_does_not_take_it_back() -> None:
    """It accepts as many as the stable version did in the minute before; the rest came on top."""
    world = await moving(BLUE_GREEN)
    await world.pass_time(MINUTE)
    answer(world, refused=5000, total=6000)

    await world.pass_time(2 * MINUTE)

    assert standing(world) == DONE


@pytest.mark.parametrize(
    "analysis",
    [
        pytest.param({}, id="nothing is asked"),
        pytest.param({"checks": [SUCCESS]}, id="a list that does not speak of it"),
        pytest.param({"checks": [{"name": "q", "query": "q", "atLeast": 1}]}, id="a user's query"),
        pytest.param(
            {"checks": [{"name": "acceptance-rate", "query": "q", "atLeast": 1}]},
            id="its name is taken",
        ),
    ],
)
async def test_it_is_looked_at_whatever_else_is_asked(analysis: Any) -> None:
    world = await moving(CANARY, **analysis)
    world.prometheus.own = {"q": 1.0}
    answer(world, refused=352, total=352)

    await world.pass_time(MINUTE)

    assert standing(world) == BACK


@pytest.mark.parametrize(
    ("own", "end"),
    [
        pytest.param({"relative": {"margin": 0.05}, "dryRun": True}, DONE, id="turned off"),
        pytest.param({"relative": {"margin": 0.5}}, DONE, id="half may be refused"),
        pytest.param({"atLeast": 0.99}, BACK, id="a bound"),
    ],
)
async def test_a_check_of_ones_own_takes_its_place(own: Any, end: tuple[str, str, int]) -> None:
    accepted = {"name": "acceptance-rate", "builtin": "acceptance-rate", **own}
    world = await moving(CANARY, checks=[SUCCESS, accepted])
    world.prometheus.acceptance_rate = 0.8
    answer(world, refused=60, total=300)

    await world.pass_time(10 * MINUTE)

    assert standing(world) == end


async def test_while_nothing_speaks_against_it_nothing_waits_for_it() -> None:
    """A Model whose checks were enough before goes as fast as before, with however few requests."""
    world = await moving(CANARY, checks=[{"name": "q", "query": "q", "atLeast": 1}])
    world.prometheus.own = {"q": 1.0}
    answer(world, refused=0, total=3, stable=(0, 27))
    await world.pass_time(timedelta(seconds=70))
    assert standing(world)[::2] == ("Progressing", 50)

    world.prometheus.counts = {}
    await world.pass_time(3 * MINUTE)

    assert standing(world) == DONE


async def test_a_few_refusals_hold_until_there_is_proof() -> None:
    """Doubt never widens traffic: five of five are too few to go back, and too many to go on."""
    world = await moving(CANARY, checks=[{"name": "q", "query": "q", "atLeast": 1}])
    world.prometheus.own = {"q": 1.0}
    answer(world, refused=5, total=5, stable=(0, 45))
    await world.pass_time(3 * MINUTE)

    assert standing(world) == ("Progressing", "AnalysisInconclusive", 10)
    assert "5 requests of the candidate so far, 20 needed" in world.rollout()["status"]["message"]

    answer(world, refused=5, total=400, stable=(0, 3600))
    await world.pass_time(5 * MINUTE)

    assert standing(world) == DONE


async def test_a_first_version_has_nothing_to_be_compared_with() -> None:
    world = World()
    world.kube.put(model_manifest())
    world.prometheus.healthy()
    world.prometheus.counts = {"candidate-refused": 100, "candidate-total": 100}

    await world.train("nsw-price-training-1", "1.0.0")
    await world.pass_time(5 * MINUTE)

    assert world.model()["status"]["phase"] == "Serving"
    assert world.weights() == {"1.0.0": 100}


ONE = Signature(inputs=(Column(name="a", type="double"), Column(name="z", type="long")))
CHANGED = [
    pytest.param(
        Signature(inputs=(*ONE.inputs, Column(name="x", type="double"))),
        "adds x (double); callers who send what 1.0.0 takes are refused",
        id="a column more",
    ),
    pytest.param(
        Signature(inputs=ONE.inputs[:1]),
        "drops z; callers who send what 1.0.0 takes are refused",
        id="a column less",
    ),
    pytest.param(
        Signature(inputs=(ONE.inputs[0], Column(name="z", type="string"))),
        "z was long and is string; callers who send what 1.0.0 takes are refused",
        id="another type",
    ),
]


def signature_condition(world: World) -> dict[str, Any]:
    (found,) = [
        condition
        for condition in world.rollout()["status"]["conditions"]
        if condition["type"] == "SignatureChanged"
    ]
    return dict(found)


@pytest.mark.parametrize(("signature", "words"), CHANGED)
async def test_a_changed_signature_is_said_before_any_traffic(
    signature: Signature, words: str
) -> None:
    world = World()
    world.registry.signatures = {"1.0.0": ONE, "1.1.0": signature}
    world.kube.put(model_manifest(rollout=COMMON | CANARY))
    await world.train("nsw-price-training-1", "1.0.0")
    world.prometheus.healthy()
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    world.slow.add("1.1.0")
    world.pin("1.1.0")
    await world.run()

    assert standing(world) == ("Pending", "WaitingForCandidate", 0)
    assert signature_condition(world)["message"] == f"1.1.0 against 1.0.0: {words}"
    assert signature_condition(world)["status"] == "True"

    world.slow.clear()
    answer(world, refused=352, total=352)
    await world.pass_time(2 * MINUTE)

    assert standing(world) == BACK
    said = [message for reason, message in world.events() if reason == "SignatureChanged"]
    assert said == [f"1.1.0 against 1.0.0: {words}"]


async def test_the_gate_says_what_a_trained_version_changes_and_lets_it_pass() -> None:
    world = World()
    world.registry.signatures = {"1.0.0": ONE, "2.0.0": Signature(inputs=ONE.inputs[:1])}
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    meta = {
        "namespace": NAMESPACE, "name": "nsw-price", "annotations": {"fairlead.dev/retrain": "now"}
    }  # fmt: skip
    world.kube.put({"kind": "Model", "metadata": meta})
    await world.run()
    await world.train("nsw-price-training-2", "2.0.0", champion="1.0.0")

    gate = world.model()["status"]["gate"]
    assert gate["passed"]
    assert gate["message"].startswith("2.0.0 against 1.0.0: drops z; callers who send what 1.0.0")
    assert signature_condition(world)["reason"] == "SignatureChanged"


async def test_a_registry_that_does_not_tell_holds_up_nothing() -> None:
    world = await moving(CANARY)
    world.registry.unreadable.add("1.2.0")
    world.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")
    world.pin("1.2.0")
    await world.pass_time(10 * MINUTE)

    assert world.weights() == {"1.2.0": 100}
    assert signature_condition(world)["status"] == "Unknown"
    assert "without a signature" in signature_condition(world)["message"]
