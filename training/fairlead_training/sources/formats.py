"""The formats of files, wherever they come from: CSV, also gzipped, and Parquet."""

import gzip
import io
import zlib
from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from fairlead_training.config import DataConfig
from fairlead_training.failure import Reason, TrainingFailure, first_line
from fairlead_training.sources.address import public_uri

_GZIP_MAGIC: Final = b"\x1f\x8b"
FORMATS: Final[Mapping[str, Callable[[io.BytesIO], pd.DataFrame]]] = {
    "csv": pd.read_csv,
    "parquet": pd.read_parquet,
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
        return FORMATS[kind](io.BytesIO(content))
    except pd.errors.EmptyDataError as error:
        raise TrainingFailure(
            Reason.DATA_EMPTY, f"{source} has no rows; check spec.data.source.uri"
        ) from error
    except (ValueError, OSError, EOFError, zlib.error, pd.errors.ParserError) as error:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{source} cannot be read as {kind}: {first_line(error)}; "
            "correct the file or spec.data.source.format",
        ) from error


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
