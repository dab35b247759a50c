"""What a trial counts for each kind of goal, and that an outage decides nothing."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.ports import Tally
from fairlead_operator.rollout.evidence.scene import Pairing
from fairlead_operator.rollout.evidence.trial import LastCount, TrialLook, run_trial
from fairlead_operator.rollout.statistics.ab_test import Outcome, Trial
from support.builders import design
from support.fakes import START
from support.world import World

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LOOK = TrialLook(
    pairing=Pairing(
        namespace="energy",
        model="nsw-price",
        stable="1.0.0",
        now=START + HOUR,
    ),
    in_play=("1.1.0",),
    began=1,
    shares={"1.0.0": 50, "1.1.0": 50},
    since=START,
    changed_at=START + HOUR - MINUTE,
    before={},
)


async def run(world: World, strategy: str, **goal: Any) -> Trial:
    return await run_trial(LOOK, design(strategy, goal=goal), world.ports)


@pytest.fixture
def world() -> World:
    """The candidate is much better in every way."""
    world = World()
    world.prometheus.counts = {
        "1.0.0-total": 1000.0,
        "1.0.0-bad": 500.0,
        "1.0.0-good": 500.0,
        "1.1.0-total": 1000.0,
        "1.1.0-bad": 100.0,
        "1.1.0-good": 900.0,
    }
    for rating in ("accuracy", "reward"):
        world.record.ratings[rating, "1.0.0"] = Tally(successes=500.0, trials=1000)
        world.record.ratings[rating, "1.1.0"] = Tally(successes=900.0, trials=1000)
    return world


@pytest.mark.parametrize("strategy", ["abTest", "bandit"])
@pytest.mark.parametrize(
    "goal",
    [
        {"metric": "success-rate"},
        {"metric": "latency", "latencyMilliseconds": 100},
        {"metric": "live-accuracy"},
        {"metric": "reward"},
    ],
)
async def test_the_better_version_wins(world: World, strategy: str, goal: Any) -> None:
    trial = await run(world, strategy, **goal)

    assert (trial.outcome, trial.winner) == (Outcome.WON, "1.1.0")
    assert [(arm.version, arm.value) for arm in trial.arms] == [("1.0.0", 0.5), ("1.1.0", 0.9)]


def answer(world: World, count: float | None) -> None:
    """Let every query of a user's goal yield this."""
    for version in LOOK.versions:
        world.prometheus.own |= {f"a{version}": count, f"b{version}": count}


async def test_a_users_counts(world: World) -> None:
    answer(world, 700.0)

    trial = await run(world, "bandit", query="a{{version}}", total="b{{version}}")

    assert trial.outcome is Outcome.RUNNING
    assert [arm.samples for arm in trial.arms] == [700, 700]
    assert dict(trial.shares) == {"1.1.0": 50}


async def test_a_version_without_an_answer_has_no_samples(world: World) -> None:
    answer(world, None)

    trial = await run(world, "abTest", query="a{{version}}", total="b{{version}}")

    assert trial.outcome is Outcome.RUNNING
    assert [arm.samples for arm in trial.arms] == [0, 0]


@pytest.mark.parametrize("strategy", ["abTest", "bandit"])
@pytest.mark.parametrize("metric", ["success-rate", "reward"])
async def test_an_outage_decides_nothing_and_moves_nothing(
    world: World, strategy: str, metric: str
) -> None:
    world.prometheus.down = world.record.down = True

    trial = await run(world, strategy, metric=metric)

    assert (trial.outcome, trial.shares) == (Outcome.RUNNING, ())
    assert "the goal cannot be read" in trial.message


@pytest.mark.parametrize(
    ("before", "quiet"),
    [
        pytest.param(None, timedelta(0), id="counted for the first time"),
        pytest.param(LastCount(samples=999, grown_at=START), timedelta(0), id="one more"),
        pytest.param(
            LastCount(samples=1000, grown_at=START + MINUTE), HOUR - MINUTE, id="none since then"
        ),
        pytest.param(
            LastCount(samples=999.9, grown_at=START), HOUR, id="a query that is never quite still"
        ),
        pytest.param(LastCount(samples=1200, grown_at=START), HOUR, id="pods took counts along"),
        pytest.param(
            LastCount(samples=1000, grown_at=None), HOUR, id="0.1.0 did not say: since it began"
        ),
        pytest.param(
            LastCount(samples=1000, grown_at=START + 2 * HOUR), timedelta(0), id="a clock set back"
        ),
    ],
)
async def test_how_long_a_version_has_had_no_new_outcome(
    world: World, before: LastCount | None, quiet: timedelta
) -> None:
    look = dataclasses.replace(LOOK, before={"1.1.0": before} if before else {})
    goal = design("abTest", goal={"metric": "success-rate"})

    trial = await run_trial(look, goal, world.ports)

    assert [arm.quiet for arm in trial.arms] == [timedelta(0), quiet]
