"""When the next look is due: liveness, so that nothing waits for an event that never comes."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.rollout.decision.capacity import SETTLING, Bounds, Capacity
from fairlead_operator.rollout.decision.schedule import look_again
from fairlead_operator.rollout.decision.state_machine import decide
from fairlead_operator.rollout.decision.states import Decision, Observed, is_finished
from support.any_rollout import IN_TRAFFIC, any_trial, anything, in_phase
from support.builders import (
    HOUR,
    MINUTE,
    NOW,
    guarding,
    observed,
    paused,
    pending,
    replacing,
)

SECOND = timedelta(seconds=1)
SOONEST = timedelta(milliseconds=200)
MEASURED = 10 * SECOND  # until the next measurement
SCALED = Capacity(full=8, bounds=Bounds(least=1, most=20), ready={})


def decided(
    phase: Phase, reason: Reason = Reason.STEP_HOLDING, *, share: int = 10, **more: Any
) -> Decision:
    known = {"step": 0, "shares": (("1.1.0", share),), "message": ""}
    return Decision(phase=phase, reason=reason, **known | more)


def ended(reported: int = 100, **more: Any) -> Observed:
    return observed(phase=Phase.SUCCEEDED, step=2, weight=reported, finished_at=NOW, **more)


@pytest.mark.parametrize(
    ("seen", "decision", "span"),
    [
        # in traffic: whichever comes first
        pytest.param(observed(), decided(Phase.PROGRESSING), MEASURED, id="the next measurement"),
        pytest.param(observed(waited=MINUTE - 3 * SECOND), decided(Phase.PROGRESSING), 3 * SECOND,
                     id="the end of the hold"),
        pytest.param(observed(waited=HOUR), decided(Phase.PROGRESSING), MEASURED,
                     id="a hold that is over is not looked for"),
        pytest.param(observed(), decided(Phase.PROGRESSING, Reason.WAITING_FOR_GATEWAY), SECOND,
                     id="a gateway that is behind"),
        pytest.param(observed(weight=5), decided(Phase.PROGRESSING), 5 * SECOND,
                     id="a gateway that is behind, in a doubt of another kind"),
        pytest.param(observed(frozen="x", frozen_until=NOW + 2 * SECOND),
                     decided(Phase.PROGRESSING, Reason.FROZEN), 2 * SECOND,
                     id="the end of a freeze"),
        pytest.param(observed(waited=MINUTE - timedelta(milliseconds=1)),
                     decided(Phase.PROGRESSING), SOONEST, id="not at once"),
        pytest.param(paused(waited=24 * HOUR - SECOND), decided(Phase.PAUSED), SECOND + SOONEST,
                     id="just after the deadline of an approval"),
        pytest.param(paused(), decided(Phase.PAUSED), MEASURED,
                     id="paused: evidence can end a pause in doubt"),
        pytest.param(guarding(waited=MINUTE - 4 * SECOND), decided(Phase.GUARDING, step=2),
                     4 * SECOND, id="the end of the guard window"),
        pytest.param(observed(), decided(Phase.ROLLING_BACK), SECOND,
                     id="rolling back: the gateway, as often as can be"),
        # before traffic
        pytest.param(pending(), decided(Phase.PENDING, Reason.WAITING_FOR_TURN), None,
                     id="another's turn ends with an event"),
        pytest.param(pending(), decided(Phase.PENDING, Reason.SUSPENDED), None,
                     id="a suspension ends with an event"),
        pytest.param(pending(), decided(Phase.PENDING, Reason.ANALYSIS_UNAVAILABLE), MINUTE,
                     id="what Prometheus refuses it may take later, without an event"),
        pytest.param(pending(), decided(Phase.PENDING, Reason.WAITING_FOR_REGISTRY), 5 * SECOND,
                     id="a registry tells nothing by itself"),
        pytest.param(pending(), decided(Phase.PENDING, Reason.WAITING_FOR_GATEWAY), 5 * SECOND,
                     id="nor does a missing kind"),
        pytest.param(pending(frozen="x", frozen_until=NOW + HOUR),
                     decided(Phase.PENDING, Reason.FROZEN), HOUR,
                     id="pending: the end of a freeze"),
        pytest.param(pending(waited=4 * MINUTE), decided(Phase.PENDING,
                     Reason.WAITING_FOR_CANDIDATE), MINUTE + SOONEST,
                     id="just after the deadline of a start"),
        pytest.param(pending(waited=4 * MINUTE), decided(Phase.PENDING,
                     Reason.WAITING_FOR_CANDIDATE, restart=True), 5 * MINUTE + SOONEST,
                     id="whose clock begins when it is the candidate's turn"),
        pytest.param(pending(waited=HOUR), decided(Phase.PENDING, Reason.WAITING_FOR_CANDIDATE),
                     SOONEST, id="a deadline that has passed"),
        pytest.param(replacing(waited=MINUTE), decided(Phase.REPLACING, Reason.STOPPING_STABLE),
                     4 * MINUTE + SOONEST, id="replacing: the deadline of the start"),
        pytest.param(pending(waited=HOUR), decided(Phase.REPLACING, Reason.STOPPING_STABLE),
                     5 * MINUTE + SOONEST, id="a downtime that begins now has all its time"),
        # at rest
        pytest.param(ended(), decided(Phase.SUCCEEDED, share=100), None, id="at rest"),
        pytest.param(ended(reported=50), decided(Phase.SUCCEEDED, share=100), 5 * SECOND,
                     id="at rest but for a gateway that is behind"),
        pytest.param(ended(reported=50, has_turn=False), decided(Phase.SUCCEEDED, share=100), None,
                     id="another's turn: its gateway is not ours to look after"),
        pytest.param(ended(capacity=SCALED), decided(Phase.SUCCEEDED, share=100), SETTLING,
                     id="at rest once its autoscaler has settled"),
    ],
)  # fmt: skip
def test_look_again(seen: Observed, decision: Decision, span: timedelta | None) -> None:
    assert look_again(seen, decision, next_measurement=MEASURED) == span


def test_an_autoscaler_that_could_not_be_made_is_tried_again() -> None:
    decision = decided(Phase.SUCCEEDED, share=100)

    assert look_again(ended(), decision, next_measurement=MEASURED, unscaled=True) == MINUTE


@pytest.mark.parametrize(
    ("seen", "phase", "share"),
    [
        pytest.param(ended(), Phase.SUCCEEDED, 100, id="at rest"),
        pytest.param(ended(), Phase.PROGRESSING, 10, id="between two measurements"),
    ],
)
def test_pods_that_were_refused_are_tried_again_soon(
    seen: Observed, phase: Phase, share: int
) -> None:
    decision = decided(phase, share=share)

    span = look_again(seen, decision, next_measurement=60 * MINUTE, refused=True)

    assert span is not None
    assert span <= 10 * SECOND


@pytest.mark.parametrize(
    ("seen", "decision", "span"),
    [
        pytest.param(ended(), decided(Phase.SUCCEEDED, share=100), 4 * SECOND, id="at rest"),
        pytest.param(
            dataclasses.replace(ended(), has_turn=False),
            decided(Phase.SUCCEEDED, share=100),
            None,
            id="of another's turn",
        ),
    ],
)
def test_pods_that_do_not_start_are_asked_of_again(
    seen: Observed, decision: Decision, span: timedelta | None
) -> None:
    again = look_again(seen, decision, next_measurement=MINUTE, unstarted=4 * SECOND)

    assert again == span


TOLD_BY_AN_EVENT = {Reason.WAITING_FOR_TURN, Reason.SUSPENDED}


@given(anything | any_trial, st.integers(-60, 3600))
def test_what_is_in_flight_is_looked_at_again_unless_an_event_will_tell(
    seen: Observed, seconds: int
) -> None:
    decision = decide(seen)
    before_traffic = decision.phase in {Phase.PENDING, Phase.REPLACING}
    told = before_traffic and decision.reason in TOLD_BY_AN_EVENT

    span = look_again(seen, decision, next_measurement=seconds * SECOND)

    assert span is not None or told or is_finished(decision.phase)
    assert span is None or span > timedelta(0)


@given(in_phase(anything | any_trial, *IN_TRAFFIC))
def test_in_traffic_a_look_is_never_later_than_the_next_measurement(seen: Observed) -> None:
    decision = decide(seen)
    assume(decision.phase in IN_TRAFFIC)

    span = look_again(seen, decision, next_measurement=MEASURED)

    assert span is not None
    assert span <= MEASURED
