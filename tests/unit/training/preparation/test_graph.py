"""The graph prepares rows as the pipeline does, to the last bit."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_wine

from fairlead_contract.graph import TEXTUAL, ColumnType
from fairlead_training.config import Task
from fairlead_training.preparation.verify import find_difference
from support.customers import LABELS, ROWS, TYPES, customers, fit_on


@pytest.mark.parametrize(
    ("task", "target"),
    [
        pytest.param(Task.BINARY, LABELS, id="binary"),
        pytest.param(Task.MULTICLASS, np.arange(ROWS) % 3, id="three classes"),
        pytest.param(Task.MULTICLASS, np.arange(ROWS) % 12, id="more classes than are encoded"),
        pytest.param(Task.REGRESSION, np.arange(ROWS) * 1e6, id="regression"),
    ],
)
def test_a_graph_prepares_as_the_pipeline_does(task: Task, target: Any) -> None:
    rows = customers()
    preparation, graph = fit_on(rows, TYPES, target, task)

    assert find_difference(graph, preparation, rows) is None
    assert set(preparation.sources) == set(TYPES)
    assert graph.description.columns == TYPES


def test_categories_that_are_rare_or_new_are_one() -> None:
    plans = ["gold"] * 30 + ["silver"] * 30 + ["one", "two"]
    rows = pd.DataFrame({"plan": plans})
    preparation, graph = fit_on(rows, {"plan": ColumnType.CATEGORY}, np.arange(62) % 2)
    asked = pd.DataFrame({"plan": ["silver", "one", "never seen", "", "Gold"]})

    assert find_difference(graph, preparation, asked) is None
    assert preparation.names == ("plan=gold", "plan=silver", "plan=other")
    assert preparation.transform(asked).to_numpy().argmax(axis=1).tolist() == [1, 2, 2, 2, 2]


PREPARATION, GRAPH = fit_on(customers(), TYPES, LABELS)
_NUMBERS = st.one_of(
    st.sampled_from([np.nan, np.inf, -np.inf, 1e300, -1e39, -0.0, 1.7e9, 2.0**53, 5e-324]),
    st.floats(),
    st.integers(-(2**60), 2**60).map(float),
)
_TEXTS = st.one_of(
    st.sampled_from(
        ["", "gold", "city 4", "Slow", "\x00", "gold\x00", "slow\x00 slow", "slow slow"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {name: _TEXTS if kind in TEXTUAL else _NUMBERS for name, kind in TYPES.items()}
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None)
def test_whatever_is_asked_both_prepare_it_alike(asked: list[dict[str, Any]]) -> None:
    assert find_difference(GRAPH, PREPARATION, pd.DataFrame(asked)) is None


@given(st.integers(12, 40), st.integers(0, 99), st.sampled_from([Task.BINARY, Task.REGRESSION]))
@settings(deadline=None, max_examples=20)
def test_small_tables_are_prepared_alike(rows: int, seed: int, task: Task) -> None:
    """Of few rows, any column may be empty, constant, or all different."""
    drawn = customers().sample(rows, random_state=seed, replace=bool(seed % 2))
    drawn.loc[:, "since"] = np.nan if seed % 3 else drawn["since"]
    drawn.loc[:, "note"] = "" if seed % 5 else drawn["note"]
    drawn = drawn.reset_index(drop=True)

    preparation, graph = fit_on(drawn, TYPES, np.arange(rows) % 2, task)

    assert find_difference(graph, preparation, customers(30)) is None


def test_a_column_that_may_not_be_named_so_has_another_name_inside() -> None:
    """Inputs carry any name: those of operators, of other outputs, and texts in any script."""
    names = ["features", "probabilities", "raw/0", "Concat", "größe <[m²]>", "日本", "a b", "0"]
    rows = pd.DataFrame({name: np.arange(ROWS) * 1.0 for name in names})

    preparation, graph = fit_on(rows, dict.fromkeys(names, ColumnType.NUMBER), LABELS)

    assert find_difference(graph, preparation, rows) is None


@pytest.mark.parametrize("load", [load_wine, load_diabetes])
def test_real_tables_with_numbers_told_as_words(load: Any) -> None:
    """Each other column as a category of its deciles, as a form would ask for them."""
    bunch = load(as_frame=True)
    rows, types = bunch.data.astype(float), {}
    for position, name in enumerate(rows):
        types[name] = ColumnType.CATEGORY if position % 2 else ColumnType.NUMBER
        if position % 2:
            deciles = pd.qcut(rows[name], 10 + 2 * position, duplicates="drop")
            rows[name] = deciles.astype(str).astype(object)
    task = Task.MULTICLASS if load is load_wine else Task.REGRESSION

    preparation, graph = fit_on(rows, types, bunch.target, task)

    assert find_difference(graph, preparation, rows) is None


def test_five_thousand_columns() -> None:
    kinds = [ColumnType.NUMBER] * 4_500 + [ColumnType.CATEGORY] * 500
    types = {f"x{place}": kind for place, kind in enumerate(kinds)}
    numbers = np.random.default_rng(7).normal(size=(60, 4_500))
    words = np.random.default_rng(7).choice([f"w{n}" for n in range(20)], (60, 500))
    rows = pd.concat([pd.DataFrame(numbers), pd.DataFrame(words.astype(object))], axis=1)
    rows.columns = pd.Index(types)

    preparation, graph = fit_on(rows, types, np.arange(60) % 2)

    assert find_difference(graph, preparation, rows) is None
