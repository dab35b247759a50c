"""What a search over several learners draws, keeps, and reads back."""

import json
from typing import Any

import optuna
import pytest

from fairlead_training.config import parse_config
from fairlead_training.learners.table import LEARNERS, find_learners
from fairlead_training.search import build_sampler
from fairlead_training.space import draw, has_point, name_point, read_choice
from fairlead_training.warm_start import choose
from support.trainer_config import config_document

SEVERAL = find_learners(["lightgbm", "linear", "baseline"])


def trial(point: dict[str, Any]) -> optuna.Trial:
    study = optuna.create_study()
    study.enqueue_trial(point)
    return study.ask()


@pytest.mark.parametrize("name", list(LEARNERS))
def test_a_study_of_one_learner_knows_its_parameters_by_their_own_names(name: str) -> None:
    """One that an earlier release began goes on: it has no other names."""
    (learner,) = learners = find_learners([name])

    asked = trial(dict(learner.starting_point))
    choice = draw(asked, learners)

    assert choice.parameters == asked.params == learner.starting_point
    assert read_choice(asked.params, learners) == choice
    assert name_point(choice, learners) == learner.starting_point
    assert has_point(learner, learner.starting_point)


def test_each_learner_is_tried_at_its_own_good_point_in_the_order_they_are_named() -> None:
    choices = [draw(trial(point), SEVERAL) for point in choose([], SEVERAL, trials=24)]

    assert [choice.learner.name for choice in choices] == ["lightgbm", "linear", "baseline"]
    assert all(choice.parameters == choice.learner.starting_point for choice in choices)


def test_a_study_of_several_keeps_the_learner_and_its_parameters_alone() -> None:
    asked = trial({"algorithm": "linear", "linear.alpha": 0.5, "linear.l1_ratio": 0.25})

    choice = draw(asked, SEVERAL)

    assert set(asked.params) == {"algorithm", "linear.alpha", "linear.l1_ratio"}
    assert read_choice(asked.params, SEVERAL) == choice
    assert choice.parameters == {"alpha": 0.5, "l1_ratio": 0.25}


def test_the_trials_go_where_they_pay() -> None:
    """The sampler learns which learner is good, and what parameters that one wants."""
    config = parse_config(
        json.dumps(config_document(search__algorithms=[each.name for each in SEVERAL]))
    )
    study = optuna.create_study(sampler=build_sampler(config, 0), direction="maximize")
    for point in choose([], SEVERAL, trials=40):
        study.enqueue_trial(point)

    def judge(asked: optuna.Trial) -> float:
        choice = draw(asked, SEVERAL)
        if choice.learner.name != "linear":
            return 0.0
        return 1.0 - abs(choice.parameters["l1_ratio"] - 0.75)

    study.optimize(judge, n_trials=40)

    drawn = [each.params["algorithm"] for each in study.trials]
    assert set(drawn[:3]) == {"lightgbm", "linear", "baseline"}
    assert drawn[20:].count("linear") > 10
    assert study.best_params["linear.l1_ratio"] == 0.75
