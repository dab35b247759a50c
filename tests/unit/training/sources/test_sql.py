"""SQL over the rows of files: what it may do, what it may not, and what is told of it."""

from pathlib import Path

import pandas as pd
import pytest

from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources import sql
from fairlead_training.sources.room import Room
from fairlead_training.sources.sql import run_sql

SECRET = "top-secret"
ROWS = pd.DataFrame(
    {
        "time": pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-03"]),
        "zone": ["a", "a", "b"],
        "price": [2.0, 1.0, 3.0],
        "up": pd.Series([True, None, False], dtype=object),
        "note": [SECRET, "1", None],
    }
)


def run(query: str, *, size: int | None = None, quotes: bool = False) -> pd.DataFrame:
    return run_sql(ROWS, query, Room("the query", size), name="s3://b/x", quotes=quotes)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("select price from data", {"price": [2, 1, 3]}, id="in the file's order"),
        pytest.param(
            "select price, lag(price) over (partition by zone order by time) as before from data "
            "order by time",
            {"price": [1, 2, 3], "before": [None, 1, None]},
            id="a value of the row before",
        ),
        pytest.param("with x as (table data) select count(*) as n from x", {"n": [3]}, id="a WITH"),
        pytest.param("(select 1 as n)", {"n": [1]}, id="in brackets"),
        pytest.param("-- prices\nselect 1 as n;", {"n": [1]}, id="a comment and a semicolon"),
        pytest.param("select up from data", {"up": [True, None, False]}, id="booleans with a gap"),
        pytest.param("select price from data where false", {"price": []}, id="no rows"),
    ],
)
def test_a_query_makes_other_rows_of_them(query: str, expected: dict[str, list[object]]) -> None:
    frame = run(query)

    assert frame.astype(object).where(frame.notna(), None).to_dict("list") == expected


def test_types_are_those_of_files() -> None:
    """Whole numbers with a gap are floats, as a CSV file's are, and not of a type of their own."""
    frame = run("select time, lag(1) over () as n, zone, price from data")

    assert frame["time"].dtype.kind == "M"
    assert frame["n"].dtype == "float64"
    assert frame["price"].dtype == "float64"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("select * from read_csv('{file}')", ["beyond its table"], id="a file"),
        pytest.param("select * from read_text('{file}')", ["beyond its table"], id="its text"),
        pytest.param("select * from glob('/*')", ["beyond its table"], id="a list of files"),
        pytest.param("select * from '{file}'", ["not there", "beyond"], id="a file as a table"),
        pytest.param("select * from read_parquet('https://127.0.0.1/x')", ["not there", "beyond"],
                     id="a server"),
        pytest.param("select * from query('from read_csv(''{file}'')')", ["beyond its table"],
                     id="a file by a query in a text"),
        pytest.param("select * from rows", ["table rows that is not there"], id="Python's values"),
        pytest.param("select getenv('HOME')", ["function getenv"], id="the environment"),
        pytest.param("copy data to '{file}'", ["not one statement"], id="a write"),
        pytest.param("create table x as from data", ["not one statement"], id="a table"),
        pytest.param("attach '{file}'", ["not one statement"], id="another database"),
        pytest.param("install httpfs", ["not one statement"], id="an extension"),
        pytest.param("set memory_limit = '1TB'", ["not one statement"], id="a setting"),
        pytest.param("pragma database_list", ["not one statement"], id="a pragma"),
        pytest.param("call pragma_version()", ["not one statement"], id="a call"),
        pytest.param("explain select 1", ["not one statement"], id="a plan"),
        pytest.param("select 1; select 2", ["not one statement"], id="two statements"),
        pytest.param("select 1; copy data to '{file}'", ["not one statement"], id="a second one"),
        pytest.param("", ["not one statement"], id="none"),
        pytest.param("with x as (delete from data returning 1) from x", ["do not fit", "not there"],
                     id="a write in a WITH"),
        pytest.param("selec 1", ["not understood", "selec"], id="no SQL"),
        pytest.param("select wind from data", ["column wind that data does not have"],
                     id="an unknown column"),
        pytest.param("select price + zone from data", ["do not fit", "failed on a value"],
                     id="types that do not fit"),
        pytest.param("select note::int from data", ["try_cast"], id="a value of another type"),
        pytest.param("select error(note) from data", ["failed on a value"], id="a value as error"),
        pytest.param("select error('Referenced column \"' || note || '\" not found') from data",
                     ["failed on a value"], id="a value as the name of a column"),
        pytest.param("select error('Table with name ' || note || ' does not exist') from data",
                     ["failed on a value"], id="a value as the name of a table"),
        pytest.param("select nextval('\"Table with name ' || note || ' does not exist\"') as x "
                     "from data",
                     ["do not fit"], id="a value as the name of a table within another's"),
        pytest.param("select nextval('\"' || note || '\"') from data", ["do not fit"],
                     id="a value as the name of a sequence"),
        pytest.param("select union_value(x := note) as x from data", ["of a type that is not read"],
                     id="a type that a frame does not have"),
    ],
)  # fmt: skip
def test_what_a_query_may_not_do_is_told_without_a_value(
    query: str, words: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "file.csv"
    file.write_text(SECRET)

    with pytest.raises(TrainingFailure) as caught:
        run(query.format(file=file))

    assert caught.value.reason is Reason.QUERY_INVALID
    assert any(word in caught.value.message for word in words), caught.value.message
    assert SECRET not in caught.value.message
    assert file.read_text() == SECRET


def test_at_a_desk_messages_say_more() -> None:
    with pytest.raises(TrainingFailure, match=SECRET):
        run("select note::int from data", quotes=True)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select repeat('x', 1000) as x from range(100000)", id="many rows"),
        pytest.param("select repeat('x', 1000) || range as x from range(500000) order by x",
                     id="rows to sort"),
    ],
)  # fmt: skip
def test_more_than_there_is_room_for_is_told(query: str) -> None:
    with pytest.raises(TrainingFailure, match="the query does not fit") as caught:
        run(query, size=10_000_000)

    assert caught.value.reason is Reason.TOO_MUCH_DATA


def test_a_query_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "_SECONDS", 0.2)

    with pytest.raises(TrainingFailure, match=r"took longer than 0.2 s"):
        run("select count(*) from range(10000000) a, range(10000000) b where a.range ^ b.range < 0")
