"""What takes traffic from a candidate: evidence, the strongest first, and never doubt."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action
from fairlead_operator.rollout.decision.causes import (
    cause_against,
    drop_bad_arms,
    rollback_cause,
    wished_back,
)
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.states import Cause, Health, Observed
from support.builders import (
    GOOD,
    TWO,
    asks,
    guarding,
    observed,
    paused,
    pending,
    supersedes,
    trying,
)

ALL = (Step(weight=100, hold=timedelta(0)),)  # of a rollback, all at once
LEFT = Cause(reason=Reason.ALERT_FIRED, message="slow")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"verdict": Verdict.INCONCLUSIVE}, None, id="doubt"),
        pytest.param({"verdict": Verdict.ERROR}, None, id="an outage"),
        pytest.param({"health": Health.STARTING}, None, id="a pod that starts"),
        pytest.param({"weight": None}, None, id="a gateway that is behind"),
        pytest.param({"verdict": Verdict.FAILED}, Reason.ANALYSIS_FAILED, id="a failed verdict"),
        pytest.param({"health": Health.FAILED, "verdict": Verdict.FAILED},
                     Reason.CANDIDATE_FAILED, id="pods before the verdict"),
        pytest.param({"tripped": "12 of 14", "health": Health.FAILED}, Reason.GUARD_TRIPPED,
                     id="the guard before pods"),
        pytest.param({"alert": "slow", "tripped": "12 of 14"}, Reason.ALERT_FIRED,
                     id="an alert before the guard"),
        pytest.param({"repinned": "another digest", "alert": "slow"}, Reason.VERSION_CHANGED,
                     id="nobody asks for this artifact any more"),
    ],
)  # fmt: skip
def test_cause_against(changes: dict[str, Any], reason: Reason | None) -> None:
    cause = cause_against(dataclasses.replace(GOOD, **changes))

    assert (cause.reason if cause else None) is reason


@pytest.mark.parametrize(
    ("bad", "left", "goes_back"),
    [
        pytest.param(set(), set(), False, id="all good"),
        pytest.param({"1.1.0"}, set(), False, id="one is bad: the other goes on"),
        pytest.param({"1.1.0", "1.2.0"}, set(), True, id="all are bad"),
        pytest.param({"1.2.0"}, {"1.1.0"}, True, id="the last one in play is bad"),
        pytest.param(set(), {"1.1.0", "1.2.0"}, True, id="all have left"),
    ],
)
def test_a_trial_goes_back_when_nobody_is_left(
    bad: set[str], left: set[str], goes_back: bool
) -> None:
    arms = tuple(
        dataclasses.replace(
            arm,
            verdict=Verdict.FAILED if arm.version in bad else arm.verdict,
            dropped=LEFT if arm.version in left else None,
        )
        for arm in TWO
    )
    seen = trying(arms=arms)

    assert (rollback_cause(seen) is not None) is goes_back


def test_a_bad_candidate_leaves_a_trial_that_goes_on() -> None:
    seen = trying(arms=(dataclasses.replace(TWO[0], alert="slow"), TWO[1]))

    first, second = drop_bad_arms(seen).arms

    assert first.dropped == LEFT
    assert second.dropped is None


@pytest.mark.parametrize("phase", [Phase.ROLLING_BACK, Phase.SUCCEEDED, Phase.REPLACING])
def test_nobody_leaves_what_is_no_trial_any_more(phase: Phase) -> None:
    seen = trying(phase=phase, arms=(dataclasses.replace(TWO[0], alert="slow"), TWO[1]))

    assert drop_bad_arms(seen) == seen


@pytest.mark.parametrize(
    ("wish", "reason", "message"),
    [
        pytest.param(asks(Action.ABORT)[0], Reason.ABORTED, "Ada", id="a person aborts"),
        pytest.param(supersedes("1.2.0")[0], Reason.SUPERSEDED, "superseded by 1.2.0",
                     id="the Model wants another version"),
    ],
)  # fmt: skip
def test_wished_back(wish: Any, reason: Reason, message: str) -> None:
    cause = wished_back(observed(), wish)

    assert cause is not None
    assert cause.reason is reason
    assert message in cause.message


@pytest.mark.parametrize("wish", [None, *asks(Action.PAUSE, Action.PROMOTE, Action.APPROVE)])
def test_no_other_wish_goes_back(wish: Any) -> None:
    assert wished_back(observed(), wish) is None


@pytest.mark.parametrize(
    ("seen", "stays"),
    [
        pytest.param(guarding(returned=True, asked=100), True, id="in the guard window"),
        pytest.param(paused(returned=True, step=2, asked=100), True, id="paused in it"),
        pytest.param(observed(returned=True, steps=ALL, asked=100), True, id="in a step to all"),
        pytest.param(paused(returned=True, steps=ALL, asked=100), True, id="paused in it"),
        pytest.param(guarding(), False, id="a candidate that is new"),
        pytest.param(observed(returned=True), False, id="in a step"),
        pytest.param(paused(returned=True), False, id="paused in a step"),
        pytest.param(pending(returned=True), False, id="before its traffic"),
    ],
)
def test_another_target_leaves_the_traffic_with_what_a_person_went_back_to(
    seen: Observed, stays: bool
) -> None:
    assert (wished_back(seen, supersedes("1.2.0")[0]) is None) == stays
    assert wished_back(seen, asks(Action.ABORT)[0]) is not None


def test_one_candidate_with_doubt_alone_stays() -> None:
    assert rollback_cause(observed(verdict=Verdict.ERROR, weight=None)) is None
