"""The source of a scheme, and what is said where there is none."""

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairlead_contract.mlflow import Access
from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import table
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.table import read_frame
from support.trainer_config import data_config

ENVIRONMENT = Environment(mlflow=Access(address="http://mlflow"), database_url="postgresql://db/x")


def test_a_file_is_fetched_and_parsed(tmp_path: Path) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))

    frame = read_frame(data_config(uri=path.as_uri()), ENVIRONMENT)

    assert frame.to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        pytest.param(
            {"uri": "ftp://b/d.csv"},
            Reason.DATA_FORMAT_INVALID,
            "use http://, https://, postgresql://, postgres://, s3://, gs://, az:// or pvc://",
            id="unknown scheme: those there are",
        ),
        pytest.param({"uri": "d.csv"}, Reason.DATA_FORMAT_INVALID, "d.csv", id="no scheme"),
        pytest.param(
            {"query": "SELECT 1"}, Reason.QUERY_INVALID, "not on https://", id="query over a file"
        ),
        pytest.param(
            {"uri": "s3://b/d.csv", "query": "SELECT 1"},
            Reason.QUERY_INVALID,
            "not on s3://",
            id="query over a store",
        ),
        pytest.param(
            {"uri": "file:///no.csv"}, Reason.DATA_SOURCE_UNAVAILABLE, "/no.csv", id="no file"
        ),
        pytest.param(
            {"uri": "postgresql://h/d"}, Reason.QUERY_INVALID, "query is missing", id="no query"
        ),
    ],
)
def test_sources_that_cannot_be_read(changes: dict[str, Any], reason: Reason, named: str) -> None:
    with pytest.raises(TrainingFailure, match=named) as caught:
        read_frame(data_config(**changes), ENVIRONMENT)

    assert caught.value.reason is reason


class _Reader:
    """A source with room for the columns that a Model names, and for no more."""

    def __init__(self) -> None:
        self.asked: list[Columns] = []

    def __call__(self, config: DataConfig, _: Environment, columns: Columns) -> pd.DataFrame:
        self.asked.append(columns)
        if columns is None:
            raise TrainingFailure(Reason.TOO_MUCH_DATA, "it does not fit")
        return pd.DataFrame({name: [1] for name in sorted(columns)})


@pytest.fixture(name="reader")
def _reader(monkeypatch: pytest.MonkeyPatch) -> _Reader:
    reader = _Reader()
    monkeypatch.setattr(table, "SOURCES", {"s3": reader})
    return reader


def test_what_has_no_room_is_read_by_the_columns_that_the_model_names(reader: _Reader) -> None:
    frame = read_frame(data_config(uri="s3://b/d.csv", features=["wind"]), ENVIRONMENT)

    assert list(frame.columns) == ["timestamp", "up", "wind"]
    assert reader.asked == [None, {"timestamp", "up", "wind"}]


def test_what_has_no_room_is_not_tried_again_without_such_names(reader: _Reader) -> None:
    with pytest.raises(TrainingFailure, match="does not fit"):
        read_frame(data_config(uri="s3://b/d.csv"), ENVIRONMENT)

    assert reader.asked == [None]
