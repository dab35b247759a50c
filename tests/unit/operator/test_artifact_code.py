"""What an MLmodel file says of form and code, and the words for who may not run code."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from fairlead_contract.graph import MARK
from fairlead_operator.artifact_code import explain_kept, explain_refusal, find_code, find_form
from support import baits


@pytest.mark.parametrize(
    ("write", "named"), [pytest.param(*row, id=row[0].__name__) for row in baits.CODE]
)
def test_code_is_found_before_a_pod_starts(write: Any, named: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "model", tmp_path / "mark")

    assert find_code((folder / "MLmodel").read_text()) == named
    assert not (tmp_path / "mark").exists()


GRAPH = {"onnx": {"data": "model.onnx"}, **baits.generic()}


@pytest.mark.parametrize(
    ("metadata", "form", "code"),
    [
        pytest.param(MARK, "onnx", "", id="ours is data"),
        pytest.param(None, *2 * ["python_function"], id="any other is opened by MLflow"),
        pytest.param("columns", *2 * ["python_function"], id="whatever it says"),
    ],
)
def test_a_graph_is_data_where_it_says_so(
    metadata: Any, form: str, code: str, tmp_path: Path
) -> None:
    folder = baits.write_artifact(tmp_path, flavors=GRAPH, columns=baits.NUMBERS, files={})
    described = yaml.safe_load((folder / "MLmodel").read_text()) | {"metadata": metadata}

    text = yaml.safe_dump(described)

    assert find_code(text).split(",")[0] == code
    assert find_form(text) == form


@pytest.mark.parametrize(
    ("flavors", "columns", "form"),
    [
        pytest.param(
            {"xgboost": {"data": "model.ubj"}, **baits.generic()},
            baits.NUMBERS,
            "xgboost",
            id="a booster",
        ),
        pytest.param({"xgboost": {}}, baits.WORDS, "", id="which no server takes"),
        pytest.param({"spark": {}}, baits.NUMBERS, "", id="nor this"),
    ],
)
def test_data_alone_runs_nothing(flavors: Any, columns: Any, form: str, tmp_path: Path) -> None:
    folder = baits.write_artifact(tmp_path, flavors=flavors, columns=columns, files={})
    text = (folder / "MLmodel").read_text()

    assert find_code(text) == ""
    assert find_form(text) == form


SIGNED = {"signature": {"inputs": '[{"name": "a", "type": "double"}]'}}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[", id="no YAML"),
        pytest.param("text", id="no mapping"),
        pytest.param(yaml.safe_dump({"flavors": {"python_function": {}}}), id="no signature"),
        pytest.param(yaml.safe_dump(SIGNED), id="no flavors"),
        pytest.param(yaml.safe_dump({**SIGNED, "flavors": 7}), id="flavors of another form"),
        pytest.param("!!python/object/apply:os.getcwd []", id="a tag that would run"),
        pytest.param(baits.MERGES, id="merge keys that would not end"),
    ],
)
def test_what_cannot_be_read_is_left_to_the_server(text: str) -> None:
    with pytest.raises(ValueError, match=r"signature|MLmodel"):
        find_code(text)
    with pytest.raises(ValueError, match=r"signature|MLmodel"):
        find_form(text)


@pytest.mark.parametrize(
    ("by_model", "by_operator", "missing"),
    [
        pytest.param(
            False, True, ["spec.serving.allowArtifactCode of the Model"], id="the Model does not"
        ),
        pytest.param(
            True,
            False,
            ["serving.allowArtifactCode in the chart's values"],
            id="the chart does not",
        ),
        pytest.param(
            False,
            False,
            ["spec.serving.allowArtifactCode of the Model", "in the chart's values"],
            id="neither does",
        ),
    ],
)
def test_who_forbids_it_is_named(by_model: bool, by_operator: bool, missing: list[str]) -> None:
    told = explain_refusal("1.1.0", "python_function", by_model=by_model, by_operator=by_operator)
    kept = explain_kept("1.1.0", "python_function", by_model=by_model, by_operator=by_operator)

    for words in (told, kept):
        assert words.startswith("1.1.0 runs code from its artifact (python_function), and ")
        assert [word for word in missing if word not in words] == []
        assert ("of the Model" in words) != by_model
        assert ("chart's values" in words) != by_operator
