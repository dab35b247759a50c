"""Several files as one table."""

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.folder import DataFile, choose_files, read_files
from fairlead_training.sources.room import Room
from support.trainer_config import data_config


def files(contents: Mapping[str, bytes | str]) -> list[DataFile]:
    return [
        DataFile(
            path=path,
            name=f"s3://b/{path}",
            open=lambda text=text: io.BytesIO(text if isinstance(text, bytes) else text.encode()),
        )
        for path, text in contents.items()
    ]


def read(
    contents: Mapping[str, bytes | str],
    *,
    size: int | None = None,
    columns: set[str] | None = None,
    quotes: bool = True,
    **changes: Any,
) -> pd.DataFrame:
    return read_files(
        files(contents),
        data_config(**changes),
        Room("s3://b", size),
        source="s3://b",
        columns=columns,
        quotes=quotes,
    )


def chosen(paths: list[str], **changes: Any) -> list[str]:
    found = choose_files(files(dict.fromkeys(paths, "")), data_config(**changes), source="s3://b")
    return [each.path for each in found]


@pytest.mark.parametrize(
    ("paths", "format_", "expected"),
    [
        pytest.param(["b.csv", "a.csv"], None, ["a.csv", "b.csv"], id="by name"),
        pytest.param(["a.csv", "b.csv.gz", "c.csv.zst"], None, ["a.csv", "b.csv.gz", "c.csv.zst"],
                     id="compressed or not"),
        pytest.param(["a.csv", "_SUCCESS", ".a.csv.crc"], None, ["a.csv"], id="no marks"),
        pytest.param(["a.csv", "_temporary/0.json", ".x/b.csv"], None, ["a.csv"],
                     id="no folders of programs"),
        pytest.param(["_year=2026/a.csv"], None, ["_year=2026/a.csv"], id="but of columns"),
        pytest.param(["a", "b"], "csv", ["a", "b"], id="no endings, a declared format"),
        pytest.param(["a.csv", "b.parquet"], "csv", ["a.csv"], id="two formats, one declared"),
        pytest.param(["a.parquet"], "csv", ["a.parquet"], id="another ending than declared"),
    ],
)  # fmt: skip
def test_the_files_of_a_table(paths: list[str], format_: str | None, expected: list[str]) -> None:
    assert chosen(paths, format=format_) == expected


@pytest.mark.parametrize(
    ("paths", "reason", "said"),
    [
        pytest.param([], Reason.DATA_EMPTY, "s3://b holds no files", id="an empty folder"),
        pytest.param(["_SUCCESS", ".x"], Reason.DATA_EMPTY, "no files but 2", id="only marks"),
        pytest.param(["a.csv", "b.jsonl"], Reason.DATA_FORMAT_INVALID,
                     "s3://b/a.csv (csv) and s3://b/b.jsonl (jsonl)", id="two formats"),
        pytest.param(["a.parquet", "_delta_log/0.json"], Reason.DATA_FORMAT_INVALID,
                     "s3://b is a table of Delta Lake", id="a table of Delta Lake"),
        pytest.param(["a.parquet", ".hoodie/x.commit"], Reason.DATA_FORMAT_INVALID,
                     "s3://b is a table of Hudi", id="a table of Hudi"),
        pytest.param(["data/a.parquet", "metadata/v1.metadata.json"], Reason.DATA_FORMAT_INVALID,
                     "s3://b is a table of Iceberg", id="a table of Iceberg"),
        pytest.param(["a.csv", "read.me"], Reason.DATA_FORMAT_INVALID, "s3://b/read.me",
                     id="a file of no format"),
    ],
)  # fmt: skip
def test_folders_that_are_no_table(paths: list[str], reason: Reason, said: str) -> None:
    with pytest.raises(TrainingFailure) as caught:
        chosen(paths)

    assert caught.value.reason is reason
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param({"a.csv": "x\n1\n", "b.csv": "x\n2\n"}, {"x": [1, 2]}, id="one after another"),
        pytest.param({"a.csv": "x,y\n1,2\n", "b.csv": "y,x\n3,4\n"}, {"x": [1, 4], "y": [2, 3]},
                     id="columns by their names"),
        pytest.param({"a.csv": "x\n1\n", "b.csv": "x\n1.5\n"}, {"x": [1.0, 1.5]},
                     id="whole numbers and others"),
        pytest.param({"a.csv": "x,y\n1,\n", "b.csv": "x,y\n2,w\n"}, {"x": [1, 2], "y": [None, "w"]},
                     id="a column that is empty in one"),
        pytest.param({"a.csv": "x\n1\n", "b.csv": "x\n"}, {"x": [1]}, id="a file without rows"),
        pytest.param({"y=1/a.csv": "x\n1\n5\n", "y=2/b.csv": "x\n2\n"},
                     {"x": [1, 5, 2], "y": [1, 1, 2]}, id="a folder's number"),
        pytest.param({"y=01/a.csv": "x\n1\n", "y=2/b.csv": "x\n2\n"},
                     {"x": [1, 2], "y": ["01", "2"]}, id="digits that are no number"),
        pytest.param({"y=a%2Fb/a.csv": "x\n1\n"}, {"x": [1], "y": ["a/b"]}, id="a quoted value"),
        pytest.param({"y=__HIVE_DEFAULT_PARTITION__/a.csv": "x\n1\n", "y=k/b.csv": "x\n2\n"},
                     {"x": [1, 2], "y": [None, "k"]}, id="a missing value"),
        pytest.param({"y=7/a.csv": "x,y\n1,3\n"}, {"x": [1], "y": [7]}, id="the folder goes first"),
        pytest.param({"z=1/y=k/a.csv": "x\n1\n"}, {"x": [1], "z": [1], "y": ["k"]},
                     id="two levels"),
    ],
)  # fmt: skip
def test_files_are_one_table(contents: dict[str, str], expected: dict[str, list[Any]]) -> None:
    frame = read(contents)

    assert list(frame.columns) == list(expected)
    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == expected


@pytest.mark.parametrize(
    ("first", "second", "kinds"),
    [
        pytest.param("1", "calm", "numbers in s3://b/a.csv and text in s3://b/b.csv", id="text"),
        pytest.param("1.5", "?", "numbers in s3://b/a.csv and text", id="a mark for missing"),
        pytest.param("true", "1", "booleans in s3://b/a.csv and numbers", id="booleans"),
        pytest.param("k", "False", "text in s3://b/a.csv and booleans", id="the other way"),
    ],
)
def test_a_column_that_changes_its_type_is_named_with_both_files(
    first: str, second: str, kinds: str
) -> None:
    with pytest.raises(TrainingFailure, match="column wind holds") as caught:
        read({"a.csv": f"x,wind\n1,{first}\n", "b.csv": f"x,wind\n1,{second}\n"})

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID
    assert kinds in caught.value.message


def test_a_file_without_a_line_of_names_is_told() -> None:
    """Its first row would be names, and its others would be half empty."""
    with pytest.raises(TrainingFailure, match=r"b.csv has none of the columns of s3://b/a.csv"):
        read({"a.csv": "x,wind\n1,2\n", "b.csv": "3,4\n5,6\n"})


def test_all_columns_that_change_are_named() -> None:
    with pytest.raises(TrainingFailure) as caught:
        read({"a.csv": "x,y\n1,2\n", "b.csv": "x,y\nk,l\n"})

    assert "column x" in caught.value.message
    assert "column y" in caught.value.message


def test_a_name_that_may_not_be_shown_is_a_number() -> None:
    """A store that was read as nobody may hold what was never meant as data."""
    contents = {"a.csv": "s3cret,wind\n1,1\n", "b.csv": "s3cret,wind\nk,k\n"}

    with pytest.raises(TrainingFailure, match=r"column 1 holds .* column wind") as caught:
        read(contents, quotes=False, features=["wind"])

    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("contents", "reason", "said"),
    [
        pytest.param({"a.csv": "x\n1\n", "b.csv": ""}, Reason.DATA_EMPTY, "s3://b/b.csv",
                     id="a file of no bytes"),
        pytest.param({"a.parquet": b"PAR1 cut"}, Reason.DATA_FORMAT_INVALID, "s3://b/a.parquet",
                     id="a file that is half written"),
        pytest.param({"a.csv": "x,x\n1,2\n", "b.csv": "x,y\n1,2\n"}, Reason.DATA_FORMAT_INVALID,
                     "twice in s3://b/a.csv or s3://b/b.csv", id="a name twice, not in all"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(
    contents: dict[str, bytes | str], reason: Reason, said: str
) -> None:
    with pytest.raises(TrainingFailure) as caught:
        read(contents)

    assert caught.value.reason is reason
    assert said in caught.value.message


def test_a_name_that_is_twice_in_all_files_is_left_to_be_judged() -> None:
    frame = read({"a.csv": "x,x\n1,2\n", "b.csv": "x,x\n3,4\n"})

    assert list(frame.columns) == ["x", "x"]


def test_wanted_columns_may_be_of_folders() -> None:
    frame = read({"y=1/a.csv": "x,z\n1,2\n"}, columns={"x", "y"})

    assert frame.to_dict("list") == {"x": [1], "y": [1]}


def test_files_share_the_room() -> None:
    contents = {f"{name}.csv": "x\n" + "1\n" * 1000 for name in "abc"}

    with pytest.raises(TrainingFailure, match="3000 rows of it take") as caught:
        read(contents, size=20_000)

    assert caught.value.reason is Reason.TOO_MUCH_DATA
