"""Columns that help no model, or help one too well."""

from typing import Any

import numpy as np
import pytest

from fairlead_training.config import Task
from fairlead_training.preparation.findings import Kind, find_suspicious, summarize

ROWS = 400
NOISE = np.random.default_rng(7).normal(size=ROWS)
CLASSES = np.arange(ROWS) % 3.0
RARE = (np.arange(ROWS) % 16 == 0) * 1.0
VALUE = np.random.default_rng(8).lognormal(size=ROWS)


def words(values: Any) -> Any:
    return np.array([str(value) for value in values], dtype=object)


def find(task: Task, target: Any, **columns: Any) -> dict[str, tuple[Kind, str]]:
    findings = find_suspicious(columns, target, task=task, seed=1)
    return {one.column: (one.kind, one.text) for one in findings}


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        pytest.param(np.full(ROWS, 2.5), Kind.CONSTANT, "is the same in every", id="one number"),
        pytest.param(np.full(ROWS, np.nan), Kind.CONSTANT, "is empty", id="nothing"),
        pytest.param(words(["a"] * ROWS), Kind.CONSTANT, "is the same in every", id="one word"),
        pytest.param(NOISE.copy(), Kind.DUPLICATE, "column x equals noise in every", id="a copy"),
        pytest.param(RARE * 5 - 1, Kind.LEAK, "alone tells the classes apart", id="the target"),
        pytest.param(RARE * 50 + NOISE, Kind.LEAK, "of 1: is it known", id="a threshold"),
        pytest.param(np.where(RARE > 0, NOISE, np.nan), Kind.LEAK, "alone", id="known only after"),
        pytest.param(
            words(np.where(RARE > 0, "churned", "none")), Kind.LEAK, "alone", id="a word for it"
        ),
        pytest.param(RARE + NOISE, None, "", id="a good feature"),
        pytest.param(words(np.arange(ROWS) // 3), None, "", id="many categories of few rows"),
        pytest.param(NOISE[::-1].copy(), None, "", id="the same values in other rows"),
    ],
)
def test_of_a_rare_class(values: Any, kind: Kind | None, said: str) -> None:
    findings = find(Task.BINARY, RARE, noise=NOISE, x=values)

    assert list(findings) == (["x"] if kind else [])
    if kind:
        assert findings["x"][0] is kind
        assert said in findings["x"][1]


@pytest.mark.parametrize(
    ("task", "target", "values", "is_leak"),
    [
        pytest.param(Task.MULTICLASS, CLASSES, words(CLASSES), True, id="the class as a word"),
        pytest.param(Task.MULTICLASS, CLASSES, -CLASSES, True, id="the class upside down"),
        pytest.param(Task.MULTICLASS, CLASSES, NOISE, False, id="noise about classes"),
        pytest.param(Task.REGRESSION, VALUE, VALUE * 1.8 + 32, True, id="another unit"),
        pytest.param(Task.REGRESSION, VALUE, np.log(VALUE), True, id="another scale"),
        pytest.param(Task.REGRESSION, VALUE * 1e300, VALUE, True, id="a huge target"),
        pytest.param(Task.REGRESSION, VALUE, VALUE + NOISE, False, id="a good feature"),
        pytest.param(Task.REGRESSION, VALUE, words(np.arange(ROWS) % 7), False, id="categories"),
    ],
)
def test_leaks_of_other_tasks(task: Task, target: Any, values: Any, is_leak: bool) -> None:
    assert ("x" in find(task, target, x=values)) is is_leak


def test_what_may_not_be_named_is_called_otherwise() -> None:
    columns = {"s3cret": NOISE, "other": NOISE.copy()}
    places = {"s3cret": "1", "other": "2"}

    findings = find_suspicious(columns, RARE, task=Task.BINARY, seed=1, show=places.__getitem__)

    assert [finding.text for finding in findings] == ["column 2 equals 1 in every row"]


@pytest.mark.parametrize(
    ("columns", "sentences"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"a": 1}, ("column a is the same in every row",), id="one constant"),
        pytest.param(
            dict.fromkeys("abc", 1), ("columns a, b, c are the same in every row",), id="several"
        ),
        pytest.param(
            {"x": NOISE, "a": 1, "b": NOISE, "c": NOISE, "d": NOISE, "e": RARE},
            (
                "column a is the same in every row",
                "column b equals x in every row; column c equals x in every row; and 1 more",
                (
                    "column e alone tells the classes apart, for a share of the rarer ones of 1: "
                    "is it known before the target is?"
                ),
            ),
            id="of each kind a sentence",
        ),
    ],
)
def test_findings_in_a_few_sentences(columns: dict[str, Any], sentences: tuple[str, ...]) -> None:
    values = {name: np.zeros(ROWS) + value for name, value in columns.items()}

    findings = find_suspicious(values, RARE, task=Task.BINARY, seed=1)

    assert summarize(findings) == sentences


def test_few_rows_are_no_evidence_of_a_leak() -> None:
    assert find(Task.BINARY, RARE[:90], x=RARE[:90]) == {}
