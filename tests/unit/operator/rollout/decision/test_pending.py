"""Before there is traffic: what is waited for, in which order, and how it is given up."""

import dataclasses
from typing import Any

import pytest

from fairlead_operator.api.phases.rollout import Phase, Reason, Verdict
from fairlead_operator.requests import Action, Request
from fairlead_operator.rollout.decision.pending import while_pending, while_replacing
from fairlead_operator.rollout.decision.states import Gateway, Health, Observed, Resolution
from support.builders import (
    ALONE,
    HOUR,
    MINUTE,
    STOPPING,
    TWO,
    asks,
    pending,
    replacing,
    supersedes,
    trying,
)

(ABORT,) = asks(Action.ABORT)
(PROMOTE,) = asks(Action.PROMOTE)
(NEWER,) = supersedes("1.2.0")

# Everything at once that can be waited for; the tests take away one after the other.
BARRIERS: dict[str, tuple[Any, Any]] = {
    "has_turn": (False, True),
    "resolution": (Resolution.UNAVAILABLE, Resolution.FOUND),
    "problem": ("no such check", None),
    "health": (Health.STARTING, Health.READY),
    "suspended": (True, False),
    "frozen": ("until Monday", None),
    "gateway": (Gateway(missing="no HTTPRoutes"), Gateway()),
}
WAITS = (
    Reason.WAITING_FOR_TURN,
    Reason.WAITING_FOR_REGISTRY,
    Reason.ANALYSIS_UNAVAILABLE,
    Reason.WAITING_FOR_CANDIDATE,
    Reason.SUSPENDED,
    Reason.FROZEN,
    Reason.WAITING_FOR_GATEWAY,
)


@pytest.mark.parametrize(
    ("cleared", "reason"), [pytest.param(n, reason, id=reason) for n, reason in enumerate(WAITS)]
)
def test_what_is_waited_for_has_an_order(cleared: int, reason: Reason) -> None:
    barriers = {
        name: clear if place < cleared else barrier
        for place, (name, (barrier, clear)) in enumerate(BARRIERS.items())
    }

    decision = while_pending(pending(**barriers), None)

    assert (decision.phase, decision.reason, decision.weight) == (Phase.PENDING, reason, 0)


@pytest.mark.parametrize(
    ("look", "phase", "reason", "weight"),
    [
        pytest.param(
            pending(), Phase.PROGRESSING, Reason.STEP_STARTED, 10, id="the first step is entered"
        ),
        pytest.param(
            trying(phase=Phase.PENDING),
            Phase.PROGRESSING,
            Reason.STEP_STARTED,
            40,
            id="a trial: all candidates",
        ),
        pytest.param(
            pending(stable=None), Phase.SUCCEEDED, Reason.PROMOTED, 100, id="a first version: all"
        ),
        pytest.param(
            pending(stable=None, problem="no such check"),
            Phase.SUCCEEDED,
            Reason.PROMOTED,
            100,
            id="a first version is not measured",
        ),
        pytest.param(
            pending(goes_back=True, problem="no such template"),
            Phase.PROGRESSING,
            Reason.STEP_STARTED,
            10,
            id="going back needs no check",
        ),
        pytest.param(
            pending(goes_back=True, problem="no such template", steps=ALONE),
            Phase.REPLACING,
            Reason.STOPPING_STABLE,
            0,
            id="nor does it under recreate",
        ),
        pytest.param(
            pending(steps=ALONE, health=Health.UNKNOWN),
            Phase.REPLACING,
            Reason.STOPPING_STABLE,
            0,
            id="recreate: the stable version stops first",
        ),
        pytest.param(
            pending(verdict=Verdict.FAILED),
            Phase.PROGRESSING,
            Reason.STEP_STARTED,
            10,
            id="what nobody measured is no evidence",
        ),
        pytest.param(
            trying(
                phase=Phase.PENDING,
                arms=(TWO[0], dataclasses.replace(TWO[1], health=Health.STARTING)),
            ),
            Phase.PENDING,
            Reason.WAITING_FOR_CANDIDATE,
            0,
            id="a trial waits for its last candidate",
        ),
    ],
)
def test_a_start(look: Observed, phase: Phase, reason: Reason, weight: int) -> None:
    decision = while_pending(look, None)

    assert (decision.phase, decision.reason, decision.weight) == (phase, reason, weight)


def test_a_first_version_has_no_steps_left() -> None:
    assert while_pending(pending(stable=None), None).step == 2


STARTING: dict[str, Any] = {
    "health": Health.STARTING,
    "reason": Reason.WAITING_FOR_CANDIDATE,
    "message": "0 of 2 pods",
}


@pytest.mark.parametrize(
    ("changes", "wish", "reason"),
    [
        pytest.param({}, ABORT, Reason.ABORTED, id="a person aborts"),
        pytest.param({}, NEWER, Reason.SUPERSEDED, id="the Model wants another version"),
        pytest.param({}, PROMOTE, None, id="a promotion is no reason to give up"),
        pytest.param(
            {"resolution": Resolution.MISSING}, None, Reason.VERSION_NOT_FOUND, id="no such version"
        ),
        pytest.param(
            {"refused_code": "it brings code"},
            None,
            Reason.CODE_NOT_ALLOWED,
            id="it brings code that may not run",
        ),
        pytest.param(
            {"gateway": Gateway(unsupported="no copies")},
            None,
            Reason.UNSUPPORTED_BY_TARGET,
            id="the gateway cannot do what the policy asks",
        ),
        pytest.param(
            {"health": Health.FAILED}, None, Reason.CANDIDATE_FAILED, id="it cannot start"
        ),
        pytest.param({"alert": "slow"}, None, Reason.ALERT_FIRED, id="an alert fired"),
        pytest.param(
            STARTING | {"waited": 5 * MINUTE}, None, None, id="it starts, still in its time"
        ),
        pytest.param(
            STARTING | {"waited": 6 * MINUTE},
            None,
            Reason.START_DEADLINE_EXCEEDED,
            id="it starts, and is late",
        ),
        pytest.param(
            STARTING | {"waited": HOUR, "health": Health.READY},
            None,
            None,
            id="it is ready at last: late is better than never",
        ),
        pytest.param(
            STARTING | {"waited": HOUR, "reason": Reason.WAITING_FOR_TURN},
            None,
            None,
            id="the time before its turn is not its own",
        ),
        pytest.param(
            {"resolution": Resolution.MISSING, "has_turn": False},
            None,
            Reason.VERSION_NOT_FOUND,
            id="nobody waits for a turn in vain",
        ),
    ],
)
def test_giving_up(changes: dict[str, Any], wish: Request | None, reason: Reason | None) -> None:
    decision = while_pending(pending(**changes), wish)

    given_up = decision.reason if decision.phase is Phase.ROLLED_BACK else None
    assert given_up == reason


def test_who_gives_up_says_what_the_pods_said() -> None:
    late = while_pending(pending(**STARTING | {"waited": HOUR}), None)
    missing = while_pending(
        pending(resolution=Resolution.MISSING, resolution_message="no 1.1.0"), None
    )

    assert "0 of 2 pods" in late.message
    assert missing.message == "no 1.1.0"


@pytest.mark.parametrize(
    ("before", "restart"),
    [
        pytest.param(Reason.WAITING_FOR_TURN, True, id="its turn comes: the clock starts"),
        pytest.param(Reason.WAITING_FOR_REGISTRY, True, id="the registry is back: it starts too"),
        pytest.param(Reason.WAITING_FOR_CANDIDATE, False, id="it goes on: the clock runs"),
    ],
)
def test_the_clock_of_the_start(before: Reason, restart: bool) -> None:
    decision = while_pending(pending(health=Health.STARTING, reason=before), None)

    assert decision.restart is restart


def test_other_waits_start_no_clock() -> None:
    assert not while_pending(pending(frozen="until Monday"), None).restart


@pytest.mark.parametrize(
    ("look", "wish", "phase", "reason", "weight"),
    [
        pytest.param(
            replacing(stable=STOPPING, reason=Reason.STOPPING_STABLE),
            None,
            Phase.REPLACING,
            Reason.STOPPING_STABLE,
            0,
            id="the stable version still ends",
        ),
        pytest.param(
            replacing(stable=STOPPING),
            None,
            Phase.REPLACING,
            Reason.STOPPING_STABLE,
            0,
            id="a ready candidate waits until the other is gone",
        ),
        pytest.param(
            replacing(health=Health.STARTING),
            None,
            Phase.REPLACING,
            Reason.WAITING_FOR_CANDIDATE,
            0,
            id="the candidate starts",
        ),
        pytest.param(
            replacing(), None, Phase.GUARDING, Reason.GUARD_STARTED, 100, id="the downtime is over"
        ),
        pytest.param(
            replacing(suspended=True, frozen="until Monday", has_turn=False),
            None,
            Phase.GUARDING,
            Reason.GUARD_STARTED,
            100,
            id="nothing that only waits makes the downtime longer",
        ),
        pytest.param(
            replacing(), ABORT, Phase.ROLLING_BACK, Reason.ABORTED, 0, id="a person aborts"
        ),
        pytest.param(
            replacing(health=Health.FAILED),
            None,
            Phase.ROLLING_BACK,
            Reason.CANDIDATE_FAILED,
            0,
            id="the candidate cannot start",
        ),
        pytest.param(
            replacing(health=Health.STARTING, waited=6 * MINUTE),
            None,
            Phase.ROLLING_BACK,
            Reason.START_DEADLINE_EXCEEDED,
            0,
            id="the candidate is late",
        ),
        pytest.param(
            replacing(
                stable=STOPPING,
                health=Health.UNKNOWN,
                reason=Reason.STOPPING_STABLE,
                waited=6 * MINUTE,
            ),
            None,
            Phase.ROLLING_BACK,
            Reason.START_DEADLINE_EXCEEDED,
            0,
            id="the stable version never ends",
        ),
    ],
)
def test_a_downtime(
    look: Observed, wish: Request | None, phase: Phase, reason: Reason, weight: int
) -> None:
    decision = while_replacing(look, wish)

    assert (decision.phase, decision.reason, decision.weight) == (phase, reason, weight)


@pytest.mark.parametrize(
    ("before", "restart"),
    [
        pytest.param(Reason.STOPPING_STABLE, True, id="the other is gone: its own time begins"),
        pytest.param(Reason.WAITING_FOR_CANDIDATE, False, id="it goes on: the clock runs"),
    ],
)
def test_the_candidates_time_begins_when_the_stable_version_is_gone(
    before: Reason, restart: bool
) -> None:
    decision = while_replacing(replacing(health=Health.STARTING, reason=before), None)

    assert decision.restart is restart


def test_a_downtime_is_called_one_and_names_who_is_away() -> None:
    begins = while_pending(pending(steps=ALONE, health=Health.UNKNOWN), None)
    lasts = while_replacing(replacing(health=Health.STARTING, message="0 of 2 pods"), None)
    ends_badly = while_replacing(replacing(), ABORT)

    for decision in (begins, lasts, ends_badly):
        assert "downtime" in decision.message
        assert "1.0.0" in decision.message
    assert "0 of 2 pods" in lasts.message


@pytest.mark.parametrize(
    ("goes_back", "words"),
    [
        pytest.param(False, "the first version takes all traffic at once", id="first"),
        pytest.param(
            True, "the version that was in charge takes all traffic again", id="after a deletion"
        ),
    ],
)
def test_a_version_without_another_beside_it_takes_everything(
    *, goes_back: bool, words: str
) -> None:
    """What came back after its Rollout was deleted in flight was called the first version."""
    decision = while_pending(pending(stable=None, goes_back=goes_back), None)

    assert (decision.reason, decision.message) == (Reason.PROMOTED, words)
