"""What the API lets a Model name is what the trainer has a row for: all of it, and nothing else."""

import re
from typing import get_args

from fairlead_operator.api.training import DataSource, TrainingSpec
from fairlead_training.config import ENCODINGS
from fairlead_training.learners.table import LEARNERS
from fairlead_training.sources.delta import DELTA
from fairlead_training.sources.formats import FORMATS
from fairlead_training.sources.table import SOURCES


def test_every_algorithm_of_the_api_is_a_learner_of_the_trainer() -> None:
    names, _ = get_args(TrainingSpec.model_fields["algorithms"].annotation)

    assert set(get_args(names)) == LEARNERS.keys()


def test_every_scheme_of_the_api_is_a_source_of_the_trainer() -> None:
    pattern = DataSource.model_json_schema()["properties"]["uri"]["pattern"]
    schemes = re.match(r"\^\(([^)]+)\)://", pattern)
    assert schemes is not None, "the pattern begins with its schemes"

    assert set(schemes[1].replace("https?", "http|https").split("|")) == SOURCES.keys()


def test_every_encoding_of_the_api_is_one_the_trainer_reads() -> None:
    names, _ = get_args(DataSource.model_fields["encoding"].annotation)

    assert get_args(names) == ENCODINGS


def test_every_format_of_the_api_is_one_the_trainer_parses() -> None:
    names, _ = get_args(DataSource.model_fields["format"].annotation)

    assert set(get_args(names)) == {*FORMATS, DELTA}
