"""One trial of a worker, with a learner that does as it is told, and the sampler."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import optuna
import pandas as pd
import pytest
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.config import TrainingConfig, ValidationConfig, parse_config
from fairlead_training.data import Table
from fairlead_training.learners.protocol import (
    FoldResult,
    Learner,
    OutOfTimeError,
    Parameters,
    Setting,
    Space,
)
from fairlead_training.learners.table import LEARNERS, find_learners
from fairlead_training.metrics import Floats
from fairlead_training.search import Folds, TrialFailedError, Worker, build_sampler, nothing_found
from fairlead_training.snapshot import Snapshot
from fairlead_training.space import draw
from fairlead_training.split import split
from fairlead_training.study import ERROR, LEARNED, SharedStudy
from fairlead_training.warm_start import choose
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

CONFIG = parse_config(json.dumps(config_document()))
RIGHT, WRONG = np.array([0.1, 0.9]), np.array([0.9, 0.1])


class RefusedError(Exception):
    """The learner's own."""


class ToldLearner:
    """As much of a learner as a trial touches."""

    name = "told"
    errors = (RefusedError,)

    def suggest(self, space: Space) -> Parameters:
        return {"depth": space.suggest_int("depth", 1, 3)}

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        return {"steps": sum(part["steps"] for part in learned)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToldFold:
    """A fold whose training ends as the test says."""

    end: Callable[[], Floats]
    target: Floats = dataclasses.field(default_factory=lambda: np.array([0.0, 1.0]))

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        assert deadline > time.monotonic()
        return FoldResult(score=self.end(), learned={"steps": searched["depth"]})


def fails(error: Exception) -> Callable[[], Floats]:
    def end() -> Floats:
        raise error

    return end


def run_trial(*folds: ToldFold) -> FrozenTrial:
    """Run one trial over these folds in a study of its own."""
    study = optuna.create_study(direction="maximize")
    shared = SharedStudy(
        study=study,
        engine=cast(sqlalchemy.Engine, None),  # a trial asks the database for nothing
        snapshot=Snapshot(rows=2, first=0, last=1, digest="sha256:1"),
        started_at=0.0,
    )
    learner = cast(Learner, ToldLearner())
    worker = Worker(
        CONFIG, shared, learners=[learner], folds=lambda _: folds, report=lambda _: None
    )
    study.enqueue_trial({"depth": 2})
    study.optimize(worker._try, n_trials=1, catch=TrialFailedError)
    (trial,) = study.trials
    return trial


def test_a_trial_is_worth_the_mean_of_its_folds_and_keeps_what_they_learned() -> None:
    trial = run_trial(ToldFold(end=lambda: RIGHT), ToldFold(end=lambda: WRONG))

    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
    assert trial.user_attrs == {LEARNED: {"steps": 4}}


@pytest.mark.parametrize(
    ("last", "state", "attributes"),
    [
        pytest.param(
            ToldFold(end=fails(RefusedError("too deep\nat line 7"))),
            TrialState.FAIL,
            {ERROR: "too deep"},
            id="the learner refuses: its first line is kept",
        ),
        pytest.param(
            ToldFold(end=fails(RefusedError())),
            TrialState.FAIL,
            {ERROR: "RefusedError"},
            id="the learner refuses without a word: the error's name is kept",
        ),
        pytest.param(
            ToldFold(end=fails(OutOfTimeError())),
            TrialState.PRUNED,
            {},
            id="the time is over: no error",
        ),
        pytest.param(
            ToldFold(end=lambda: RIGHT, target=np.ones(2)),
            TrialState.FAIL,
            {ERROR: "roc_auc is undefined in fold 1"},
            id="no value: the fold is named",
        ),
    ],
)
def test_a_trial_that_comes_to_no_end_says_why(
    last: ToldFold, state: TrialState, attributes: dict[str, Any]
) -> None:
    trial = run_trial(ToldFold(end=lambda: RIGHT), last)

    assert (trial.state, trial.user_attrs) == (state, attributes)


def test_any_other_error_ends_the_worker() -> None:
    with pytest.raises(ZeroDivisionError):
        run_trial(ToldFold(end=fails(ZeroDivisionError())))


def test_workers_draw_different_trials_and_each_its_own_again() -> None:
    def draw(config: TrainingConfig, worker: int) -> float:
        study = optuna.create_study(sampler=build_sampler(config, worker))
        return study.ask().suggest_float("rate", 0, 1)

    assert draw(CONFIG, 0) == draw(CONFIG, 0)
    assert not math.isclose(draw(CONFIG, 0), draw(CONFIG, 1))


def test_nothing_found_tells_the_first_error() -> None:
    failure = nothing_found(
        [frozen_trial(TrialState.FAIL, error="too deep"), frozen_trial(TrialState.WAITING)]
    )

    assert "none of 1 trials" in failure.message
    assert "too deep" in failure.message


def test_a_search_of_xgboost_alone_draws_what_it_always_drew() -> None:
    """An upgrade of Fairlead trains nobody anew, and a training repeated finds the same."""
    (learner,) = find_learners(["xgboost"])
    study = optuna.create_study(sampler=build_sampler(CONFIG, 0), direction="maximize")
    for point in choose([], [learner], trials=6):
        study.enqueue_trial(point)

    def judge(trial: optuna.Trial) -> float:
        drawn = draw(trial, [learner]).parameters
        return -abs(drawn["learning_rate"] - 0.2) - abs(drawn["max_depth"] - 4) / 10

    study.optimize(judge, n_trials=6)

    shown = ("learning_rate", "max_depth", "min_child_weight", "subsample", "reg_alpha")
    found = [[trial.params[name] for name in shown] for trial in study.trials]
    expected = [
        [0.1, 6, 2.0, 0.8, 0.01],
        [0.0251368, 9, 4.19556, 0.861733, 0.101037],
        [0.0248182, 4, 5.65363, 0.839615, 0.00183546],
        [0.0700062, 4, 24.8386, 0.833199, 0.133462],
        [0.024036, 3, 19.5187, 0.730945, 1.17578],
        [0.258782, 2, 5.12257, 0.976173, 0.284931],
    ]
    assert np.array(found) == pytest.approx(np.array(expected), rel=1e-5)


@pytest.mark.parametrize(
    "learner", [LEARNERS["linear"], LEARNERS["lightgbm"]], ids=["linear", "lightgbm"]
)
def test_the_folds_of_a_learner_are_made_once_and_when_it_is_drawn(learner: Learner) -> None:
    table = Table(
        times=np.arange(60),
        features=pd.DataFrame({"a": np.arange(60.0)}),
        target=np.arange(60) % 2 * 1.0,
        rows=np.arange(60),
    )
    parts = split(table, ValidationConfig(folds=2, holdout_fraction=0.2))
    setting = Setting(task=CONFIG.task, metric="roc_auc", classes=2, seed=7, threads=1)
    folds = Folds(parts, setting)

    first = folds(LEARNERS["linear"])

    assert len(first) == len(parts.folds)
    assert folds(LEARNERS["linear"]) is first
    assert folds(LEARNERS["baseline"]) is not first
