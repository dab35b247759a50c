"""How far a rollout is, in words."""

import dataclasses
from datetime import timedelta

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.requests import Action
from fairlead_operator.rollout.decision.progress import answer_by, describe_progress, holds_until
from fairlead_operator.rollout.decision.states import Decision
from support.builders import MINUTE, NOW, asks, observed, paused


def decision(phase: Phase, step: int) -> Decision:
    return Decision(
        phase=phase, step=step, shares=(("1.1.0", 10),), reason=Reason.STEP_HOLDING, message=""
    )


@pytest.mark.parametrize(
    ("phase", "step", "words"),
    [
        pytest.param(Phase.PENDING, 0, "0/2", id="before the first step"),
        pytest.param(Phase.PROGRESSING, 0, "1/2", id="in the first step"),
        pytest.param(Phase.PAUSED, 1, "2/2", id="paused in the second"),
        pytest.param(Phase.PAUSED, 2, "guard", id="paused after the last"),
        pytest.param(Phase.GUARDING, 2, "guard", id="after the last"),
        pytest.param(Phase.SUCCEEDED, 2, "2/2", id="at the end"),
        pytest.param(Phase.ROLLED_BACK, 1, "2/2", id="where it went back from"),
        pytest.param(Phase.ROLLING_BACK, 2, "2/2", id="back from the guard window"),
    ],
)
def test_describe_progress(phase: Phase, step: int, words: str) -> None:
    assert describe_progress(decision(phase, step), 2) == words


@pytest.mark.parametrize(
    ("phase", "step", "frozen", "left"),
    [
        pytest.param(Phase.PROGRESSING, 0, None, MINUTE, id="the hold of the step"),
        pytest.param(Phase.GUARDING, 2, None, MINUTE, id="the guard window"),
        pytest.param(Phase.PROGRESSING, 0, 5 * MINUTE, 5 * MINUTE, id="a freeze that is longer"),
        pytest.param(Phase.PROGRESSING, 0, timedelta(seconds=5), MINUTE, id="a shorter freeze"),
        pytest.param(Phase.PAUSED, 0, None, None, id="paused: a person decides"),
        pytest.param(Phase.PENDING, 0, None, None, id="pending: pods decide"),
        pytest.param(Phase.SUCCEEDED, 2, None, None, id="at the end"),
    ],
)
def test_holds_until(
    phase: Phase, step: int, frozen: timedelta | None, left: timedelta | None
) -> None:
    seen = observed(frozen_until=None if frozen is None else NOW + frozen)

    until = holds_until(seen, decision(phase, step), NOW)

    assert until == (None if left is None else NOW + left)


@pytest.mark.parametrize(
    ("phase", "reason", "left"),
    [
        pytest.param(Phase.PAUSED, Reason.AWAITING_APPROVAL, 24, id="for approval"),
        pytest.param(Phase.PAUSED, Reason.PAUSED_BY_REQUEST, 24, id="by a person"),
        pytest.param(Phase.PAUSED, Reason.TRIAL_UNDECIDED, 24, id="a trial without a winner"),
        pytest.param(Phase.PAUSED, Reason.ANALYSIS_INCONCLUSIVE, None, id="in doubt: evidence may"),
        pytest.param(Phase.PROGRESSING, Reason.STEP_HOLDING, None, id="not paused"),
        pytest.param(Phase.ROLLING_BACK, Reason.AWAITING_APPROVAL, None, id="on its way back"),
    ],
)
def test_until_when_an_answer_is_waited_for(phase: Phase, reason: Reason, left: int | None) -> None:
    decided = dataclasses.replace(decision(phase, 0), reason=reason)

    until = answer_by(observed(approval_deadline=timedelta(hours=24)), decided, NOW)

    assert until == (None if left is None else NOW + timedelta(hours=left))


def test_who_has_answered_is_not_waited_for() -> None:
    seen = paused(reason=Reason.AWAITING_APPROVAL, requests=asks(Action.APPROVE), frozen="Monday")
    decided = dataclasses.replace(decision(Phase.PAUSED, 0), reason=Reason.AWAITING_APPROVAL)

    assert answer_by(seen, decided, NOW) is None
