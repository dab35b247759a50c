"""The formats of files, wherever they come from: CSV, JSON lines and Parquet, also compressed.

The columns keep the names that the file gives them, one that is there twice included, for
``data`` to judge.  pandas would call the second ``name.1``.  A large file is read in pieces, each
of which is counted, so that one that has no room ends in words.
"""

import codecs
import contextlib
import csv
import dataclasses
import gzip
import io
import itertools
import json
import re
import warnings
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import IO, Any, Final, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.room import Room

_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PARQUET_MAGIC: Final = b"PAR1"
_COMPRESSIONS: Final = (".gz", ".zst")
_SUFFIXES: Final[Mapping[str, str]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_WHOLE: Final = 32 * 2**20  # bytes up to which a file is read at once
_PIECE: Final = 100_000  # rows
_WRITTEN: Final = 2**16  # bytes of text in another encoding
_LINES: Final = 20_000  # objects of Python take more than what becomes of them
_LOOKED_AT: Final = 200  # bytes of a file that tell whether it is something else
_MARKUP: Final = (b"<!doctype", b"<!--", b"<?xml", b"<html", b"<head", b"<body", b"<error")
_SEPARATORS: Final = ",;\t|"
# Not 1,234, which may be a thousand and more.
_DECIMAL: Final = r"[+-]?(\d+,(\d{1,2}|\d{4,})|(0\d*|\d{4,}),\d{3})"
_NUMBER: Final = r"\s*[+-]?[\d.,]+\s*"
_SAMPLE: Final = 1000  # rows
_HEADER: Final = 2**16  # bytes in which the first line is looked for
_FIELDS: Final = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_JSON: Final = re.compile(rb"(\{\s*[\"}]|\[\s*[\[{\]])")

Columns = Collection[str] | None  # that are wanted; None: all


class _LineError(ValueError):
    """A line of JSON lines that is no object."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is no JSON object")


class _FieldsError(ValueError):
    """A row of CSV with more fields than the first line names."""


class _TypesError(Exception):
    """Columns whose pieces were read as different types, so that what was written is lost."""

    def __init__(self, columns: frozenset[str]) -> None:
        super().__init__()
        self.columns = columns


@dataclasses.dataclass(frozen=True, slots=True)
class _Wanted:
    """What is wanted of a file."""

    columns: Columns
    texts: frozenset[str]  # columns of CSV to keep as they are written, numbers among words too


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """A file without its compression."""

    start: bytes  # up to _WHOLE of it
    rest: IO[bytes] | None  # what follows; None: nothing does
    file: IO[bytes] | None  # itself, where one can jump in it


def parse_file(
    open_file: Callable[[], IO[bytes]],
    config: DataConfig,
    room: Room,
    *,
    source: str | None = None,
    columns: Columns = None,
) -> pd.DataFrame:
    """Turn a file into rows.

    Args:
        open_file: opens it; a second time, where later rows tell that a column is one of words.
        source: what a message calls it; None: by the address.
        columns: those that are wanted, of a file with others, too; None: all.

    Raises:
        TrainingFailure: DataEmpty, DataFormatInvalid or TooMuchData, naming the file;
            ConfigInvalid.
    """
    source = source or public_uri(config.uri)
    kind = config.format or tell_format(source)
    if kind not in FORMATS:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"{source} cannot be read as {kind}; "
            f"set spec.data.source.format to {' or '.join(FORMATS)}",
        )
    texts: frozenset[str] = frozenset()
    while True:
        mark = room.mark()
        try:
            with open_file() as file:
                wanted = _Wanted(columns, texts)
                return _parse(file, config, room, wanted, kind=kind, source=source)
        except _TypesError as error:
            room.return_to(mark)
            texts |= error.columns


def _parse(
    file: IO[bytes], config: DataConfig, room: Room, wanted: _Wanted, *, kind: str, source: str
) -> pd.DataFrame:
    try:
        with io.BufferedReader(cast("io.RawIOBase", file), 2**16) as buffered:
            encoding = None if kind == "parquet" else config.encoding
            content = _open(buffered, may_jump=kind == "parquet", encoding=encoding)
            _refuse_answers(content.start, source, kind)
            return _restore_columns(FORMATS[kind](content, room, wanted), config)
    except pd.errors.EmptyDataError as error:
        raise TrainingFailure(
            Reason.DATA_EMPTY, f"{source} has no rows; check spec.data.source.uri"
        ) from error
    except (
        ValueError,
        OSError,
        OverflowError,
        EOFError,
        zlib.error,
        pd.errors.ParserError,
        pa.ArrowException,
    ) as error:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{source} cannot be read as {kind}{_describe(error, kind)}; "
            "correct the file or spec.data.source.format",
        ) from error


def tell_format(source: str) -> str:
    """Tell the format of a file from its name.

    Raises:
        TrainingFailure: DataFormatInvalid.
    """
    kind = find_format(source)
    if kind is None:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"the format of {source} cannot be told from its name; set spec.data.source.format",
        )
    return kind


def find_format(source: str) -> str | None:
    """Return the format that a file's name tells, or nothing."""
    name = source.rsplit("/", 1)[-1].lower()
    for compression in _COMPRESSIONS:
        name = name.removesuffix(compression)
    return next((kind for suffix, kind in _SUFFIXES.items() if name.endswith(suffix)), None)


def _open(
    file: "io.BufferedReader[io.RawIOBase]", *, may_jump: bool, encoding: str | None
) -> _Content:
    magic = file.peek(len(_PARQUET_MAGIC))[: len(_PARQUET_MAGIC)]
    if may_jump and magic == _PARQUET_MAGIC and file.seekable():
        return _Content(start=b"", rest=None, file=cast("IO[bytes]", file.raw))
    plain: IO[bytes] = file
    if magic.startswith(_GZIP_MAGIC):
        plain = cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    elif magic == _ZSTD_MAGIC:
        plain = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")
    if encoding is not None:
        plain = cast("IO[bytes]", io.BufferedReader(_Recoded(plain, encoding), 2**20))
    start = plain.read(_WHOLE)
    return _Content(start=start, rest=plain if len(start) == _WHOLE else None, file=None)


class _Recoded(io.RawIOBase):
    """A file of text in another encoding, as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            piece = self._file.read(_WRITTEN)
            self._ready = self._decoder.decode(piece, final=not piece).encode()
            if not piece:
                break
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count


class _Joined(io.RawIOBase):
    """A beginning that was read, and what follows."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._parts = [io.BytesIO(start), rest]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._parts:
            piece = self._parts[0].read(len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)
            self._parts.pop(0)
        return 0


def _rejoin(content: _Content) -> IO[bytes]:
    if content.rest is None:
        return io.BytesIO(content.start)
    return cast("IO[bytes]", io.BufferedReader(_Joined(content.start, content.rest), 2**20))


def _read_csv(content: _Content, room: Room, wanted: _Wanted) -> pd.DataFrame:
    # Without a row, or a letter, that is cut in two.
    sample = content.start if content.rest is None else content.start.rpartition(b"\n")[0]
    options: dict[str, Any] = _find_dialect(sample)
    header = pd.read_csv(
        io.BytesIO(sample),
        header=None,
        nrows=1,
        dtype=str,
        keep_default_na=False,
        sep=options.get("sep", ","),
    )
    names = header.iloc[0].tolist()
    given = [name for name in names if name.strip()]
    is_twice = len(set(given)) < len(given)
    columns = wanted.columns
    if columns is not None and not is_twice and set(columns) <= set(names):
        options["usecols"] = [name for name in names if name in columns]
    first = _find_long_row(sample, options.get("sep", ","), len(names))
    if first is not None and not _names_rows(sample, options.get("sep", ","), len(names)):
        raise _FieldsError(first)
    if first is None:
        # Else pandas takes one field too many in the first row for the names of all rows, and
        # moves the columns by one.
        options["index_col"] = False
    options["dtype"] = dict.fromkeys(wanted.texts, str)
    with warnings.catch_warnings():
        # A column of numbers and words is told with its rows, by `data`.
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        # Fields beyond the last column that are not empty.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            if content.rest is None:
                # At once: piece by piece, 01 would be a number in one and a word in another.
                whole = io.BytesIO(content.start)
                frame: pd.DataFrame = pd.read_csv(whole, low_memory=False, **options)
                room.take(frame)
            else:
                pieces = pd.read_csv(_rejoin(content), chunksize=_PIECE, **options)
                frame = _join(_refuse_two_types(pieces), room)
        except pd.errors.ParserWarning as error:
            raise _FieldsError from error
    if is_twice and len(names) == len(frame.columns):
        frame.columns = pd.Index(names)
    return frame


def _find_long_row(start: bytes, mark: str, count: int) -> str | None:
    """Say where a row has more fields than the first line, but for an empty one at its end."""
    rows = _read_rows(start, mark)
    next(rows, None)
    for line, row in itertools.islice(rows, _SAMPLE):
        if len(row) > count + 1 or (len(row) == count + 1 and row[-1].strip()):
            return f"expected {count} fields in line {line}, saw {len(row)}"
    return None


def _names_rows(start: bytes, mark: str, count: int) -> bool:
    """Tell whether each row begins with a name of its own, for which the first line has none.

    So does R write a table: a field more in each row, and no name twice.
    """
    rows = _read_rows(start, mark)
    next(rows, None)
    first = []
    for _, row in itertools.islice(rows, _SAMPLE):
        if len(row) != count + 1:
            return False
        first.append(row[0])
    are_words = not any(re.fullmatch(_NUMBER, name) for name in first)
    are_counted = first == [str(number) for number in range(1, len(first) + 1)]
    return len(set(first)) == len(first) and (are_words or are_counted)


def _read_rows(start: bytes, mark: str) -> Iterator[tuple[int, list[str]]]:
    """Give the rows of a beginning that are not empty, with the line that each ends in."""
    lines = io.TextIOWrapper(io.BytesIO(start), "utf-8-sig", errors="replace", newline="")
    rows = csv.reader(lines, delimiter=mark)
    with contextlib.suppress(csv.Error):  # pandas says what is wrong
        for row in rows:
            if row:
                yield rows.line_num, row


def _refuse_two_types(pieces: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Give the pieces, and refuse columns that are words in some and something else in others.

    Raises:
        _TypesError: so that they are read as words from the beginning.
    """
    known: dict[str, str] = {}
    for piece in pieces:
        differ = set()
        for name in piece.columns:
            kind = _find_type(piece[name])
            if kind and known.setdefault(name, kind) != kind:
                differ.add(name)
        if differ:
            raise _TypesError(frozenset(differ))
        yield piece


def _find_type(column: "pd.Series[Any]") -> str | None:
    if column.isna().all():
        return None
    if pd.api.types.is_bool_dtype(column.infer_objects()):
        return "truth"
    return "number" if pd.api.types.is_numeric_dtype(column) else "word"


def _find_dialect(start: bytes) -> dict[str, Any]:
    """Tell how fields and decimals are separated; nothing where it is as usual.

    The separator is the one that parts the first line into most columns.  Where it is no comma, one
    between digits is the decimal point: with it, ``1.5`` is no number, so that none is misread.
    """
    lines = start[:_HEADER].removeprefix(b"\xef\xbb\xbf").splitlines()
    text = next((line for line in lines if line.strip()), b"").decode("utf-8", "replace")
    counts = {mark: len(next(csv.reader([text], delimiter=mark), [])) for mark in _SEPARATORS}
    mark = max(counts, key=lambda each: counts[each])  # of several, the first
    if mark == ",":
        return {}
    with contextlib.suppress(pd.errors.ParserError):
        rows = pd.read_csv(
            io.BytesIO(start), sep=mark, header=0, nrows=_SAMPLE, dtype=str, index_col=False
        )
        if any(rows.iloc[:, at].str.fullmatch(_DECIMAL).any() for at in range(rows.shape[1])):
            return {"sep": mark, "decimal": ","}
    return {"sep": mark}


def _read_jsonl(content: _Content, room: Room, wanted: _Wanted) -> pd.DataFrame:
    return _join(_read_objects(_rejoin(content), wanted.columns), room)


def _read_objects(file: IO[bytes], columns: Columns) -> Iterator[pd.DataFrame]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(file, start=1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError as error:
            raise _LineError(number) from error
        if not isinstance(row, dict):
            raise _LineError(number)
        rows.append(row if columns is None else {name: row.get(name) for name in columns})
        if len(rows) == _LINES:
            yield pd.DataFrame(rows)
            rows = []
    if rows:
        yield pd.DataFrame(rows)


def _join(pieces: Iterator[pd.DataFrame], room: Room) -> pd.DataFrame:
    kept = []
    for piece in pieces:
        room.take(piece)
        kept.append(piece)
    if not kept:
        raise pd.errors.EmptyDataError
    if len(kept) == 1:
        return kept[0]
    frame: pd.DataFrame = pd.concat(kept, ignore_index=isinstance(kept[0].index, pd.RangeIndex))
    return frame


def _read_parquet(content: _Content, room: Room, wanted: _Wanted) -> pd.DataFrame:
    if content.file is not None:
        return _read_parquet_file(content.file, room, wanted.columns)
    kept = [content.start]
    while content.rest is not None and (piece := content.rest.read(_WHOLE)):
        room.take_bytes(len(piece))
        kept.append(piece)
    file = io.BytesIO(b"".join(kept))
    frame = _read_parquet_file(file, room, wanted.columns)
    room.give_back(sum(map(len, kept[1:])))
    return frame


def _read_parquet_file(file: IO[bytes], room: Room, columns: Columns) -> pd.DataFrame:
    file.seek(0)
    parquet = pq.ParquetFile(file)
    names = parquet.schema_arrow.names
    wanted = None
    if columns is not None and set(columns) <= set(names) and len(set(names)) == len(names):
        wanted = [name for name in names if name in columns]
    batches = []
    for batch in parquet.iter_batches(columns=wanted):
        room.take_bytes(batch.nbytes, rows=batch.num_rows)
        batches.append(batch)
    schema = batches[0].schema if batches else parquet.schema_arrow
    frame: pd.DataFrame = pa.Table.from_batches(batches, schema).to_pandas(self_destruct=True)
    return frame


FORMATS: Final[Mapping[str, Callable[[_Content, Room, _Wanted], pd.DataFrame]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}


def _describe(error: Exception, kind: str) -> str:
    """Say what of an error quotes nothing of the file, which may be no file that was meant."""
    match error:
        case _LineError():
            return f": {error}"
        case _FieldsError():
            said = str(error) or "a row has more fields than the first line has names"
            return f": {said}"
        case pd.errors.ParserError() if told := _FIELDS.search(str(error)):
            return f": expected {told[1]} fields in line {told[2]}, saw {told[3]}"
        case UnicodeDecodeError() if error.encoding == "utf-8":
            return f": it is not UTF-8 at byte {error.start}; set spec.data.source.encoding"
        case UnicodeDecodeError():
            return ": it is not of the encoding that spec.data.source.encoding names"
        case EOFError() | zlib.error() | gzip.BadGzipFile():
            return ": it is compressed and incomplete or damaged"
        case OSError() if "compressed" in str(error) or "ZSTD" in str(error):
            return ": it is compressed and incomplete or damaged"
        case pa.ArrowInvalid() if kind == "parquet" and "size is 0" in str(error):
            return ": it is empty"
        case pa.ArrowInvalid() if kind == "parquet" and "footer" in str(error):
            return ": its end is missing, as of a file that is half written"
        case _:
            return ""


def _refuse_answers(content: bytes, source: str, kind: str) -> None:
    """Refuse what a server says in place of a file: a page to log in, or an error."""
    start = content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        answer = "a web page (HTML or XML), as a server answers that wants a login"
    elif kind != "jsonl" and _JSON.match(start):
        answer = "JSON"
    else:
        return
    raise TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"{source} holds {answer}, not {kind}; "
        "correct spec.data.source.uri or the Secret in spec.data.source.credentials",
    )


def _restore_columns(frame: pd.DataFrame, config: DataConfig) -> pd.DataFrame:
    """Make columns of what pandas stored as the names of the rows, if a wanted one may be there."""
    if config.fields.keys() <= set(frame.columns) or isinstance(frame.index, pd.RangeIndex):
        return frame
    return frame.reset_index(allow_duplicates=True)
