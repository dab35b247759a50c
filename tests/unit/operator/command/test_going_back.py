"""What ``rollback`` does: abort, a Rollout of its own, both, or a refusal."""

from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.command.going_back import (
    Back,
    build_back,
    describe_pin,
    known_versions,
    plan_back,
    previous_version,
)
from support.command_builders import plain_model, plain_rollout


def went_back(to: str, left: str) -> dict[str, Any]:
    return plain_rollout("Succeeded", to, left, trigger="rollback")


def ended(rollout: dict[str, Any], minute: int) -> dict[str, Any]:
    rollout["status"]["finishedAt"] = f"2026-01-01T12:0{minute}:00.000Z"
    return rollout


def taken_back(reason: str, superseded_by: str | None = None) -> dict[str, Any]:
    back = plain_rollout("RolledBack")
    back["status"] |= {"reason": reason, "finishedAt": "2026-01-01T12:00:00.000Z"}
    if superseded_by is not None:
        back["status"]["requests"] = [{"action": "supersede", "text": superseded_by}]
    return back


TAKEN = (
    "1.4.0 was taken back at 2026-01-01T12:00:00.000Z (Aborted), and 1.3.0 serves; to go further, "
    "name the version: --to 1.2.0"
)
PAST = [plain_rollout("Succeeded", "1.2.0", "1.1.0"), plain_rollout("Succeeded", "1.3.0", "1.2.0")]


@pytest.mark.parametrize(
    ("asked", "current", "to", "plan"),
    [
        pytest.param(
            plain_model(),
            plain_rollout("Progressing"),
            None,
            Back(abort="to-1.4.0"),
            id="in flight: abort",
        ),
        pytest.param(
            plain_model(),
            plain_rollout("Guarding"),
            "1.3.0",
            Back(abort="to-1.4.0"),
            id="in flight: the stable version is where an abort goes",
        ),
        pytest.param(
            plain_model(),
            plain_rollout("Paused"),
            "1.1.0",
            Back(abort="to-1.4.0", to="1.1.0"),
            id="in flight: abort, then another version",
        ),
        pytest.param(
            plain_model(),
            plain_rollout("Progressing"),
            "1.4.0",
            Back(refusal="to-1.4.0 is already rolling out 1.4.0"),
            id="in flight: it goes there",
        ),
        pytest.param(
            plain_model(),
            plain_rollout("RollingBack"),
            None,
            Back(refusal="to-1.4.0 is already rolling back to 1.3.0"),
            id="going back",
        ),
        pytest.param(
            plain_model(),
            plain_rollout("RollingBack"),
            "1.1.0",
            Back(to="1.1.0"),
            id="going back, and further",
        ),
        pytest.param(
            plain_model(stable=None),
            plain_rollout("Progressing", before=None),
            None,
            Back(refusal="to-1.4.0 rolls out the first version; there is none to go back to"),
            id="in flight: a first version",
        ),
        pytest.param(
            plain_model(), PAST[1], None, Back(to="1.2.0"), id="at rest: the version before"
        ),
        pytest.param(
            plain_model(), PAST[1], "1.1.0", Back(to="1.1.0"), id="at rest: a given version"
        ),
        pytest.param(
            plain_model(),
            PAST[1],
            "1.3.0",
            Back(refusal="1.3.0 is already the stable version, and no rollout is in flight"),
            id="at rest: it is in charge",
        ),
        pytest.param(
            plain_model(stable="9.0.0"),
            PAST[1],
            None,
            Back(refusal="no version before 9.0.0 is known; choose one with --to"),
            id="at rest: nothing known of before",
        ),
        pytest.param(
            plain_model(stable=None),
            None,
            None,
            Back(refusal="nsw-price serves no version yet; there is nothing to go back from"),
            id="at rest: nothing serves",
        ),
        pytest.param(
            plain_model(version="1.3.0"),
            PAST[1],
            None,
            Back(to="1.2.0"),
            id="at rest: a pin is left like any other",
        ),
        pytest.param(
            plain_model(),
            taken_back("Aborted"),
            None,
            Back(refusal=TAKEN),
            id="a person was faster",
        ),
        pytest.param(
            plain_model(),
            taken_back("AnalysisFailed"),
            None,
            Back(refusal=TAKEN.replace("Aborted", "AnalysisFailed")),
            id="the analysis was",
        ),
        pytest.param(
            plain_model(),
            taken_back("Superseded", "1.3.0"),
            None,
            Back(refusal=TAKEN.replace("Aborted", "Superseded")),
            id="a pin that went back was",
        ),
        pytest.param(
            plain_model(suspend=True),
            taken_back("AlertFired"),
            None,
            Back(refusal=TAKEN.replace("Aborted", "AlertFired")),
            id="an alert was: suspended",
        ),
        pytest.param(
            plain_model(),
            taken_back("Superseded", "1.5.0"),
            None,
            Back(to="1.2.0"),
            id="it made way for another",
        ),
        pytest.param(
            plain_model(),
            taken_back("VersionNotFound"),
            None,
            Back(to="1.2.0"),
            id="a slip of the pen took nothing back",
        ),
        pytest.param(
            plain_model(), taken_back("Aborted"), "1.2.0", Back(to="1.2.0"), id="further, by name"
        ),
        pytest.param(
            plain_model(version="1.4.0"),
            plain_rollout("Progressing"),
            "1.2.0",
            Back(abort="to-1.4.0", to="1.2.0"),
            id="in flight: so is the pin that it rolls out",
        ),
        pytest.param(
            plain_model(suspend=True),
            PAST[1],
            None,
            Back(refusal="the Model is suspended; set spec.suspend to false"),
            id="suspended: no Rollout would start",
        ),
        pytest.param(
            plain_model(suspend=True, version="1.4.0"),
            plain_rollout("Progressing"),
            None,
            Back(abort="to-1.4.0"),
            id="an abort is always possible",
        ),
    ],
)
def test_plan_back(asked: Any, current: Any, to: str | None, plan: Back) -> None:
    assert plan_back(asked, current, PAST, to) == plan


def test_the_rollout_that_goes_back_moves_all_traffic_at_once_under_the_models_analysis() -> None:
    analysis = {"interval": "5s", "checks": [{"name": "own", "query": "x", "atMost": 1}]}
    policy = {"strategy": "canary", "steps": [{"weight": 5}], "analysis": analysis}
    back = build_back(plain_model(rollout=policy), "1.2.0", request="{}", by_steps=False)

    spec = RolloutSpec.model_validate(back["spec"])

    assert (spec.version, spec.trigger) == ("1.2.0", "rollback")
    assert spec.policy is not None
    assert [step.weight for step in spec.policy.steps or ()] == [100]
    assert spec.policy.analysis.checks[0].name == "own"
    assert back["metadata"]["generateName"] == "nsw-price-rollback-"
    assert back["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_going_back_by_steps_follows_the_models_own_policy() -> None:
    back = build_back(plain_model(), "1.2.0", request="{}", by_steps=True)

    assert back["spec"] == {"model": "nsw-price", "version": "1.2.0", "trigger": "rollback"}


BACK = plain_rollout("Guarding", "1.2.0", "1.3.0", trigger="rollback")
ALREADY = "to-1.2.0 is going back to 1.2.0 already; `fairlead status nsw-price` shows it"


@pytest.mark.parametrize(
    ("current", "back", "to", "plan"),
    [
        pytest.param(BACK, BACK, None, Back(refusal=ALREADY), id="in flight"),
        pytest.param(BACK, BACK, "1.2.0", Back(refusal=ALREADY), id="in flight, by its version"),
        pytest.param(plain_rollout("RollingBack"), plain_rollout(
            "Pending", "1.2.0", "1.3.0", trigger="rollback"), None, Back(refusal=ALREADY),
                     id="waiting for its turn"),
        pytest.param(PAST[1], {**BACK, "status": {}}, None, Back(refusal=ALREADY),
                     id="just created"),
        pytest.param(BACK, BACK, "1.3.0", Back(abort="to-1.2.0"), id="to where it came from"),
        pytest.param(BACK, BACK, "1.1.0", Back(abort="to-1.2.0", to="1.1.0"), id="further"),
        pytest.param(plain_rollout("Progressing"), plain_rollout(
            "RollingBack", "1.2.0", "1.3.0", trigger="rollback"), None, Back(abort="to-1.4.0"),
                     id="one that is taken back itself is none"),
    ],
)  # fmt: skip
def test_asking_twice_is_asking_once(current: Any, back: Any, to: str | None, plan: Back) -> None:
    assert plan_back(plain_model(), current, [*PAST, back], to) == plan


@pytest.mark.parametrize(
    ("rollouts", "version"),
    [
        pytest.param(PAST, "1.2.0", id="what its Rollout replaced"),
        pytest.param(
            [plain_rollout("Succeeded", "1.3.0", "1.1.0"), *PAST], "1.2.0", id="the last time"
        ),
        pytest.param(
            [*PAST, plain_rollout("RolledBack", "1.3.0", "1.0.0")],
            "1.2.0",
            id="a Rollout that went back brought nothing",
        ),
        pytest.param(
            [*PAST, plain_rollout("Succeeded", "1.3.0", "1.3.0")],
            "1.2.0",
            id="a Rollout to the same version is no way back",
        ),
        pytest.param([plain_rollout("Succeeded", "1.3.0", None)], None, id="a first version"),
        pytest.param(PAST[:1], None, id="nobody knows who brought it"),
        pytest.param(
            [*PAST, went_back("1.2.0", "1.3.0"), plain_rollout("Succeeded", "1.3.0", "1.2.0")],
            "1.2.0",
            id="brought again after it was left",
        ),
        pytest.param(
            [*PAST, plain_rollout("Succeeded", "1.4.0", "1.3.0"), went_back("1.3.0", "1.4.0")],
            "1.2.0",
            id="gone back to: what was before it, and not what was left",
        ),
        pytest.param(
            [plain_rollout("Succeeded", "1.4.0", "1.3.0"), went_back("1.3.0", "1.4.0")],
            None,
            id="gone back to the oldest that is known",
        ),
        pytest.param(
            [
                ended(plain_rollout("Succeeded", "1.2.0", "1.1.0"), 1),
                ended(plain_rollout("Succeeded", "1.3.0", "1.1.0"), 3),
                ended(went_back("1.1.0", "1.2.0"), 2),
            ],
            "1.1.0",
            id="one that waited while a person went back",
        ),
        pytest.param(
            [plain_rollout("Succeeded", "1.4.0", "1.2.0"), went_back("1.3.0", "1.4.0")],
            None,
            id="gone back to what is in no Rollout any more",
        ),
    ],
)
def test_previous_version(rollouts: list[dict[str, Any]], version: str | None) -> None:
    assert previous_version(rollouts, "1.3.0") == version


def test_going_back_at_once_keeps_the_guards_and_leaves_out_what_belongs_to_steps() -> None:
    policy = {
        "strategy": "blueGreen",
        "blueGreen": {"mirror": 50},
        "fastGuard": {"enabled": False},
        "guard": {"duration": "2m"},
        "patience": "9m",
        "startDeadline": "3m",
    }

    back = build_back(plain_model(rollout=policy), "1.2.0", request="{}", by_steps=False)

    assert back["spec"]["policy"] == {
        "strategy": "canary",
        "steps": [{"weight": 100, "hold": "0s"}],
        "fastGuard": {"enabled": False},
        "guard": {"duration": "2m"},
        "patience": "9m",
        "startDeadline": "3m",
    }


COPIES: dict[str, Any] = {"name": "same", "builtin": "prediction-agreement", "atLeast": 0.95}
ERRORS: dict[str, Any] = {"name": "errors", "builtin": "success-rate", "atLeast": 0.99}
DRY = {**ERRORS, "name": "dry", "dryRun": True}
SHARED = {"templateRef": {"name": "orders"}}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param({"checks": [ERRORS]}, {"checks": [ERRORS]}, id="what can be asked stays"),
        pytest.param(
            {"checks": [COPIES, ERRORS]}, {"checks": [ERRORS]}, id="not what needs copies"
        ),
        pytest.param(
            {"interval": "5s", "checks": [COPIES]},
            {"interval": "5s"},
            id="the default ones instead",
        ),
        pytest.param({"checks": [COPIES]}, None, id="nothing else"),
        pytest.param({"checks": [COPIES, DRY]}, None, id="a dry run alone decides nothing"),
        pytest.param(
            SHARED | {"checks": [COPIES, DRY]}, SHARED | {"checks": [DRY]}, id="a template may"
        ),
        pytest.param(SHARED | {"checks": [COPIES]}, SHARED, id="a template alone"),
    ],
)
@pytest.mark.parametrize("strategy", ["shadow", "blueGreen"])
def test_going_back_at_once_asks_what_can_be_asked(
    strategy: str, given: dict[str, Any], kept: dict[str, Any] | None
) -> None:
    model = plain_model(rollout={"strategy": strategy, "analysis": given})

    policy = build_back(model, "1.2.0", request="{}", by_steps=False)["spec"]["policy"]

    assert policy.get("analysis") == kept


def test_where_one_version_may_run_at_a_time_it_does_on_the_way_back() -> None:
    policy = {"strategy": "recreate", "analysis": {"checks": [ERRORS]}, "guard": {"duration": "2m"}}

    back = build_back(plain_model(rollout=policy), "1.2.0", request="{}", by_steps=False)

    assert back["spec"]["policy"] == policy


def test_the_rollout_that_goes_back_carries_the_request() -> None:
    back = build_back(plain_model(), "1.2.0", request='{"by": "ada"}', by_steps=True)

    assert back["metadata"]["annotations"] == {"fairlead.dev/request": '{"by": "ada"}'}
    assert "name" not in back["metadata"], "the API server makes the name"


def test_the_versions_that_were_looked_up_before() -> None:
    typo = {**plain_rollout("RolledBack", "9.9.9"), "status": {"phase": "RolledBack"}}
    current = plain_rollout("Progressing")
    current["status"]["candidate"] = {"version": "1.4.0"}

    known = known_versions(plain_model(), [*PAST, typo, current])

    assert known == {"1.1.0", "1.2.0", "1.3.0", "1.4.0"}


@pytest.mark.parametrize(
    ("pinned", "says"),
    [(None, False), ("1.2.0", False), ("1.3.0", True)],
    ids=["no pin", "where it goes", "what it leaves"],
)
def test_what_becomes_of_the_pin_is_said(pinned: str | None, says: bool) -> None:
    words = describe_pin(plain_model(version=pinned), "1.2.0")

    assert bool(words) == says
    assert not says or words.startswith("spec.version still pins 1.3.0: it stays blocked until")
