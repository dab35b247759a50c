"""The rows of a query in PostgreSQL, as they come, so that too many end in words."""

import contextlib
import logging
import re
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import pandas as pd
import psycopg
from psycopg.types.numeric import FloatLoader

from fairlead_contract.database import InvalidAddressError, redact
from fairlead_contract.libpq import NOTICES_SILENCE, build_parameters
from fairlead_training.config import DataConfig, Environment
from fairlead_training.failure import Reason, TrainingFailure, Trouble, first_line
from fairlead_training.passing import database_may_pass, is_refused, may_pass
from fairlead_training.sources import reach
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.formats import Columns
from fairlead_training.sources.room import Room, make_room
from fairlead_training.sources.secret import check_credentials

_log = logging.getLogger(__name__)
_DEFAULTS: Final = {
    "connect_timeout": 10,
    "application_name": "fairlead-training",
    **NOTICES_SILENCE,
}
_CHUNK: Final = 500  # rows that libpq holds at once
_PIECE: Final = 5_000  # rows that are objects of Python, which take much more than a column
_PORT: Final = "5432"
_HIGHEST_PORT: Final = 65_535
_UNKNOWN: Final = "the name of its host is not known"
# Parameters by which libpq asks others than the hosts of the address.
_ELSEWHERE: Final = ("service", "servicefile", "oauth_issuer")
# In the query's own transaction: a pooler refuses settings of a session.
_SETTINGS: Final = "SET LOCAL statement_timeout = '600s'; SET LOCAL TimeZone = 'UTC'"
_RIGHTS_SETTINGS: Final = "SET LOCAL statement_timeout = '10s'"
_PATIENCE: Final = 30.0  # seconds that a training waits for no more than a warning
# No row of a standby, which takes no writes from anybody.
_RIGHTS: Final = """
SELECT rolsuper,
    (SELECT string_agg(rolname, ', ' ORDER BY rolname) FROM pg_roles
     WHERE rolname IN ('pg_execute_server_program', 'pg_write_server_files')
     AND pg_has_role(oid, 'USAGE')),
    (SELECT format('%I.%I', nspname, relname)
     FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind IN ('r', 'p', 'v', 'f')
     AND nspname <> 'information_schema' AND NOT starts_with(nspname, 'pg_')
     AND has_schema_privilege(pg_namespace.oid, 'USAGE')
     AND has_table_privilege(pg_class.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
     ORDER BY 1 LIMIT 1)
FROM pg_roles WHERE rolname = current_user AND NOT pg_is_in_recovery()
"""
# COPY … TO PROGRAM, for one, writes in a transaction that is read-only.
_READS: Final = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/[*](?:[^*]|[*]+[^*/])*[*]+/)*(?:select|with|values|table)\b",
    re.IGNORECASE,
)


def run_query(
    config: DataConfig, environment: Environment, columns: Columns = None
) -> pd.DataFrame:
    """Return the rows of the query, read in a transaction that cannot write.

    Args:
        columns: those to keep, of a query that gives others, too; None: all.

    Raises:
        TrainingFailure: QueryInvalid, SourceNotAllowed, SecretNotAllowed, CredentialsRefused,
            DataSourceUnavailable or TooMuchData.
    """
    if config.query is None:
        raise TrainingFailure(
            Reason.QUERY_INVALID,
            "spec.data.source.query is missing; a postgresql:// source needs one",
        )
    if not _READS.match(config.query):
        raise TrainingFailure(
            Reason.QUERY_INVALID,
            "spec.data.source.query does not begin with SELECT, WITH, VALUES or TABLE; "
            "write one SELECT",
        )
    with _connect(config.uri, environment) as connection:
        connection.adapters.register_loader("numeric", FloatLoader)
        connection.read_only = True
        try:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(_SETTINGS)
                # A stream speaks the extended protocol, in which a text is one statement: none
                # can end the transaction and begin another that writes.
                stream = cursor.stream(config.query.encode(), size=_CHUNK)
                with contextlib.closing(cast("Generator[tuple[object, ...]]", stream)) as rows:
                    return _read(
                        cursor, rows, make_room(public_uri(config.uri), environment.held), columns
                    )
        except psycopg.Error as error:
            raise explain_query(error, public_uri(config.uri)) from error
        except OverflowError as error:
            raise TrainingFailure(
                Reason.QUERY_INVALID,
                f"{public_uri(config.uri)}: {first_line(error)[:100]}; "
                "correct spec.data.source.query",
            ) from error


def _read(
    cursor: "psycopg.Cursor[tuple[object, ...]]",
    rows: Iterable[tuple[object, ...]],
    room: Room,
    columns: Columns,
) -> pd.DataFrame:
    names: list[str] = []
    kept: list[pd.DataFrame] = []
    for piece in _cut(rows):
        if not names:
            names = [column.name for column in cursor.description or ()]
            if not names:
                raise TrainingFailure(
                    Reason.QUERY_INVALID,
                    "spec.data.source.query returns no columns; write a SELECT",
                )
        frame = pd.DataFrame(piece, columns=names)
        if columns is not None and set(columns) <= set(names) and len(set(names)) == len(names):
            # A copy, as the others would stay in memory below a part.
            frame = frame[[name for name in names if name in columns]].copy()
        room.take(frame)
        kept.append(frame)
    return join_pieces(kept)


def _cut(rows: Iterable[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    piece: list[tuple[object, ...]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def join_pieces(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Make one frame, with the types that all rows at once would have."""
    if not pieces:
        return pd.DataFrame()
    frame = pieces[0] if len(pieces) == 1 else pd.concat(pieces, ignore_index=True)
    return frame.infer_objects()


def warn_of_rights(config: DataConfig, environment: Environment) -> tuple[str, ...]:
    """Say that the source's user may do more than read; nothing where that cannot be told.

    The transaction of the query is read-only, but whoever has the user's password is not held to
    one, and a function that the query calls may reach beyond it.
    """
    told: list[tuple[str, ...]] = []
    # Beside: a server or a pooler that stands still is noticed by no setting of the connection.
    asking = threading.Thread(
        target=lambda: told.append(_ask_rights(config, environment)), daemon=True
    )
    asking.start()
    asking.join(_PATIENCE)
    return told[0] if told else ()


def _ask_rights(config: DataConfig, environment: Environment) -> tuple[str, ...]:
    try:
        with _connect(config.uri, environment) as connection:
            connection.read_only = True
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(_RIGHTS_SETTINGS)
                rights = cursor.execute(_RIGHTS).fetchone()
    except (psycopg.Error, OSError, ValueError, TrainingFailure) as error:
        _log.info("rights of the data source's user not read", extra={"why": first_line(error)})
        return ()
    return () if rights is None else describe_rights(*rights)


def describe_rights(is_superuser: object, roles: object, table: object) -> tuple[str, ...]:
    """Describe what a user may write: everything, files of the server, a table for example."""
    if is_superuser:
        may = "is a superuser, who may write everything"
    elif roles:
        may = f"may write files or start programs on the server, by {roles}"
    elif table:
        may = f"may write, for example to {table}"
    else:
        return ()
    way_out = "name one in spec.data.source.credentials that may only read"
    return (f"the user of the data source {may}; {way_out}",)


def _connect(uri: str, environment: Environment) -> "psycopg.Connection[tuple[object, ...]]":
    credentials: dict[str, Any] = {
        "user": environment.data_username,
        "password": environment.data_password,
    }
    given = {name: value for name, value in credentials.items() if value is not None}
    try:
        parameters = build_parameters(uri, _DEFAULTS) | given
    except InvalidAddressError as error:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"spec.data.source.uri: {error}; credentials belong in spec.data.source.credentials",
        ) from error
    try:
        return psycopg.connect(**parameters | _find_place(parameters, uri, environment))
    except psycopg.Error as error:
        raise explain_connection(error, public_uri(uri), address=uri) from error


def _find_place(
    parameters: Mapping[str, Any], uri: str, environment: Environment
) -> dict[str, str]:
    """Return where to connect to: hosts by name, their ports, and the addresses that were judged.

    Raises:
        TrainingFailure: SourceNotAllowed, SecretNotAllowed or DataSourceUnavailable.
    """
    source = public_uri(uri)
    entries: list[tuple[str, str, str]] = []
    unknown: OSError | None = None
    for host, place, port in split_hosts(parameters, source):
        check_credentials(place, int(port), environment)
        try:
            addresses = reach.admit(place, int(port), environment.surroundings)
        except reach.NotAllowedError as error:
            raise reach.refuse_place(source, error) from error
        except OSError as error:
            unknown = error
            continue
        entries += [(host, address, port) for address in addresses]
    if not entries:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{source} cannot be reached: {_UNKNOWN}; check spec.data.source.uri",
            trouble=Trouble(source, _UNKNOWN) if unknown and may_pass(unknown) else None,
        ) from unknown
    names = ("host", "hostaddr", "port")
    return dict(zip(names, map(",".join, zip(*entries, strict=True)), strict=True))


def split_hosts(parameters: Mapping[str, Any], source: str) -> list[tuple[str, str, str]]:
    """Return each host of an address by its name, by where libpq would connect, and with its port.

    Raises:
        TrainingFailure: SourceNotAllowed: one is a socket, or named by others than the address.
    """
    elsewhere = [name for name in _ELSEWHERE if parameters.get(name)]
    if elsewhere:
        raise _not_allowed(f"{source} has the parameter {elsewhere[0]}", "remove it")
    hosts, places, ports = (
        str(parameters.get(name) or "").split(",") for name in ("host", "hostaddr", "port")
    )
    count = max(len(hosts), len(places))
    if not (len(hosts) in {1, count} and len(places) in {1, count} and len(ports) in {1, count}):
        raise _not_allowed(f"{source} has not as many ports or addresses as hosts", "correct it")
    split = []
    for number in range(count):
        host, place, port = (
            each[number] if len(each) == count else each[0] for each in (hosts, places, ports)
        )
        place, port = place or host, port or _PORT
        if not place or place.startswith(("/", "@")):
            raise _not_allowed(f"{source} names no host", "write postgresql://host:5432/database")
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
            raise _not_allowed(f"{source} has a port that is none", "correct it")
        split.append((host or place, place, port))
    return split


def _not_allowed(what: str, way_out: str) -> TrainingFailure:
    return TrainingFailure(Reason.SOURCE_NOT_ALLOWED, f"{what}; {way_out} in spec.data.source.uri")


def explain_connection(error: psycopg.Error, source: str, *, address: str = "") -> TrainingFailure:
    """Tell a server that refuses the user from one that cannot be reached."""
    said = redact(first_line(error), address)
    if is_refused(error):
        return TrainingFailure(
            Reason.CREDENTIALS_REFUSED,
            f"{source} refused the trainer's login: {said}; "
            "correct spec.data.source.uri or the Secret in spec.data.source.credentials",
        )
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{source} cannot be reached: {said}; check spec.data.source.uri",
        trouble=Trouble(source, said) if database_may_pass(error) else None,
    )


def explain_query(error: psycopg.Error, source: str) -> TrainingFailure:
    """Tell from the error's class whether the query, the user or the server is at fault."""
    said = first_line(error)
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return TrainingFailure(
                Reason.CREDENTIALS_REFUSED,
                f"{source}: {said}; grant the permission or use another user",
            )
        case psycopg.errors.SyntaxError() if "multiple commands" in said:
            return TrainingFailure(
                Reason.QUERY_INVALID,
                f"{source}: spec.data.source.query holds more than one statement; keep one SELECT",
            )
        case psycopg.errors.QueryCanceled():
            return TrainingFailure(
                Reason.DATA_SOURCE_UNAVAILABLE,
                f"{source}: the query took too long or was canceled: {said}; "
                "make spec.data.source.query cheaper",
            )
        case (
            psycopg.errors.ReadOnlySqlTransaction()
            | psycopg.errors.ActiveSqlTransaction()
            | psycopg.ProgrammingError()
            | psycopg.DataError()
            | psycopg.NotSupportedError()
        ):
            return TrainingFailure(
                Reason.QUERY_INVALID, f"{source}: {said}; correct spec.data.source.query"
            )
        case _:
            return TrainingFailure(
                Reason.DATA_SOURCE_UNAVAILABLE,
                f"{source}: the query failed: {said}",
                trouble=Trouble(source, said) if database_may_pass(error) else None,
            )
