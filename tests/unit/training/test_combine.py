"""Which trials of a search are tried together."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.combine import combine, pick
from fairlead_training.config import parse_config
from fairlead_training.learners.protocol import (
    FoldResult,
    Learner,
    OutOfTimeError,
    Parameters,
    PreparedFold,
)
from fairlead_training.learners.table import find_learners
from fairlead_training.metrics import Floats
from fairlead_training.space import read_choice
from fairlead_training.study import LEARNED
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

CONFIG = parse_config(json.dumps(config_document(task="regression", search__metric="rmse")))
SEVERAL = find_learners(["xgboost", "linear"])
TRUTH = [np.random.default_rng(seed).normal(size=200) for seed in (1, 2)]


def trials(*algorithms: str) -> list[FrozenTrial]:
    made = []
    for number, algorithm in enumerate(algorithms):
        trial = frozen_trial(TrialState.COMPLETE)
        trial.number = number
        trial.params = {"algorithm": algorithm, f"{algorithm}.alpha": float(number)}
        trial.user_attrs = {LEARNED: {"rounds": number}}
        made.append(trial)
    return made


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Errant:
    """A fold whose models err, each in its own way, by its parameter."""

    target: Floats
    late: bool = False

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        if self.late:
            raise OutOfTimeError
        noise = np.random.default_rng(int(searched["alpha"])).normal(size=len(self.target))
        return FoldResult(score=self.target + 0.5 * noise, learned={})


def folds(*, late: Sequence[str] = (), number: int = 2) -> Any:
    def of(learner: Learner) -> Sequence[PreparedFold]:
        return [Errant(target=truth, late=learner.name in late) for truth in TRUTH[:number]]

    return of


def test_each_learner_is_tried_by_its_best_trial() -> None:
    ranked = trials(*["xgboost"] * 12, "linear")
    choices = [read_choice(trial.params, SEVERAL) for trial in ranked]

    assert [trial.number for trial in pick(ranked, choices)] == [*range(7), 12]


def test_trials_that_err_apart_answer_together() -> None:
    ranked = trials("xgboost", "linear", "xgboost")

    found = combine(ranked, SEVERAL, folds(), CONFIG)

    assert found.ensemble is not None
    assert list(found.trials) == [0, 1, 2]
    first = found.ensemble.members[0]
    assert (first.learner.name, first.searched, first.learned) == (
        "xgboost", {"alpha": 0.0}, {"rounds": 0},
    )  # fmt: skip
    assert found.said.startswith("better than the best model alone by 0.")


def test_a_search_of_one_trial_has_no_ensemble() -> None:
    found = combine(trials("xgboost"), SEVERAL, folds(), CONFIG)

    assert found.ensemble is None
    assert found.said.startswith("not kept: ")


def test_a_trial_that_takes_too_long_is_left_out() -> None:
    ranked = trials("xgboost", "linear", "xgboost")

    found = combine(ranked, SEVERAL, folds(late=["linear"]), CONFIG)

    assert list(found.trials) == [0, 2]


def test_without_the_best_there_is_nothing_to_compare_with() -> None:
    found = combine(trials("linear", "xgboost"), SEVERAL, folds(late=["linear"]), CONFIG)

    assert (found.ensemble, found.said) == (None, "not tried, as there was no time")


def test_one_fold_cannot_choose_and_judge() -> None:
    found = combine(trials("linear", "xgboost"), SEVERAL, folds(number=1), CONFIG)

    assert (found.ensemble, found.said) == (None, "not tried, as there is one fold")
