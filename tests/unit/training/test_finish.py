"""What a finishing Job decides before it works; the integration tests run it whole."""

import json

import optuna
import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.config import parse_config
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.finish import best_trial, find_registered
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

CONFIG = parse_config(json.dumps(config_document()))


def study(*trials: FrozenTrial) -> optuna.Study:
    made = optuna.create_study(direction="maximize")
    made.add_trials(trials)
    return made


def version(number: str, training_run: str | None) -> ModelVersion:
    tags = {"fairlead.result": json.dumps({"version": "1.0.0", "registryVersion": None})}
    if training_run is not None:
        tags["fairlead.training_run"] = training_run
    return ModelVersion(
        "energy.nsw-price", number, 0, tags=[ModelVersionTag(*tag) for tag in tags.items()]
    )


def test_the_best_is_among_those_that_came_to_their_end() -> None:
    trials = study(
        frozen_trial(TrialState.COMPLETE, value=0.6),
        frozen_trial(TrialState.COMPLETE, value=0.8),
        frozen_trial(TrialState.PRUNED, value=0.9),
    )

    assert best_trial(trials).number == 1


@pytest.mark.parametrize(
    "trials",
    [
        pytest.param([], id="no trial"),
        pytest.param([frozen_trial(TrialState.PRUNED)], id="none came to its end"),
    ],
)
def test_without_a_best_there_is_nothing_to_finish(trials: list[FrozenTrial]) -> None:
    with pytest.raises(TrainingFailure) as caught:
        best_trial(study(*trials))

    assert caught.value.reason is Reason.SEARCH_FOUND_NOTHING


@pytest.mark.parametrize(
    ("versions", "number"),
    [
        pytest.param([], None, id="no version"),
        pytest.param([version("3", "uid-0"), version("2", None)], None, id="of others"),
        pytest.param([version("3", "uid-0"), version("2", "uid-1")], "2", id="its own"),
    ],
)
def test_a_version_that_this_training_registered_is_reported_again(
    versions: list[ModelVersion], number: str | None
) -> None:
    result = find_registered(versions, CONFIG)

    assert (result and result["registryVersion"]) == number
