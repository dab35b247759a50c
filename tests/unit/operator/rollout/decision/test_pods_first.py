"""No weight without the pods for it, and the floors that bring them."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action, Request
from fairlead_operator.rollout.decision.capacity import SETTLING, Bounds, Capacity
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.pods_first import floors, loads, prepared_loads, settling
from fairlead_operator.rollout.decision.state_machine import decide
from fairlead_operator.rollout.decision.states import (
    Arm,
    Decision,
    Health,
    Observed,
)
from support import builders
from support.builders import HOUR, MINUTE, NOW

STEPS = (Step(weight=10, hold=MINUTE), Step(weight=50, hold=MINUTE))
PREVIEW = (Step(weight=0, hold=MINUTE, mirror=40, preview=True),)
ALONE = (Step(weight=0, hold=MINUTE, exclusive=True),)
BOUNDS = Bounds(least=1, most=20)


def observed(
    ready: int = 8, *, step: int = 0, weight: int = 10, prepared: int = 0, **changes: Any
) -> Observed:
    """A candidate whose step has held; each test names only what differs."""
    known: dict[str, Any] = {
        "waited": HOUR,
        "step": step,
        "asked": weight,
        "weight": weight,
        "prepared": prepared,
        "start_deadline": 10 * MINUTE,
        "capacity": Capacity(full=8, bounds=BOUNDS, ready={"1.1.0": ready, "1.0.0": 8}),
    }
    return builders.observed(**known | changes)


def pending(ready: int, **changes: Any) -> Observed:
    return observed(ready, weight=0, phase=Phase.PENDING, **changes)


def guarding(ready: int, **changes: Any) -> Observed:
    return observed(ready, weight=100, step=2, phase=Phase.GUARDING, **changes)


@pytest.mark.parametrize(
    ("seen", "phase", "weight", "reason"),
    [
        pytest.param(observed(4), Phase.PROGRESSING, 50, Reason.STEP_STARTED, id="enough pods"),
        pytest.param(
            observed(3), Phase.PROGRESSING, 10, Reason.WAITING_FOR_REPLICAS, id="one too few"
        ),
        pytest.param(
            observed(7, step=1, weight=50),
            Phase.PROGRESSING,
            50,
            Reason.WAITING_FOR_REPLICAS,
            id="all traffic needs them all",
        ),
        pytest.param(
            pending(0), Phase.PENDING, 0, Reason.WAITING_FOR_REPLICAS, id="the first weight waits"
        ),
        pytest.param(
            pending(0, reason=Reason.WAITING_FOR_REPLICAS),
            Phase.ROLLED_BACK,
            0,
            Reason.START_DEADLINE_EXCEEDED,
            id="the first weight does not wait for ever",
        ),
        pytest.param(
            pending(3, steps=PREVIEW),
            Phase.PENDING,
            0,
            Reason.WAITING_FOR_REPLICAS,
            id="copies are a load as well",
        ),
        pytest.param(
            guarding(8), Phase.SUCCEEDED, 100, Reason.PROMOTED, id="the end: it bears everything"
        ),
        pytest.param(
            guarding(7),
            Phase.GUARDING,
            100,
            Reason.WAITING_FOR_REPLICAS,
            id="the end: the way back stays until it does",
        ),
        pytest.param(
            observed(1, capacity=None),
            Phase.PROGRESSING,
            50,
            Reason.STEP_STARTED,
            id="a fixed number is the health's business",
        ),
    ],
)
def test_a_weight_waits_for_its_pods(
    seen: Observed, phase: Phase, weight: int, reason: Reason
) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.weight, decision.reason) == (phase, weight, reason)


def test_what_it_waits_for_is_said_and_prepared() -> None:
    decision = decide(observed(3))

    assert decision.message == (
        "3 of 4 pods of 1.1.0 ready for 50 %; if it stays so, look whether the cluster has room "
        "for them"
    )
    assert floors(observed(3), decision) == {"1.1.0": 4, "1.0.0": 8}
    assert not decision.doubtful


def test_waiting_for_pods_is_no_doubt_that_pauses() -> None:
    seen = observed(3, reason=Reason.WAITING_FOR_REPLICAS, patience=timedelta(0))

    assert decide(seen).phase is Phase.PROGRESSING


@pytest.mark.parametrize("verdict", [Verdict.FAILED])
def test_going_back_never_waits(verdict: Verdict) -> None:
    arm = Arm(version="1.1.0", health=Health.READY, weight=10, asked=10, verdict=verdict)
    seen = observed(0, arms=(arm,))

    assert (decide(seen).phase, decide(seen).weight) == (Phase.ROLLING_BACK, 0)


def test_a_promotion_by_hand_is_answered_once_it_is_done() -> None:
    wish = Request(action=Action.PROMOTE, text="Ada: now", by="Ada", why="now")

    waiting = decide(observed(3, requests=(wish,)))
    done = decide(observed(8, requests=(wish,)))

    assert (waiting.weight, waiting.answers) == (10, ())
    assert (done.weight, done.answers[0].accepted) == (100, True)


@pytest.mark.parametrize(
    ("seen", "phase", "shares", "fewest"),
    [
        pytest.param(
            observed(), Phase.PROGRESSING, (("1.1.0", 50),), {"1.1.0": 4, "1.0.0": 8}, id="a step"
        ),
        pytest.param(
            observed(), Phase.GUARDING, (("1.1.0", 100),), {"1.1.0": 8, "1.0.0": 8}, id="guard"
        ),
        pytest.param(
            observed(prepared=50),
            Phase.PROGRESSING,
            (("1.1.0", 10),),
            {"1.1.0": 4, "1.0.0": 8},
            id="a look at which nothing is due",
        ),
        pytest.param(
            observed(), Phase.ROLLING_BACK, (("1.1.0", 0),), {"1.1.0": 1, "1.0.0": 8}, id="back"
        ),
        pytest.param(
            observed(steps=ALONE),
            Phase.REPLACING,
            (("1.1.0", 0),),
            {"1.1.0": 8, "1.0.0": 8},
            id="recreate: everything at once",
        ),
        pytest.param(
            observed(finished_at=None), Phase.SUCCEEDED, (("1.1.0", 100),), {"1.1.0": 8}, id="ends"
        ),
        pytest.param(
            observed(finished_at=NOW - HOUR),
            Phase.SUCCEEDED,
            (("1.1.0", 100),),
            {"1.1.0": 1},
            id="rest",
        ),
        pytest.param(
            observed(finished_at=NOW - HOUR),
            Phase.ROLLED_BACK,
            (("1.1.0", 0),),
            {"1.0.0": 1},
            id="back",
        ),
        pytest.param(
            observed(capacity=None), Phase.PROGRESSING, (("1.1.0", 50),), {}, id="a fixed number"
        ),
    ],
)
def test_floors(
    seen: Observed, phase: Phase, shares: tuple[tuple[str, int], ...], fewest: dict[str, int]
) -> None:
    decision = Decision(phase=phase, step=0, reason=Reason.STEP_HOLDING, message="", shares=shares)

    assert floors(seen, decision) == fewest


def test_the_floor_settles_some_time_after_the_end() -> None:
    ended = Decision(
        phase=Phase.SUCCEEDED, step=2, reason=Reason.PROMOTED, message="", shares=(("1.1.0", 100),)
    )
    assert settling(observed(finished_at=NOW - MINUTE), ended) == SETTLING - MINUTE
    assert settling(observed(finished_at=NOW - SETTLING), ended) is None
    assert settling(observed(), decide(observed())) is None


def test_copies_go_to_the_first_and_all_is_all() -> None:
    assert loads((("1.1.0", 10), ("1.2.0", 20)), 30) == {"1.1.0": 40, "1.2.0": 20}
    assert loads((("1.1.0", 80),), 100) == {"1.1.0": 100}


def test_what_pods_were_counted_for_is_not_forgotten() -> None:
    """Or pods left over from a larger weight would tell of a larger load."""
    seen = observed(3)

    assert prepared_loads(seen, decide(seen)) == {"1.1.0": 50}


@given(ready=st.integers(0, 20), step=st.integers(0, 1), full=st.integers(1, 20))
def test_no_decision_asks_for_a_weight_whose_pods_are_missing(
    ready: int, step: int, full: int
) -> None:
    weight = STEPS[step].weight
    capacity = Capacity(full=full, bounds=BOUNDS, ready={"1.1.0": ready})
    decision = decide(observed(step=step, weight=weight, capacity=capacity))

    assert decision.weight == weight or ready >= capacity.share(decision.weight)


@pytest.mark.parametrize("reason", [Reason.AWAITING_APPROVAL, Reason.TRIAL_UNDECIDED])
def test_an_approval_is_carried_out_once_the_pods_are_there(reason: Reason) -> None:
    approve = (Request(action=Action.APPROVE, text="Ada: why", by="Ada", why="why"),)
    asked = observed(1, phase=Phase.PAUSED, reason=reason, requests=approve)

    waits = decide(asked)
    there = dataclasses.replace(
        observed(8, phase=Phase.PAUSED, reason=waits.reason, requests=approve),
        message=waits.message,
    )
    goes_on = decide(there)

    assert (waits.phase, waits.weight, waits.reason) == (Phase.PAUSED, 10, reason)
    assert waits.message.startswith("approve (Ada: why) waits: 1 of ")
    assert (waits.answers, dict(waits.prepare)["1.1.0"] > 10) == ((), True)
    assert goes_on.weight > 10
    assert [answer.accepted for answer in goes_on.answers] == [True]
