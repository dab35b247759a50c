"""The formats of files, wherever they come from: CSV, also gzipped, and Parquet.

The columns keep the names that the file gives them, one that is there twice included, for
``data`` to judge.  pandas would call the second ``name.1``.
"""

import gzip
import io
import re
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd
import pyarrow.parquet as pq

from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.sources.address import public_uri

_GZIP_MAGIC: Final = b"\x1f\x8b"
_LOOKED_AT: Final = 200  # bytes of a file that tell whether it is something else
_MARKUP: Final = (b"<!doctype", b"<!--", b"<?xml", b"<html", b"<head", b"<body", b"<error")
_FIELDS: Final = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_JSON: Final = re.compile(rb"(\{\s*[\"}]|\[\s*[\[{\]])")


def _read_csv(file: io.BytesIO) -> pd.DataFrame:
    header = pd.read_csv(file, header=None, nrows=1, dtype=str, keep_default_na=False)
    names = header.iloc[0].tolist()
    with warnings.catch_warnings():
        # A column of numbers and words is told with its rows, by `data`.
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        # Told so by index_col=False, pandas warns of what it leaves out.
        warnings.simplefilter("ignore", pd.errors.ParserWarning)
        file.seek(0)
        frame = pd.read_csv(file)
        if len(frame) and frame.iloc[:, -1].isna().all():
            # A comma ends each row, but not the header: for pandas, the first column is then the
            # name of each row, and the others move by one.
            file.seek(0)
            frame = pd.read_csv(file, index_col=False)
    given = [name for name in names if name.strip()]
    if len(set(given)) < len(given) and len(names) == len(frame.columns):
        frame.columns = pd.Index(names)
    return frame


def _read_parquet(file: io.BytesIO) -> pd.DataFrame:
    names = pq.read_schema(file).names
    file.seek(0)
    if len(set(names)) < len(names):
        # What pandas uses refuses a column that is there twice.
        frame: pd.DataFrame = pq.ParquetFile(file).read().to_pandas()
        return frame
    return pd.read_parquet(file)


FORMATS: Final[Mapping[str, Callable[[io.BytesIO], pd.DataFrame]]] = {
    "csv": _read_csv,
    "parquet": _read_parquet,
}


def parse_file(content: bytes, config: DataConfig) -> pd.DataFrame:
    """Turn the bytes of a file into rows.

    Raises:
        TrainingFailure: DataEmpty or DataFormatInvalid, naming the file; ConfigInvalid.
    """
    source = public_uri(config.uri)
    kind = config.format or _tell_format(source)
    if kind not in FORMATS:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"{source} cannot be read as {kind}; "
            f"set spec.data.source.format to {' or '.join(FORMATS)}",
        )
    try:
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        _refuse_answers(content, source, kind)
        return _restore_columns(FORMATS[kind](io.BytesIO(content)), config)
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
    ) as error:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{source} cannot be read as {kind}{_describe(error)}; "
            "correct the file or spec.data.source.format",
        ) from error


def _describe(error: Exception) -> str:
    """Say what of an error quotes nothing of the file, which may be no file that was meant."""
    match error:
        case pd.errors.ParserError() if told := _FIELDS.search(str(error)):
            return f": expected {told[1]} fields in line {told[2]}, saw {told[3]}"
        case UnicodeDecodeError():
            return f": it is not UTF-8 at byte {error.start}"
        case EOFError() | zlib.error() | gzip.BadGzipFile():
            return ": it is compressed and incomplete or damaged"
        case _:
            return ""


def _refuse_answers(content: bytes, source: str, kind: str) -> None:
    """Refuse what a server says in place of a file: a page to log in, or an error."""
    start = content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        answer = "a web page (HTML or XML), as a server answers that wants a login"
    elif _JSON.match(start):
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
    wanted = {config.target, config.timestamp_column, *config.features}
    if wanted <= set(frame.columns) or isinstance(frame.index, pd.RangeIndex):
        return frame
    return frame.reset_index(allow_duplicates=True)


def _tell_format(source: str) -> str:
    name = source.rsplit("/", 1)[-1].lower().removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    raise TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"the format of {source} cannot be told from its name; set spec.data.source.format",
    )
