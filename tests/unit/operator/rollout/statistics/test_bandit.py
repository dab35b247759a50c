"""Thompson's allocation: probabilities, shares and their bounds, and how trials end."""

import itertools
import math
import re
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_contract.statistics.sequential import Counts
from fairlead_operator.api.strategy import Bandit
from fairlead_operator.rollout.statistics.ab_test import ArmCounts, Outcome, Trial
from fairlead_operator.rollout.statistics.bandit import (
    judge_bandit,
    next_shares,
    probabilities_of_best,
)

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def design(**changed: object) -> Bandit:
    return Bandit.model_validate(
        {
            "goal": {"metric": "reward"},
            "floor": 5,
            "maxChangePerMinute": 10,
            "stopProbability": 0.95,
            "minSamples": 100,
            "maxDuration": "24h",
            **changed,
        }
    )


def judge(
    *counted: tuple[float, float],
    shares: tuple[int, ...],
    minutes: float = 1.0,
    hours: int = 1,
    quiet: tuple[float, ...] = (),
    stop: float = 0.95,
) -> Trial:
    names = [f"1.{at}.0" for at in range(len(counted))]
    return judge_bandit(
        design(stopProbability=stop),
        [
            ArmCounts(version=name, successes=good, trials=total, quiet=timedelta(minutes=silence))
            for name, (good, total), silence in zip(
                names, counted, quiet or [0.0] * len(names), strict=True
            )
        ],
        stable="1.0.0",
        shares=dict(zip(names, shares, strict=True)),
        elapsed=timedelta(hours=hours),
        since_change=timedelta(minutes=minutes),
    )


@pytest.mark.parametrize(
    "counted",
    [
        pytest.param([(3, 10), (4, 12)], id="few"),
        pytest.param([(900_000, 1_000_000), (92, 100)], id="very many and few"),
        pytest.param([(0, 0), (5, 5), (99, 100)], id="nothing, little, much"),
        pytest.param([(1000, 1000), (990, 1000), (999, 1000)], id="nearly perfect"),
        pytest.param([(12.5, 50), (30.25, 70)], id="rewards between 0 and 1"),
    ],
)
def test_probabilities_of_being_best_are_those_that_drawing_gives(
    counted: list[tuple[float, float]],
) -> None:
    random = np.random.default_rng(1)
    drawn = np.array([random.beta(1 + good, 1 + total - good, 200_000) for good, total in counted])
    expected = np.bincount(drawn.argmax(0), minlength=len(counted)) / 200_000

    computed = probabilities_of_best([Counts(good=good, total=total) for good, total in counted])

    assert computed == pytest.approx(expected, abs=0.006)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    total = draw(st.integers(0, 10**7))
    return Counts(good=draw(st.integers(0, total)), total=total)


@given(arms=st.lists(counts(), min_size=1, max_size=5))
def test_probabilities_add_up_to_one(arms: list[Counts]) -> None:
    chances = probabilities_of_best(arms)

    assert sum(chances) == pytest.approx(1)
    assert all(0 <= chance <= 1 for chance in chances)


@st.composite
def splits(draw: st.DrawFn) -> tuple[int, ...]:
    """Whole percents of 2 to 5 versions, none below 5, that add up to 100."""
    arms = draw(st.integers(2, 5))
    cuts = sorted(
        draw(st.lists(st.integers(0, 100 - 5 * arms), min_size=arms - 1, max_size=arms - 1))
    )
    edges = [0, *cuts, 100 - 5 * arms]
    return tuple(5 + high - low for low, high in itertools.pairwise(edges))


@given(
    present=splits(),
    raw=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    allowed=st.integers(0, 100),
)
def test_shares_keep_the_floor_the_pace_and_the_sum(
    present: tuple[int, ...], raw: list[float], allowed: int
) -> None:
    weights = [value + 1e-6 for value in raw[: len(present)]]
    chances = {f"1.{at}.0": weight / sum(weights) for at, weight in enumerate(weights)}
    before = dict(zip(chances, present, strict=True))

    after = next_shares(chances, before, stable="1.0.0", floor=5, allowed=allowed)

    assert sum(after.values()) == 100
    assert min(after.values()) >= 5
    assert max(abs(after[version] - before[version]) for version in after) <= allowed


@given(present=splits(), raw=st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_shares_that_were_reached_are_not_moved_again(
    present: tuple[int, ...], raw: list[float]
) -> None:
    weights = [value + 1e-6 for value in raw[: len(present)]]
    chances = {f"1.{at}.0": weight / sum(weights) for at, weight in enumerate(weights)}
    before = dict(zip(chances, present, strict=True))

    once = next_shares(chances, before, stable="1.0.0", floor=5, allowed=100)

    assert next_shares(chances, once, stable="1.0.0", floor=5, allowed=100) == once


def test_what_a_version_that_left_had_is_the_stable_versions() -> None:
    after = next_shares(
        {"1.0.0": 0.5, "1.1.0": 0.5},
        {"1.0.0": 30, "1.1.0": 30, "1.2.0": 40},
        stable="1.0.0",
        floor=5,
        allowed=0,
    )

    assert after == {"1.0.0": 70, "1.1.0": 30}


@pytest.mark.parametrize(
    ("trial", "outcome", "winner"),
    [
        pytest.param(
            judge((50, 1000), (90, 1000), shares=(50, 50)),
            Outcome.WON,
            "1.1.0",
            id="a candidate is best",
        ),
        pytest.param(
            judge((90, 1000), (50, 1000), shares=(50, 50)),
            Outcome.STABLE_WON,
            None,
            id="the stable version is best",
        ),
        pytest.param(
            judge((0, 1000), (90, 99), shares=(50, 50)),
            Outcome.RUNNING,
            None,
            id="best, with too few samples",
        ),
        pytest.param(
            judge((50, 1000), (52, 1000), shares=(50, 50)), Outcome.RUNNING, None, id="too close"
        ),
        pytest.param(
            judge((50, 1000), (52, 1000), shares=(50, 50), hours=24),
            Outcome.UNDECIDED,
            None,
            id="too close for too long",
        ),
        pytest.param(
            judge((50, 1000), shares=(100,)), Outcome.RUNNING, None, id="every candidate has left"
        ),
        pytest.param(
            judge((math.nan, math.nan), (math.inf, -1), shares=(50, 50)),
            Outcome.RUNNING,
            None,
            id="numbers that are none",
        ),
    ],
)
def test_judge_bandit(trial: Trial, outcome: Outcome, winner: str | None) -> None:
    assert (trial.outcome, trial.winner) == (outcome, winner)


def test_shares_follow_the_reward_at_the_pace_allowed() -> None:
    trial = judge((50, 1000), (60, 1000), (40, 1000), shares=(34, 33, 33))

    assert dict(trial.shares) == {"1.1.0": 43, "1.2.0": 27}
    assert trial.message == (
        "1.0.0: 5.00 % good of 1,000, 1.1.0: 6.00 % good of 1,000, 1.2.0: 4.00 % good of 1,000; "
        "probability to be the best: 1.0.0 16.1 %, 1.1.0 82.7 %, 1.2.0 1.2 %; 95 % needed"
    )


def test_a_probability_that_is_nearly_enough_reads_so() -> None:
    counted = ((500, 1000), (537, 1000))
    chance = probabilities_of_best([Counts(good=good, total=total) for good, total in counted])[1]
    least = round(chance + 0.00002, 6)

    trial = judge(*counted, shares=(50, 50), stop=least)

    assert trial.outcome is Outcome.RUNNING
    read = re.search(r"1\.1\.0 ([\d.]+) %; ([\d.]+) % needed", trial.message)
    assert read is not None
    told, needed = read.groups()
    assert float(told) < float(needed) == pytest.approx(least * 100)


def test_no_version_is_called_best_while_samples_are_missing() -> None:
    trial = judge((0, 1000), (90, 99), shares=(50, 50), hours=24)

    assert trial.outcome is Outcome.UNDECIDED
    assert trial.message == (
        "1.0.0: 0.00 % good of 1,000, 1.1.0: 90.91 % good of 99; "
        "too few to decide: 1.1.0 has 99 of 100 samples (minSamples); "
        "at this rate they do not come within maxDuration: lengthen it, or lower minSamples"
    )
    assert [arm.probability for arm in trial.arms] == [None, None]


@pytest.mark.parametrize(
    ("quiet", "minutes", "shares"),
    [
        pytest.param((0, 0), 1, {"1.1.0": 60}, id="news of both: they move"),
        pytest.param((0.5, 0.9), 1, {"1.1.0": 60}, id="news since they moved"),
        pytest.param((0, 1), 1, {}, id="none of one since they moved: they stay"),
        pytest.param((1, 0), 1, {}, id="none of the stable version: the same"),
        pytest.param((9, 9), 1, {}, id="none at all for long"),
        pytest.param((0, 0), 30, {"1.1.0": 60}, id="after a long silence no faster than ever"),
        pytest.param((0, 0), -5, {}, id="a clock that was set back"),
    ],
)
def test_shares_move_on_news_alone(
    quiet: tuple[float, ...], minutes: float, shares: dict[str, int]
) -> None:
    trial = judge((50, 1000), (65, 1000), shares=(50, 50), minutes=minutes, quiet=quiet)

    assert dict(trial.shares) == shares


def test_rewards_that_stopped_are_told() -> None:
    trial = judge((50, 1000), (65, 1000), shares=(50, 50), quiet=(0, 12.5))

    assert trial.message.endswith("; no new outcome of 1.1.0 for 12m30s, so the shares stay")


def test_within_the_same_moment_nothing_moves() -> None:
    trial = judge((50, 1000), (60, 1000), shares=(50, 50), minutes=0.05)

    assert dict(trial.shares) == {"1.1.0": 50}


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_the_better_version_gets_the_traffic(seed: int) -> None:
    """An hour at 50 requests a second, rewards of 5 % and 8 %: who is named best is."""
    random = np.random.default_rng(seed)
    share, good, total = 50, np.zeros(2), np.zeros(2)
    for _ in range(60):
        more = np.array([30 * (100 - share), 30 * share])
        total += more
        good += random.binomial(more, (0.05, 0.08))
        trial = judge((good[0], total[0]), (good[1], total[1]), shares=(100 - share, share))
        if trial.outcome is not Outcome.RUNNING:
            break
        share = dict(trial.shares)["1.1.0"]

    assert trial.winner == "1.1.0"
