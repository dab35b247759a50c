"""Requests: what is refused beforehand, what is written, and what the answer means."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.command.ask import LONGEST_WHY, Patience, ask, compose
from fairlead_operator.command.failures import RefusedError, UnansweredError
from fairlead_operator.command.going_back import Back, build_back, plan_back
from fairlead_operator.command.refusals import refuse_for_model, refuse_for_rollout
from fairlead_operator.requests import Action, parse_request

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def model(*, stable: str | None = "1.3.0", **spec: Any) -> dict[str, Any]:
    status = {"stable": {"version": stable}} if stable else {}
    meta = {"name": "nsw-price", "namespace": "energy", "uid": "u-1"}
    return {"kind": "Model", "metadata": meta, "spec": spec, "status": status}


def rollout(phase: str, version: str = "1.4.0", before: str | None = "1.3.0") -> dict[str, Any]:
    stable = {"version": before} if before else None
    return {
        "metadata": {"name": f"to-{version}"},
        "spec": {"model": "nsw-price", "version": version},
        "status": {"phase": phase, "reason": "StepHolding", "stable": stable},
    }


@pytest.mark.parametrize(
    ("action", "current", "refusal"),
    [
        pytest.param(Action.ABORT, None, "has had no rollout yet", id="no rollout ever"),
        pytest.param(
            Action.PAUSE,
            rollout("Succeeded"),
            "no rollout of nsw-price is in flight; the last, to-1.4.0 to 1.4.0, ended Succeeded",
            id="none in flight",
        ),
        pytest.param(
            Action.ABORT, rollout("RollingBack"), "is already rolling back", id="going back"
        ),
        pytest.param(
            Action.APPROVE,
            rollout("Progressing"),
            "is not waiting for approval; it is Progressing",
            id="nothing to approve",
        ),
        pytest.param(Action.APPROVE, rollout("Paused"), None, id="an approval is waited for"),
        pytest.param(Action.PROMOTE, rollout("Progressing"), None, id="in flight"),
    ],
)
def test_refuse_for_rollout(action: Action, current: Any, refusal: str | None) -> None:
    found = refuse_for_rollout(action, model(), current)

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
    ],
)
def test_refuse_for_model(
    action: Action, spec: dict[str, Any], blocked: list[str], refusal: str | None
) -> None:
    asked = model(**spec)
    asked["status"]["blocked"] = [{"version": version} for version in blocked]

    found = refuse_for_model(action, asked)

    assert (found is None) == (refusal is None)
    assert (refusal or "") in (found or "")


PAST = [rollout("Succeeded", "1.2.0", "1.1.0"), rollout("Succeeded", "1.3.0", "1.2.0")]


@pytest.mark.parametrize(
    ("asked", "current", "to", "plan"),
    [
        pytest.param(
            model(), rollout("Progressing"), None, Back(abort="to-1.4.0"), id="in flight: abort"
        ),
        pytest.param(
            model(),
            rollout("Guarding"),
            "1.3.0",
            Back(abort="to-1.4.0"),
            id="in flight: the stable version is where an abort goes",
        ),
        pytest.param(
            model(),
            rollout("Paused"),
            "1.1.0",
            Back(abort="to-1.4.0", to="1.1.0"),
            id="in flight: abort, then another version",
        ),
        pytest.param(
            model(),
            rollout("Progressing"),
            "1.4.0",
            Back(refusal="to-1.4.0 is already rolling out 1.4.0"),
            id="in flight: it goes there",
        ),
        pytest.param(
            model(),
            rollout("RollingBack"),
            None,
            Back(refusal="to-1.4.0 is already rolling back to 1.3.0"),
            id="going back",
        ),
        pytest.param(
            model(), rollout("RollingBack"), "1.1.0", Back(to="1.1.0"), id="going back, and further"
        ),
        pytest.param(
            model(stable=None),
            rollout("Progressing", before=None),
            None,
            Back(refusal="to-1.4.0 rolls out the first version; there is none to go back to"),
            id="in flight: a first version",
        ),
        pytest.param(model(), PAST[1], None, Back(to="1.2.0"), id="at rest: the version before"),
        pytest.param(model(), PAST[1], "1.1.0", Back(to="1.1.0"), id="at rest: a given version"),
        pytest.param(
            model(),
            PAST[1],
            "1.3.0",
            Back(refusal="1.3.0 is already the stable version, and no rollout is in flight"),
            id="at rest: it is in charge",
        ),
        pytest.param(
            model(stable="9.0.0"),
            PAST[1],
            None,
            Back(refusal="no version before 9.0.0 is known; choose one with --to"),
            id="at rest: nothing known of before",
        ),
        pytest.param(
            model(stable=None),
            None,
            None,
            Back(refusal="nsw-price serves no version yet; there is nothing to go back from"),
            id="at rest: nothing serves",
        ),
        pytest.param(
            model(version="1.3.0"),
            PAST[1],
            None,
            Back(refusal="spec.version pins 1.3.0; set it to 1.2.0 in Git"),
            id="Git decides about a pinned version",
        ),
        pytest.param(
            model(suspend=True),
            PAST[1],
            None,
            Back(refusal="the Model is suspended; set spec.suspend to false"),
            id="suspended: no Rollout would start",
        ),
        pytest.param(
            model(suspend=True, version="1.4.0"),
            rollout("Progressing"),
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
    back = build_back(model(rollout=policy), "1.2.0", request="{}", by_steps=False)

    spec = RolloutSpec.model_validate(back["spec"])

    assert (spec.version, spec.trigger) == ("1.2.0", "rollback")
    assert spec.policy is not None
    assert [step.weight for step in spec.policy.steps or ()] == [100]
    assert spec.policy.analysis.checks[0].name == "own"
    assert back["metadata"]["generateName"] == "nsw-price-rollback-"
    assert back["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_going_back_by_steps_follows_the_models_own_policy() -> None:
    back = build_back(model(), "1.2.0", request="{}", by_steps=True)

    assert back["spec"] == {"model": "nsw-price", "version": "1.2.0", "trigger": "rollback"}


def test_the_longest_request_keeps_who_when_and_why() -> None:
    text = compose(by="a" * 64, at=AT, why="ü" * LONGEST_WHY)

    request = parse_request(Action.ABORT, text)

    assert (request.by, request.at, request.why) == ("a" * 64, AT, "ü" * LONGEST_WHY)
    assert request.text == text


@dataclasses.dataclass
class FakeCluster:
    """A cluster whose operator answers after a few looks, or never."""

    outcome: str | None
    looks: int = 2
    written: dict[str, str] = dataclasses.field(default_factory=dict)

    def whoami(self) -> str:
        return "ada"

    def annotate(self, kind: str, name: str, annotations: dict[str, str]) -> None:
        self.written = annotations

    def rollout(self, name: str) -> dict[str, Any]:
        self.looks -= 1
        (text,) = self.written.values()
        answer = {
            "action": "pause", "text": text, "outcome": self.outcome, "message": "held at 25 %",
        }  # fmt: skip
        old = {"action": "pause", "text": "before", "outcome": "Refused", "message": "old"}
        answered = self.outcome is not None and self.looks <= 0
        return {"status": {"requests": [old, *([answer] if answered else [])]}}


def patience() -> Patience:
    """Ten seconds that pass at once."""
    moments = iter(range(100))
    return Patience(seconds=10, clock=lambda: next(moments), sleep=lambda _: None)


def asked(cluster: FakeCluster, patience: Patience | None) -> str:
    return ask(
        cluster,
        Action.PAUSE,
        "Rollout",
        "r-4",
        why="lunch",
        patience=patience,  # type: ignore[arg-type]
    )


def test_an_accepted_request_says_what_was_done_and_was_written_with_who_when_and_why() -> None:
    cluster = FakeCluster("Accepted")

    words = asked(cluster, patience())

    assert words == "request to pause r-4 accepted: held at 25 %"
    written = json.loads(cluster.written["fairlead.dev/pause"])
    assert (written["by"], written["why"]) == ("ada", "lunch")
    assert datetime.fromisoformat(written["at"]).tzinfo is not None


def test_a_refused_request_is_an_error_with_the_operators_reason() -> None:
    with pytest.raises(RefusedError, match="request to pause r-4 refused: held at 25 %") as refused:
        asked(FakeCluster("Refused"), patience())

    assert refused.value.exit_code == 1


def test_a_request_without_an_answer_says_that_it_stays() -> None:
    with pytest.raises(UnansweredError, match="within 10 s; the request stays") as unanswered:
        asked(FakeCluster(None), patience())

    assert unanswered.value.exit_code == 4


def test_without_patience_nobody_waits() -> None:
    assert (
        asked(FakeCluster(None), None)
        == "request to pause r-4 sent; see the answer with fairlead status"
    )
