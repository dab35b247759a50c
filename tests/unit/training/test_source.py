"""Files of each kind, without a socket."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest

from fairlead_training.config import DataConfig, Environment, parse_config
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.source import _query_failure, parse_file, public_uri, read_frame
from support.trainer_config import config_document

ENVIRONMENT = Environment(tracking_uri="http://mlflow", database_url="postgresql://db/x")
CSV = b"a,b\n1,2\n"


def data(**changes: Any) -> DataConfig:
    fields = {f"data__{name}": value for name, value in changes.items()}
    return parse_config(json.dumps(config_document(**fields))).data


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
    assert parse_file(content, data(**changes)).to_dict("list") == {"a": [1], "b": [2]}


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
    ],
)
def test_files_that_cannot_be_read_are_named(
    content: bytes, changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        parse_file(content, data(**changes))

    assert caught.value.reason is reason
    assert "https://" in caught.value.message


def test_a_file_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(CSV)

    assert len(read_frame(data(uri=path.as_uri()), ENVIRONMENT)) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"uri": "s3://b/d.csv"}, Reason.DATA_FORMAT_INVALID, id="s3"),
        pytest.param({"uri": "pvc://c/d.csv"}, Reason.DATA_FORMAT_INVALID, id="pvc"),
        pytest.param({"query": "SELECT 1"}, Reason.QUERY_INVALID, id="query over a file"),
        pytest.param({"uri": "file:///no.csv"}, Reason.DATA_SOURCE_UNAVAILABLE, id="no file"),
        pytest.param({"uri": "postgresql://h/d"}, Reason.QUERY_INVALID, id="no query"),
    ],
)
def test_sources_that_cannot_be_read(changes: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(TrainingFailure) as caught:
        read_frame(data(**changes), ENVIRONMENT)

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (psycopg.errors.UndefinedColumn("x"), Reason.QUERY_INVALID),
        (psycopg.errors.DivisionByZero("x"), Reason.QUERY_INVALID),
        (psycopg.errors.ReadOnlySqlTransaction("x"), Reason.QUERY_INVALID),
        (psycopg.errors.InsufficientPrivilege("x"), Reason.CREDENTIALS_REFUSED),
        (psycopg.errors.QueryCanceled("x"), Reason.DATA_SOURCE_UNAVAILABLE),
        (psycopg.errors.AdminShutdown("x"), Reason.DATA_SOURCE_UNAVAILABLE),
    ],
)
def test_a_failed_query_is_judged_by_its_error(error: psycopg.Error, reason: Reason) -> None:
    assert _query_failure(error, "postgresql://h/d").reason is reason


def test_a_public_uri_holds_no_secret() -> None:
    assert public_uri("https://u:hush@h:8/d.csv?token=hush#x") == "https://h:8/d.csv"
