"""The source of a scheme, and what is said where there is none."""

import dataclasses
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fairlead_contract.mlflow import Access
from fairlead_training.config import DataConfig, Environment, parse_environment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import table
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.room import Room
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
    columns = {"wind": "number", "id": "ignore"}
    frame = read_frame(
        data_config(uri="s3://b/d.csv", features=["wind"], columns=columns), ENVIRONMENT
    )

    assert list(frame.columns) == ["id", "timestamp", "up", "wind"]
    assert reader.asked == [None, {"id", "timestamp", "up", "wind"}]


@pytest.mark.parametrize(
    ("time", "fits"),
    [pytest.param("t", True, id="in order"), pytest.param(None, False, id="to be drawn")],
)
def test_rows_without_times_need_room_to_be_drawn(
    time: str | None, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes and places of rows are beside their columns, which may be few."""
    rows = pd.DataFrame({"t": range(1000), "up": 0.0})
    monkeypatch.setattr(table, "SOURCES", {"s3": lambda *_: rows})
    monkeypatch.setattr(table, "make_room", lambda source, held: Room(source, 3 * held))
    config = dataclasses.replace(data_config(uri="s3://b/d.csv"), timestamp_column=time)

    if fits:
        assert len(read_frame(config, ENVIRONMENT)) == len(rows)
    else:
        with pytest.raises(
            TrainingFailure, match=r"d.csv does not fit .* 1000 rows of it"
        ) as caught:
            read_frame(config, ENVIRONMENT)
        assert caught.value.reason is Reason.TOO_MUCH_DATA


def test_what_has_no_room_is_not_tried_again_without_such_names(reader: _Reader) -> None:
    with pytest.raises(TrainingFailure, match="does not fit"):
        read_frame(data_config(uri="s3://b/d.csv"), ENVIRONMENT)

    assert reader.asked == [None]


CSV = {
    "a.csv": "timestamp,zone,up,x\n2026-01-01,a,0,1\n2026-01-02,b,1,2\n",
    "b.csv": "timestamp,zone,up,x\n2026-01-03,a,1,3\n",
    "more.csv": "timestamp,zone,up,y\n2026-01-03,a,1,3\n",
    "text.csv": "timestamp,zone,up,x\n2026-01-03,a,1,calm\n",
    "zones.csv": "zone,size\na,10\nb,20\n",
    "weather.csv": "zone,since,wind\na,2026-01-01,5\na,2026-01-03,6\nb,2026-01-03,7\n",
    "empty.csv": "",
    "twice.csv": "zone,size\na,10\na,20\n",
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    for name, text in CSV.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def several(folder: Path, *, union: Sequence[str] = (), **changes: Any) -> pd.DataFrame:
    def uri(name: str) -> str:
        return (folder / name).as_uri()

    joins = [{**join, "source": {"uri": uri(join["source"])}} for join in changes.pop("joins", ())]
    config = data_config(
        uri=uri("a.csv"), union=[{"uri": uri(name)} for name in union], joins=joins, **changes
    )
    return read_frame(config, ENVIRONMENT)


ZONES = {"source": "zones.csv", "keys": ["zone"]}
WEATHER = {"source": "weather.csv", "keys": ["zone"], "asOf": {"timestampColumn": "since"}}


def test_sources_are_united_in_their_order(folder: Path) -> None:
    frame = several(folder, union=["b.csv", "a.csv"])

    assert frame["x"].tolist() == [1, 2, 3, 1, 2]
    assert frame.index.tolist() == [0, 1, 2, 3, 4]


def test_a_column_that_a_source_lacks_is_empty_there(folder: Path) -> None:
    frame = several(folder, union=["more.csv"])

    assert frame["x"].isna().tolist() == [False, False, True]
    assert frame["y"].isna().tolist() == [True, True, False]


def test_a_column_of_two_types_is_told_with_both_places(folder: Path) -> None:
    with pytest.raises(
        TrainingFailure,
        match=r"column x holds numbers in .*a.csv \(spec.data.source\) and text in "
        r".*text.csv \(spec.data.union\[0\]\)",
    ) as caught:
        several(folder, union=["text.csv"])

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID


def test_a_query_over_a_file_is_run_before_rows_are_united_and_joined(folder: Path) -> None:
    frame = several(
        folder,
        union=["b.csv"],
        query="select *, lag(x) over (order by timestamp) as before from data",
        joins=[ZONES],
    )

    assert frame["before"].fillna(0).tolist() == [0, 1, 0]
    assert frame["size"].tolist() == [10, 20, 10]


def test_what_is_wrong_with_another_source_is_told_by_its_own_field(folder: Path) -> None:
    with pytest.raises(TrainingFailure, match=r"check spec.data.union\[0\].uri"):
        several(folder, union=["empty.csv"])


def test_joins_follow_one_another_after_the_union(folder: Path) -> None:
    frame = several(folder, union=["b.csv"], joins=[ZONES, WEATHER])

    assert frame["size"].tolist() == [10, 20, 10]
    assert frame["wind"].fillna(0).tolist() == [5, 0, 6]


def test_twins_of_a_second_table_are_told_with_its_field(folder: Path) -> None:
    with pytest.raises(TrainingFailure, match=r"twice.csv \(spec.data.joins\[1\]\) has several"):
        several(folder, joins=[ZONES, {**ZONES, "source": "twice.csv", "prefix": "w_"}])


def test_each_source_is_read_with_its_own_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def read(config: DataConfig, environment: Environment, _: Columns) -> pd.DataFrame:
        asked.append((config.uri, environment.data_password))
        return pd.DataFrame({"timestamp": ["2026-01-01"], "up": [0], "zone": [1]})

    monkeypatch.setattr(table, "SOURCES", {"s3": read})
    environment = parse_environment(
        {
            "MLFLOW_TRACKING_URI": "http://mlflow",
            "FAIRLEAD_DATABASE_URL": "postgresql://db/x",
            "FAIRLEAD_DATA_PASSWORD": "first",
            "FAIRLEAD_DATA_2_PASSWORD": "third",
        }
    )
    config = data_config(
        uri="s3://b/0",
        union=[{"uri": "s3://b/1"}],
        joins=[{"source": {"uri": "s3://b/2"}, "keys": ["zone"], "prefix": "w_"}],
    )

    read_frame(config, environment)

    assert asked == [("s3://b/0", "first"), ("s3://b/1", None), ("s3://b/2", "third")]
