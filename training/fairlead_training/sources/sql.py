"""One statement of SQL over the rows of files, which are its table ``data``.

DuckDB runs it within this process: without files, network, extensions or settings, and in the
memory that is left for rows.  What it says of an error may hold values of the rows, so that a
message has words of our own.
"""

import re
import threading
from typing import Final

import duckdb
import pandas as pd
import pyarrow as pa

from fairlead_training.compute import count_threads
from fairlead_training.failure import Reason, TrainingFailure, first_line
from fairlead_training.sources.room import Room

TABLE: Final = "data"
_SECONDS: Final = 600.0
_AGAIN_SECONDS: Final = 0.1
_BATCH: Final = 10_000  # rows
_LEAST: Final = 64 * 2**20  # bytes without which it does not begin
_SETTINGS: Final = (
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET autoload_known_extensions = false",
    "SET autoinstall_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)
# From the beginning, as an error may quote a value of the rows, which the query has worded.
_COLUMN: Final = re.compile(r'Binder Error: Referenced column "([^"]+)" not found')
_NAME: Final = re.compile(
    r"Catalog Error: (?:\w+ )??(Table|Function) with name (\S+) does not exist"
)


def run_sql(
    frame: pd.DataFrame, query: str, room: Room, *, name: str, quotes: bool
) -> pd.DataFrame:
    """Return the rows of a query over these.

    Args:
        name: what a message calls the source.
        quotes: whether a message may show values.

    Raises:
        TrainingFailure: QueryInvalid or TooMuchData.
    """
    with duckdb.connect(":memory:") as database:
        memory = max(_LEAST, room.left) if room.left is not None else None
        if memory is not None:
            database.execute(f"SET memory_limit = '{memory // 1024} KiB'")
        database.execute(f"SET threads = {count_threads(1)}")
        for setting in _SETTINGS:
            database.execute(setting)
        done = threading.Event()
        threading.Thread(target=_watch, args=(database, done), daemon=True).start()
        try:
            _refuse_others(database, query, name)
            database.register(TABLE, frame)
            return _collect(database, query, room)
        except duckdb.Error as error:
            raise _explain(error, query, name, room, quotes=quotes) from error
        except pa.ArrowException as error:
            raise _invalid(
                name, "gives a column of a type that is not read; cast it to a number, a text or a "
                "time",
            ) from error  # fmt: skip
        finally:
            done.set()


def _watch(database: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    """End a query that takes too long."""
    if done.wait(_SECONDS):
        return
    while not done.wait(_AGAIN_SECONDS):  # as one that has not begun yet does not notice
        database.interrupt()


def _collect(database: duckdb.DuckDBPyConnection, query: str, room: Room) -> pd.DataFrame:
    reader = database.sql(query).to_arrow_reader(_BATCH)
    batches = []
    for batch in reader:
        room.take_bytes(batch.nbytes, rows=batch.num_rows)
        batches.append(batch)
    frame: pd.DataFrame = pa.Table.from_batches(batches, reader.schema).to_pandas(
        self_destruct=True
    )
    return frame


def _refuse_others(database: duckdb.DuckDBPyConnection, query: str, name: str) -> None:
    """Refuse what is not one statement that reads."""
    statements = database.extract_statements(query)
    if len(statements) != 1 or statements[0].type is not duckdb.StatementType.SELECT:
        raise _invalid(name, "is not one statement that reads; write one SELECT")


def _explain(
    error: duckdb.Error, query: str, name: str, room: Room, *, quotes: bool
) -> TrainingFailure:
    said = first_line(error)
    match error:
        case duckdb.OutOfMemoryException():
            return room.overflow()
        case duckdb.InterruptException():
            return _invalid(name, f"took longer than {_SECONDS:g} s; make it cheaper")
        case duckdb.PermissionException():
            return _invalid(
                name, f"reaches beyond its table: of files, network and settings it has none; "
                f"read the table {TABLE}",
            )  # fmt: skip
        case duckdb.ParserException():  # which shows the query alone
            return _invalid(name, f"is not understood: {said}; correct it")
    if (found := _COLUMN.match(said)) and found[1].lower() in query.lower():
        return _invalid(name, f"names a column {found[1]} that {TABLE} does not have; correct it")
    if (found := _NAME.match(said)) and found[2].lower() in query.lower():
        return _invalid(
            name,
            f"names a {found[1].lower()} {found[2]} that is not there; the rows are the table "
            f"{TABLE}",
        )
    if quotes:
        return _invalid(name, f"failed: {said}; correct it")
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException):
        return _invalid(name, "has names or types that do not fit together; correct it")
    return _invalid(
        name, "failed on a value of the rows, which a conversion or a function does not take; use "
        "try_cast, for example",
    )  # fmt: skip


def _invalid(name: str, what: str) -> TrainingFailure:
    return TrainingFailure(Reason.QUERY_INVALID, f"{name}: spec.data.source.query {what}")
