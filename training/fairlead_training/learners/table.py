"""The learners there are, by the name a Model gives them in spec.training.algorithms."""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fairlead_contract import graph as contract
from fairlead_contract.metric import read_quantile
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners import graph, xgboost
from fairlead_training.learners.baseline import BaselineLearner
from fairlead_training.learners.forest import EXTRA_TREES, RANDOM_FOREST
from fairlead_training.learners.lightgbm import LightGBMLearner
from fairlead_training.learners.linear import LinearLearner
from fairlead_training.learners.net import NetLearner
from fairlead_training.learners.protocol import Learner, Scorer

LEARNERS: Final[Mapping[str, Learner]] = {
    learner.name: learner
    for learner in (
        xgboost.XGBoostLearner(),
        LightGBMLearner(),
        LinearLearner(),
        RANDOM_FOREST,
        EXTRA_TREES,
        NetLearner(),
        BaselineLearner(),
    )
}

# How a stored model is opened, by MLflow's name for its form.
OPENERS: Final[Mapping[str, Callable[[Path, Mapping[str, Any]], Scorer]]] = {
    "xgboost": xgboost.open_stored,
    "onnx": graph.open_stored,
}


def find_learners(algorithms: Sequence[str], metric: str = "") -> tuple[Learner, ...]:
    """Return the learners of these names.

    Raises:
        TrainingFailure: ConfigInvalid when there is none, or one that cannot learn for the metric.
    """
    missing = [name for name in algorithms if name not in LEARNERS]
    if missing:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"config.search.algorithms names {', '.join(missing)}, which this trainer does not "
            f"have; use {', '.join(LEARNERS)}",
        )
    learners = tuple(LEARNERS[name] for name in algorithms)
    unable = [learner.name for learner in learners if not learner.learns_quantiles]
    if unable and read_quantile(metric) is not None:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"config.search.algorithms names {', '.join(unable)}, which cannot learn for the "
            f"metric {metric}",
        )
    return learners


def refused_characters(learners: Sequence[Learner]) -> str:
    """Return the characters that one of the learners at least refuses in a feature's name."""
    return "".join(sorted({char for learner in learners for char in learner.refused_in_names}))


def find_form(flavors: Container[str], metadata: object = None) -> str | None:
    """Return the form by which a model stored in these is opened; None when there is none.

    Args:
        metadata: of the ``MLmodel`` file, which says of a graph whether it is of our contract.
    """
    ours = contract.is_marked(metadata)
    return next(
        (form for form in OPENERS if form in flavors and (ours or form != contract.FLAVOR)), None
    )
