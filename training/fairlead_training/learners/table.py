"""The learners there are, by the name a Model gives them in spec.training.algorithms."""

from collections.abc import Container, Mapping
from typing import Final

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.protocol import Learner
from fairlead_training.learners.xgboost import XGBoostLearner

LEARNERS: Final[Mapping[str, Learner]] = {learner.name: learner for learner in (XGBoostLearner(),)}


def find_learner(algorithm: str) -> Learner:
    """Return the learner of that name.

    Raises:
        TrainingFailure: ConfigInvalid when there is none.
    """
    if algorithm not in LEARNERS:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"config.search.algorithms names {algorithm}, which this trainer does not have; "
            f"use {' or '.join(LEARNERS)}",
        )
    return LEARNERS[algorithm]


def find_by_flavor(flavors: Container[str]) -> Learner | None:
    """Return the learner that opens a model stored in these flavors; None when there is none."""
    return next((learner for learner in LEARNERS.values() if learner.flavor in flavors), None)
