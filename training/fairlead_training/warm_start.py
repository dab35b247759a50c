"""Where a search begins: at the best of the Model's last one, and at a good point of each learner.

The last search is known by what its training left in the namespace's own schema: under the Model's
name, the parameters of its best trials.  Nothing else of a study outlives its training.
"""

import json
import logging
from collections.abc import Sequence
from typing import Any, Final

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from fairlead_contract.search import memory_name
from fairlead_training.config import TrainingConfig
from fairlead_training.learners.protocol import Learner
from fairlead_training.learners.table import find_learners
from fairlead_training.space import Choice, has_point, name_point, read_choice
from fairlead_training.study import Beginning

_BEST: Final = "fairlead.best"
_FIRST: Final = 3  # trials of the last search that are tried before all others
_OF_BUDGET: Final = 4  # of so many trials one is for them
_MOST_READ: Final = 50  # of what the namespace's login may have written
_LONGEST_NAME: Final = 253  # of a TrainingRun

_log = logging.getLogger(__name__)


def begin(storage: BaseStorage, config: TrainingConfig, learners: Sequence[Learner]) -> Beginning:
    """Choose what the search tries first, by what the Model's last search found."""
    told = _recall(storage, config) if config.search.warm_start else None
    training, found = None, list[Choice]()
    if told is not None:
        try:
            training, found = read_memory(told, config, learners)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # Another release may have left it, or whoever may write to the schema.
            _log.warning("what the last search left cannot be read", extra={"why": repr(error)})
    points = choose(found, learners, trials=config.search.trials)
    if found:
        _log.info("the search begins with the best of the last one", extra={"training": training})
    return Beginning(points=points, taken_from=training if found else None)


def choose(
    found: Sequence[Choice], learners: Sequence[Learner], *, trials: int
) -> list[dict[str, Any]]:
    """Return the best few that were found, and a good point of every other learner.

    Args:
        found: the best first.
        trials: the budget, of which most is for what was not tried yet.
    """
    chosen = list(found[: max(1, min(_FIRST, trials // _OF_BUDGET))])
    for learner in learners:
        if all(choice.learner is not learner for choice in chosen):
            usual = Choice(learner=learner, parameters=learner.starting_point)
            chosen.append(next((one for one in found if one.learner is learner), usual))
    return [name_point(choice, learners) for choice in chosen]


def remember(storage: BaseStorage, config: TrainingConfig, ranked: Sequence[FrozenTrial]) -> None:
    """Leave the best trials to the Model's next search: the best few, and each learner's best.

    Args:
        ranked: those that completed, the best first.
    """
    learners = find_learners(config.search.algorithms)
    choices = [read_choice(trial.params, learners) for trial in ranked]
    kept: list[dict[str, Any]] = []
    seen: set[str] = set()
    for place, choice in enumerate(choices):
        if place < _FIRST or choice.learner.name not in seen:
            kept.append({"algorithm": choice.learner.name, "params": dict(choice.parameters)})
        seen.add(choice.learner.name)
    memory = {
        "training": config.training_run,
        "task": config.task,
        "metric": config.search.metric,
        "trials": kept,
    }
    study = optuna.create_study(
        storage=storage,
        study_name=memory_name(config.namespace, config.model),
        load_if_exists=True,
    )
    study.set_user_attr(_BEST, json.dumps(memory))


def read_memory(
    told: str, config: TrainingConfig, learners: Sequence[Learner]
) -> tuple[str, list[Choice]]:
    """Return the training that left it, and of its best trials those that are points of these."""
    memory = json.loads(told)
    training = str(memory["training"])[:_LONGEST_NAME]
    if (memory["task"], memory["metric"]) != (config.task, config.search.metric):
        return training, []  # what was good in another metric may not be in this one
    by_name = {learner.name: learner for learner in learners}
    found = [
        Choice(learner=by_name[trial["algorithm"]], parameters=trial["params"])
        for trial in memory["trials"][:_MOST_READ]
        if trial["algorithm"] in by_name
    ]
    # A release may have moved the bounds of a learner's parameters since.
    return training, [choice for choice in found if has_point(choice.learner, choice.parameters)]


def _recall(storage: BaseStorage, config: TrainingConfig) -> str | None:
    """Return what the Model's last training left; None where this is the first."""
    try:
        study = optuna.load_study(
            storage=storage, study_name=memory_name(config.namespace, config.model)
        )
    except KeyError:
        return None
    told: str | None = study.user_attrs.get(_BEST)
    return told
