"""Rows in an object store, on a real server that speaks S3 over TLS."""

import gzip
import io
import shutil
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from deltalake import write_deltalake

from fairlead_contract.data import STORE_KEYS
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import formats
from fairlead_training.sources.table import read_frame
from support.postgres import Postgres
from support.reading import environment
from support.s3_server import BUCKET, KEY, STRANGER, S3Server, s3_server
from support.trainer_config import data_config
from support.training import PRICES, Desk

ROWS = pd.DataFrame({"timestamp": ["2026-01-01", "2026-01-02"], "wind": [1.5, 2.5], "up": [0, 1]})


def parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


TEXT = ROWS.assign(wind=["calm", "storm"])
CONTENTS = {
    "one.csv": csv(ROWS),
    "one.parquet": parquet(ROWS),
    "one.jsonl": ROWS.to_json(orient="records", lines=True).encode(),
    "folder/b.parquet": parquet(ROWS),
    "folder/a.parquet": parquet(ROWS.head(1)),
    "folder/_SUCCESS": b"",
    "folder/.part.crc": b"crc",
    "hive/zone=no1/year=2025/part-0.csv": csv(ROWS),
    "hive/zone=se%203/year=2026/part-0.csv.gz": gzip.compress(csv(ROWS.head(1))),
    "changed/2025.parquet": parquet(ROWS),
    "changed/2026.parquet": parquet(TEXT),
    "half/2025.parquet": parquet(ROWS),
    "half/2026.parquet": parquet(ROWS)[:-30],
    "hidden/_SUCCESS": b"",
    "mixed/a.csv": csv(ROWS),
    "mixed/b.parquet": parquet(ROWS),
}


@pytest.fixture(name="store", scope="module")
def _store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        for key, content in CONTENTS.items():
            server.put(key, content)
        yield server


def reader(store: S3Server, keys: dict[str, str] | None = KEY, **changes: Any) -> Environment:  # type: ignore[assignment]
    given = {
        "data_keys": keys or {},
        "data_hosts": f"127.0.0.1:{store.port}",
        "data_authority": store.authority,
    }
    return environment(**{"allowed": "127.0.0.1", **given, **changes})


def read(store: S3Server, key: str, **changes: Any) -> pd.DataFrame:
    config = data_config(uri=f"s3://{BUCKET}/{key}", endpoint=store.endpoint, **changes)
    return read_frame(config, reader(store))


@pytest.mark.parametrize("key", ["one.csv", "one.parquet", "one.jsonl"])
def test_a_file_is_read(key: str, store: S3Server) -> None:
    pd.testing.assert_frame_equal(read(store, key), ROWS)


@pytest.mark.parametrize("key", ["folder", "folder/"])
def test_the_files_of_a_folder_are_one_table_in_the_order_of_their_names(
    key: str, store: S3Server
) -> None:
    frame = read(store, key)

    assert frame["timestamp"].tolist() == ["2026-01-01", "2026-01-01", "2026-01-02"]


def test_folders_with_the_names_of_columns_are_columns(store: S3Server) -> None:
    frame = read(store, "hive/")

    assert frame["zone"].tolist() == ["no1", "no1", "se 3"]
    assert frame["year"].tolist() == [2025, 2025, 2026]


def test_a_large_file_is_read_in_pieces(store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_WHOLE", 10_000)
    content = gzip.decompress(PRICES.read_bytes())
    store.put("large.csv", content)

    frame = read(store, "large.csv")

    pd.testing.assert_frame_equal(frame, pd.read_csv(io.BytesIO(content)))


@pytest.fixture(name="table", scope="module")
def _table(store: S3Server) -> str:
    """A Delta Lake table: its first version has the rows, its second one twice as many."""
    for mode in ("error", "append"):
        write_deltalake(str(store.folder / "table"), ROWS, mode=mode, partition_by=["up"])
    return "table"


@pytest.mark.parametrize(("version", "rows"), [(0, 2), (1, 4), (None, 4)])
def test_a_version_of_a_table_is_read(
    version: int | None, rows: int, table: str, store: S3Server
) -> None:
    frame = read(store, table, format="delta", version=version)

    assert len(frame) == rows
    assert set(frame.columns) == set(ROWS.columns)


@pytest.mark.parametrize(
    ("keys", "changes", "reason"),
    [
        pytest.param(STRANGER, {}, Reason.CREDENTIALS_REFUSED, id="a user without the right"),
        pytest.param(KEY, {"allowed": ""}, Reason.SOURCE_NOT_ALLOWED, id="a place not allowed"),
        pytest.param(KEY, {"data_hosts": "s3.example.com"}, Reason.SECRET_NOT_ALLOWED,
                     id="a Secret for another host"),
    ],
)  # fmt: skip
def test_the_rules_of_other_files_hold_for_a_table(
    keys: dict[str, str], changes: dict[str, Any], reason: Reason, table: str, store: S3Server
) -> None:
    config = data_config(uri=f"s3://{BUCKET}/{table}", endpoint=store.endpoint, format="delta")

    with pytest.raises(TrainingFailure) as caught:
        read_frame(config, reader(store, keys, **changes))

    assert caught.value.reason is reason


def test_a_version_that_was_vacuumed_is_told(table: str, store: S3Server) -> None:
    shutil.copytree(store.folder / table, store.folder / "vacuumed")
    for part in (store.folder / "vacuumed").glob("up=0/*.parquet"):
        part.unlink()

    with pytest.raises(TrainingFailure, match="it was vacuumed"):
        read(store, "vacuumed", format="delta")


@pytest.mark.parametrize(
    ("key", "reason", "said"),
    [
        pytest.param(
            "changed",
            Reason.DATA_FORMAT_INVALID,
            f"column wind holds numbers in s3://{BUCKET}/changed/2025.parquet and text in "
            f"s3://{BUCKET}/changed/2026.parquet",
            id="a column that changes its type",
        ),
        pytest.param(
            "half",
            Reason.DATA_FORMAT_INVALID,
            f"s3://{BUCKET}/half/2026.parquet cannot be read as parquet: its end is missing",
            id="a file that is half written",
        ),
        pytest.param(
            "gone.csv",
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"there is no file and no folder s3://{BUCKET}/gone.csv",
            id="a key that is not there",
        ),
        pytest.param("gone/", Reason.DATA_EMPTY, "holds no files", id="a folder without files"),
        pytest.param("hidden", Reason.DATA_EMPTY, "no files but 1", id="a folder of marks alone"),
        pytest.param(
            "mixed",
            Reason.DATA_FORMAT_INVALID,
            f"s3://{BUCKET}/mixed/a.csv (csv) and s3://{BUCKET}/mixed/b.parquet (parquet)",
            id="two formats",
        ),
    ],
)
def test_what_cannot_be_read_is_named(key: str, reason: Reason, said: str, store: S3Server) -> None:
    with pytest.raises(TrainingFailure) as caught:
        read(store, key)

    assert caught.value.reason is reason
    assert said in caught.value.message


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(STRANGER, id="a user without the right"),
        pytest.param({**KEY, "secretAccessKey": "wr0ng"}, id="a wrong key"),
        pytest.param({**KEY, "accessKeyId": "nobody"}, id="an unknown user"),
        pytest.param(None, id="nobody, where nobody may read"),
    ],
)
@pytest.mark.parametrize("key", ["one.csv", "folder/"])
def test_who_may_not_read_is_told_so(
    key: str, keys: dict[str, str] | None, store: S3Server
) -> None:
    config = data_config(uri=f"s3://{BUCKET}/{key}", endpoint=store.endpoint)

    with pytest.raises(TrainingFailure, match=f"s3://{BUCKET}/{key} was refused") as caught:
        read_frame(config, reader(store, keys, data_secret="market-reader" if keys else ""))

    assert caught.value.reason is Reason.CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        pytest.param({"allowed": ""}, Reason.SOURCE_NOT_ALLOWED, "a loopback address",
                     id="an address where no source may be"),
        pytest.param({"data_hosts": "s3.example.com"}, Reason.SECRET_NOT_ALLOWED,
                     "may not be sent to 127.0.0.1", id="a Secret for another host"),
        pytest.param({"data_hosts": None}, Reason.SECRET_NOT_ALLOWED, "does not say",
                     id="a Secret that names no host"),
        pytest.param({"data_authority": None}, Reason.DATA_SOURCE_UNAVAILABLE, "TLS failed",
                     id="a certificate that nobody trusts"),
        pytest.param({"data_authority": "none"}, Reason.CONFIG_INVALID, "ca.crt",
                     id="an authority that is none"),
        pytest.param({"data_keys": {"accountKey": "x"}}, Reason.CREDENTIALS_REFUSED,
                     "no key accessKeyId and no key secretAccessKey", id="the Secret of another"),
    ],
)  # fmt: skip
def test_the_rules_of_other_sources_hold(
    changes: dict[str, Any], reason: Reason, said: str, store: S3Server
) -> None:
    config = data_config(uri=f"s3://{BUCKET}/one.csv", endpoint=store.endpoint)

    with pytest.raises(TrainingFailure) as caught:
        read_frame(config, reader(store, **changes))

    assert caught.value.reason is reason
    assert said in caught.value.message
    assert KEY["secretAccessKey"] not in caught.value.message


def test_sources_of_several_kinds_are_one_table(store: S3Server, postgres: Postgres) -> None:
    """Two buckets' files, and what a database said at the time of each row, each by its Secret."""
    others = {"uri": f"s3://{BUCKET}/one.parquet", "endpoint": store.endpoint}
    query = (
        "select * from (values (timestamptz '2026-01-01', 'calm'), ('2026-01-02 00:01', 'storm')) "
        "as weather (since, sky)"
    )
    database = {"uri": postgres.uri("postgres", credentials=False), "query": query}
    config = data_config(
        uri=f"s3://{BUCKET}/one.csv",
        endpoint=store.endpoint,
        union=[others],
        joins=[{"source": database, "asOf": {"timestampColumn": "since"}, "prefix": "w_"}],
    )
    login = {"data_username": postgres.user, "data_password": postgres.password}
    secrets = reader(store, data_keys={}, data_hosts="127.0.0.1", data_authority=None, **login)

    frame = read_frame(config, reader(store, others=(reader(store), secrets)))

    assert frame["wind"].tolist() == [1.5, 2.5, 1.5, 2.5]
    assert frame["w_sky"].tolist() == ["calm"] * 4


def test_a_model_is_trained_on_a_folder(store: S3Server, desk: Desk, monkeypatch: Any) -> None:
    prices = pd.read_csv(PRICES).head(600)
    store.put("prices/part=0/rows.parquet", parquet(prices.head(400)))
    store.put("prices/part=1/rows.parquet", parquet(prices.tail(200)))
    for key, value in KEY.items():
        monkeypatch.setenv(STORE_KEYS["s3"][key], value)
    monkeypatch.setenv("FAIRLEAD_DATA_AUTHORITY", store.authority)
    changes = {"uri": f"s3://{BUCKET}/prices", "endpoint": store.endpoint, "query": None}

    result = desk.train(desk.config(**{f"data__{name}": value for name, value in changes.items()}))

    assert result["outcome"] == "Succeeded"
    assert result["data"]["rows"] == 600
