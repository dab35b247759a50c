"""Bytes of a file to rows."""

import gzip
import io
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairlead_training.columns import Fault, read_feature
from fairlead_training.config import ENCODINGS, DataConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import formats
from fairlead_training.sources.room import Room
from fairlead_training.times import read_times
from support.trainer_config import data_config

CSV = b"a,b\n1,2\n"
LINES = b'{"a": 1, "b": 2}\n'


def zstd(content: bytes) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as file:
        file.write(content)
    return bytes(buffer.getvalue().to_pybytes())


def parse_file(content: bytes, config: DataConfig, *, size: int | None = None) -> pd.DataFrame:
    return formats.parse_file(lambda: io.BytesIO(content), config, Room("the file", size))


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
        pytest.param(zstd(CSV), {"uri": "https://h/d.csv.zst"}, id="csv by zstd"),
        pytest.param(parquet(), {"uri": "https://h/d.parquet"}, id="parquet"),
        pytest.param(parquet(), {"uri": "https://h/d.pq"}, id="parquet by its short name"),
        pytest.param(gzip.compress(parquet()), {"uri": "https://h/d.pq.gz"}, id="parquet in gzip"),
        pytest.param(LINES, {"uri": "https://h/d.jsonl"}, id="lines of JSON"),
        pytest.param(b"\xef\xbb\xbf\n" + LINES, {"uri": "https://h/d.ndjson"}, id="after a BOM"),
        pytest.param(zstd(LINES), {"uri": "https://h/d.jsonl.zst"}, id="lines of JSON by zstd"),
    ],
)
def test_files_are_read(content: bytes, changes: dict[str, Any]) -> None:
    assert parse_file(content, data_config(**changes)).to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        pytest.param("a,b,a\n1,2,3\n", ["a", "b", "a"], [[1, 2, 3]], id="a column twice"),
        pytest.param("\ufeffa,b,a\n1,2,3\n", ["a", "b", "a"], [[1, 2, 3]], id="after a BOM"),
        pytest.param('\n"a x",b,"a x"\n1,2,3\n', ["a x", "b", "a x"], [[1, 2, 3]], id="quoted"),
        pytest.param("a,A\n1,2\n", ["a", "A"], [[1, 2]], id="in another case: another name"),
        pytest.param("a,a.1\n1,2\n", ["a", "a.1"], [[1, 2]], id="a name that pandas might make"),
        pytest.param(",a\n0,2\n", ["Unnamed: 0", "a"], [[0, 2]], id="no name: an index"),
        pytest.param("a,b\n1,2,\n3,4,\n", ["a", "b"], [[1, 2], [3, 4]], id="commas at the ends"),
        pytest.param("a\n1\n?\n", ["a"], [["1"], ["?"]], id="words among numbers"),
    ],
)
def test_the_columns_of_a_csv_file_are_those_it_names(
    content: str, columns: list[str], rows: list[list[Any]]
) -> None:
    frame = parse_file(content.encode(), data_config())

    assert list(frame.columns) == columns
    assert frame.to_numpy().tolist() == rows


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param("a;b\n1;2.5\n", {"a": [1], "b": [2.5]}, id="semicolons"),
        pytest.param("a;b\n1;2,5\n", {"a": [1], "b": [2.5]}, id="with decimal commas"),
        pytest.param("\ufeffa;b\n1;-2,5\n", {"a": [1], "b": [-2.5]}, id="after a BOM"),
        pytest.param("\n\na;b\n1;2\n", {"a": [1], "b": [2]}, id="after empty lines"),
        pytest.param("a\tb\n1\t2,5\n", {"a": [1], "b": [2.5]}, id="tabs"),
        pytest.param("a|b\n1|2\n", {"a": [1], "b": [2]}, id="bars"),
        pytest.param("a;b\n1;2;\n", {"a": [1], "b": [2]}, id="semicolons at the ends"),
        pytest.param('"a;x",b\n1,2\n', {"a;x": [1], "b": [2]}, id="a semicolon in a name"),
        pytest.param("a;b;c (EUR, net)\n1;2;3\n", {"a": [1], "b": [2], "c (EUR, net)": [3]},
                     id="a comma in a name"),
        pytest.param("a;b,c\n1,2\n", {"a;b": [1], "c": [2]}, id="in doubt: commas"),
        pytest.param("a;b\n1,5;2.5\n", {"a": [1.5], "b": ["2.5"]},
                     id="decimals of both kinds: one is no number, and none is misread"),
        pytest.param("a;b\n1.234,5;2\n", {"a": ["1.234,5"], "b": [2]}, id="points in thousands"),
        pytest.param('a,b\n1,"2,5"\n', {"a": [1], "b": ["2,5"]},
                     id="quoted: thousands or decimals, so neither"),
        pytest.param('a,b\n1,"x\ny"\n', {"a": [1], "b": ["x\ny"]}, id="a quoted line break"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whole", [formats._WHOLE, 4096])
def test_fields_of_a_csv_file_may_be_parted_in_other_ways(
    content: str, rows: dict[str, list[Any]], whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_WHOLE", whole)

    assert parse_file(content.encode(), data_config()).to_dict("list") == rows


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("whole", [formats._WHOLE, 100])
def test_letters_may_be_written_in_other_ways(
    encoding: str, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "_WHOLE", whole)
    monkeypatch.setattr(formats, "_WRITTEN", 7)  # so that it ends within a letter
    content = "città,b\n" + "".join(f"Ærø {row},{row}\n" for row in range(100))

    frame = parse_file(content.encode(encoding), data_config(encoding=encoding))

    assert list(frame.columns) == ["città", "b"]
    assert frame["città"].tolist() == [f"Ærø {row}" for row in range(100)]


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        pytest.param("città,b\n1,2\n".encode("latin-1"), None, "set spec.data.source.encoding",
                     id="none is said"),
        pytest.param("a,b\n1,2\n".encode("utf-16"), None, "set spec.data.source.encoding",
                     id="none is said of UTF-16"),
        pytest.param(b"a,\x81\n1,2\n", "windows-1252", "not of the encoding", id="a wrong one"),
        pytest.param("a,b\n1,2\n".encode("utf-16")[:-1], "utf-16", "not of the encoding",
                     id="half a letter at the end"),
    ],
)  # fmt: skip
def test_another_encoding_is_told(content: bytes, encoding: str | None, said: str) -> None:
    with pytest.raises(TrainingFailure, match=said) as caught:
        parse_file(content, data_config(encoding=encoding))

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID


def test_a_large_file_has_one_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_WHOLE", 1000)
    content = "a;b\n" + "".join(f"{row};{row},5\n" for row in range(1000))

    frame = parse_file(content.encode(), data_config())

    assert frame["b"].tolist() == [row + 0.5 for row in range(1000)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(pa.array([Decimal("1.5"), None], pa.decimal128(5, 1)), [1.5, None],
                     id="decimals"),
        pytest.param(pa.array([1.5, 2.5]).dictionary_encode(), [1.5, 2.5], id="a dictionary"),
        pytest.param(pa.array([2**63, 1], pa.uint64()), [2.0**63, 1.0], id="64 bits, unsigned"),
        pytest.param(pa.array([1.5, 2.5], pa.float16()), [1.5, 2.5], id="16 bits"),
        pytest.param(pa.array([True, None]), [1.0, None], id="booleans with a gap"),
    ],
)  # fmt: skip
def test_numbers_of_parquet_are_numbers(values: Any, expected: list[float | None]) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"x": values}), file)
    config = data_config(uri="https://h/d.parquet")

    column = parse_file(file.getvalue(), config)["x"]
    read = read_feature(column, "x")

    assert not isinstance(read, Fault)
    assert [None if value != value else value for value in read.tolist()] == expected  # noqa: PLR0124


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array([[1, 2], [3]]), id="lists"),
        pytest.param(pa.array([{"a": 1}, {"a": 2}]), id="structs"),
        pytest.param(pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), id="maps"),
        pytest.param(pa.array([b"\xff", b"1"]), id="bytes"),
    ],
)
def test_what_is_no_number_in_parquet_is_told(values: Any) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"x": values}), file)

    column = parse_file(file.getvalue(), data_config(uri="https://h/d.parquet"))["x"]

    assert isinstance(read_feature(column, "x"), Fault)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo", "+02:00"])
def test_times_of_parquet_are_moments_whatever_their_zone(zone: str) -> None:
    file = io.BytesIO()
    pq.write_table(
        pa.table({"t": pa.array([10**9], pa.int64()).cast(pa.timestamp("s", zone))}), file
    )

    column = parse_file(file.getvalue(), data_config(uri="https://h/d.parquet"))["t"]

    times = read_times(column, "t")
    assert not isinstance(times, Fault)
    assert times.tolist() == [10**18]


def test_keys_of_json_lines_may_change() -> None:
    content = b'{"a": 1}\n{"b": 2}\n{"b": 3, "a": 4}\n'

    frame = parse_file(content, data_config(uri="https://h/d.jsonl"))

    assert frame.fillna(0).to_dict("list") == {"a": [1, 0, 4], "b": [0, 2, 3]}


def test_names_of_rows_stay_apart_where_the_header_leaves_them_out() -> None:
    frame = parse_file(b'"a","b"\n"x",1,2\n"y",3,4\n', data_config(timestampColumn="a", target="b"))

    assert frame.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("y,a\n0,1,2\n1,2\n0,3\n", "expected 2 fields in line 2, saw 3",
                     id="in the first row"),
        pytest.param("y,a\n0,1,\n1,2,\n0,3,4\n", "expected 2 fields in line 4, saw 3",
                     id="after rows that end in a comma"),
        pytest.param("y,a\n0,1,2\n0,2,3\n", "expected 2 fields in line 2, saw 3", id="in all"),
        pytest.param("y,a\n0,1,2,3\n1,2,3,4\n", "expected 2 fields in line 2, saw 4", id="two"),
        pytest.param("y,a\nx,1\n\nz,2,3\n", "expected 2 fields in line 4, saw 3", id="a later one"),
        pytest.param('y,a\n"0\n",1,2\n1,2\n', "expected 2 fields in line 3, saw 3",
                     id="after a line break in a field"),
        pytest.param("y,a\n" + "0,1,\n" * 1500 + "0,1,2\n", "a row has more fields",
                     id="far below"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("whole", [formats._WHOLE, 1000])
def test_a_row_with_a_field_too_many_moves_no_columns(
    content: str, said: str, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pandas would take the first field of each row for its name, and move all columns by one."""
    monkeypatch.setattr(formats, "_WHOLE", whole)

    with pytest.raises(TrainingFailure, match=said) as caught:
        parse_file(content.encode(), data_config())

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(["1,234", "12,500"], ["1,234", "12,500"], id="in doubt: thousands"),
        pytest.param(["1,234", "7"], ["1,234", "7"], id="in doubt beside whole numbers"),
        pytest.param(["1,234", "0,5"], [1.234, 0.5], id="another digit tells"),
        pytest.param(["1,234", "0,500"], [1.234, 0.5], id="a zero tells"),
        pytest.param(["1,234", "12345,678"], [1.234, 12345.678], id="so many before it tell"),
        pytest.param(["1,234,567", "2,345,678"], ["1,234,567", "2,345,678"], id="millions"),
    ],
)
def test_thousands_are_not_taken_for_decimals(values: list[str], expected: list[object]) -> None:
    content = "p\ty\n" + "".join(f"{value}\t1\n" for value in values)

    assert parse_file(content.encode(), data_config())["p"].tolist() == expected


@pytest.mark.parametrize("whole", [formats._WHOLE, 1000])
@pytest.mark.parametrize(
    ("early", "late"),
    [
        pytest.param("01", "A1", id="numbers, then a word"),
        pytest.param("A1", "01", id="words, then a number"),
        pytest.param("TRUE", "maybe", id="truths, then a word"),
        pytest.param("TRUE", "1", id="truths, then a number"),
        pytest.param("", "A1", id="nothing, then a word"),
    ],
)
def test_a_column_with_a_word_is_words_as_they_are_written(
    early: str, late: str, whole: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large the file is, so that 01 is not 1 in one part of it and 01 in another."""
    monkeypatch.setattr(formats, "_WHOLE", whole)
    monkeypatch.setattr(formats, "_PIECE", 100)
    content = "k,y\n" + f"{early},1\n" * 1000 + f"{late},2\n"

    frame = parse_file(content.encode(), data_config())

    assert set(frame["k"].fillna("")) == {early, late}
    assert frame["y"].dtype == "int64"


def test_rows_that_are_read_again_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "_WHOLE", 1000)
    monkeypatch.setattr(formats, "_PIECE", 100)
    content = ("k,y\n" + "01,1\n" * 1000 + "A1,2\n").encode()
    room = Room("the file", 2**30)

    frame = formats.parse_file(lambda: io.BytesIO(content), data_config(), room)

    assert room.mark()[1] == len(frame) == 1001


def test_a_long_column_of_numbers_and_a_word_is_read_without_a_warning() -> None:
    frame = parse_file(b"a,b\n" + b"1,2\n" * 300_000 + b"?,3\n", data_config())

    assert frame["a"].iloc[-1] == "?"


def test_a_column_twice_in_a_parquet_file_is_read_as_it_is() -> None:
    file = io.BytesIO()
    arrays = [pa.array([1]), pa.array([2])]
    pq.write_table(pa.table(arrays, names=["a", "a"]), file)

    frame = parse_file(file.getvalue(), data_config(format="parquet"))

    assert list(frame.columns) == ["a", "a"]


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        pytest.param(pd.Index(["2026-01-01"], name="timestamp"), ["timestamp", "up"], id="times"),
        pytest.param(
            pd.MultiIndex.from_tuples([("2026-01-01", 7)], names=["timestamp", "station"]),
            ["timestamp", "station", "up"],
            id="times and more",
        ),
        pytest.param(pd.Index([7], name="station"), ["station", "up"], id="none is the time"),
        pytest.param(pd.RangeIndex(1), ["up"], id="no index"),
    ],
)
def test_what_a_parquet_file_stores_as_index_is_found(index: pd.Index, columns: list[str]) -> None:
    file = io.BytesIO()
    pd.DataFrame({"up": [1]}, index=index).to_parquet(file)

    frame = parse_file(file.getvalue(), data_config(format="parquet"))

    assert list(frame.columns) == columns


def test_an_index_that_nobody_asks_for_stays_one() -> None:
    file = io.BytesIO()
    rows = pd.DataFrame({"timestamp": ["2026-01-01"], "up": [1]}, index=pd.Index([7], name="nth"))
    rows.to_parquet(file)

    frame = parse_file(file.getvalue(), data_config(format="parquet"))

    assert list(frame.columns) == ["timestamp", "up"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"<!DOCTYPE html>\n<html><body>", "a web page", id="a page to log in"),
        pytest.param(b"\xef\xbb\xbf \r\n<HTML lang=en>", "a web page", id="after a BOM"),
        pytest.param(b"<?xml version='1.0'?><Error>", "a web page", id="a store's error"),
        pytest.param(b'{"error": "unauthorized"}', "JSON", id="an API's error"),
        pytest.param(b'[{"a": 1}]', "JSON", id="rows as JSON"),
        pytest.param(gzip.compress(b"<html>"), "a web page", id="compressed"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_a_server_says_in_place_of_a_file_is_called_so(
    content: bytes, said: str, kind: str
) -> None:
    with pytest.raises(TrainingFailure, match=f"prices.csv holds {said}") as caught:
        parse_file(content, data_config(format=kind))

    assert caught.value.reason is Reason.DATA_FORMAT_INVALID
    assert "spec.data.source.credentials" in caught.value.message


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
        pytest.param(
            b"a\n" + b"9" * 400 + b"\n2\n", {}, Reason.DATA_FORMAT_INVALID, id="endless digits"
        ),
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


@pytest.mark.parametrize(
    ("content", "changes", "said"),
    [
        pytest.param(b'a,b\n1\n"s3cret', {}, "as csv; correct", id="an open quote"),
        pytest.param(b"s3cret\n1,2\n1,2,3\n", {}, "fields in line 2, saw 2", id="too many"),
        pytest.param(b"s3cret\n\xff\n", {}, "not UTF-8", id="other letters"),
        pytest.param(gzip.compress(b"s3cret")[:-4], {}, "compressed", id="cut"),
        pytest.param(zstd(b"s3cret" * 99)[:-4], {}, "compressed", id="cut, by zstd"),
        pytest.param(b"PAR1s3cretPAR1", {"format": "parquet"}, "as parquet", id="not parquet"),
        pytest.param(parquet()[:-20], {"format": "parquet"}, "half written", id="parquet, cut"),
        pytest.param(
            b'{"a": 1}\n{"s3cret": \n', {"format": "jsonl"}, "line 2 is no JSON", id="JSON, cut"
        ),
        pytest.param(b'["s3cret"]\n', {"format": "jsonl"}, "line 1 is no JSON", id="no object"),
    ],
)
def test_nothing_of_a_file_is_shown(content: bytes, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingFailure, match=said) as caught:
        parse_file(content, data_config(**changes))

    assert "s3cret" not in caught.value.message


def test_a_key_that_a_line_leaves_out_is_a_missing_value() -> None:
    frame = parse_file(b'{"a": 1, "b": true}\n\n{"a": 2.5}\n', data_config(format="jsonl"))

    assert frame["a"].tolist() == [1, 2.5]
    assert frame["b"].isna().tolist() == [False, True]


@pytest.fixture(name="small_pieces")
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of some kilobytes be large ones."""
    for name, value in {"_WHOLE": 4000, "_PIECE": 300, "_LINES": 300}.items():
        monkeypatch.setattr(formats, name, value)


def as_parquet(frame: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.to_parquet(file, row_group_size=300)
    return file.getvalue()


WRITTEN: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": lambda frame: frame.to_csv(index=False).encode(),
    "jsonl": lambda frame: frame.to_json(orient="records", lines=True).encode(),
    "parquet": as_parquet,
}
LARGE = pd.DataFrame(
    {
        "time": [f"2026-01-01T{row // 60:02d}:{row % 60:02d}:00Z" for row in range(1000)],
        "value": [row / 7 if row % 5 else None for row in range(1000)],
        "count": range(1000),
        "flag": [row % 2 == 0 for row in range(1000)],
    }
)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_large_file_gives_the_rows_that_it_gives_at_once(
    kind: str, compress: Callable[[bytes], bytes], small_pieces: None
) -> None:
    content = compress(WRITTEN[kind](LARGE))

    frame = parse_file(content, data_config(format=kind))

    pd.testing.assert_frame_equal(frame, LARGE, check_dtype=True)


def test_a_large_file_with_a_comma_at_the_end_of_each_row(small_pieces: None) -> None:
    content = b"a,b\n" + b"1,2,\n" * 2000

    frame = parse_file(content, data_config())

    assert list(frame.columns) == ["a", "b"]
    assert frame.drop_duplicates().to_numpy().tolist() == [[1, 2]]


def test_a_large_file_with_a_column_twice(small_pieces: None) -> None:
    frame = parse_file(b"a,b,a\n" + b"1,2,3\n" * 2000, data_config())

    assert list(frame.columns) == ["a", "b", "a"]


def test_a_large_file_without_names_for_its_rows(small_pieces: None) -> None:
    content = b'"a","b"\n' + b"".join(b'"x%d",1,2\n' % row for row in range(2000))

    frame = parse_file(content, data_config(timestampColumn="a", target="b"))

    assert frame.drop_duplicates().to_dict("list") == {"a": [1], "b": [2]}


@pytest.mark.parametrize("kind", WRITTEN)
def test_only_wanted_columns_are_read(kind: str) -> None:
    content = WRITTEN[kind](LARGE)

    frame = formats.parse_file(
        lambda: io.BytesIO(content),
        data_config(format=kind),
        Room("the file", None),
        columns={"count", "time"},
    )

    assert sorted(frame.columns) == ["count", "time"]
    assert len(frame) == len(LARGE)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_without_a_wanted_column_is_read_whole(kind: str) -> None:
    """Then a message can say how many columns there are."""
    content = WRITTEN[kind](LARGE)

    frame = formats.parse_file(
        lambda: io.BytesIO(content),
        data_config(format=kind),
        Room("the file", None),
        columns={"count", "gone"},
    )

    assert list(frame.columns) == list(LARGE.columns)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", WRITTEN)
def test_a_file_without_room_ends_in_words(
    kind: str, compress: Callable[[bytes], bytes], small_pieces: None
) -> None:
    content = compress(WRITTEN[kind](LARGE))

    with pytest.raises(TrainingFailure, match="rows of it take") as caught:
        parse_file(content, data_config(format=kind), size=20_000)

    assert caught.value.reason is Reason.TOO_MUCH_DATA
    assert "spec.training.resources.limits.memory" in caught.value.message
