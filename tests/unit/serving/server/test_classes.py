"""Answers in the words of the labels, and the classes that clients mean."""

from typing import Any

import numpy as np
import orjson
import pytest

from fairlead_contract.classes import Label
from fairlead_serving.server.classes import PLAIN, Classes, OtherClassesError


def told(classes: Classes, predictions: Any) -> Any:
    return orjson.loads(orjson.dumps(classes.tell(predictions), option=orjson.OPT_SERIALIZE_NUMPY))


def answer(label: Label, **shares: float) -> dict[str, Any]:
    return {"label": label, "probabilities": shares}


@pytest.mark.parametrize(
    ("labels", "predictions", "answers"),
    [
        pytest.param(
            ("no", "yes"),
            np.array([0.25, 0.75], dtype=np.float32),
            [answer("no", no=0.75, yes=0.25), answer("yes", no=0.25, yes=0.75)],
            id="two words",
        ),
        pytest.param(("no", "yes"), [0.5], [answer("yes", no=0.5, yes=0.5)], id="a half: second"),
        pytest.param(
            ("no", "yes"), [[0.75, 0.25]], [answer("no", no=0.75, yes=0.25)], id="each told"
        ),
        pytest.param((-1, 1), [0.75], [answer(1, **{"-1": 0.25, "1": 0.75})], id="numbers"),
        pytest.param((False, True), [0.75], [answer(True, false=0.25, true=0.75)], id="truths"),
        pytest.param(
            ("a", "b", 7),
            np.array([[0.25, 0.125, 0.625], [0.5, 0.25, 0.25]]),
            [answer(7, a=0.25, b=0.125, **{"7": 0.625}), answer("a", a=0.5, b=0.25, **{"7": 0.25})],
            id="several",
        ),
    ],
)
def test_an_answer_is_the_label_and_the_probability_of_each(
    labels: tuple[Label, ...], predictions: Any, answers: list[dict[str, Any]]
) -> None:
    assert told(Classes(labels=labels), predictions) == answers


def test_float32_is_told_in_its_own_digits() -> None:
    (row,) = told(Classes(labels=("no", "yes")), np.array([0.1], dtype=np.float32))

    assert row["probabilities"] == {"no": 0.9, "yes": 0.1}


def test_without_labels_predictions_are_the_answer() -> None:
    predictions = np.array([0.5])

    assert PLAIN.tell(predictions) is predictions


@pytest.mark.parametrize(
    "predictions",
    [
        pytest.param([0.5], id="one for three"),
        pytest.param([[0.5, 0.5]], id="two for three"),
        pytest.param(["a"], id="a word"),
        pytest.param([[0.5, 0.5, 0], [1]], id="of two lengths"),
    ],
)
def test_a_model_that_tells_other_classes_apart_fails(predictions: Any) -> None:
    with pytest.raises(OtherClassesError, match="a, b, c"):
        Classes(labels=("a", "b", "c")).tell(predictions)


@pytest.mark.parametrize(
    ("labels", "given", "name"),
    [
        pytest.param(("no", "yes"), "yes", "yes", id="a word"),
        pytest.param(("no", "yes"), "Yes", None, id="another word"),
        pytest.param(("no", "yes"), 1, None, id="a number among words"),
        pytest.param((1, 2), 2, "2", id="a number"),
        pytest.param((1, 2), 2.0, "2", id="a float"),
        pytest.param((1, 2), "2", "2", id="its text"),
        pytest.param((1, 2), 0, None, id="another number"),
        pytest.param((False, True), True, "1", id="true"),
        pytest.param((False, True), "true", "1", id="true as an answer calls it"),
        pytest.param((False, True), 0, "0", id="0 for false"),
        pytest.param(("no", "yes"), ["yes"], None, id="a list"),
        pytest.param(("no", "yes"), float("nan"), None, id="not a number"),
    ],
)
def test_a_client_means_a_class(labels: tuple[Label, ...], given: Any, name: str | None) -> None:
    assert Classes(labels=labels).find(given) == name
