"""Which form an artifact is served in, whether that runs code, and where its files are."""

from collections.abc import Mapping
from typing import Any

import pytest

from fairlead_contract.artifact import choose_form, confine, describe_code
from fairlead_contract.graph import MARK

BOTH = {"python_function", "xgboost"}


@pytest.mark.parametrize(
    ("flavors", "types", "flavor", "runs_code"),
    [
        pytest.param(BOTH, {"double", "long"}, "xgboost", False, id="a booster of numbers"),
        pytest.param(BOTH, {"float", "integer"}, "xgboost", False, id="of smaller numbers"),
        pytest.param({"xgboost"}, {"double"}, "xgboost", False, id="a booster alone"),
        pytest.param(BOTH, {"double", "string"}, "python_function", True, id="of words"),
        pytest.param(BOTH, {"boolean"}, "python_function", True, id="of yes and no"),
        pytest.param({"python_function"}, {"double"}, "python_function", True, id="by MLflow"),
        pytest.param({"python_function"}, {"datetime"}, None, None, id="times, but no graph"),
        pytest.param({"xgboost"}, {"string"}, None, None, id="words for a booster alone"),
        pytest.param(BOTH, {"tensor of float32 [-1]"}, None, None, id="tensors"),
        pytest.param(set(), {"double"}, None, None, id="no flavor"),
        pytest.param({"XGBoost", "PYTHON_FUNCTION"}, {"double"}, None, None, id="other letters"),
    ],
)
def test_choose_form(
    flavors: set[str], types: set[str], flavor: str | None, runs_code: bool | None
) -> None:
    form = choose_form(flavors, types)

    assert (form and form.flavor, form and form.runs_code) == (flavor, runs_code)


GRAPH = {"python_function", "onnx"}  # as mlflow.onnx.log_model writes both


@pytest.mark.parametrize(
    ("flavors", "types", "metadata", "flavor"),
    [
        pytest.param(GRAPH, {"double"}, MARK, "onnx", id="a graph of ours"),
        pytest.param(GRAPH, {"double"}, {"a": 1, **MARK}, "onnx", id="that says more"),
        pytest.param(GRAPH, {"string", "datetime"}, MARK, "onnx", id="of words and times"),
        pytest.param({"onnx"}, {"double"}, MARK, "onnx", id="alone"),
        pytest.param(BOTH | GRAPH, {"double"}, MARK, "xgboost", id="beside a booster"),
        pytest.param(GRAPH, {"double"}, None, "python_function", id="of somebody else"),
        pytest.param(GRAPH, {"double"}, {"a": 1}, "python_function", id="who says other things"),
        pytest.param(
            GRAPH, {"double"}, dict.fromkeys(MARK, "rows"), "python_function", id="of another form"
        ),
        pytest.param(
            GRAPH, {"double"}, {key: [1] for key in MARK}, "python_function", id="or none at all"
        ),
        pytest.param(GRAPH, {"double"}, list(MARK), "python_function", id="no mapping"),
        pytest.param({"onnx"}, {"double"}, None, None, id="which only MLflow would open"),
        pytest.param({"python_function"}, {"double"}, MARK, "python_function", id="no graph"),
    ],
)
def test_a_graph_is_ours_by_its_own_word(
    flavors: set[str], types: set[str], metadata: object, flavor: str | None
) -> None:
    form = choose_form(flavors, types, metadata)

    assert (form and form.flavor) == flavor


@pytest.mark.parametrize(
    ("flavors", "words"),
    [
        pytest.param({"python_function": {}}, "python_function", id="no more is said"),
        pytest.param({"python_function": None}, "python_function", id="nothing is said"),
        pytest.param(
            {"python_function": {"loader_module": "mlflow.sklearn"}, "sklearn": {}},
            "python_function, opened by mlflow.sklearn, logged as sklearn",
            id="a pickle",
        ),
        pytest.param(
            {"python_function": {"loader_module": "mine", "code": "code"}},
            "python_function, opened by mine, with the Python files in code",
            id="files of its own",
        ),
        pytest.param(
            {"python_function": {"loader_module": "a\nb\x1b[31m" + "c" * 99}},
            "python_function, opened by a?b??31m" + "c" * 52,
            id="what a terminal must not get",
        ),
        pytest.param(
            {"python_function": {"loader_module": ["mine"]}, 7: {}},
            "python_function, opened by ?, logged as ?",
            id="what is no name",
        ),
    ],
)
def test_describe_code(flavors: Mapping[str, Any], words: str) -> None:
    assert describe_code(flavors) == words


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../model.ubj", "a/../../b", "//x", None, ["model.ubj"]]
)
def test_a_file_outside_of_an_artifact_is_none_of_it(name: object) -> None:
    with pytest.raises(ValueError, match="outside the artifact"):
        confine(name)


@pytest.mark.parametrize("name", ["model.ubj", "data/model.ubj", "a..b/model.json", "./model.ubj"])
def test_a_file_of_an_artifact_is_found(name: str) -> None:
    assert not confine(name).is_absolute()
