"""The record in PostgreSQL, as model servers write it: the operator creates its tables."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import psycopg

from fairlead_contract import record
from fairlead_contract.database import ADDRESS, InvalidAddressError, redact
from fairlead_contract.libpq import NOTICES_SILENCE, connect
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.outputs import to_outputs
from fairlead_serving.server.prediction_log import Answer, LimitReachedError, UnavailableError
from fairlead_serving.server.settings import RecordSettings, Settings

# The columns, and as what each comes, many rows at once.
_PREDICTION: Final[Mapping[str, str]] = {
    "prediction_id": "uuid",
    "row_index": "integer",
    "request_id": "text",
    "namespace": "text",
    "model": "text",
    "version": "text",
    "at": "timestamptz",
    "mirrored": "boolean",
    "value": "double precision",
    "class": "text",
    "probabilities": "text",  # as rows of an array they would all need one length
}
_GIVEN: Final[Mapping[str, str]] = {
    "prediction_id": "uuid",
    "row_index": "integer",
    "label_value": "double precision",
    "label_class": "text",
    "reward": "double precision",
    "label_at": "timestamptz",
    "reward_at": "timestamptz",
}


def _unnest(columns: Mapping[str, str]) -> str:
    arrays = ", ".join(f"%s::{each}[]" for each in columns.values())
    return f"unnest({arrays}) AS given ({', '.join(columns)})"


# One statement for any number of rows, since a trigger counts what each wrote.  Not COPY, which
# PostgreSQL refuses on a table with row-level security.
_PREDICTIONS: Final = f"""
INSERT INTO {record.PREDICTIONS} ({", ".join(_PREDICTION)}, classes)
SELECT {", ".join([*_PREDICTION][:-1])}, probabilities::real[], %s::text[]
FROM {_unnest(_PREDICTION)}
"""
# A label and a reward may come apart; each stays until another of its kind was given later, in
# whatever order servers write.  Rows of servers that write no times were given when written.  Of
# two given at the same time the larger counts, so that the order decides nothing there either.
_LABEL_IS_LATER = """
excluded.label_class IS NOT NULL AND (stored.label_class IS NULL OR (
    excluded.label_at, excluded.label_class COLLATE "C",
    coalesce(excluded.label_value, '-Infinity')
) >= (
    coalesce(stored.label_at, stored.at), stored.label_class COLLATE "C",
    coalesce(stored.label_value, '-Infinity')
))
"""
_REWARD_IS_LATER = """
excluded.reward IS NOT NULL AND (stored.reward IS NULL OR
    (excluded.reward_at, excluded.reward) >= (coalesce(stored.reward_at, stored.at), stored.reward)
)
"""


def _latest(column: str, is_later: str) -> str:
    return f"CASE WHEN {is_later} THEN excluded.{column} ELSE stored.{column} END"


_FEEDBACK: Final = f"""
INSERT INTO {record.FEEDBACK} AS stored (namespace, model, at, {", ".join(_GIVEN)})
SELECT %s, %s, now(), {", ".join(_GIVEN)} FROM {_unnest(_GIVEN)}
ON CONFLICT (prediction_id, row_index, namespace, model) DO UPDATE SET
    label_value = {_latest("label_value", _LABEL_IS_LATER)},
    label_class = {_latest("label_class", _LABEL_IS_LATER)},
    label_at = {_latest("label_at", _LABEL_IS_LATER)},
    reward = {_latest("reward", _REWARD_IS_LATER)},
    reward_at = {_latest("reward_at", _REWARD_IS_LATER)}
WHERE ({_LABEL_IS_LATER}) OR ({_REWARD_IS_LATER})
"""
# A server that is newer than the tables waits until the operator has migrated them, and one whose
# login has not its rights yet until it has.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
_DEFAULTS: Final = {
    "connect_timeout": 3,
    "application_name": "fairlead-server",
    **NOTICES_SILENCE,
}
_FEEDBACK_TABLE: Final = record.FEEDBACK.removeprefix(f"{record.SCHEMA}.")
# In each transaction: a pooler in between refuses settings of a session.  No schema is searched
# that others may create functions in.
_SETTINGS: Final = (
    "SET LOCAL statement_timeout = '10s'; SET LOCAL search_path = pg_catalog, pg_temp"
)


class RecordStore:
    """One connection, opened when it is needed."""

    def __init__(
        self,
        record: RecordSettings,
        settings: Settings,
        *,
        classes: Classes = PLAIN,
    ) -> None:
        self._record = record
        self._names = classes.recorded
        self._settings = settings
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._urls: list[str] = []  # that the connection was opened by one of

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        """Write the batch in one transaction."""
        try:
            connection = self._connect()
            self._write(connection, answers, feedback)
        except psycopg.Error as error:
            self.close()
            if error.diag.sqlstate == record.LIMIT_REACHED:
                of_feedback = error.diag.table_name == _FEEDBACK_TABLE
                raise LimitReachedError(self._first_line(error), of_feedback=of_feedback) from error
            if isinstance(error, _UNAVAILABLE):
                raise UnavailableError(self._first_line(error)) from error
            raise
        except BaseException:
            self.close()
            raise
        try:
            connection.commit()  # were this sent again, rows could be there twice
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        urls = self._record.read_urls()
        if urls[:1] != self._urls[:1]:  # of a next address there is no need as long as this one is
            self.close()
        self._urls = urls
        if self._connection is None:
            self._connection = _open(urls)
        return self._connection

    def _first_line(self, error: psycopg.Error) -> str:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        for url in self._urls:
            line = redact(line, url)
        return line[:300]

    def _write(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        answers: Sequence[Answer],
        feedback: Sequence[Feedback],
    ) -> None:
        names = (self._settings.namespace, self._settings.model)
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
            if rows := list(self._rows(answers)):
                cursor.execute(_PREDICTIONS, [list(self._names) or None, *_columns(rows)])
            # In one order everywhere: servers that lock the same rows never block each other.
            ordered = sorted(feedback, key=_of_row)
            for distinct in _rounds(ordered):
                cursor.execute(_FEEDBACK, [*names, *_columns(map(_row, distinct))])

    def _rows(self, answers: Sequence[Answer]) -> Iterator[tuple[Any, ...]]:
        names = (self._settings.namespace, self._settings.model, self._settings.version)
        for answer in answers:
            outputs = to_outputs(self._record.task, answer.predictions, self._names)
            for index, (value, name, probabilities) in enumerate(outputs):
                yield (
                    answer.prediction_id,
                    index,
                    answer.request_id,
                    *names,
                    answer.at,
                    answer.mirrored,
                    value,
                    name,
                    None if probabilities is None else _array(probabilities),
                )


def _rounds(feedback: Iterable[Feedback]) -> list[list[Feedback]]:
    """Part the feedback so that no row is told of twice in one statement, which may not be."""
    rounds: list[list[Feedback]] = []
    told: Counter[tuple[str, int]] = Counter()
    for item in feedback:
        if told[_of_row(item)] == len(rounds):
            rounds.append([])
        rounds[told[_of_row(item)]].append(item)
        told[_of_row(item)] += 1
    return rounds


def _of_row(feedback: Feedback) -> tuple[str, int]:
    return feedback.prediction_id, feedback.row_index


def _row(feedback: Feedback) -> tuple[Any, ...]:
    return (
        feedback.prediction_id,
        feedback.row_index,
        feedback.label_value,
        feedback.label_class,
        feedback.reward,
        None if feedback.label_class is None else feedback.given_at,
        None if feedback.reward is None else feedback.given_at,
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _array(numbers: Iterable[float]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


def _open(urls: Sequence[str]) -> psycopg.Connection[tuple[Any, ...]]:
    if not urls:
        raise UnavailableError("the namespace has no Secret with the address of the database yet")
    try:
        return connect(urls, _DEFAULTS)
    except InvalidAddressError as error:
        raise UnavailableError(f"{ADDRESS}: {error}") from error
