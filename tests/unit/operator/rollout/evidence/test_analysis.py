"""Checks asked of fakes: what is asked of whom, and that no answer stops the reconcile."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.checks import DEFAULT_CHECKS, Check
from fairlead_operator.api.phases.rollout import Verdict
from fairlead_operator.ports import Moments, Ports, Tally
from fairlead_operator.rollout.evidence.analysis import (
    Analysis,
    Look,
    analyze,
    applicable,
)
from fairlead_operator.rollout.statistics.kept import to_status
from fairlead_operator.rollout.statistics.verdict import Judgment
from support.fakes import START
from support.world import World

MINUTE = timedelta(minutes=1)
NOW = START + 10 * MINUTE


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", **fields})


def look(*checks: Check, **changed: Any) -> Look:
    """A candidate ten minutes into its step."""
    usual = Look(
        namespace="energy",
        model="nsw-price",
        version="1.1.0",
        stable="1.0.0",
        checks=checks,
        interval=timedelta(seconds=10),
        since=START,
    )
    return dataclasses.replace(usual, **changed)


class Asked:
    """Prometheus that keeps the questions."""

    def __init__(self, ports: Ports) -> None:
        self._prometheus = ports.prometheus
        self.questions: list[str] = []
        self.ports = dataclasses.replace(ports, prometheus=self)

    async def query(self, promql: str) -> float | None:
        self.questions.append(promql)
        return await self._prometheus.query(promql)

    async def query_by(self, promql: str, label: str) -> Any:
        self.questions.append(promql)
        return await self._prometheus.query_by(promql, label)


@pytest.fixture
def world() -> World:
    world = World()
    world.prometheus.healthy()
    return world


async def judged(world: World, *checks: Check, **changed: Any) -> Judgment:
    analysis = await analyze(look(*checks, **changed), ports=world.ports, now=NOW)
    return analysis.judgments[0]


async def test_between_two_measurements_the_last_judgment_stands(world: World) -> None:
    first = await analyze(
        look(check(builtin="success-rate", atLeast=0.99)), ports=world.ports, now=NOW
    )
    kept = tuple(to_status(judgment, "1.1.0") for judgment in first.judgments)
    world.prometheus.success_rate = 0.0
    known = look(
        check(builtin="success-rate", atLeast=0.99),
        last=kept,
        measured_at=NOW - timedelta(seconds=4),
    )

    again = await analyze(known, ports=world.ports, now=NOW)

    assert again == Analysis(
        judgments=first.judgments,
        measured_at=NOW - timedelta(seconds=4),
        next_measurement=timedelta(seconds=6),
    )


COUNTS = {
    "candidate-total": 1000.0,
    "candidate-bad": 300.0,
    "stable-total": 3000.0,
    "stable-bad": 3.0,
}


async def test_success_beside_the_stable_version(world: World) -> None:
    world.prometheus.counts = COUNTS

    found = await judged(world, check(builtin="success-rate", relative={"margin": 0.01}))

    assert (found.verdict, found.value, found.stable) == (Verdict.FAILED, 0.7, 0.999)


async def test_alpha_is_shared_by_the_stages_of_a_rollout(world: World) -> None:
    world.prometheus.counts = COUNTS

    found = await judged(
        world,
        check(builtin="success-rate", relative={"margin": 0.01, "alpha": 0.05}),
        stages=5,
    )

    assert found.message.endswith("of 100")


@pytest.mark.parametrize("missing", ["candidate-total", "stable-total"])
async def test_a_silent_version_is_compared_with_nothing(world: World, missing: str) -> None:
    world.prometheus.counts = {key: value for key, value in COUNTS.items() if key != missing}

    found = await judged(world, check(builtin="success-rate", relative={"margin": 0.01}))

    assert found.verdict is Verdict.INCONCLUSIVE


async def test_latency_is_divided_where_the_stable_version_was_before_the_step(
    world: World,
) -> None:
    world.prometheus.latency = 30.0
    world.prometheus.counts = {
        "candidate-total": 1000.0,
        "candidate-good": 500.0,
        "stable-total": 3000.0,
        "stable-good": 2900.0,
    }
    asked = Asked(world.ports)
    slow = check(builtin="latency-p95", relative={"margin": 0.02})

    found = (await analyze(look(slow), ports=asked.ports, now=NOW)).judgments[0]

    assert (found.verdict, found.bound) == (Verdict.FAILED, 50)
    assert 'version="1.0.0"' in asked.questions[0]
    assert "offset 600s" in asked.questions[0]
    assert "offset 900s" in asked.questions[0]


async def test_the_bound_of_a_step_does_not_move(world: World) -> None:
    world.prometheus.counts = {"candidate-total": 100.0, "stable-total": 100.0}
    slow = check(builtin="latency-p95", relative={"margin": 0.02})
    first = await judged(world, slow)
    world.prometheus.latency = 3000.0

    second = await judged(world, slow, last=(to_status(first, "1.1.0"),))

    assert (first.bound, second.bound) == (25, 25)


async def test_at_all_traffic_the_stable_versions_last_minutes_are_compared(world: World) -> None:
    asked = Asked(world.ports)
    beside = check(builtin="success-rate", relative={"margin": 0.01})

    await analyze(look(beside, reference=5 * MINUTE), ports=asked.ports, now=NOW)

    candidate, _, stable, _ = asked.questions[0].split("label_replace")[1:]
    assert "offset 600s" in candidate
    assert "offset 900s" not in candidate
    assert "offset 900s" in stable


async def test_copies_are_judged_by_their_own_series(world: World) -> None:
    asked = Asked(world.ports)

    await analyze(look(*DEFAULT_CHECKS, mirrored=True), ports=asked.ports, now=NOW)

    assert all('role="shadow"' in question for question in asked.questions)


@pytest.mark.parametrize(
    ("fields", "custom", "verdict", "samples"),
    [
        pytest.param({"atLeast": 0.5}, 1.0, Verdict.SUCCESSFUL, None, id="one number"),
        pytest.param({"atLeast": 0.5}, float("inf"), Verdict.INCONCLUSIVE, None, id="infinity"),
        pytest.param({"atLeast": 0.5}, None, Verdict.INCONCLUSIVE, None, id="nothing"),
        pytest.param({"atLeast": 0.5, "total": "t"}, 40.0, Verdict.SUCCESSFUL, 40, id="a share"),
        pytest.param({"atLeast": 0.5, "total": "t"}, 4.0, Verdict.INCONCLUSIVE, 4, id="few of few"),
        pytest.param(
            {"atLeast": 0.5, "total": "t"}, 0.0, Verdict.INCONCLUSIVE, 0, id="none of none"
        ),
    ],
)
async def test_a_users_query(
    world: World, fields: Any, custom: float | None, verdict: Verdict, samples: float | None
) -> None:
    world.prometheus.custom = custom

    found = await judged(world, check(query="q", **fields))

    assert (found.verdict, found.samples) == (verdict, samples)


async def test_a_users_counts_are_asked_once_for_each_version(world: World) -> None:
    world.prometheus.custom = 5000.0
    asked = Asked(world.ports)
    paid = check(
        query="paid{v='{{version}}'}[{{window}}]",
        total="all{v='{{version}}'}[{{window}}]",
        relative={"margin": 0.02},
    )

    found = (await analyze(look(paid), ports=asked.ports, now=NOW)).judgments[0]

    assert found.verdict is Verdict.SUCCESSFUL
    assert sorted(asked.questions) == [
        "all{v='1.0.0'}[600s]",
        "all{v='1.1.0'}[600s]",
        "paid{v='1.0.0'}[600s]",
        "paid{v='1.1.0'}[600s]",
    ]


@pytest.mark.parametrize(
    ("builtin", "bounds", "verdict", "value"),
    [
        pytest.param("live-accuracy", {"atLeast": 0.8}, Verdict.SUCCESSFUL, 0.9, id="accuracy"),
        pytest.param(
            "live-accuracy", {"relative": {"margin": 0.02}}, Verdict.SUCCESSFUL, 0.9, id="beside"
        ),
        pytest.param("live-mae", {"atMost": 1}, Verdict.FAILED, 2.0, id="mae"),
        pytest.param("live-rmse", {"atMost": 3}, Verdict.SUCCESSFUL, 2.0, id="rmse"),
        pytest.param(
            "live-mae", {"relative": {"margin": 0.5}}, Verdict.FAILED, 2.0, id="mae beside"
        ),
        pytest.param("live-log-loss", {"atMost": 1}, Verdict.INCONCLUSIVE, None, id="no labels"),
        pytest.param(
            "prediction-drift", {"atMost": 0.1}, Verdict.FAILED, pytest.approx(0.878, abs=0.01),
            id="drift",
        ),
    ],
)  # fmt: skip
async def test_labels_and_predictions(
    world: World, builtin: str, bounds: Any, verdict: Verdict, value: Any
) -> None:
    record = world.record
    record.ratings["accuracy", "1.1.0"] = Tally(successes=9000, trials=10000)
    record.ratings["accuracy", "1.0.0"] = Tally(successes=8800, trials=10000)
    record.losses_of["absolute", "1.1.0"] = Moments(count=500, total=1000, squares=2500)
    record.losses_of["absolute", "1.0.0"] = Moments(count=500, total=500, squares=1000)
    record.losses_of["squared", "1.1.0"] = Moments(count=500, total=2000, squares=9000)
    record.counts["1.1.0"] = ((9000, 1000), (5000, 5000))

    found = await judged(world, check(builtin=builtin, **bounds))

    assert (found.verdict, found.value) == (verdict, value)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(check(builtin="success-rate", atLeast=0.99), id="bounds"),
        pytest.param(check(builtin="success-rate", relative={"margin": 0.01}), id="comparison"),
        pytest.param(check(builtin="latency-p95", relative={"margin": 0.01}), id="latency"),
        pytest.param(check(builtin="saturation", atMost=1), id="saturation"),
        pytest.param(check(query="q", atMost=1), id="query"),
        pytest.param(check(builtin="live-accuracy", atLeast=0.5), id="labels"),
        pytest.param(check(builtin="live-mae", atMost=0.5), id="losses"),
        pytest.param(check(builtin="prediction-drift", atMost=0.5), id="drift"),
    ],
)
async def test_who_does_not_answer_is_an_error_with_the_checks_name(
    world: World, one: Check
) -> None:
    world.prometheus.down = world.record.down = True

    found = await judged(world, one)

    assert found.verdict is Verdict.ERROR
    assert found.message.startswith("c: ")
    assert len(found.message) > len("c: ")


async def test_a_refused_query_is_an_error_that_says_why(world: World) -> None:
    world.prometheus.refusal = "prometheus refuses the query: parse error"

    found = await judged(world, check(query="sum(", atMost=1))

    assert (found.verdict, found.message) == (
        Verdict.ERROR,
        "c: prometheus refuses the query: parse error",
    )


async def test_checks_that_are_not_known_are_an_error(world: World) -> None:
    analysis = await analyze(
        look(problem="there is no AnalysisTemplate a"), ports=world.ports, now=NOW
    )

    assert [(found.verdict, found.message) for found in analysis.judgments] == [
        (Verdict.ERROR, "analysis: there is no AnalysisTemplate a")
    ]


AGREEMENT = check(builtin="prediction-agreement", atLeast=0.9)
DRIFT = check(name="d", builtin="prediction-drift", atMost=0.1)
OWN = check(name="o", query="q", total="t", relative={"margin": 0.1})
OWN_AND_BOUND = check(name="b", query="q", total="t", relative={"margin": 0.1}, atLeast=0.5)


@pytest.mark.parametrize(
    ("checks", "changed", "names"),
    [
        pytest.param((AGREEMENT, DRIFT, OWN), {"mirrored": True}, ["c", "d", "o"], id="copies"),
        pytest.param((AGREEMENT, DRIFT, OWN), {}, ["d", "o"], id="traffic"),
        pytest.param(
            (AGREEMENT, DRIFT, OWN, OWN_AND_BOUND), {"reference": MINUTE}, ["b"], id="all traffic"
        ),
        pytest.param((AGREEMENT,), {}, ["success-rate"], id="something must be proven"),
    ],
)
def test_what_can_be_answered_is_asked(
    checks: tuple[Check, ...], changed: Any, names: list[str]
) -> None:
    assert [one.name for one in applicable(look(*checks, **changed))] == names
