"""Read the rows from where they are: a file over HTTP or on disk, or a query in PostgreSQL.

Nothing here judges the columns; ``data`` does.  Every failure is a ``TrainingFailure`` whose
message names the source without credentials.
"""

import base64
import gzip
import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable
from typing import Any, Final

import pandas as pd
import psycopg
from psycopg.types.numeric import FloatLoader

from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure

_TIMEOUT_SECONDS: Final = 30
_QUERY_SECONDS: Final = 600
_GZIP_MAGIC: Final = b"\x1f\x8b"
# How libpq tells that the server does not let this user in; before a session there is no SQLSTATE.
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "does not exist",
)


def read_frame(config: DataConfig, environment: Environment) -> pd.DataFrame:
    """Read all rows as they are.

    Raises:
        TrainingFailure: naming the source and the way out.
    """
    scheme = urllib.parse.urlsplit(config.uri).scheme
    if scheme == "postgresql":
        return _read_postgresql(config, environment)
    if config.query is not None:
        raise TrainingFailure(
            Reason.QUERY_INVALID,
            f"spec.data.source.query works on postgresql:// only, not on {scheme}://; remove it",
        )
    match scheme:
        case "http" | "https":
            content = _download(config.uri, environment)
        case "file":
            content = _read_file(config.uri)
        case _:
            raise TrainingFailure(
                Reason.DATA_FORMAT_INVALID,
                f"the trainer cannot read {public_uri(config.uri)} by its scheme; "
                "use http://, https:// or postgresql://",
            )
    return parse_file(content, config)


def public_uri(uri: str) -> str:
    """The address without user, password and parameters, for messages and records."""
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, host, parts.path, "", ""))


def parse_file(content: bytes, config: DataConfig) -> pd.DataFrame:
    """Turn the bytes of a CSV (also gzipped) or Parquet file into rows."""
    source = public_uri(config.uri)
    kind = config.format or _format_of(source)
    parsers: dict[str, Callable[[io.BytesIO], pd.DataFrame]] = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
    }
    try:
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
        return parsers[kind](io.BytesIO(content))
    except pd.errors.EmptyDataError as error:
        raise TrainingFailure(Reason.DATA_EMPTY, f"{source} holds no rows") from error
    except (ValueError, OSError, EOFError, zlib.error, pd.errors.ParserError) as error:
        raise TrainingFailure(
            Reason.DATA_FORMAT_INVALID,
            f"{source} cannot be read as {kind}: {_first_line(error)}; "
            "correct the file or spec.data.source.format",
        ) from error


def _format_of(source: str) -> str:
    name = source.rsplit("/", 1)[-1].lower().removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    raise TrainingFailure(
        Reason.DATA_FORMAT_INVALID,
        f"the name of {source} does not tell its format; set spec.data.source.format",
    )


def _download(uri: str, environment: Environment) -> bytes:
    source = public_uri(uri)
    request = urllib.request.Request(uri)  # noqa: S310  the caller lets http and https through only
    if environment.data_username is not None:
        pair = f"{environment.data_username}:{environment.data_password or ''}"
        token = base64.b64encode(pair.encode()).decode()
        # Unredirected, so that another host never sees it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310  as above
            content: bytes = response.read()
    except urllib.error.HTTPError as error:
        if error.code in {401, 403}:
            raise TrainingFailure(
                Reason.CREDENTIALS_REFUSED,
                f"{source} answered {error.code}; "
                "correct the Secret in spec.data.source.credentials",
            ) from error
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{source} answered {error.code}; check spec.data.source.uri",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE, f"{source} cannot be read: {_first_line(error)}"
        ) from error
    return content


def _read_file(uri: str) -> bytes:
    path = urllib.request.url2pathname(urllib.parse.urlsplit(uri).path)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE, f"{path} cannot be read: {error.strerror}"
        ) from error


def _read_postgresql(config: DataConfig, environment: Environment) -> pd.DataFrame:
    if config.query is None:
        raise TrainingFailure(
            Reason.QUERY_INVALID,
            "spec.data.source.query is missing; a postgresql:// source needs one",
        )
    with _connect(config.uri, environment) as connection:
        connection.adapters.register_loader("numeric", FloatLoader)
        try:
            with connection.cursor() as cursor:
                cursor.execute(config.query.encode())
                columns = [column.name for column in cursor.description or ()]
                rows = cursor.fetchall() if columns else []
        except psycopg.Error as error:
            raise _query_failure(error, public_uri(config.uri)) from error
    if not columns:
        raise TrainingFailure(
            Reason.QUERY_INVALID, "spec.data.source.query yields no columns; write a SELECT"
        )
    return pd.DataFrame(rows, columns=columns)


def _connect(uri: str, environment: Environment) -> "psycopg.Connection[tuple[object, ...]]":
    credentials: dict[str, Any] = {
        "user": environment.data_username,
        "password": environment.data_password,
    }
    try:
        return psycopg.connect(
            uri,
            connect_timeout=10,
            application_name="fairlead-training",
            options=(
                "-c default_transaction_read_only=on "
                f"-c statement_timeout={_QUERY_SECONDS}s -c timezone=UTC"
            ),
            **{name: value for name, value in credentials.items() if value is not None},
        )
    except psycopg.Error as error:
        source, said = public_uri(uri), _first_line(error)
        if any(refusal in str(error) for refusal in _REFUSALS):
            raise TrainingFailure(
                Reason.CREDENTIALS_REFUSED,
                f"{source} lets the trainer not in: {said}; "
                "correct spec.data.source.uri or the Secret in spec.data.source.credentials",
            ) from error
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE, f"{source} cannot be reached: {said}"
        ) from error


def _query_failure(error: psycopg.Error, source: str) -> TrainingFailure:
    said = _first_line(error)
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return TrainingFailure(
                Reason.CREDENTIALS_REFUSED, f"{source}: {said}; grant it or use another user"
            )
        case psycopg.errors.QueryCanceled():
            return TrainingFailure(
                Reason.DATA_SOURCE_UNAVAILABLE, f"{source}: the query was cut off: {said}"
            )
        case (
            psycopg.errors.ReadOnlySqlTransaction()
            | psycopg.ProgrammingError()
            | (psycopg.DataError() | psycopg.NotSupportedError())
        ):
            return TrainingFailure(
                Reason.QUERY_INVALID, f"{source}: {said}; correct spec.data.source.query"
            )
        case _:
            return TrainingFailure(
                Reason.DATA_SOURCE_UNAVAILABLE, f"{source}: the query failed: {said}"
            )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
