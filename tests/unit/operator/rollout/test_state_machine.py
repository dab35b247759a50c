"""The transition table of the rollout, row by row, and what must never happen."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.rollout.analysis import Verdict
from fairlead_operator.rollout.state_machine import (
    Decision,
    Health,
    Observed,
    Phase,
    Reason,
    Resolution,
    Step,
    decide,
    is_finished,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
STEPS = (Step(weight=10, hold=MINUTE), Step(weight=50, hold=MINUTE))


def observed(*, waited: timedelta = timedelta(0), **changes: Any) -> Observed:
    """A healthy rollout at its first step; each test names only what differs."""
    healthy = Observed(
        now=NOW,
        phase=Phase.PROGRESSING,
        step=0,
        since=NOW - waited,
        doubt_since=None,
        reason=Reason.STEP_HOLDING,
        message="",
        has_turn=True,
        suspended=False,
        has_stable=True,
        resolution=Resolution.FOUND,
        candidate=Health.READY,
        candidate_message="",
        weight=10,
        verdict=Verdict.SUCCESSFUL,
        verdict_message="",
        alert=None,
        abort=None,
        approved=False,
        steps=STEPS,
        guard=MINUTE,
        patience=10 * MINUTE,
        start_deadline=5 * MINUTE,
    )
    return dataclasses.replace(healthy, **changes)


def pending(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.PENDING, "weight": None} | changes)


def guarding(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.GUARDING, "step": 2, "weight": 100} | changes)


def paused(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.PAUSED, "reason": Reason.ANALYSIS_INCONCLUSIVE} | changes)


APPROVAL = (Step(weight=10, hold=MINUTE, pause=True), Step(weight=50, hold=MINUTE))
BACK = (Phase.ROLLING_BACK, 0)
NEVER_STARTED = (Phase.ROLLED_BACK, 0)

TABLE = [
    # Pending
    pytest.param(pending(), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="pending: a ready candidate takes the first step"),
    pytest.param(pending(has_turn=False), (Phase.PENDING, 0), Reason.WAITING_FOR_TURN,
                 id="pending: another rollout is in flight"),
    pytest.param(pending(resolution=Resolution.UNAVAILABLE, candidate=Health.UNKNOWN, waited=HOUR),
                 (Phase.PENDING, 0), Reason.WAITING_FOR_REGISTRY,
                 id="pending: a registry outage is waited for, however long"),
    pytest.param(pending(resolution=Resolution.MISSING, candidate=Health.UNKNOWN),
                 NEVER_STARTED, Reason.VERSION_NOT_FOUND, id="pending: no such version"),
    pytest.param(pending(candidate=Health.STARTING), (Phase.PENDING, 0),
                 Reason.WAITING_FOR_CANDIDATE, id="pending: the candidate starts"),
    pytest.param(pending(candidate=Health.STARTING, waited=HOUR,
                         reason=Reason.WAITING_FOR_CANDIDATE),
                 NEVER_STARTED, Reason.START_DEADLINE_EXCEEDED,
                 id="pending: the candidate is late"),
    pytest.param(pending(candidate=Health.STARTING, waited=HOUR, reason=Reason.WAITING_FOR_TURN),
                 (Phase.PENDING, 0), Reason.WAITING_FOR_CANDIDATE,
                 id="pending: waiting for the turn is not the candidate's time"),
    pytest.param(pending(suspended=True), (Phase.PENDING, 0), Reason.SUSPENDED,
                 id="pending: suspended"),
    pytest.param(pending(candidate=Health.FAILED), NEVER_STARTED, Reason.CANDIDATE_FAILED,
                 id="pending: the candidate cannot start"),
    pytest.param(pending(abort="enough"), NEVER_STARTED, Reason.ABORTED, id="pending: aborted"),
    pytest.param(pending(alert="slow"), NEVER_STARTED, Reason.ALERT_FIRED, id="pending: alert"),
    pytest.param(pending(has_stable=False), (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="pending: a first version takes everything"),
    pytest.param(pending(has_stable=False, candidate=Health.FAILED), NEVER_STARTED,
                 Reason.CANDIDATE_FAILED, id="pending: a broken first version takes nothing"),
    # Progressing
    pytest.param(observed(), (Phase.PROGRESSING, 10), Reason.STEP_HOLDING,
                 id="progressing: a step must hold"),
    pytest.param(observed(waited=MINUTE), (Phase.PROGRESSING, 50), Reason.STEP_STARTED,
                 id="progressing: a passed step leads to the next"),
    pytest.param(observed(step=1, weight=50, waited=MINUTE), (Phase.GUARDING, 100),
                 Reason.GUARD_STARTED, id="progressing: the last step leads to all traffic"),
    pytest.param(observed(waited=MINUTE, steps=APPROVAL), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="progressing: a step asks for approval"),
    pytest.param(observed(verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="progressing: bad metrics roll back at once"),
    pytest.param(observed(alert="slow"), BACK, Reason.ALERT_FIRED, id="progressing: alert"),
    pytest.param(observed(abort="enough"), BACK, Reason.ABORTED, id="progressing: aborted"),
    pytest.param(observed(candidate=Health.FAILED), BACK, Reason.CANDIDATE_FAILED,
                 id="progressing: a crash-looping candidate"),
    pytest.param(observed(verdict=Verdict.ERROR, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.ANALYSIS_INCONCLUSIVE, id="progressing: a Prometheus outage holds"),
    pytest.param(observed(verdict=Verdict.INCONCLUSIVE, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.ANALYSIS_INCONCLUSIVE, id="progressing: no traffic holds the step"),
    pytest.param(observed(verdict=Verdict.INCONCLUSIVE), (Phase.PROGRESSING, 10),
                 Reason.STEP_HOLDING, id="progressing: evidence is not due within the hold"),
    pytest.param(observed(verdict=Verdict.ERROR, waited=HOUR, doubt_since=NOW - HOUR),
                 (Phase.PAUSED, 10), Reason.ANALYSIS_INCONCLUSIVE,
                 id="progressing: a long outage pauses for a person"),
    pytest.param(observed(weight=None, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.WAITING_FOR_GATEWAY, id="progressing: a gateway pod is behind"),
    pytest.param(observed(candidate=Health.STARTING, waited=HOUR), (Phase.PROGRESSING, 10),
                 Reason.CANDIDATE_NOT_READY, id="progressing: the candidate lost its pods"),
    pytest.param(observed(waited=MINUTE, suspended=True), (Phase.PROGRESSING, 10),
                 Reason.SUSPENDED, id="progressing: suspended, the weight stays"),
    pytest.param(observed(verdict=Verdict.FAILED, suspended=True), BACK, Reason.ANALYSIS_FAILED,
                 id="progressing: going back works while suspended"),
    # Paused
    pytest.param(paused(verdict=Verdict.ERROR), (Phase.PAUSED, 10), Reason.ANALYSIS_INCONCLUSIVE,
                 id="paused: doubt stays"),
    pytest.param(paused(verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="paused: bad metrics still roll back"),
    pytest.param(paused(), (Phase.PROGRESSING, 10), Reason.STEP_STARTED,
                 id="paused: evidence is back, the step begins anew"),
    pytest.param(paused(verdict=Verdict.ERROR, approved=True), (Phase.PROGRESSING, 10),
                 Reason.STEP_STARTED, id="paused: a person goes on in doubt, at the same weight"),
    pytest.param(paused(step=2, weight=100), (Phase.GUARDING, 100), Reason.GUARD_STARTED,
                 id="paused: the guard goes on"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL), (Phase.PAUSED, 10),
                 Reason.AWAITING_APPROVAL, id="paused: good metrics are no approval"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, approved=True), (Phase.PROGRESSING, 50),
                 Reason.STEP_STARTED, id="paused: approval leads to the next step"),
    pytest.param(paused(reason=Reason.AWAITING_APPROVAL, approved=True, verdict=Verdict.ERROR),
                 (Phase.PAUSED, 10), Reason.AWAITING_APPROVAL,
                 id="paused: approval does not widen in doubt"),
    # Guarding
    pytest.param(guarding(), (Phase.GUARDING, 100), Reason.GUARD_HOLDING, id="guarding: holds"),
    pytest.param(guarding(waited=MINUTE), (Phase.SUCCEEDED, 100), Reason.PROMOTED,
                 id="guarding: passed"),
    pytest.param(guarding(waited=MINUTE, verdict=Verdict.FAILED), BACK, Reason.ANALYSIS_FAILED,
                 id="guarding: bad metrics go back to the previous version"),
    pytest.param(guarding(waited=HOUR, verdict=Verdict.INCONCLUSIVE), (Phase.GUARDING, 100),
                 Reason.ANALYSIS_INCONCLUSIVE, id="guarding: doubt keeps the way back open"),
    pytest.param(guarding(verdict=Verdict.ERROR), (Phase.GUARDING, 100),
                 Reason.GUARD_HOLDING, id="guarding: evidence is not due within the window"),
    # Ends
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=10), BACK,
                 Reason.ABORTED, id="rolling back: waits until the router reports no traffic"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=None), BACK,
                 Reason.ABORTED, id="rolling back: not knowing is not zero"),
    pytest.param(observed(phase=Phase.ROLLING_BACK, reason=Reason.ABORTED, weight=0),
                 (Phase.ROLLED_BACK, 0), Reason.ABORTED, id="rolling back: done, with its cause"),
    pytest.param(observed(phase=Phase.ROLLED_BACK, reason=Reason.ALERT_FIRED),
                 (Phase.ROLLED_BACK, 0), Reason.ALERT_FIRED, id="rolled back: stays"),
    pytest.param(observed(phase=Phase.SUCCEEDED, reason=Reason.PROMOTED, verdict=Verdict.FAILED,
                          alert="late"),
                 (Phase.SUCCEEDED, 100), Reason.PROMOTED, id="succeeded: stays"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "phase_and_weight", "reason"), TABLE)
def test_decide(seen: Observed, phase_and_weight: tuple[Phase, int], reason: Reason) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.weight) == phase_and_weight
    assert decision.reason is reason


def test_the_table_has_a_row_for_every_phase() -> None:
    assert {row.values[0].phase for row in TABLE} == set(Phase)


spans = st.integers(0, 7200).map(lambda seconds: timedelta(seconds=seconds))
anything = st.builds(
    Observed,
    now=st.just(NOW),
    phase=st.sampled_from(Phase),
    step=st.integers(0, 3),
    since=spans.map(lambda span: NOW - span),
    doubt_since=st.none() | spans.map(lambda span: NOW - span),
    reason=st.sampled_from(Reason),
    message=st.just(""),
    has_turn=st.booleans(),
    suspended=st.booleans(),
    has_stable=st.booleans(),
    resolution=st.sampled_from(Resolution),
    candidate=st.sampled_from(Health),
    candidate_message=st.just(""),
    weight=st.none() | st.integers(0, 100),
    verdict=st.sampled_from(Verdict),
    verdict_message=st.just(""),
    alert=st.none() | st.just("alert"),
    abort=st.none() | st.just("abort"),
    approved=st.booleans(),
    steps=st.just(STEPS) | st.just(APPROVAL),
    guard=spans,
    patience=spans,
    start_deadline=spans,
)


def present_weight(seen: Observed) -> int:
    """What the candidate has in the phase and step it is in."""
    if seen.phase in {Phase.PENDING, Phase.ROLLING_BACK, Phase.ROLLED_BACK}:
        return 0
    last = len(seen.steps) - (seen.phase is Phase.PROGRESSING)
    step = min(seen.step, last)
    return 100 if step == len(seen.steps) else seen.steps[step].weight


@given(anything)
def test_every_state_has_a_decision_with_a_weight_of_its_steps(seen: Observed) -> None:
    decision = decide(seen)

    assert decision.weight in {0, 100, *(step.weight for step in seen.steps)}
    assert decide(seen) == decision


@given(anything.filter(lambda seen: seen.phase is not Phase.SUCCEEDED))
def test_doubt_never_widens_traffic(seen: Observed) -> None:
    doubt = seen.verdict is not Verdict.SUCCESSFUL or seen.weight != present_weight(seen)
    if seen.phase is Phase.PENDING or not doubt:
        return

    assert decide(seen).weight <= present_weight(seen)


@given(anything)
def test_only_a_ready_candidate_gets_more_traffic(seen: Observed) -> None:
    widened = decide(seen).weight > present_weight(seen) and seen.phase is not Phase.SUCCEEDED

    assert not widened or seen.candidate is Health.READY


@given(anything)
def test_no_rollback_without_a_cause(seen: Observed) -> None:
    decision = decide(seen)
    goes_back = decision.phase is Phase.ROLLING_BACK and seen.phase is not Phase.ROLLING_BACK
    cause = (
        seen.verdict is Verdict.FAILED
        or seen.candidate is Health.FAILED
        or seen.alert is not None
        or seen.abort is not None
    )

    assert not goes_back or cause


@given(anything)
def test_a_failed_verdict_takes_all_traffic_from_the_candidate(seen: Observed) -> None:
    in_traffic = {Phase.PROGRESSING, Phase.PAUSED, Phase.GUARDING}
    if seen.phase in in_traffic and seen.has_stable and seen.verdict is Verdict.FAILED:
        assert decide(seen).weight == 0


@given(anything.filter(lambda seen: is_finished(seen.phase)))
def test_a_finished_rollout_stays_finished(seen: Observed) -> None:
    decision = decide(seen)

    assert (decision.phase, decision.reason) == (seen.phase, seen.reason)


@given(anything)
def test_no_step_is_skipped(seen: Observed) -> None:
    decision = decide(seen)
    if decision.phase is Phase.PROGRESSING and seen.phase is Phase.PROGRESSING:
        assert decision.step in {seen.step, seen.step + 1, len(seen.steps) - 1}


def test_a_whole_life() -> None:
    def live(seen: Observed, decision: Decision) -> Observed:
        entered = (decision.phase, decision.step) != (seen.phase, seen.step)
        return dataclasses.replace(
            seen,
            now=seen.now + MINUTE,
            since=seen.now if entered else seen.since,
            phase=decision.phase,
            step=decision.step,
            weight=decision.weight,
            reason=decision.reason,
        )

    seen, history = pending(), []
    for _ in range(8):
        decision = decide(seen)
        seen = live(seen, decision)
        history.append((decision.phase, decision.weight))

    assert list(dict.fromkeys(history)) == [
        (Phase.PROGRESSING, 10),
        (Phase.PROGRESSING, 50),
        (Phase.GUARDING, 100),
        (Phase.SUCCEEDED, 100),
    ]
