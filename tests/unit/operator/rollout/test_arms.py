"""Each candidate, and the trial between them, as the status shows them."""

import dataclasses
from datetime import datetime
from typing import Any

import pytest

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.rollout import Phase, Reason
from fairlead_operator.api.rollout import ArmStatus
from fairlead_operator.rollout.arms import observed_weight, report_arms, report_trial
from fairlead_operator.rollout.decision.states import Cause, Decision, Observed
from fairlead_operator.rollout.presence import Pods
from fairlead_operator.rollout.seen import Seen
from fairlead_operator.rollout.statistics.ab_test import ArmResult, Outcome
from support.builders import MINUTE, NOW, TWO, observed, pending, seen, trial, trying

EARLIER = "2025-12-31T23:58:00.000Z"
SPLIT = (("1.1.0", 20), ("1.2.0", 20))
REFERENCES = tuple(
    VersionReference(version=version, registry_version=number, digest=f"sha256:{number}")
    for version, number in (("1.1.0", "2"), ("1.2.0", "3"))
)
COUNTED = (
    ArmResult(version="1.0.0", samples=900.0, value=0.5, probability=0.2),
    ArmResult(version="1.1.0", samples=300.0, value=0.6, probability=0.7),
)


def decided(phase: Phase = Phase.PROGRESSING, **more: Any) -> Decision:
    usual = {"step": 0, "shares": SPLIT, "reason": Reason.TRIAL_RUNNING, "message": ""}
    return Decision(phase=phase, **usual | more)


def look(about: Observed | None = None, **changes: Any) -> Seen:
    """Two candidates in a trial, both known to the registry."""
    return seen(about or trying(), **{"candidates": REFERENCES} | changes)


def arms_status(*arms: dict[str, Any]) -> dict[str, Any]:
    return {"arms": [dict(arm) for arm in arms]}


def test_a_candidate_is_told_as_registry_and_decision_have_it() -> None:
    first, second = report_arms(
        look(), decided(shares=(("1.1.0", 30), ("1.2.0", 10))), begins=False
    )

    assert (first.version, first.registry_version, first.digest) == ("1.1.0", "2", "sha256:2")
    assert (first.weight, second.weight) == (30, 10)
    assert (first.reason, first.message) == (None, None)


def test_a_candidate_the_registry_has_not_told_of_yet_is_shown_all_the_same() -> None:
    arms = report_arms(look(pending(arms=TWO), candidates=()), decided(Phase.PENDING), begins=False)

    assert [(arm.version, arm.registry_version, arm.digest) for arm in arms] == [
        ("1.1.0", "", ""),
        ("1.2.0", "", ""),
    ]


def test_who_left_says_why_and_no_longer_than_a_status_may() -> None:
    cause = Cause(reason=Reason.ALERT_FIRED, message="slow " * 1000)

    first, second = report_arms(look(), decided(dropped=(("1.1.0", cause),)), begins=False)

    assert (first.reason, first.message) == (Reason.ALERT_FIRED, "slow " * 204 + "…")
    assert second.reason is None


@pytest.mark.parametrize(
    ("about", "phase", "weights"),
    [
        pytest.param(trying(), Phase.PROGRESSING, [20, 20], id="what every gateway reports"),
        pytest.param(
            trying(arms=(TWO[0], dataclasses.replace(TWO[1], weight=None))),
            Phase.PROGRESSING,
            [20, None],
            id="a gateway pod is behind",
        ),
        pytest.param(
            pending(arms=tuple(dataclasses.replace(arm, weight=None) for arm in TWO)),
            Phase.PENDING,
            [0, 0],
            id="a version that was never routed has nothing",
        ),
        pytest.param(
            pending(arms=tuple(dataclasses.replace(arm, weight=None) for arm in TWO), stable=None),
            Phase.SUCCEEDED,
            [None, None],
            id="a first version is routed now: nobody has said so yet",
        ),
    ],
)
def test_the_observed_weight_of_each(
    about: Observed, phase: Phase, weights: list[int | None]
) -> None:
    arms = report_arms(look(about), decided(phase), begins=False)

    assert [arm.observed_weight for arm in arms] == weights


@pytest.mark.parametrize(
    ("weights", "together"),
    [
        pytest.param([20, 15], 35, id="of all"),
        pytest.param([20, None], None, id="or of none"),
        pytest.param([0, 0], 0, id="none is a number"),
    ],
)
def test_observed_weight(weights: list[int | None], together: int | None) -> None:
    arms = [
        ArmStatus.model_validate(
            {"version": "1.1.0", "registryVersion": "2", "digest": "d", "observedWeight": weight}
        )
        for weight in weights
    ]

    assert observed_weight(arms) == together


def arm_counted(samples: float) -> dict[str, Any]:
    return {
        "version": "1.1.0", "registryVersion": "2", "digest": "d", "weight": 20,
        "samples": samples, "value": 0.4, "probability": 0.1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("counted", "status", "numbers"),
    [
        pytest.param((), {}, (None, None, None), id="nothing was counted yet"),
        pytest.param(COUNTED, {}, (300.0, 0.6, 0.7), id="what was counted now"),
        pytest.param((), arms_status(arm_counted(80)), (80, 0.4, 0.1), id="what was counted last"),
        pytest.param(
            COUNTED, arms_status(arm_counted(80)), (300.0, 0.6, 0.7), id="now before last"
        ),
    ],
)
def test_the_numbers_of_a_candidate(
    counted: tuple[ArmResult, ...],
    status: dict[str, Any],
    numbers: tuple[float | None, float | None, float | None],
) -> None:
    about = trying(trial=trial(Outcome.RUNNING, arms=counted)) if counted else trying()

    first, _ = report_arms(look(about, status=status), decided(), begins=False)

    assert (first.samples, first.value, first.probability) == numbers


OLD = {
    "message": "400 samples", "leader": "1.1.0", "measuredAt": EARLIER, "changedAt": EARLIER,
}  # fmt: skip
STANDING = [
    {"version": version, "registryVersion": "2", "digest": "d", "weight": 20}
    for version in ("1.1.0", "1.2.0")
]


@pytest.mark.parametrize(
    ("counted", "status", "moment"),
    [
        pytest.param((), {}, None, id="nothing was counted yet"),
        pytest.param(COUNTED, {}, NOW, id="news"),
        pytest.param(
            (dataclasses.replace(COUNTED[1], quiet=2 * MINUTE),), {}, NOW - 2 * MINUTE, id="none"
        ),
        pytest.param((dataclasses.replace(COUNTED[1], samples=0.0),), {}, None, id="no outcome"),
        pytest.param(
            (),
            arms_status(arm_counted(80) | {"countedAt": EARLIER}),
            NOW - 2 * MINUTE,
            id="between two counts: as it was",
        ),
    ],
)
def test_when_an_outcome_was_last_added(
    counted: tuple[ArmResult, ...], status: dict[str, Any], moment: datetime | None
) -> None:
    about = trying(trial=trial(Outcome.RUNNING, arms=counted)) if counted else trying()

    first, _ = report_arms(look(about, status=status), decided(), begins=False)

    assert first.counted_at == moment


def test_a_rollout_without_a_trial_tells_of_none() -> None:
    assert report_trial(seen(observed()), decided(shares=(("1.1.0", 10),))) is None


def test_a_trial_that_was_not_counted_yet_tells_nothing() -> None:
    assert report_trial(look(), decided()) is None


def test_a_count_is_told_with_its_moment_and_the_stable_versions_numbers() -> None:
    about = trying(trial=trial(Outcome.RUNNING, arms=COUNTED))

    told = report_trial(look(about), decided())

    assert told is not None
    assert (told.message, told.leader, told.measured_at) == ("numbers", "1.2.0", NOW)
    assert told.stable is not None
    assert (told.stable.version, told.stable.weight) == ("1.0.0", 60)
    assert (told.stable.samples, told.stable.value) == (900.0, 0.5)


def test_between_two_counts_the_last_stands() -> None:
    told = report_trial(look(status={"trial": OLD, "arms": STANDING}), decided())

    assert told is not None
    assert told.to_manifest().items() >= OLD.items()


@pytest.mark.parametrize(
    ("shares", "is_moved"),
    [
        pytest.param(SPLIT, False, id="the shares stay"),
        pytest.param((("1.1.0", 25), ("1.2.0", 20)), True, id="one share moves"),
        pytest.param((("1.1.0", 0), ("1.2.0", 20)), True, id="a candidate leaves"),
    ],
)
def test_when_the_shares_were_last_moved(
    shares: tuple[tuple[str, int], ...], is_moved: bool
) -> None:
    told = report_trial(look(status={"trial": OLD, "arms": STANDING}), decided(shares=shares))

    assert told is not None
    assert told.changed_at == (NOW if is_moved else NOW - 2 * MINUTE)


def test_a_trial_that_is_over_stays_told() -> None:
    over = trying(phase=Phase.SUCCEEDED, winner="1.1.0")

    told = report_trial(
        look(over, status={"trial": OLD, "arms": STANDING}),
        decided(Phase.SUCCEEDED, shares=(("1.1.0", 100), ("1.2.0", 0))),
    )

    assert told is not None
    assert told.message == "400 samples"


@pytest.mark.parametrize(
    ("begins", "pods"),
    [
        pytest.param(True, 3, id="a step begins: those there are"),
        pytest.param(False, 2, id="later: those of its beginning"),
    ],
)
def test_pods_are_counted_as_a_step_begins(begins: bool, pods: int) -> None:
    status = {"arms": [{"version": "1.1.0", "pods": 2}]}
    one = look(status=status, pods={"1.1.0": Pods(available=2, there=3)})

    first, second = report_arms(one, decided(), begins=begins)

    assert (first.pods, second.pods) == (pods, None)
