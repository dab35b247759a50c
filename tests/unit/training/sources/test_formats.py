"""Bytes of a file to rows."""

import gzip
import io
from typing import Any

import pandas as pd
import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.formats import parse_file
from support.trainer_config import data_config

CSV = b"a,b\n1,2\n"


def parquet() -> bytes:
    file = io.BytesIO()
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        pytest.param(CSV, {"uri": "https://h/d.csv"}, id="csv by its name"),
        pytest.param(gzip.compress(CSV), {"uri": "https://h/d.csv.gz"}, id="gzipped csv"),
        pytest.param(CSV, {"uri": "https://h/d.csv?v=2"}, id="name with parameters"),
        pytest.param(CSV, {"uri": "https://h/export", "format": "csv"}, id="format is given"),
        pytest.param(parquet(), {"uri": "https://h/d.parquet"}, id="parquet"),
        pytest.param(parquet(), {"uri": "https://h/d.pq"}, id="parquet by its short name"),
    ],
)
def test_files_are_read(content: bytes, changes: dict[str, Any]) -> None:
    assert parse_file(content, data_config(**changes)).to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("content", "changes", "reason"),
    [
        pytest.param(b"", {}, Reason.DATA_EMPTY, id="empty"),
        pytest.param(b'a,b\n1\n"', {}, Reason.DATA_FORMAT_INVALID, id="broken csv"),
        pytest.param(CSV, {"format": "parquet"}, Reason.DATA_FORMAT_INVALID, id="not parquet"),
        pytest.param(
            gzip.compress(CSV)[:-4], {}, Reason.DATA_FORMAT_INVALID, id="gzip that was cut"
        ),
        pytest.param(CSV, {"uri": "https://h/export"}, Reason.DATA_FORMAT_INVALID, id="no format"),
        pytest.param(CSV, {"format": "xml"}, Reason.CONFIG_INVALID, id="unknown format"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    content: bytes, changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        parse_file(content, data_config(**changes))

    assert caught.value.reason is reason
    assert "https://" in caught.value.message
