"""What is read of an MLmodel file: all that MLflow writes, and nothing that takes for ever."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.mlmodel import InvalidMlmodelError, read_mlmodel
from support import baits

SHARED = {"team": "energy", "tags": ["a", "b"]}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            {"flavors": {"xgboost": {"data": "model.ubj"}}, "model_size_bytes": 12, "run_id": None},
            id="plain",
        ),
        pytest.param({"metadata": {"first": SHARED, "second": SHARED}}, id="an object twice"),
        pytest.param({"signature": {"inputs": "x" * 100_000}}, id="a signature of many columns"),
        pytest.param({"metadata": {"columns": [*range(5000)]}}, id="a list of many numbers"),
        pytest.param({"metadata": {"<<": "a", "=": "b", "share": 0.25}}, id="signs that are text"),
    ],
)
def test_what_mlflow_writes_is_read(document: dict[str, Any]) -> None:
    assert read_mlmodel(yaml.safe_dump(document)) == document


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(baits.MERGES, "merge key", id="merge keys"),
        pytest.param("a: &a {x: 1}\nb: {<<: *a}", "merge key", id="one merge key"),
        pytest.param("a: &a {x: 1}\nb: {!!merge k: *a}", "merge key", id="by its tag"),
        pytest.param("a: &a {x: 1}\nb: {? !!merge [k] : *a}", "merge key", id="in a list"),
        pytest.param("a: &a {x: 1}\nb: {? !!merge {k: k} : *a}", "merge key", id="in a mapping"),
        pytest.param("- a\n" * 30_000, "more than 20000 values", id="values"),
        pytest.param("a: &a x\nb: [" + "*a," * 30_000 + "]", "more than 20000", id="aliases"),
        pytest.param("a: 1" + ":1" * 100, "a number of more than 100", id="sexagesimal"),
        pytest.param("a: 1" + ":1" * 100 + ".5", "a number of more than 100", id="and a part"),
        pytest.param(f"a: !!int '0x{'f' * 200}'", "a number of more than 100", id="by its tag too"),
        pytest.param("[" * 5000, "recursion", id="depth"),
        pytest.param("a: 2001-99-99", "month", id="no date"),
        pytest.param("!!python/object/apply:os.getcwd []", "constructor", id="what would run"),
        pytest.param("{", "flow node", id="no YAML"),
    ],
)
def test_what_it_does_not_write_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidMlmodelError, match=words):
        read_mlmodel(text)


@given(st.text(alphabet="ab01:.-_<&*!{}[],?'\"\n ~|>%#", max_size=60) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_mlmodel(text)
    except InvalidMlmodelError:
        return
