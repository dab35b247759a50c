"""The A/B test's decision: a table, what must never happen, and how often it errs."""

import dataclasses
import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.strategy import AbTest
from fairlead_operator.rollout.statistics.ab_test import ArmCounts, Outcome, Trial, judge_trial

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def design(**changed: object) -> AbTest:
    return AbTest.model_validate(
        {
            "goal": {"metric": "success-rate"},
            "alpha": 0.05,
            "beta": 0.2,
            "minEffect": 0.02,
            "minSamples": 100,
            "maxDuration": "24h",
            **changed,
        }
    )


def judge(
    tallies: Sequence[ArmCounts],
    *,
    rules: AbTest | None = None,
    began: int | None = None,
    elapsed: timedelta = HOUR,
) -> Trial:
    """Judge a trial that began with the candidates that are in it, unless said."""
    return judge_trial(
        rules or design(),
        tallies,
        stable="1.0.0",
        began=len(tallies) - 1 if began is None else began,
        elapsed=elapsed,
    )


def tally(version: str, good: float, total: float) -> ArmCounts:
    return ArmCounts(version=version, successes=good, trials=total)


STABLE = tally("1.0.0", 500, 1000)
BETTER = tally("1.1.0", 620, 1000)
SAME = tally("1.1.0", 10000, 20000)


@pytest.mark.parametrize(
    ("tallies", "elapsed", "outcome", "winner"),
    [
        pytest.param((STABLE, BETTER), HOUR, Outcome.WON, "1.1.0", id="clearly better wins"),
        pytest.param(
            (tally("1.0.0", 10000, 20000), SAME),
            HOUR,
            Outcome.STABLE_WON,
            None,
            id="as good as the stable version is not worth it",
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 300, 1000)), HOUR, Outcome.STABLE_WON, None, id="worse loses"
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 51, 100)), HOUR, Outcome.RUNNING, None, id="few decide nothing"
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 99, 99)),
            HOUR,
            Outcome.RUNNING,
            None,
            id="fewer than minSamples of the candidate",
        ),
        pytest.param(
            (tally("1.0.0", 0, 99), BETTER),
            HOUR,
            Outcome.RUNNING,
            None,
            id="fewer than minSamples of the stable version",
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 51, 100)), DAY, Outcome.UNDECIDED, None, id="the time is over"
        ),
        pytest.param((STABLE, BETTER), DAY, Outcome.WON, "1.1.0", id="decided as the time ends"),
        pytest.param(
            (STABLE, BETTER, tally("1.2.0", 680, 1000)),
            HOUR,
            Outcome.WON,
            "1.2.0",
            id="the better of two winners",
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 300, 1000), tally("1.2.0", 520, 1000)),
            HOUR,
            Outcome.RUNNING,
            None,
            id="one given up, the other open",
        ),
        pytest.param((STABLE,), HOUR, Outcome.RUNNING, None, id="no candidate is left"),
        pytest.param((), DAY, Outcome.UNDECIDED, None, id="nothing at all"),
        pytest.param(
            (tally("1.0.0", math.nan, math.inf), tally("1.1.0", -5, math.nan)),
            HOUR,
            Outcome.RUNNING,
            None,
            id="numbers that are none",
        ),
    ],
)
def test_judge_trial(
    tallies: tuple[ArmCounts, ...], elapsed: timedelta, outcome: Outcome, winner: str | None
) -> None:
    trial = judge(tallies, elapsed=elapsed)

    assert (trial.outcome, trial.winner) == (outcome, winner)


def test_the_message_has_the_numbers() -> None:
    trial = judge((STABLE, BETTER))

    assert trial.message.startswith(
        "1.0.0: 50.00 % good of 1,000, 1.1.0: 62.00 % good of 1,000; evidence that 1.1.0 is better"
    )
    assert trial.leader == "1.1.0"
    assert [(arm.version, arm.samples, arm.value) for arm in trial.arms] == [
        ("1.0.0", 1000, 0.5),
        ("1.1.0", 1000, 0.62),
    ]


WORSE = tally("1.1.0", 300, 1000)


@pytest.mark.parametrize(
    ("tallies", "message"),
    [
        pytest.param(
            (STABLE, tally("1.1.0", 99, 99)),
            "1.0.0: 50.00 % good of 1,000, 1.1.0: 100.00 % good of 99; "
            "too few to decide: 1.1.0 has 99 of 100 samples (minSamples)",
            id="samples are missing: no evidence is named",
        ),
        pytest.param(
            (tally("1.0.0", 0, 0), tally("1.1.0", 0, 0)),
            "1.0.0: no samples yet, 1.1.0: no samples yet; "
            "too few to decide: 1.0.0 has 0, 1.1.0 has 0 of 100 samples (minSamples)",
            id="nothing is there",
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 99, 99), tally("1.2.0", 52, 100)),
            "1.0.0: 50.00 % good of 1,000, 1.1.0: 100.00 % good of 99, 1.2.0: 52.00 % good of 100; "
            "too few to decide: 1.1.0 has 99 of 100 samples (minSamples); "
            "evidence that 1.2.0 is better 0.559, 40 needed; "
            "that it is not better by minEffect 0.493, 5 needed",
            id="the evidence is that of the best with enough samples",
        ),
        pytest.param(
            (STABLE, tally("1.1.0", 10_000, 10_000)),
            "1.0.0: 50.00 % good of 1,000, 1.1.0: 100.00 % good of 10,000; "
            "evidence that 1.1.0 is better more than 200, 20 needed; "
            "that it is not better by minEffect less than 0.01, 5 needed",
            id="evidence beyond all need is no number with a hundred digits",
        ),
        pytest.param(
            (STABLE, dataclasses.replace(WORSE, quiet=timedelta(minutes=5))),
            "1.0.0: 50.00 % good of 1,000, 1.1.0: 30.00 % good of 1,000; "
            "evidence that 1.1.0 is better 0.0758, 20 needed; "
            "that it is not better by minEffect more than 50, 5 needed; "
            "no new outcome of 1.1.0 for 5m",
            id="outcomes that stopped",
        ),
        pytest.param(
            (STABLE, dataclasses.replace(WORSE, quiet=timedelta(seconds=59))),
            "1.0.0: 50.00 % good of 1,000, 1.1.0: 30.00 % good of 1,000; "
            "evidence that 1.1.0 is better 0.0758, 20 needed; "
            "that it is not better by minEffect more than 50, 5 needed",
            id="outcomes that came a moment ago",
        ),
    ],
)
def test_the_message_says_what_a_decision_lacks(
    tallies: tuple[ArmCounts, ...], message: str
) -> None:
    assert judge(tallies).message == message


@pytest.mark.parametrize(
    ("began", "outcome"),
    [
        pytest.param(1, Outcome.WON, id="alone from the start: 20 decide"),
        pytest.param(2, Outcome.RUNNING, id="one of two that has left: still 40"),
        pytest.param(4, Outcome.RUNNING, id="three of four that have left: still 80"),
    ],
)
def test_who_stays_needs_the_evidence_it_needed_at_the_start(began: int, outcome: Outcome) -> None:
    evidence_of_34 = tally("1.1.0", 586, 1000)

    assert judge((STABLE, evidence_of_34), began=began).outcome is outcome


@pytest.mark.parametrize(
    ("samples", "elapsed", "is_said"),
    [
        pytest.param(4, 2 * HOUR, False, id="too early to tell"),
        pytest.param(4, 3 * HOUR, True, id="32 by the end, 100 needed"),
        pytest.param(13, 3 * HOUR, False, id="104 by the end"),
        pytest.param(0, 3 * HOUR, True, id="none at all"),
        pytest.param(99, DAY, True, id="one is missing at the end"),
        pytest.param(100, DAY, False, id="enough"),
    ],
)
def test_samples_that_will_not_come_in_time_are_said(
    samples: int, elapsed: timedelta, is_said: bool
) -> None:
    trial = judge((STABLE, tally("1.1.0", 0, samples)), elapsed=elapsed)

    assert ("at this rate they do not come within maxDuration" in trial.message) == is_said


def test_few_samples_lead_nobody() -> None:
    """A person who approves an undecided trial gets the leader."""
    trial = judge((STABLE, tally("1.1.0", 1, 1), tally("1.2.0", 52, 100)), elapsed=DAY)

    assert (trial.outcome, trial.leader) == (Outcome.UNDECIDED, "1.2.0")


# Of a thousand; around the gains that are enough to win.
controls, gains = st.integers(0, 600), st.integers(40, 160)


@given(
    control=controls,
    gain=gains,
    others=st.lists(st.integers(0, 1000), max_size=2),
    left=st.lists(st.integers(0, 1000), min_size=1, max_size=2),
)
def test_candidates_that_leave_make_no_other_win(
    control: int, gain: int, others: list[int], left: list[int]
) -> None:
    """Those that stay are asked for the evidence that they were asked for from the start."""
    counted = enumerate([control, control + gain, *others, *left])
    tallies = [tally(f"1.{at}.0", good, 1000) for at, good in counted]
    began = len(tallies) - 1
    after = judge(tallies[: -len(left)], began=began)
    assume(after.outcome is Outcome.WON)

    before = judge(tallies, began=began)

    assert before.outcome is Outcome.WON


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(0, 10**9).map(float)


@given(counted=st.lists(st.tuples(numbers, numbers), max_size=5), hours=st.integers(0, 48))
def test_whatever_is_counted_there_is_an_answer(
    counted: list[tuple[float, float]], hours: int
) -> None:
    tallies = [tally(f"1.{at}.0", good, total) for at, (good, total) in enumerate(counted)]

    trial = judge(tallies, elapsed=timedelta(hours=hours))

    assert (trial.winner is not None) == (trial.outcome is Outcome.WON)
    assert trial.winner != "1.0.0"
    assert len(trial.message) < 1024
    assert "e+" not in trial.message


@given(control=controls, gain=gains, more=st.integers(2, 4))
def test_more_candidates_ask_for_more_evidence(control: int, gain: int, more: int) -> None:
    arms = [tally("1.0.0", control, 1000), tally("1.1.0", control + gain, 1000)]
    others = [tally(f"2.{at}.0", 0, 1000) for at in range(more)]
    among = judge([*arms, *others])
    assume(among.outcome is Outcome.WON)

    alone = judge(arms)

    assert alone.outcome is Outcome.WON


@pytest.mark.parametrize(
    ("gains", "wrong", "at_most"),
    [
        pytest.param((0.0,), Outcome.WON, 0.05, id="equal: a winner is an error"),
        pytest.param((0.0, 0.0, 0.0), Outcome.WON, 0.05, id="three equal candidates"),
        pytest.param((0.05,), Outcome.STABLE_WON, 0.2, id="better by minEffect: giving up is"),
    ],
)
def test_trials_err_at_most_as_declared(
    gains: tuple[float, ...], wrong: Outcome, at_most: float
) -> None:
    """Four hundred trials of some thousand answers, looked at every hundred of each version."""
    random = np.random.default_rng(11)
    asked = design(minEffect=0.05)
    rates = (0.3, *(0.3 + gain for gain in gains))
    errors = 0
    for _ in range(400):
        good = np.zeros(len(rates))
        for look in range(1, 21):
            good += random.binomial(100, rates)
            tallies = [tally(f"1.{at}.0", count, 100 * look) for at, count in enumerate(good)]
            trial = judge(tallies, rules=asked)
            if trial.outcome is not Outcome.RUNNING:
                errors += trial.outcome is wrong
                break

    assert errors / 400 <= at_most
