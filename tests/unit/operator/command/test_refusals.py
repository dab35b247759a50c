"""What the command refuses before it asks."""

from typing import Any

import pytest

from fairlead_operator.command.refusals import describe_end, refuse_for_model, refuse_for_rollout
from fairlead_operator.requests import Action
from support.command_builders import plain_model, plain_rollout


@pytest.mark.parametrize(
    ("action", "current", "refusal"),
    [
        pytest.param(Action.ABORT, None, "has had no rollout yet", id="no rollout ever"),
        pytest.param(
            Action.PAUSE,
            plain_rollout("Succeeded"),
            "no rollout of nsw-price is in flight; the last, to-1.4.0 to 1.4.0, ended Succeeded",
            id="none in flight",
        ),
        pytest.param(
            Action.ABORT, plain_rollout("RollingBack"), "is already rolling back", id="going back"
        ),
        pytest.param(
            Action.APPROVE,
            plain_rollout("Progressing"),
            "is not waiting for approval; it is Progressing",
            id="nothing to approve",
        ),
        pytest.param(Action.APPROVE, plain_rollout("Paused"), None, id="an approval is waited for"),
        pytest.param(Action.PROMOTE, plain_rollout("Progressing"), None, id="in flight"),
    ],
)
def test_refuse_for_rollout(action: Action, current: Any, refusal: str | None) -> None:
    found = refuse_for_rollout(action, plain_model(), current)

    assert (found is None) == (refusal is None)
    assert (refusal or "") in (found or "")


@pytest.mark.parametrize(
    ("action", "spec", "blocked", "refusal"),
    [
        pytest.param(Action.RETRAIN, {}, [], None, id="retrain"),
        pytest.param(Action.RETRAIN, {"suspend": True}, [], "suspended", id="retrain: suspended"),
        pytest.param(Action.RETRY, {}, [], "nothing to retry", id="retry: nothing blocked"),
        pytest.param(Action.RETRY, {}, ["1.4.0"], None, id="retry"),
        pytest.param(Action.RETRY, {"version": "1.4.0"}, ["1.4.0"], None, id="retry: pinned"),
        pytest.param(
            Action.RETRY,
            {"version": "1.5.0"},
            ["1.4.0"],
            "spec.version pins 1.5.0, which is not blocked; change it in Git",
            id="retry: another is pinned",
        ),
        pytest.param(
            Action.RETRY,
            {"version": "1.5.0", "alternatives": ["1.4.0"]},
            ["1.4.0"],
            None,
            id="retry: who lost a trial to the pinned one",
        ),
    ],
)
def test_refuse_for_model(
    action: Action, spec: dict[str, Any], blocked: list[str], refusal: str | None
) -> None:
    asked = plain_model(**spec)
    asked["status"]["blocked"] = [{"version": version} for version in blocked]

    found = refuse_for_model(action, asked)

    assert (found is None) == (refusal is None)
    assert (refusal or "") in (found or "")


@pytest.mark.parametrize("spec", [{}, {"version": "1.4.0"}])
@pytest.mark.parametrize("blocked", [[], ["1.3.0"]])
def test_of_what_is_in_flight_the_operator_says_whether_it_is_the_retry(
    spec: dict[str, Any], blocked: list[str]
) -> None:
    """A second retry was told that no version had been rolled back."""
    asked = plain_model(**spec)
    asked["status"] |= {
        "phase": "RollingOut",
        "blocked": [{"version": version} for version in blocked],
    }

    assert refuse_for_model(Action.RETRY, asked) is None


@pytest.mark.parametrize(
    ("spec", "refusal"),
    [
        pytest.param({}, None, id="trained"),
        pytest.param({"version": "1.4.0"}, None, id="pinned"),
        pytest.param(
            {"version": "1.5.0"},
            "spec.version pins 1.5.0, which is not blocked; change it in Git",
            id="another is pinned by now",
        ),
    ],
)
def test_what_came_at_a_wrong_time_may_be_retried(
    spec: dict[str, Any], refusal: str | None
) -> None:
    """The Model's own message names this command."""
    asked = plain_model(**spec)
    asked["status"]["refused"] = {"version": "1.4.0", "message": "it came while …"}

    assert refuse_for_model(Action.RETRY, asked) == refusal


@pytest.mark.parametrize(
    ("rollout", "end"),
    [
        pytest.param(
            plain_rollout("RolledBack"),
            "the last, to-1.4.0 to 1.4.0, ended RolledBack (StepHolding)",
            id="with its reason",
        ),
        pytest.param(
            plain_rollout("Succeeded") | {"status": {"phase": "Succeeded"}},
            "the last, to-1.4.0 to 1.4.0, ended Succeeded ()",
            id="an operator that gave no reason",
        ),
    ],
)
def test_describe_end(rollout: dict[str, Any], end: str) -> None:
    assert describe_end(rollout) == end
