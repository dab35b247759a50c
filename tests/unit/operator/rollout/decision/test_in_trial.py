"""A trial: what ends it, what holds it, and who takes the traffic."""

import dataclasses
from typing import Any

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.rollout.decision.in_trial import while_trying, with_leader
from fairlead_operator.rollout.decision.states import Cause, Decision, Health, Observed, Shares
from fairlead_operator.rollout.statistics.ab_test import Outcome
from support.builders import BACK_AB, BANDIT, HOUR, NOW, TWO, observed, trial, trying

SPLIT: Shares = (("1.1.0", 20), ("1.2.0", 20))
NOTHING: Shares = (("1.1.0", 0), ("1.2.0", 0))
LOST = dataclasses.replace(
    TWO[0], weight=0, dropped=Cause(reason=Reason.ANALYSIS_FAILED, message="0.5")
)
WON: dict[str, Any] = {"trial": trial(Outcome.WON, winner="1.2.0")}
UNDECIDED: dict[str, Any] = {"trial": trial(Outcome.UNDECIDED)}


def decide(look: Observed) -> Decision:
    return while_trying(look, look.steps[0])


@pytest.mark.parametrize(
    ("look", "phase", "reason", "shares"),
    [
        pytest.param(
            trying(), Phase.PROGRESSING, Reason.TRIAL_RUNNING, SPLIT, id="not due: it runs"
        ),
        pytest.param(
            trying(reason=Reason.WAITING_FOR_REPLICAS),
            Phase.PROGRESSING,
            Reason.WAITING_FOR_REPLICAS,
            SPLIT,
            id="not due: what it waited for still stands",
        ),
        pytest.param(
            trying(reason=Reason.FROZEN),
            Phase.PROGRESSING,
            Reason.TRIAL_RUNNING,
            SPLIT,
            id="not due: a freeze that is over is forgotten",
        ),
        pytest.param(
            trying(trial=trial(Outcome.RUNNING)),
            Phase.PROGRESSING,
            Reason.TRIAL_RUNNING,
            SPLIT,
            id="no decision yet",
        ),
        pytest.param(
            trying(**WON),
            Phase.GUARDING,
            Reason.GUARD_STARTED,
            (("1.1.0", 0), ("1.2.0", 100)),
            id="a candidate won",
        ),
        pytest.param(
            trying(trial=trial(Outcome.STABLE_WON)),
            Phase.ROLLING_BACK,
            Reason.TRIAL_LOST,
            NOTHING,
            id="no candidate is better",
        ),
        pytest.param(
            trying(**UNDECIDED),
            Phase.PAUSED,
            Reason.TRIAL_UNDECIDED,
            SPLIT,
            id="undecided: a person is asked, the split stays",
        ),
        pytest.param(
            trying(steps=BACK_AB, **UNDECIDED),
            Phase.ROLLING_BACK,
            Reason.TRIAL_UNDECIDED,
            NOTHING,
            id="undecided: back, where the policy says so",
        ),
        pytest.param(
            trying(suspended=True, **WON),
            Phase.PROGRESSING,
            Reason.SUSPENDED,
            SPLIT,
            id="suspended: nobody wins",
        ),
        pytest.param(
            trying(frozen="until Monday", **WON),
            Phase.PROGRESSING,
            Reason.FROZEN,
            SPLIT,
            id="frozen: nobody wins",
        ),
        pytest.param(
            trying(frozen="until Monday", trial=trial(Outcome.STABLE_WON)),
            Phase.PROGRESSING,
            Reason.FROZEN,
            SPLIT,
            id="frozen: losing the trial is no danger, it waits too",
        ),
        pytest.param(
            trying(arms=(TWO[0], dataclasses.replace(TWO[1], weight=None)), **WON),
            Phase.PROGRESSING,
            Reason.WAITING_FOR_GATEWAY,
            SPLIT,
            id="a gateway is behind: nobody wins",
        ),
        pytest.param(
            trying(arms=(TWO[0], dataclasses.replace(TWO[1], health=Health.STARTING)), **WON),
            Phase.PROGRESSING,
            Reason.CANDIDATE_NOT_READY,
            SPLIT,
            id="a candidate lost its pods: nobody wins",
        ),
        pytest.param(
            trying(arms=(TWO[0], dataclasses.replace(TWO[1], verdict=Verdict.ERROR)), **WON),
            Phase.GUARDING,
            Reason.GUARD_STARTED,
            (("1.1.0", 0), ("1.2.0", 100)),
            id="the checks in doubt: the trial has a test of its own",
        ),
        pytest.param(
            trying(
                arms=(TWO[0], dataclasses.replace(TWO[1], weight=None)),
                doubt_since=NOW - HOUR,
            ),
            Phase.PAUSED,
            Reason.WAITING_FOR_GATEWAY,
            SPLIT,
            id="doubt that outlasts patience: a person is asked",
        ),
    ],
)
def test_while_trying(look: Observed, phase: Phase, reason: Reason, shares: Shares) -> None:
    decision = decide(look)

    assert (decision.phase, decision.reason, decision.shares) == (phase, reason, shares)


def test_what_a_trial_last_said_still_stands_between_two_counts() -> None:
    look = dataclasses.replace(trying(reason=Reason.TRIAL_RUNNING), message="812 samples")

    assert decide(look).message == "812 samples"


def test_the_winner_is_remembered() -> None:
    assert decide(trying(**WON)).winner == "1.2.0"


@pytest.mark.parametrize(
    ("look", "shares"),
    [
        pytest.param(
            trying(
                steps=BANDIT, trial=trial(Outcome.RUNNING, shares=(("1.1.0", 5), ("1.2.0", 60)))
            ),
            (("1.1.0", 5), ("1.2.0", 60)),
            id="a bandit follows the rewards",
        ),
        pytest.param(
            trying(trial=trial(Outcome.RUNNING, shares=(("1.1.0", 5), ("1.2.0", 60)))),
            SPLIT,
            id="an A/B test keeps its split",
        ),
        pytest.param(
            trying(steps=BANDIT, trial=trial(Outcome.RUNNING)),
            SPLIT,
            id="a bandit without new shares keeps its own",
        ),
        pytest.param(
            trying(
                steps=BANDIT,
                arms=(LOST, TWO[1]),
                trial=trial(Outcome.RUNNING, shares=(("1.1.0", 5), ("1.2.0", 60))),
            ),
            (("1.1.0", 0), ("1.2.0", 60)),
            id="who left gets nothing, whatever the rewards say",
        ),
        pytest.param(
            trying(steps=BANDIT, trial=trial(Outcome.RUNNING, shares=(("1.2.0", 60),))),
            (("1.1.0", 20), ("1.2.0", 60)),
            id="who is not named keeps its share",
        ),
        pytest.param(
            trying(
                steps=BANDIT,
                frozen="until Monday",
                trial=trial(Outcome.RUNNING, shares=(("1.1.0", 5), ("1.2.0", 60))),
            ),
            SPLIT,
            id="shares stand still in a freeze",
        ),
    ],
)
def test_the_shares_of_a_running_trial(look: Observed, shares: Shares) -> None:
    assert decide(look).shares == shares


@pytest.mark.parametrize(
    ("look", "winner"),
    [
        pytest.param(trying(leader="1.2.0"), "1.2.0", id="the leader"),
        pytest.param(trying(leader=None), "1.1.0", id="no leader yet: the first candidate"),
        pytest.param(
            trying(arms=(LOST, TWO[1]), leader="1.1.0"), "1.2.0", id="the leader has left"
        ),
        pytest.param(observed(leader="1.2.0"), None, id="no trial: nobody wins by it"),
        pytest.param(
            trying(phase=Phase.PENDING, leader="1.2.0"), None, id="before the trial: nobody yet"
        ),
    ],
)
def test_with_leader(look: Observed, winner: str | None) -> None:
    assert with_leader(look) == dataclasses.replace(look, winner=winner)
