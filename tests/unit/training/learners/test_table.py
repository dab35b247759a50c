"""A learner is found by its name, or by the form a stored model has."""

import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.table import find_by_flavor, find_learner


def test_a_learner_is_found_by_its_name() -> None:
    assert find_learner("xgboost").name == "xgboost"


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(TrainingFailure, match=r"names svm, .* use xgboost") as caught:
        find_learner("svm")

    assert caught.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize(
    ("flavors", "name"),
    [
        pytest.param({"python_function", "xgboost"}, "xgboost", id="a learner's own"),
        pytest.param({"python_function"}, None, id="any other: MLflow has to open it"),
    ],
)
def test_a_stored_model_is_opened_by_the_learner_of_its_flavor(
    flavors: set[str], name: str | None
) -> None:
    learner = find_by_flavor(flavors)

    assert (learner and learner.name) == name
