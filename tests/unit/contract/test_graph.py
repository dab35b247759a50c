"""The graph says of itself what a server must know, and a category reads the same everywhere."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract import graph
from fairlead_contract.graph import ColumnType, Description, InvalidGraphError

_WRITTEN = {
    "fairlead.task": "binary-classification",
    "fairlead.classes": '["no", "yes"]',
    "fairlead.columns": '{"plan": "category", "age": "integer"}',
    "fairlead.sources": '["plan", "plan", "age"]',
}
_DESCRIPTION = Description(
    task="binary-classification",
    classes=("no", "yes"),
    columns={"plan": ColumnType.CATEGORY, "age": ColumnType.INTEGER},
    sources=("plan", "plan", "age"),
)


def test_metadata_is_written_as_documented() -> None:
    assert graph.write_metadata(_DESCRIPTION) == _WRITTEN


@pytest.mark.parametrize(
    ("classes", "answer"),
    [
        pytest.param(("no", "yes"), "fairlead.probabilities", id="words"),
        pytest.param((False, True), "fairlead.probabilities", id="booleans"),
        pytest.param((-1, 1), "fairlead.probabilities", id="numbers"),
        pytest.param(None, "fairlead.value", id="regression"),
    ],
)
def test_what_is_written_is_read_back(classes: tuple[graph.Label, ...] | None, answer: str) -> None:
    description = Description(
        task="any", classes=classes, columns=_DESCRIPTION.columns, sources=_DESCRIPTION.sources
    )

    read = graph.read_metadata(graph.write_metadata(description))

    assert (read, read.answer) == (description, answer)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"fairlead.columns": None}, "fairlead.columns is missing", id="no columns"),
        pytest.param({"fairlead.columns": "{"}, "fairlead.columns is not JSON", id="no JSON"),
        pytest.param({"fairlead.columns": "[]"}, "not a JSON object", id="columns in a list"),
        pytest.param({"fairlead.columns": '{"a": "word"}'}, "column a", id="an unknown type"),
        pytest.param({"fairlead.columns": '{"a": ["text"]}'}, "column a", id="a type in a list"),
        pytest.param({"fairlead.sources": '["b"]'}, "fairlead.sources names", id="another column"),
        pytest.param({"fairlead.sources": "[1]"}, "fairlead.sources names", id="a number"),
        pytest.param({"fairlead.classes": '"yes"'}, "not a JSON array", id="one label"),
        pytest.param({"fairlead.classes": "[]"}, "not a list of labels", id="no labels"),
        pytest.param({"fairlead.classes": "[null]"}, "not a list of labels", id="no label"),
        pytest.param({"fairlead.task": None}, "fairlead.task is missing", id="no task"),
    ],
)
def test_what_others_wrote_is_refused_by_key(change: dict[str, str | None], said: str) -> None:
    metadata = {k: v for k, v in {**_WRITTEN, **change}.items() if v is not None}

    with pytest.raises(InvalidGraphError, match=said):
        graph.read_metadata(metadata)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "", id="missing"),
        pytest.param(math.nan, "", id="not a number"),
        pytest.param(" Gold ", " Gold ", id="a text as it is"),
        pytest.param(True, "true", id="a boolean as JSON has it"),
        pytest.param(12345, "12345", id="an integer"),
        pytest.param(12345.0, "12345", id="an integer beside a gap"),
        pytest.param(-0.0, "0", id="minus zero"),
        pytest.param(1.5, "1.5", id="a fraction"),
        pytest.param(1e300, "1e+300", id="a huge number"),
        pytest.param(math.inf, "inf", id="infinity"),
    ],
)
def test_a_category_has_one_spelling(value: graph.Label | None, text: str) -> None:
    assert graph.spell(value) == text


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans()))
def test_a_spelling_survives_json(value: graph.Label) -> None:
    assert graph.spell(json.loads(json.dumps(value))) == graph.spell(value)
