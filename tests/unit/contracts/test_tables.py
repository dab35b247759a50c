"""What the API lets a Model name is what the trainer has a row for: all of it, and nothing else."""

from typing import get_args

from fairlead_operator.api.training import TrainingSpec
from fairlead_training.learners.table import LEARNERS


def test_every_algorithm_of_the_api_is_a_learner_of_the_trainer() -> None:
    names, _ = get_args(TrainingSpec.model_fields["algorithms"].annotation)

    assert set(get_args(names)) == LEARNERS.keys()
