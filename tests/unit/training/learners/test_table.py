"""A learner is found by its name, or by the form a stored model has."""

import pytest

from fairlead_contract.graph import MARK
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.learners.table import find_form, find_learners, refused_characters


def test_learners_are_found_by_their_names_in_that_order() -> None:
    found = find_learners(["linear", "xgboost"])

    assert [learner.name for learner in found] == ["linear", "xgboost"]


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(TrainingFailure, match=r"names svm, .* use xgboost") as caught:
        find_learners(["xgboost", "svm"])

    assert caught.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize(
    ("flavors", "metadata", "form"),
    [
        pytest.param({"python_function", "xgboost"}, None, "xgboost", id="a booster"),
        pytest.param({"python_function", "onnx"}, MARK, "onnx", id="a graph of our contract"),
        pytest.param({"python_function", "onnx"}, None, None, id="another graph: by MLflow"),
        pytest.param({"python_function"}, MARK, None, id="any other: MLflow has to open it"),
    ],
)
def test_a_stored_model_is_opened_by_its_form(
    flavors: set[str], metadata: object, form: str | None
) -> None:
    assert find_form(flavors, metadata) == form


def test_a_name_must_suit_every_learner_of_a_search() -> None:
    """Otherwise a search would fail when the learner is drawn that refuses it."""
    assert refused_characters(find_learners(["linear"])) == ""
    assert refused_characters(find_learners(["linear", "xgboost"])) == "<[]"


def test_a_learner_of_what_is_usual_is_asked_for_no_quantile() -> None:
    assert len(find_learners(["linear", "lightgbm"], "pinball_0.9")) == 2
    assert len(find_learners(["extra-trees"], "mae")) == 1

    with pytest.raises(TrainingFailure, match=r"names extra-trees, which cannot .* pinball_0\.9"):
        find_learners(["linear", "extra-trees"], "pinball_0.9")
