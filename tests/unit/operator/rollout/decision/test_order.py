"""What is written first, and what a server that is refused means for the decision."""

import dataclasses

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.rollout.decision.order import narrows, without_servers
from fairlead_operator.rollout.decision.state_machine import decide
from fairlead_operator.rollout.decision.states import Decision, Health, Observed, Shares
from support.builders import ALONE, TWO, observed, pending


def decision(phase: Phase, *shares: tuple[str, int]) -> Decision:
    return Decision(phase=phase, step=0, reason=Reason.STEP_STARTED, message="", shares=shares)


@pytest.mark.parametrize(
    ("seen", "phase", "shares", "expected"),
    [
        pytest.param(observed(), Phase.ROLLING_BACK, (("1.1.0", 0),), True, id="it goes back"),
        pytest.param(
            observed(phase=Phase.ROLLING_BACK, asked=0), Phase.ROLLING_BACK, (("1.1.0", 0),), True,
            id="it still goes back",
        ),
        pytest.param(
            pending(asked=0), Phase.ROLLED_BACK, (("1.1.0", 0),), True, id="it never had traffic",
        ),
        pytest.param(
            observed(), Phase.PROGRESSING, (("1.1.0", 10),), False, id="the weight stays",
        ),
        pytest.param(observed(), Phase.PROGRESSING, (("1.1.0", 50),), False, id="it gets more"),
        pytest.param(
            observed(), Phase.PROGRESSING, (("1.1.0", 5),), True, id="it gets less",
        ),
        pytest.param(
            observed(arms=TWO), Phase.PROGRESSING, (("1.1.0", 30), ("1.2.0", 10)), True,
            id="one gets less, another more",
        ),
        pytest.param(
            observed(arms=TWO), Phase.GUARDING, (("1.1.0", 100), ("1.2.0", 0)), True,
            id="a trial is won",
        ),
    ],
)  # fmt: skip
def test_a_decision_that_takes_traffic_away_is_told_apart(
    seen: Observed, phase: Phase, shares: Shares, expected: bool
) -> None:
    assert narrows(seen, decision(phase, *shares)) is expected


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param(Health.READY, Health.STARTING, "422 no", id="ready as it was, not as asked"),
        pytest.param(Health.UNKNOWN, Health.UNKNOWN, "422 no", id="never made"),
        pytest.param(Health.FAILED, Health.FAILED, "OOMKilled", id="failed: that is evidence"),
    ],
)
def test_a_candidate_whose_server_is_refused_is_not_ready(
    before: Health, after: Health, message: str
) -> None:
    seen = without_servers(observed(health=before, message="OOMKilled"), {"1.1.0": "422 no"})

    assert (seen.candidate.health, seen.candidate.message) == (after, message)


def test_a_refusal_of_another_version_leaves_the_candidate_ready() -> None:
    seen = without_servers(observed(), {"1.0.0": "422 no"})

    assert seen.candidate.health is Health.READY
    assert decide(seen).reason is Reason.STEP_HOLDING


@pytest.mark.parametrize(
    ("refusals", "phase"),
    [
        pytest.param({}, Phase.REPLACING, id="nothing"),
        pytest.param({"1.0.0": "422 no"}, Phase.PENDING, id="stable: it could not come back"),
        pytest.param({"1.1.0": "taken"}, Phase.PENDING, id="the candidate: it could not start"),
    ],
)
def test_a_downtime_begins_only_where_both_ways_are_open(
    refusals: dict[str, str], phase: Phase
) -> None:
    seen = pending(steps=ALONE, health=Health.UNKNOWN)

    chosen = decide(without_servers(seen, refusals))

    assert chosen.phase is phase
    assert all(refusal in chosen.message for refusal in refusals.values())


def test_a_downtime_that_has_begun_goes_on_whatever_is_refused() -> None:
    seen = observed(phase=Phase.REPLACING, steps=ALONE, health=Health.UNKNOWN)
    stable = dataclasses.replace(seen, stable=dataclasses.replace(seen.stable, gone=True))

    chosen = decide(without_servers(stable, {"1.0.0": "422 no"}))

    assert chosen.reason is Reason.WAITING_FOR_CANDIDATE
