"""What is in play, who gets how much, and how several candidates count as one."""

import dataclasses
from datetime import timedelta

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.rollout.decision.plan import Plan, Step
from fairlead_operator.rollout.decision.states import (
    Arm,
    Cause,
    Decision,
    Health,
    Observed,
    Shares,
    all_traffic,
    in_play,
    in_seconds,
    is_finished,
    no_traffic,
    present_shares,
    present_step,
    reported,
    step_shares,
)
from support.builders import (
    AB,
    ALONE,
    BANDIT,
    GOOD,
    MINUTE,
    STEPS,
    TWO,
    guarding,
    observed,
    paused,
    pending,
    replacing,
    trying,
)

BAD = Cause(reason=Reason.ANALYSIS_FAILED, message="0.5")
OUT = dataclasses.replace(TWO[0], dropped=BAD)


@pytest.mark.parametrize(
    ("winner", "left", "playing"),
    [
        pytest.param(None, set(), ("a", "b", "c"), id="all of them"),
        pytest.param(None, {"b"}, ("a", "c"), id="all but who left"),
        pytest.param("b", set(), ("b",), id="the winner alone"),
        pytest.param("b", {"a", "b"}, ("b",), id="who has won cannot leave"),
        pytest.param("z", set(), ("a",), id="a winner that is no candidate: the first"),
        pytest.param(None, {"a", "b", "c"}, ("a",), id="all have left: the first stands for them"),
    ],
)
def test_in_play(winner: str | None, left: set[str], playing: tuple[str, ...]) -> None:
    assert in_play(["a", "b", "c"], winner=winner, left=left) == playing


@pytest.mark.parametrize(
    ("phase", "step", "index"),
    [
        (Phase.PENDING, 0, None),
        (Phase.REPLACING, 0, 0),
        (Phase.PROGRESSING, 0, 0),
        (Phase.PROGRESSING, 1, 1),
        (Phase.PAUSED, 1, 1),
        (Phase.GUARDING, 2, None),
        (Phase.ROLLING_BACK, 1, None),
        (Phase.ROLLED_BACK, 1, None),
        (Phase.SUCCEEDED, 2, None),
        pytest.param(Phase.PAUSED, 2, None, id="paused after the last step"),
        pytest.param(Phase.PROGRESSING, 5, None, id="a policy that has fewer steps now"),
    ],
)
def test_present_step(phase: Phase, step: int, index: int | None) -> None:
    expected = None if index is None else STEPS[index]

    assert present_step(Plan(steps=STEPS), phase, step) == expected


@pytest.mark.parametrize("phase", Phase)
def test_a_rollout_has_ended_when_it_succeeded_or_went_back(phase: Phase) -> None:
    assert is_finished(phase) == (phase in {Phase.SUCCEEDED, Phase.ROLLED_BACK})


@pytest.mark.parametrize(
    ("healths", "worst"),
    [
        ((Health.READY, Health.READY), Health.READY),
        ((Health.READY, Health.STARTING), Health.STARTING),
        ((Health.UNKNOWN, Health.STARTING), Health.UNKNOWN),
        ((Health.UNKNOWN, Health.FAILED), Health.FAILED),
    ],
)
def test_candidates_together_are_as_healthy_as_the_worst(
    healths: tuple[Health, ...], worst: Health
) -> None:
    arms = tuple(
        dataclasses.replace(arm, health=health, message=f"is {health}")
        for arm, health in zip(TWO, healths, strict=True)
    )

    candidate = trying(arms=arms).candidate

    assert (candidate.health, candidate.message) == (worst, f"is {worst}")


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ((Verdict.SUCCESSFUL, Verdict.SUCCESSFUL), Verdict.SUCCESSFUL),
        ((Verdict.SUCCESSFUL, Verdict.INCONCLUSIVE), Verdict.INCONCLUSIVE),
        ((Verdict.ERROR, Verdict.INCONCLUSIVE), Verdict.ERROR),
        ((Verdict.ERROR, Verdict.FAILED), Verdict.FAILED),
    ],
)
def test_candidates_together_are_judged_as_the_worst(
    verdicts: tuple[Verdict, ...], worst: Verdict
) -> None:
    arms = tuple(
        dataclasses.replace(arm, verdict=verdict, verdict_message=f"is {verdict}")
        for arm, verdict in zip(TWO, verdicts, strict=True)
    )

    candidate = trying(arms=arms).candidate

    assert (candidate.verdict, candidate.verdict_message) == (worst, f"is {worst}")


def test_candidates_together_are_gone_when_each_is() -> None:
    gone = tuple(dataclasses.replace(arm, gone=True) for arm in TWO)

    assert trying(arms=gone).candidate.gone
    assert not trying(arms=(gone[0], TWO[1])).candidate.gone


def test_who_has_left_a_trial_makes_nobody_ill() -> None:
    sick = dataclasses.replace(OUT, health=Health.FAILED, verdict=Verdict.FAILED)

    candidate = trying(arms=(sick, TWO[1])).candidate

    assert (candidate.version, candidate.health) == ("1.2.0", Health.READY)
    assert candidate.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("look", "exclusive"),
    [
        pytest.param(observed(), False, id="two versions run together"),
        pytest.param(observed(steps=ALONE), True, id="recreate"),
        pytest.param(observed(steps=ALONE, stable=None), False, id="recreate of a first version"),
    ],
)
def test_exclusive(look: Observed, exclusive: bool) -> None:
    assert look.exclusive is exclusive


def test_waited_counts_from_when_phase_and_step_were_entered() -> None:
    assert observed(waited=3 * MINUTE).waited == 3 * MINUTE


NOTHING: Shares = (("1.1.0", 0), ("1.2.0", 0))
FULL = tuple(dataclasses.replace(arm, asked=100) for arm in TWO)


@pytest.mark.parametrize(
    ("look", "shares"),
    [
        pytest.param(pending(), (("1.1.0", 0),), id="pending: nothing"),
        pytest.param(replacing(), (("1.1.0", 0),), id="replacing: nothing"),
        pytest.param(observed(), (("1.1.0", 10),), id="progressing: the step's weight"),
        pytest.param(
            observed(step=1, asked=50), (("1.1.0", 50),), id="progressing: the second step's"
        ),
        pytest.param(paused(), (("1.1.0", 10),), id="paused: the step's weight"),
        pytest.param(
            paused(step=2, asked=100),
            (("1.1.0", 100),),
            id="paused after the last step: everything",
        ),
        pytest.param(guarding(), (("1.1.0", 100),), id="guarding: everything"),
        pytest.param(
            observed(phase=Phase.SUCCEEDED, step=2), (("1.1.0", 100),), id="succeeded: everything"
        ),
        pytest.param(observed(phase=Phase.ROLLING_BACK), (("1.1.0", 0),), id="going back: nothing"),
        pytest.param(observed(phase=Phase.ROLLED_BACK), (("1.1.0", 0),), id="went back: nothing"),
        pytest.param(
            observed(steps=(Step(weight=40, hold=MINUTE),)),
            (("1.1.0", 10),),
            id="a step that was raised in flight widens nothing",
        ),
        pytest.param(
            observed(steps=(Step(weight=5, hold=MINUTE),)),
            (("1.1.0", 5),),
            id="a step that was lowered in flight narrows at once",
        ),
        pytest.param(
            paused(step=1, steps=STEPS[:1]),
            (("1.1.0", 10),),
            id="steps taken away in flight give no more than there was",
        ),
        pytest.param(trying(), (("1.1.0", 20), ("1.2.0", 20)), id="a trial: a share for each"),
        pytest.param(
            trying(arms=(OUT, TWO[1])),
            (("1.1.0", 0), ("1.2.0", 20)),
            id="a trial: none for who left",
        ),
        pytest.param(
            trying(arms=FULL, phase=Phase.GUARDING, winner="1.2.0"),
            (("1.1.0", 0), ("1.2.0", 100)),
            id="the guard of a trial: everything for the winner",
        ),
        pytest.param(
            trying(steps=BANDIT, arms=(dataclasses.replace(TWO[0], asked=70), TWO[1])),
            (("1.1.0", 70), ("1.2.0", 20)),
            id="a bandit: what the shares have become",
        ),
        pytest.param(
            trying(steps=BANDIT, arms=(dataclasses.replace(OUT, asked=70), TWO[1])),
            (("1.1.0", 0), ("1.2.0", 20)),
            id="a bandit: none for who left, whatever it had",
        ),
    ],
)
def test_present_shares(look: Observed, shares: Shares) -> None:
    assert present_shares(look) == shares


@pytest.mark.parametrize(
    ("winner", "arms", "shares"),
    [
        pytest.param(None, TWO, (("1.1.0", 100), ("1.2.0", 0)), id="no winner yet: the first"),
        pytest.param("1.2.0", TWO, (("1.1.0", 0), ("1.2.0", 100)), id="the winner"),
        pytest.param(None, (OUT, TWO[1]), (("1.1.0", 0), ("1.2.0", 100)), id="the one still in"),
    ],
)
def test_all_traffic(winner: str | None, arms: tuple[Arm, ...], shares: Shares) -> None:
    assert all_traffic(trying(winner=winner, arms=arms)) == shares


def test_no_traffic_names_every_candidate() -> None:
    assert no_traffic(trying()) == NOTHING


@pytest.mark.parametrize(
    ("arms", "shares"),
    [
        pytest.param(TWO, (("1.1.0", 20), ("1.2.0", 20)), id="each the weight of the step"),
        pytest.param((OUT, TWO[1]), (("1.1.0", 0), ("1.2.0", 20)), id="but for who left"),
    ],
)
def test_step_shares(arms: tuple[Arm, ...], shares: Shares) -> None:
    assert step_shares(trying(arms=arms), AB[0]) == shares


@pytest.mark.parametrize(
    ("weights", "is_reported"),
    [
        pytest.param((20, 20), True, id="every share as asked"),
        pytest.param((20, 10), False, id="one candidate has less"),
        pytest.param((20, 30), False, id="one candidate has more"),
        pytest.param((20, None), False, id="not known is not reported"),
    ],
)
def test_reported(weights: tuple[int | None, int | None], is_reported: bool) -> None:
    arms = tuple(
        dataclasses.replace(arm, weight=weight) for arm, weight in zip(TWO, weights, strict=True)
    )

    assert reported(trying(arms=arms), (("1.1.0", 20), ("1.2.0", 20))) is is_reported


def test_zero_must_be_reported_too() -> None:
    assert not reported(observed(arms=(dataclasses.replace(GOOD, weight=None),)), (("1.1.0", 0),))


def test_the_weight_of_a_decision_is_that_of_all_candidates() -> None:
    decision = Decision(
        phase=Phase.PROGRESSING,
        step=0,
        reason=Reason.TRIAL_RUNNING,
        message="",
        shares=(("1.1.0", 20), ("1.2.0", 15)),
    )

    assert decision.weight == 35


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=90), "90 s"),
        (timedelta(milliseconds=1500), "1.5 s"),
        (timedelta(days=1), "86400 s"),
    ],
)
def test_in_seconds(span: timedelta, text: str) -> None:
    assert in_seconds(span) == text
