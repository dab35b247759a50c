"""What a finishing Job decides before it works; the integration tests run it whole."""

import json
from typing import Any

import optuna
import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.combine import Combination
from fairlead_training.config import parse_config
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.finish import (
    Fitted,
    Plan,
    _Finishing,
    find_registered,
    plan_ensemble,
    rank_trials,
)
from fairlead_training.learners.ensemble import Ensemble, Member
from fairlead_training.learners.protocol import UnfaithfulFormError
from fairlead_training.learners.table import find_learners
from fairlead_training.study import Promise, promise, read_promise
from support.optuna_trials import frozen_trial
from support.trainer_config import config_document

CONFIG = parse_config(json.dumps(config_document()))


def study(*trials: FrozenTrial) -> optuna.Study:
    made = optuna.create_study(direction="maximize")
    made.add_trials(trials)
    return made


def version(number: str, run: str, **tags: str) -> ModelVersion:
    told = [ModelVersionTag(f"fairlead.{name}", value) for name, value in tags.items()]
    return ModelVersion("energy.nsw-price", number, 0, run_id=run, tags=told)


@pytest.mark.parametrize(
    ("direction", "numbers"),
    [
        pytest.param("maximize", [1, 3, 0], id="a score: of two that are as good the older"),
        pytest.param("minimize", [0, 1, 3], id="a loss"),
    ],
)
def test_the_best_comes_first_of_those_that_came_to_their_end(
    direction: str, numbers: list[int]
) -> None:
    made = optuna.create_study(direction=direction)
    made.add_trials(
        [
            frozen_trial(TrialState.COMPLETE, value=0.6),
            frozen_trial(TrialState.COMPLETE, value=0.8),
            frozen_trial(TrialState.PRUNED, value=0.9),
            frozen_trial(TrialState.COMPLETE, value=0.8),
        ]
    )

    assert [trial.number for trial in rank_trials(made)] == numbers
    assert rank_trials(made)[0].number == made.best_trial.number


@pytest.mark.parametrize(
    "trials",
    [
        pytest.param([], id="no trial"),
        pytest.param([frozen_trial(TrialState.PRUNED)], id="none came to its end"),
    ],
)
def test_without_a_best_there_is_nothing_to_finish(trials: list[FrozenTrial]) -> None:
    with pytest.raises(TrainingFailure) as caught:
        rank_trials(study(*trials))

    assert caught.value.reason is Reason.SEARCH_FOUND_NOTHING


OWN = CONFIG.mlflow_run_id
PROMISED = Promise(digest="sha256:ours", result={"version": "1.0.0", "registryVersion": None})
FORGED_TAGS = {
    "training_run": CONFIG.training_run_uid, "digest": "sha256:ours", "version": "1.0.0",
    "result": json.dumps({"version": "6.6.6", "registryVersion": None}),
}  # fmt: skip


@pytest.mark.parametrize(
    ("versions", "files", "number"),
    [
        pytest.param([], {}, None, id="it was killed before it had registered"),
        pytest.param([version("2", OWN)], {"2": "sha256:ours"}, "2", id="its own"),
        pytest.param([version("9", "other", **FORGED_TAGS)], {"9": "sha256:ours"}, None,
                     id="of another run, whatever its tags say"),
        pytest.param([version("9", OWN, **FORGED_TAGS)], {"9": "sha256:forged"}, None,
                     id="of its run, with other files"),
        pytest.param([version("9", OWN, **FORGED_TAGS)], {}, None,
                     id="of its run, without files"),
        pytest.param([version("9", OWN, **FORGED_TAGS), version("10", OWN)],
                     {"9": "sha256:forged", "10": "sha256:ours"}, "10", id="beside a forged one"),
        pytest.param([version("10", OWN), version("9", OWN)],
                     {"9": "sha256:ours", "10": "sha256:ours"}, "9", id="of two the older"),
    ],
)  # fmt: skip
def test_a_version_that_this_training_registered_is_reported_again(
    versions: list[ModelVersion], files: dict[str, str], number: str | None
) -> None:
    """Any version whose tag had the training's uid was reported as its own."""
    result = find_registered(versions, CONFIG, PROMISED, digest_of=files.get)

    assert (result and result["registryVersion"]) == number
    assert (result and result["version"]) == (number and "1.0.0")


def test_many_versions_that_name_its_run_do_not_keep_a_pod_busy() -> None:
    asked: list[str] = []
    versions = [version(str(number), OWN) for number in range(100)]

    def digest_of(number: str) -> str | None:
        asked.append(number)
        return None

    assert find_registered(versions, CONFIG, PROMISED, digest_of=digest_of) is None
    assert len(asked) == 10


def test_what_is_about_to_be_registered_stays_in_the_study() -> None:
    made = study()
    before = read_promise(made)
    promise(made, Promise(digest="sha256:first", result={}))

    promise(made, PROMISED)

    assert before is None
    assert read_promise(made) == PROMISED


def plan(number: int) -> Plan:
    (learner,) = find_learners(["xgboost"])
    what = f"trial {number} (xgboost)"
    return Plan(fitter=learner, what=what, searched={}, learned={}, found={"trial": number})


def finishing(unfaithful: set[int]) -> _Finishing:
    """As much of a finishing Job as chooses the trial: the models of these trials differ."""
    made = object.__new__(_Finishing)

    def fit_one(plan: Plan, parts: object, rival: object) -> Fitted:
        if plan.found["trial"] in unfaithful:
            raise UnfaithfulFormError("its graph differs")
        none: Any = None
        return Fitted(plan=plan, model=none, score=none, judgment=none)

    made._fit_one = fit_one  # type: ignore[method-assign,assignment]
    return made


PLANS = [plan(number) for number in range(3)]


@pytest.mark.parametrize(
    ("unfaithful", "taken"),
    [
        pytest.param(set(), 0, id="the best"),
        pytest.param({0}, 1, id="the next, where the best cannot be stored as it is"),
        pytest.param({0, 1}, 2, id="the one after it"),
    ],
)
def test_a_model_that_cannot_be_stored_gives_way_to_the_next_best(
    unfaithful: set[int], taken: int
) -> None:
    nothing: Any = None

    fitted = finishing(unfaithful)._fit(PLANS, nothing, None)

    assert fitted.plan.found["trial"] == taken
    assert len(fitted.passed_over) == taken
    assert all("(xgboost) was better" in said for said in fitted.passed_over)


def test_a_training_whose_best_models_cannot_be_stored_fails_and_says_why() -> None:
    nothing: Any = None
    with pytest.raises(TrainingFailure, match=r"none of the 3 best .* its graph differs") as caught:
        finishing({0, 1, 2})._fit(PLANS, nothing, None)

    assert caught.value.reason is Reason.SEARCH_FOUND_NOTHING


def test_an_ensemble_is_told_by_its_members() -> None:
    xgboost, linear = find_learners(["xgboost", "linear"])
    members = (
        Member(learner=xgboost, searched={"max_depth": 3}, learned={"rounds": 9}, weight=0.75),
        Member(learner=linear, searched={"alpha": 0.1}, learned={}, weight=0.25),
    )

    (planned,) = plan_ensemble(
        Combination(said="better", ensemble=Ensemble(members=members), trials=(4, 2))
    )

    assert planned.what == "the ensemble of trials 4, 2"
    assert planned.searched == {"trial 4 xgboost": 0.75, "trial 2 linear": 0.25}
    first = {"algorithm": "xgboost", "trial": 4, "weight": 0.75, "rounds": 9}
    assert planned.found["members"][0] == {**first, "params": {"max_depth": 3}}


def test_where_one_model_is_as_good_alone_there_is_no_ensemble() -> None:
    assert plan_ensemble(Combination(said="not kept", ensemble=None)) == []
