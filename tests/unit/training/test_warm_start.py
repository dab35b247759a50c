"""Where a search begins, by what the Model's last one left."""

import json
from collections.abc import Sequence
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from fairlead_contract.search import memory_name
from fairlead_training.config import TrainingConfig, parse_config
from fairlead_training.learners.table import find_learners
from fairlead_training.space import draw
from fairlead_training.warm_start import begin, remember
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

SEVERAL = ["lightgbm", "linear", "extra-trees"]
FIRST = {"task": "binary-classification", "search__metric": "roc_auc", "trainingRun": "first"}


def config(algorithms: Sequence[str] = SEVERAL, **changes: Any) -> TrainingConfig:
    told = {"search__algorithms": list(algorithms), "search__trials": 24, "search__warmStart": True}
    return parse_config(json.dumps(config_document(**(told | FIRST | changes))))


def trial(**params: Any) -> FrozenTrial:
    """A trial that completed; in names, a double underscore stands for the dot."""
    made = frozen_trial(TrialState.COMPLETE)
    made.params = {name.replace("__", "."): value for name, value in params.items()}
    return made


def linear(alpha: float) -> FrozenTrial:
    return trial(algorithm="linear", linear__alpha=alpha, linear__l1_ratio=0.5)


def trees(leaves: int) -> FrozenTrial:
    return trial(
        **{
            "algorithm": "extra-trees",
            "extra-trees__max_leaf_nodes": leaves,
            "extra-trees__min_samples_leaf": 2,
            "extra-trees__max_features": 0.5,
        }
    )


LEFT = {"training": "first", "task": "binary-classification", "metric": "roc_auc"}
RANKED = [linear(0.1), linear(0.2), linear(0.3), linear(0.4), trees(64), trees(32)]


def storage_after(*ranked: FrozenTrial, **changes: Any) -> InMemoryStorage:
    storage = InMemoryStorage()
    remember(storage, config(**changes), ranked)
    return storage


def begun(storage: InMemoryStorage, told: TrainingConfig) -> tuple[list[str], str | None]:
    """What would be tried first, as a study would draw it, and what it was taken from."""
    learners = find_learners(told.search.algorithms)
    beginning = begin(storage, told, learners)
    study = optuna.create_study()
    drawn = []
    for point in beginning.points:
        study.enqueue_trial(dict(point))
        choice = draw(study.ask(), learners)
        first = next(iter(choice.parameters.values()), None)
        drawn.append(f"{choice.learner.name} {first}")
    return drawn, beginning.taken_from


def test_a_first_search_begins_at_a_good_point_of_each_learner_in_the_order_they_are_named() -> (
    None
):
    learners = find_learners(SEVERAL)

    beginning = begin(InMemoryStorage(), config(), learners)

    drawn = [next(iter(each.starting_point.values())) for each in learners]
    assert [point["algorithm"] for point in beginning.points] == SEVERAL
    assert [list(point.values())[1] for point in beginning.points] == drawn
    assert beginning.taken_from is None


def test_the_next_begins_with_the_best_few_and_the_best_or_a_good_point_of_each_other() -> None:
    drawn, taken_from = begun(storage_after(*RANKED), config())

    (usual,) = (next(iter(each.starting_point.values())) for each in find_learners(["lightgbm"]))
    assert drawn == [
        "linear 0.1", "linear 0.2", "linear 0.3", f"lightgbm {usual}", "extra-trees 64",
    ]  # fmt: skip
    assert taken_from == "first"


@pytest.mark.parametrize(("trials", "few"), [(1, 1), (4, 1), (8, 2), (12, 3), (2000, 3)], ids=str)
def test_most_of_the_budget_is_for_what_was_not_tried_yet(trials: int, few: int) -> None:
    drawn, _ = begun(storage_after(*RANKED), config(["linear"], search__trials=trials))

    assert drawn == [f"linear 0.{place}" for place in range(1, few + 1)]


def test_learners_may_come_and_go() -> None:
    """The names of a study's parameters depend on how many learners it has."""
    alone = storage_after(trial(alpha=0.7, l1_ratio=0.25), algorithms=["linear"])

    assert begun(alone, config(["linear", "extra-trees"]))[0][0] == "linear 0.7"
    assert begun(storage_after(*RANKED), config(["extra-trees"])) == (
        ["extra-trees 64"],
        "first",
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"search__warmStart": False}, id="the Model says so"),
        pytest.param({"search__metric": "log_loss"}, id="another metric"),
        pytest.param({"model": "nsw-demand"}, id="another Model"),
        pytest.param({"namespace": "weather"}, id="another namespace, in a schema of both"),
        pytest.param({"search__algorithms": ["xgboost"]}, id="none of its learners"),
    ],
)
def test_it_begins_anew_where_the_last_search_was_of_something_else(
    changes: dict[str, Any],
) -> None:
    storage, told = storage_after(*RANKED), config(**changes)

    assert begun(storage, told) == begun(InMemoryStorage(), told)


def test_only_the_last_search_counts() -> None:
    storage = storage_after(*RANKED)
    remember(storage, config(trainingRun="second"), [linear(0.9)])

    drawn, taken_from = begun(storage, config())

    assert drawn[0] == "linear 0.9"
    assert taken_from == "second"
    assert sum(text.startswith("linear") for text in drawn) == 1


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"alpha": 1e9, "l1_ratio": 0.5}, id="beyond the bounds"),
        pytest.param({"alpha": 0.1, "l1_ratio": 0.3}, id="between the steps"),
        pytest.param({"alpha": "0.1e", "l1_ratio": 0.5}, id="no number"),
        pytest.param({"alpha": "0.1", "l1_ratio": 0.5}, id="a number as text"),
        pytest.param({"alpha": float("nan"), "l1_ratio": 0.5}, id="not a number"),
        pytest.param({"alpha": None, "l1_ratio": 0.5}, id="null"),
        pytest.param({"alpha": 0.1}, id="one is missing"),
        pytest.param({"alpha": 0.1, "l1_ratio": 0.5, "power": 2}, id="one that it does not have"),
    ],
)
def test_what_a_learner_could_not_draw_is_passed_over(params: dict[str, Any]) -> None:
    """A release may have moved the bounds, and a study takes any point it is given."""
    storage = storage_after(trial(**params), linear_of(0.2), algorithms=["linear"])

    assert begun(storage, config(["linear"])) == (["linear 0.2"], "first")


def linear_of(alpha: float) -> FrozenTrial:
    """As a study of this learner alone names it."""
    return trial(alpha=alpha, l1_ratio=0.5)


@pytest.mark.parametrize(
    "left",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(json.dumps(LEFT | {"trials": 7}), id="no list of trials"),
        pytest.param(json.dumps(LEFT | {"trials": [7]}), id="a trial that is none"),
        pytest.param(json.dumps(LEFT | {"trials": [{"algorithm": []}]}), id="a list as a name"),
        pytest.param(7, id="a number"),
    ],
)
def test_what_cannot_be_read_ends_no_training(
    left: object, caplog: pytest.LogCaptureFixture
) -> None:
    storage, told = InMemoryStorage(), config()
    study = optuna.create_study(storage=storage, study_name=memory_name(told.namespace, told.model))
    study.set_user_attr("fairlead.best", left)

    assert begun(storage, told) == begun(InMemoryStorage(), told)
    assert "cannot be read" in caplog.text


def test_a_memory_is_small_however_long_the_search_was() -> None:
    storage = storage_after(*(linear(0.1 + place / 2000) for place in range(2000)))

    (study,) = storage.get_all_studies()
    assert len(study.user_attrs["fairlead.best"]) < 500
