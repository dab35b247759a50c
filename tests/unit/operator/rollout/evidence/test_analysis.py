"""One candidate's checks: when they are asked, what they demand, and what stands in between."""

import dataclasses
from datetime import timedelta

import pytest

from fairlead_operator.api.checks import Check
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.ports import Tally
from fairlead_operator.rollout.evidence.analysis import Analysis, Look, analyze
from fairlead_operator.rollout.evidence.judgment import to_status
from fairlead_operator.rollout.evidence.scene import Pairing, Scene
from support.fakes import START
from support.world import World

NOW = START + timedelta(minutes=10)
SCENE = Scene(
    pairing=Pairing(
        namespace="energy",
        model="nsw-price",
        stable="1.0.0",
        now=NOW,
    ),
    version="1.1.0",
    since=START,
)
SUCCESS = Check.model_validate({"name": "c", "builtin": "success-rate", "atLeast": 0.99})
BESIDE = Check.model_validate(
    {"name": "c", "builtin": "success-rate", "relative": {"margin": 0.01, "alpha": 0.05}}
)
LOOK = Look(scene=SCENE, checks=(SUCCESS,), interval=timedelta(seconds=10))


@pytest.fixture
def world() -> World:
    world = World()
    world.prometheus.healthy()
    return world


async def test_between_two_measurements_the_last_judgment_stands(world: World) -> None:
    first = await analyze(LOOK, world.ports)
    kept = tuple(to_status(judgment, "1.1.0") for judgment in first.judgments)
    world.prometheus.success_rate = 0.0
    measured_at = NOW - timedelta(seconds=4)

    again = await analyze(
        dataclasses.replace(LOOK, last=kept, measured_at=measured_at), world.ports
    )

    assert again == Analysis(
        judgments=first.judgments,
        measured_at=measured_at,
        next_measurement=timedelta(seconds=6),
    )


async def test_the_first_measurement_waits_for_an_interval_of_the_step(world: World) -> None:
    began = dataclasses.replace(SCENE, since=NOW - timedelta(seconds=3))

    analysis = await analyze(dataclasses.replace(LOOK, scene=began), world.ports)

    assert (analysis.judgments, analysis.measured_at) == ((), None)
    assert analysis.next_measurement == timedelta(seconds=7)
    assert world.prometheus.asked == []


async def test_failures_in_a_row_are_counted_from_look_to_look(world: World) -> None:
    world.prometheus.success_rate = 0.5
    patient = dataclasses.replace(
        LOOK, checks=(SUCCESS.model_copy(update={"failure_limit": 1}),), measured_at=START
    )

    first = (await analyze(patient, world.ports)).judgments[0]
    last = (to_status(first, "1.1.0"),)
    second = (await analyze(dataclasses.replace(patient, last=last), world.ports)).judgments[0]

    assert (first.verdict, first.failures) == (Verdict.INCONCLUSIVE, 1)
    assert (second.verdict, second.failures) == (Verdict.FAILED, 2)


async def test_alpha_is_shared_by_the_stages_of_a_rollout(world: World) -> None:
    world.prometheus.counts = {
        "candidate-total": 1000.0,
        "candidate-bad": 300.0,
        "stable-total": 3000.0,
        "stable-bad": 3.0,
    }

    analysis = await analyze(dataclasses.replace(LOOK, checks=(BESIDE,), stages=5), world.ports)

    assert analysis.judgments[0].message.endswith(", 100 needed)")


async def test_the_bound_of_a_step_does_not_move(world: World) -> None:
    world.prometheus.counts = {"candidate-total": 100.0, "stable-total": 100.0}
    slow = Check.model_validate(
        {"name": "c", "builtin": "latency-p95", "relative": {"margin": 0.02}}
    )
    look = dataclasses.replace(LOOK, checks=(slow,))
    first = (await analyze(look, world.ports)).judgments[0]
    world.prometheus.latency = 3000.0

    last = (to_status(first, "1.1.0"),)
    second = (await analyze(dataclasses.replace(look, last=last), world.ports)).judgments[0]

    assert (first.bound, second.bound) == (25, 25)


async def test_checks_that_are_not_known_are_an_error(world: World) -> None:
    look = dataclasses.replace(LOOK, problem="there is no AnalysisTemplate a")

    analysis = await analyze(look, world.ports)

    assert [(one.verdict, one.message) for one in analysis.judgments] == [
        (Verdict.ERROR, "analysis: there is no AnalysisTemplate a")
    ]


REPLACED_PODS = dataclasses.replace(SCENE, settled_at=NOW + timedelta(seconds=1))
OWN = Check.model_validate({"name": "c", "query": "one", "atLeast": 0.99})
VETO = Check.model_validate(
    {"name": "c", "builtin": "acceptance-rate", "relative": {"margin": 0.01, "alpha": 0.05}}
)
LABELLED = Check.model_validate({"name": "c", "builtin": "live-accuracy", "atLeast": 0.99})


@pytest.mark.parametrize("rate", [0.0, 1.0], ids=["all fail", "all succeed"])
@pytest.mark.parametrize(
    "check",
    [SUCCESS, BESIDE, OWN, VETO],
    ids=["a bound", "a comparison", "a query of one's own", "a veto"],
)
async def test_while_pods_are_replaced_nothing_counts_for_or_against_a_version(
    world: World, check: Check, rate: float
) -> None:
    world.prometheus.success_rate, world.prometheus.own = rate, {"one": rate}
    look = dataclasses.replace(LOOK, scene=REPLACED_PODS, checks=(check,))

    judgments = {each.name: each for each in (await analyze(look, world.ports)).judgments}
    judgment = judgments["c"]

    assert (judgment.verdict, judgment.abstains) == (Verdict.INCONCLUSIVE, False)
    assert judgment.message == (
        "c: pods of it are being replaced; its answers count again 30 s after the last of them "
        "was made"
    )
    assert world.prometheus.asked == []


async def test_what_the_record_keeps_counts_while_pods_are_replaced(world: World) -> None:
    world.record.ratings["accuracy", "1.1.0"] = Tally(successes=10, trials=100)
    look = dataclasses.replace(LOOK, scene=REPLACED_PODS, checks=(LABELLED,))

    judgment = (await analyze(look, world.ports)).judgments[0]

    assert judgment.verdict is Verdict.FAILED


async def test_what_failed_with_the_lost_pods_is_not_counted_later(world: World) -> None:
    settled = dataclasses.replace(SCENE, settled_at=NOW - timedelta(seconds=20))

    await analyze(dataclasses.replace(LOOK, scene=settled), world.ports)

    assert all("offset 20s" in query for query in world.prometheus.asked)
