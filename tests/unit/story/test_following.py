"""What the person before the terminal reads, and when a wait ends."""

import io
from typing import Any

import pytest

from e2e.story.errors import StoryError
from e2e.story.following import describe_rollout, describe_training, expect_phase
from e2e.story.good_versions import describe_model
from e2e.story.narrator import Narrator
from e2e.story.waiting import wait_for


@pytest.mark.parametrize(
    ("item", "line"),
    [
        pytest.param({}, "training: not started yet", id="none yet"),
        pytest.param(
            {
                "metadata": {"name": "nsw-price-training-1"},
                "status": {"phase": "Searching", "summary": "trial 7/24, best roc_auc 0.812"},
            },
            "training nsw-price-training-1: Searching, trial 7/24, best roc_auc 0.812",
            id="under way",
        ),
    ],
)
def test_a_training_in_one_line(item: dict[str, Any], line: str) -> None:
    assert describe_training(item) == line


def rollout(**status: Any) -> dict[str, Any]:
    return {
        "kind": "Rollout",
        "metadata": {"name": "nsw-price-rollout-3"},
        "spec": {"version": "1.1.0"},
        "status": status,
    }


def test_a_rollout_in_one_line() -> None:
    seen = rollout(
        phase="Progressing",
        observedWeight=10,
        verdict="Failed",
        reason="StepHolding",
        message="success-rate: 0.7",
    )

    assert describe_rollout(seen) == (
        "rollout to 1.1.0: Progressing, weight 10 %, Failed; StepHolding: success-rate: 0.7"
    )


def test_an_unknown_weight_is_said_to_be_unknown() -> None:
    assert "weight ? %" in describe_rollout(rollout(phase="Pending", reason="WaitingForCandidate"))


def test_a_model_in_one_line() -> None:
    model = {"metadata": {"name": "m"}, "status": {"phase": "Training"}}

    assert describe_model(model) == "model m: Training, stable version: none"


def test_another_end_than_told_says_why() -> None:
    ended = rollout(phase="RolledBack", reason="AnalysisFailed", message="latency: 1200")

    with pytest.raises(
        StoryError, match=r"Succeeded, but it is RolledBack, AnalysisFailed: latency: 1200"
    ):
        expect_phase(ended, "Succeeded")


def test_each_change_is_told_once() -> None:
    looks = iter(["a", "a", "b", "end"])
    told: list[str] = []

    seen = wait_for(
        "the end",
        lambda: next(looks),
        lambda look: look == "end",
        describe=str,
        say=told.append,
        timeout=60,
        aside=lambda: "!",
        pause=0,
    )

    assert (seen, told) == ("end", ["a!", "b!", "end!"])


def test_a_wait_has_an_end() -> None:
    with pytest.raises(StoryError, match=r"waited 0 s for the end, but got: still not"):
        wait_for(
            "the end",
            lambda: "still not",
            lambda look: False,
            describe=str,
            say=lambda line: None,
            timeout=0,
            pause=0,
        )


def test_lines_stand_behind_the_seconds() -> None:
    out = io.StringIO()
    seconds = iter([100.0, 101.5])

    Narrator(out, clock=lambda: next(seconds))("the node is ready")

    assert out.getvalue() == "   1.5s  the node is ready\n"
