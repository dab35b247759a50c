"""The progress tag: seldom, and never a reason to fail once the training runs."""

import json

import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.progress import Progress, Stage


class Desk:
    """Takes documents, or refuses them, and holds a clock."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []
        self.is_silent = False
        self.now = 100.0

    def write(self, text: str) -> None:
        if self.is_silent:
            raise TrainingFailure(Reason.TRACKING_UNAVAILABLE, "silent")
        self.taken.append(json.loads(text))

    def progress(self) -> Progress:
        return Progress(self.write, trials=40, metric="roc_auc", clock=lambda: self.now)


def test_at_most_once_a_second() -> None:
    desk = Desk()
    progress = desk.progress()

    progress.begin()
    progress.enter(Stage.FEATURES)
    desk.now += 1
    progress.enter(Stage.SEARCH, trial=17, best=0.912)
    progress.enter(Stage.SEARCH, trial=18, best=0.913)

    assert [word["stage"] for word in desk.taken] == ["data", "search"]
    assert desk.taken[-1] == {
        "stage": "search",
        "trials": 40,
        "metric": "roc_auc",
        "trial": 17,
        "best": 0.912,
    }


def test_the_first_word_must_arrive() -> None:
    desk = Desk()
    desk.is_silent = True

    with pytest.raises(TrainingFailure):
        desk.progress().begin()


def test_a_later_word_may_be_lost() -> None:
    desk = Desk()
    progress = desk.progress()
    progress.begin()

    desk.is_silent, desk.now = True, desk.now + 2
    progress.enter(Stage.SEARCH)
    desk.is_silent, desk.now = False, desk.now + 2
    progress.enter(Stage.FIT)
    desk.now += 10
    progress.enter(Stage.EVALUATE)

    assert [word["stage"] for word in desk.taken] == ["data", "evaluate"], "no word right after"
    assert progress.stage is Stage.EVALUATE


def test_what_is_waited_for_is_said_at_once_and_until_work_goes_on() -> None:
    desk = Desk()
    progress = desk.progress()
    progress.begin()

    progress.wait("waiting for the source")
    progress.wait(None)

    assert [word.get("waiting") for word in desk.taken] == [None, "waiting for the source", None]


def test_mlflow_itself_may_be_waited_for() -> None:
    desk = Desk()
    desk.is_silent = True

    desk.progress().wait("waiting for MLflow")

    assert desk.taken == []


def test_the_first_word_is_said_again_when_two_workers_begin_at_once() -> None:
    """MLflow refuses one of two that make the same tag; a training once failed for it."""
    refused: list[str] = []
    taken: list[str] = []

    def write(document: str) -> None:
        if not refused:
            refused.append(document)
            raise TrainingFailure(Reason.TRACKING_UNAVAILABLE, "HTTP 400 duplicate key")
        taken.append(document)

    Progress(write, trials=40, metric="roc_auc").begin()

    assert taken == refused
