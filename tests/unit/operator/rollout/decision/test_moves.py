"""What stands against the next step, and the decisions that every phase chooses among."""

import dataclasses

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.rollout.decision.moves import (
    doubt_cause,
    enter_guard,
    enter_step,
    hold,
    hold_in_doubt,
    roll_back,
    stay_in_doubt,
    stop_cause,
    succeed,
)
from fairlead_operator.rollout.decision.plan import Step
from fairlead_operator.rollout.decision.states import Cause, Decision, Gateway, Health, Observed
from support.builders import (
    AB_AFTER_COPIES,
    HOUR,
    MINUTE,
    NOW,
    PREVIEW,
    TWO,
    guarding,
    observed,
    paused,
    pending,
    trying,
)

MIRRORED = (Step(weight=0, hold=MINUTE, mirror=40),)
NO_TRAFFIC = tuple(dataclasses.replace(arm, weight=0, asked=0) for arm in TWO)
BAD = Cause(reason=Reason.ANALYSIS_FAILED, message="0.5")


def reason_of(cause: Cause | None) -> Reason | None:
    return cause.reason if cause else None


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        pytest.param(observed(), None, id="nothing"),
        pytest.param(observed(suspended=True), Reason.SUSPENDED, id="suspended"),
        pytest.param(observed(frozen="until Monday"), Reason.FROZEN, id="frozen"),
        pytest.param(
            observed(suspended=True, frozen="until Monday"), Reason.SUSPENDED, id="what ends last"
        ),
        pytest.param(observed(verdict=Verdict.ERROR), None, id="doubt is no stop"),
    ],
)
def test_stop_cause(look: Observed, reason: Reason | None) -> None:
    assert reason_of(stop_cause(look)) == reason


def test_a_freeze_says_which() -> None:
    cause = stop_cause(observed(frozen="until Monday"))

    assert cause == Cause(reason=Reason.FROZEN, message="until Monday")


@pytest.mark.parametrize(
    ("look", "reason"),
    [
        pytest.param(observed(), None, id="ready, routed and successful"),
        pytest.param(
            observed(health=Health.STARTING), Reason.CANDIDATE_NOT_READY, id="it lost its pods"
        ),
        pytest.param(
            observed(health=Health.UNKNOWN), Reason.CANDIDATE_NOT_READY, id="nobody saw its pods"
        ),
        pytest.param(observed(weight=None), Reason.WAITING_FOR_GATEWAY, id="a gateway is behind"),
        pytest.param(observed(weight=5), Reason.WAITING_FOR_GATEWAY, id="a gateway gives less"),
        pytest.param(observed(weight=50), Reason.WAITING_FOR_GATEWAY, id="a gateway gives more"),
        pytest.param(
            observed(verdict=Verdict.INCONCLUSIVE),
            Reason.ANALYSIS_INCONCLUSIVE,
            id="too few samples",
        ),
        pytest.param(
            observed(verdict=Verdict.ERROR), Reason.ANALYSIS_INCONCLUSIVE, id="no measurement"
        ),
        pytest.param(
            observed(verdict=Verdict.FAILED), Reason.ANALYSIS_INCONCLUSIVE, id="a bad one"
        ),
        pytest.param(
            observed(health=Health.STARTING, weight=None, verdict=Verdict.ERROR),
            Reason.CANDIDATE_NOT_READY,
            id="pods before gateways before numbers",
        ),
        pytest.param(
            observed(weight=None, verdict=Verdict.ERROR),
            Reason.WAITING_FOR_GATEWAY,
            id="gateways before numbers",
        ),
        pytest.param(trying(), None, id="a trial needs no verdict of the checks"),
        pytest.param(
            trying(arms=(TWO[0], dataclasses.replace(TWO[1], weight=None))),
            Reason.WAITING_FOR_GATEWAY,
            id="a trial needs the gateway",
        ),
        pytest.param(
            guarding(verdict=Verdict.ERROR),
            Reason.ANALYSIS_INCONCLUSIVE,
            id="a guard needs numbers",
        ),
    ],
)
def test_doubt_cause(look: Observed, reason: Reason | None) -> None:
    assert reason_of(doubt_cause(look)) == reason


def test_what_pods_checks_and_gateways_say_is_passed_on() -> None:
    not_ready = doubt_cause(observed(health=Health.STARTING, message="0 of 2 pods"))
    unsure = doubt_cause(observed(verdict=Verdict.ERROR, verdict_message="no samples"))
    behind = doubt_cause(observed(weight=None, gateway=Gateway(message="not accepted")))

    assert not_ready is not None
    assert not_ready.message == "0 of 2 pods"
    assert unsure is not None
    assert unsure.message == "no samples"
    assert behind is not None
    assert behind.message.endswith("not accepted")
    assert "1.1.0" in behind.message


@pytest.mark.parametrize(
    ("look", "state"),
    [
        pytest.param(pending(), (Phase.PENDING, 0, 0, 0), id="pending"),
        pytest.param(observed(step=1, asked=50), (Phase.PROGRESSING, 1, 50, 0), id="in a step"),
        pytest.param(
            observed(steps=MIRRORED, asked=0), (Phase.PROGRESSING, 0, 0, 40), id="with its copies"
        ),
        pytest.param(paused(), (Phase.PAUSED, 0, 10, 0), id="paused"),
        pytest.param(guarding(), (Phase.GUARDING, 2, 100, 0), id="in the guard window"),
    ],
)
def test_to_hold_changes_nothing(look: Observed, state: tuple[Phase, int, int, int]) -> None:
    held = hold(look, Reason.FROZEN, "until Monday")

    assert (held.phase, held.step, held.weight, held.mirror) == state
    assert (held.reason, held.message) == (Reason.FROZEN, "until Monday")
    assert (held.doubtful, held.restart) == (False, False)


@pytest.mark.parametrize(
    ("look", "phase"),
    [
        pytest.param(observed(), Phase.PROGRESSING, id="doubt begins"),
        pytest.param(
            observed(doubt_since=NOW - 10 * MINUTE),
            Phase.PROGRESSING,
            id="as long as patience lasts",
        ),
        pytest.param(
            observed(doubt_since=NOW - 11 * MINUTE), Phase.PAUSED, id="longer: a person is asked"
        ),
        pytest.param(guarding(doubt_since=NOW - HOUR), Phase.PAUSED, id="the guard as well"),
        pytest.param(observed(waited=HOUR), Phase.PROGRESSING, id="a long step is not doubt"),
    ],
)
def test_hold_in_doubt(look: Observed, phase: Phase) -> None:
    held = hold_in_doubt(look, Reason.ANALYSIS_INCONCLUSIVE, "no samples")

    assert (held.phase, held.reason) == (phase, Reason.ANALYSIS_INCONCLUSIVE)
    assert held.message.startswith("no samples")
    assert held.doubtful, "the clock of patience runs"
    assert held.weight == hold(look, held.reason, "").weight


def test_who_stays_in_doubt_pauses_where_it_is() -> None:
    held = hold(observed(), Reason.ANALYSIS_INCONCLUSIVE, "no samples")

    stays = stay_in_doubt(held)

    assert dataclasses.replace(stays, message=held.message) == dataclasses.replace(
        held, phase=Phase.PAUSED, doubtful=True
    )


@pytest.mark.parametrize(
    ("look", "index", "shares", "mirror"),
    [
        pytest.param(pending(), 0, (("1.1.0", 10),), 0, id="the first"),
        pytest.param(observed(), 1, (("1.1.0", 50),), 0, id="the next"),
        pytest.param(pending(steps=MIRRORED), 0, (("1.1.0", 0),), 40, id="copies"),
        pytest.param(pending(steps=PREVIEW), 0, (("1.1.0", 0),), 100, id="a preview"),
        pytest.param(
            trying(phase=Phase.PENDING),
            0,
            (("1.1.0", 20), ("1.2.0", 20)),
            0,
            id="a trial: all candidates at once",
        ),
        pytest.param(
            trying(steps=AB_AFTER_COPIES, arms=NO_TRAFFIC),
            1,
            (("1.1.0", 20), ("1.2.0", 20)),
            30,
            id="a trial after another step, with copies",
        ),
    ],
)
def test_enter_step(
    look: Observed, index: int, shares: tuple[tuple[str, int], ...], mirror: int
) -> None:
    entered = enter_step(look, index)

    assert (entered.phase, entered.reason) == (Phase.PROGRESSING, Reason.STEP_STARTED)
    assert (entered.step, entered.shares, entered.mirror) == (index, shares, mirror)


@pytest.mark.parametrize(
    ("look", "index", "words"),
    [
        pytest.param(observed(), 1, ("2 of 2", "50 %", "60 s"), id="its place, weight and hold"),
        pytest.param(pending(steps=MIRRORED), 0, ("1 of 1", "40 %"), id="its copies"),
        pytest.param(
            trying(steps=AB_AFTER_COPIES),
            1,
            ("abTest", "20 %", "copies of 30 %"),
            id="the copies of a trial",
        ),
        pytest.param(
            trying(), 0, ("abTest", "1.1.0", "1.2.0", "20 %", "3600 s"), id="the split of a trial"
        ),
    ],
)
def test_a_step_that_begins_says(look: Observed, index: int, words: tuple[str, ...]) -> None:
    message = enter_step(look, index).message

    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("decision", "phase", "reason"),
    [
        pytest.param(
            enter_guard(trying(winner="1.2.0"), "m"),
            Phase.GUARDING,
            Reason.GUARD_STARTED,
            id="guard",
        ),
        pytest.param(
            succeed(trying(winner="1.2.0"), "m"), Phase.SUCCEEDED, Reason.PROMOTED, id="success"
        ),
    ],
)
def test_after_the_last_step_the_winner_has_everything(
    decision: Decision, phase: Phase, reason: Reason
) -> None:
    assert (decision.phase, decision.reason, decision.message) == (phase, reason, "m")
    assert decision.step == 1, "the number of steps: none is left"
    assert decision.shares == (("1.1.0", 0), ("1.2.0", 100))


def test_the_guard_remembers_who_won() -> None:
    assert enter_guard(trying(winner="1.2.0"), "m").winner == "1.2.0"


@pytest.mark.parametrize(
    ("look", "phase", "shares"),
    [
        pytest.param(
            observed(step=1, asked=50), Phase.ROLLING_BACK, (("1.1.0", 0),), id="no traffic at once"
        ),
        pytest.param(
            trying(),
            Phase.ROLLING_BACK,
            (("1.1.0", 0), ("1.2.0", 0)),
            id="none of a trial's either",
        ),
        pytest.param(
            guarding(stable=None), Phase.GUARDING, (("1.1.0", 100),), id="a first version stays"
        ),
    ],
)
def test_roll_back(look: Observed, phase: Phase, shares: tuple[tuple[str, int], ...]) -> None:
    back = roll_back(look, BAD)

    assert (back.phase, back.step, back.shares) == (phase, look.step, shares)
    assert (back.reason, back.message) == (BAD.reason, BAD.message)


def test_copies_end_when_it_goes_back() -> None:
    assert roll_back(observed(steps=MIRRORED), BAD).mirror == 0
