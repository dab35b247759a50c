"""The digest of a directory, and foreign predictions brought into our form."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_training.artifact import ChampionUnavailableError, as_scores, digest_directory
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.metrics import Floats

contents = st.dictionaries(
    st.sampled_from(["MLmodel", "model.ubj", "a/b", "a.b", "a/c/d"]), st.binary(max_size=8)
)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_the_digest_is_what_the_contract_says(tmp_path: Path) -> None:
    write(tmp_path, {"b": b"2", "a/x": b"1", "registered_model_meta": b"mine"})
    lines = "".join(
        f"{name}\0{hashlib.sha256(content).hexdigest()}\n"
        for name, content in (("a/x", b"1"), ("b", b"2"))
    )

    assert digest_directory(tmp_path) == f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


@settings(max_examples=30)
@given(contents, contents)
def test_digests_are_equal_when_the_files_are(
    tmp_path_factory: pytest.TempPathFactory, one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    digests = [
        digest_directory(write(tmp_path_factory.mktemp("model"), files)) for files in (one, other)
    ]

    assert (digests[0] == digests[1]) is (one == other)


def table(target: list[float]) -> Table:
    rows = len(target)
    return Table(
        times=np.arange(rows), features=pd.DataFrame(index=range(rows)), target=np.array(target)
    )


@pytest.mark.parametrize(
    ("task", "score", "expected"),
    [
        pytest.param(Task.BINARY, [0.2, 0.9], [0.2, 0.9], id="probability of class 1"),
        pytest.param(Task.BINARY, [[0.8, 0.2], [0.1, 0.9]], [0.2, 0.9], id="of both classes"),
        pytest.param(Task.REGRESSION, [[5], [6]], [5, 6], id="one column"),
    ],
)
def test_predictions_are_brought_into_our_form(
    task: Task, score: list[float], expected: list[float]
) -> None:
    found = as_scores(np.array(score, dtype=np.float64), table([0, 1]), task)

    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("task", "score"),
    [
        pytest.param(Task.BINARY, [0.0, 1.0], id="classes instead of probabilities"),
        pytest.param(Task.BINARY, [-2.0, 3.0], id="margins instead of probabilities"),
        pytest.param(Task.BINARY, [0.5], id="too few"),
        pytest.param(Task.REGRESSION, [[1, 2], [3, 4]], id="two values for one"),
        pytest.param(Task.MULTICLASS, [0.1, 0.9], id="one value for many"),
        pytest.param(Task.MULTICLASS, [[0.5, 0.5], [0.5, 0.5]], id="a class is unknown"),
    ],
)
def test_predictions_that_cannot_be_compared_are_refused(task: Task, score: list[float]) -> None:
    values: Floats = np.array(score, dtype=np.float64)

    with pytest.raises(ChampionUnavailableError):
        as_scores(values, table([0, 2]), task)
