"""The source of a scheme, and what is said where there is none."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from fairlead_contract.mlflow import Access
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure
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
            {"uri": "s3://b/d.csv"},
            Reason.DATA_FORMAT_INVALID,
            "use http://, https://, postgresql:// or postgres://",
            id="unknown scheme: those there are",
        ),
        pytest.param({"uri": "d.csv"}, Reason.DATA_FORMAT_INVALID, "d.csv", id="no scheme"),
        pytest.param(
            {"query": "SELECT 1"}, Reason.QUERY_INVALID, "not on https://", id="query over a file"
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
