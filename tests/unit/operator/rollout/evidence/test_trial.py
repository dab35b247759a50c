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


def counts(word: str, range_: str) -> str:
    return f"sum(increase({word}{{v='{{{{version}}}}'}}[{range_}]))"


@pytest.mark.parametrize("strategy", ["abTest", "bandit"])
@pytest.mark.parametrize(
    ("goal", "quiet", "is_told"),
    [
        pytest.param(("1h", "1h"), 5, True, id="a range of its own"),
        pytest.param(("{{window}}", "30m"), 5, True, id="of the total alone"),
        pytest.param(("1h", "1h"), 0, False, id="while the counts grow"),
        pytest.param(("{{window}}", "{{window}}"), 5, False, id="since the trial began"),
        pytest.param(("{{window}}:1m", "{{window}}:1m"), 5, False, id="a subquery since then"),
    ],
)
async def test_a_goal_that_forgets_is_told_when_its_counts_stand_still(
    world: World, strategy: str, goal: tuple[str, str], quiet: int, is_told: bool
) -> None:
    """It said that there was no new outcome, whatever came."""
    query, total = counts("good", goal[0]), counts("all", goal[1])
    for version in LOOK.versions:
        for text in (query, total):
            filled = text.replace("{{version}}", version).replace("{{window}}", "3600s")
            world.prometheus.own[filled] = 7.0
    last = LastCount(samples=7 if quiet else 6, grown_at=START + HOUR - 5 * MINUTE)
    before = dict.fromkeys(LOOK.versions, last)
    look = dataclasses.replace(LOOK, before=before)

    trial = await run_trial(
        look, design(strategy, goal={"query": query, "total": total}), world.ports
    )

    assert trial.outcome is Outcome.RUNNING
    assert ("no new outcome" in trial.message) == (quiet > 0)
    assert ("its count may stand still: write [{{window}}]" in trial.message) == is_told


@pytest.mark.parametrize("strategy", ["abTest", "bandit"])
@pytest.mark.parametrize(
    ("good", "elapsed", "outcome"),
    [
        pytest.param(900.0, HOUR, Outcome.WON, id="a candidate won"),
        pytest.param(100.0, HOUR, Outcome.STABLE_WON, id="the stable version won"),
        pytest.param(500.0, 1000 * HOUR, Outcome.UNDECIDED, id="undecided at its end"),
    ],
)
async def test_what_a_goal_forgets_is_of_no_use_to_who_reads_the_end(
    world: World, strategy: str, good: float, elapsed: timedelta, outcome: Outcome
) -> None:
    """The last hour is all that it counts, and nothing came."""
    query, total = counts("good", "1h"), counts("all", "1h")
    for version in LOOK.versions:
        world.prometheus.own[total.replace("{{version}}", version)] = 1000.0
        rate = good if version == "1.1.0" else 500.0
        world.prometheus.own[query.replace("{{version}}", version)] = rate
    now = START + elapsed
    look = dataclasses.replace(
        LOOK,
        pairing=dataclasses.replace(LOOK.pairing, now=now),
        changed_at=now - MINUTE,
        before=dict.fromkeys(LOOK.versions, LastCount(samples=1000, grown_at=START)),
    )

    trial = await run_trial(
        look, design(strategy, goal={"query": query, "total": total}), world.ports
    )

    assert trial.outcome is outcome
    assert "{{window}}" not in trial.message
