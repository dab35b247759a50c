"""The record in PostgreSQL, as model servers write it: the operator creates its tables."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg

from fairlead_contract import record
from fairlead_contract.database import ADDRESS, InvalidAddressError, redact
from fairlead_contract.libpq import NOTICES_SILENCE, build_parameters
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.outputs import to_outputs
from fairlead_serving.server.prediction_log import Answer, UnavailableError
from fairlead_serving.server.settings import RecordSettings, Settings

_PREDICTIONS = f"COPY {record.PREDICTIONS} ({', '.join(record.PREDICTION_COLUMNS)}) FROM STDIN"
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


_FEEDBACK = f"""
INSERT INTO {record.FEEDBACK} AS stored ({", ".join(record.FEEDBACK_COLUMNS)}) VALUES (
    %(prediction_id)s, %(row_index)s, %(namespace)s, %(model)s, now(), %(label_value)s,
    %(label_class)s, %(reward)s, %(label_at)s, %(reward_at)s
) ON CONFLICT (prediction_id, row_index, namespace, model) DO UPDATE SET
    label_value = {_latest("label_value", _LABEL_IS_LATER)},
    label_class = {_latest("label_class", _LABEL_IS_LATER)},
    label_at = {_latest("label_at", _LABEL_IS_LATER)},
    reward = {_latest("reward", _REWARD_IS_LATER)},
    reward_at = {_latest("reward_at", _REWARD_IS_LATER)}
WHERE ({_LABEL_IS_LATER}) OR ({_REWARD_IS_LATER})
"""
# A server that is newer than the tables waits until the operator has migrated them.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
_DEFAULTS: Final = {
    "connect_timeout": 3,
    "application_name": "fairlead-server",
    **NOTICES_SILENCE,
}
# In each transaction: a pooler in between refuses settings of a session.
_SETTINGS: Final = "SET LOCAL statement_timeout = '10s'"


class RecordStore:
    """One connection, opened when it is needed."""

    def __init__(self, record: RecordSettings, settings: Settings) -> None:
        self._record = record
        self._settings = settings
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._url = ""  # of the connection

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        """Write the batch in one transaction."""
        try:
            connection = self._connect()
            self._write(connection, answers, feedback)
        except _UNAVAILABLE as error:
            self.close()
            raise UnavailableError(self._first_line(error)) from error
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
        url = self._record.read_url()
        if url != self._url:
            self.close()
        if self._connection is None:
            self._url = url
            self._connection = psycopg.connect(**_parameters(url))
        return self._connection

    def _first_line(self, error: psycopg.Error) -> str:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return redact(line, self._url)[:300]

    def _write(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        answers: Sequence[Answer],
        feedback: Sequence[Feedback],
    ) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
            if answers:
                with cursor.copy(_PREDICTIONS) as copy:
                    for row in self._rows(answers):
                        copy.write_row(row)
            if feedback:
                # In one order everywhere: servers that lock the same rows never block each other.
                ordered = sorted(feedback, key=lambda item: (item.prediction_id, item.row_index))
                cursor.executemany(_FEEDBACK, [self._row(item) for item in ordered])

    def _rows(self, answers: Sequence[Answer]) -> Iterator[tuple[Any, ...]]:
        names = (self._settings.namespace, self._settings.model, self._settings.version)
        for answer in answers:
            outputs = to_outputs(self._record.task, answer.predictions)
            for index, output in enumerate(outputs):
                yield (
                    answer.prediction_id,
                    index,
                    answer.request_id,
                    *names,
                    answer.at,
                    answer.mirrored,
                    *output,
                )

    def _row(self, feedback: Feedback) -> dict[str, Any]:
        return {
            "prediction_id": feedback.prediction_id,
            "row_index": feedback.row_index,
            "namespace": self._settings.namespace,
            "model": self._settings.model,
            "label_value": feedback.label_value,
            "label_class": feedback.label_class,
            "reward": feedback.reward,
            "label_at": None if feedback.label_class is None else feedback.given_at,
            "reward_at": None if feedback.reward is None else feedback.given_at,
        }


def _parameters(url: str) -> dict[str, Any]:
    try:
        return build_parameters(url, _DEFAULTS)
    except InvalidAddressError as error:
        raise UnavailableError(f"{ADDRESS}: {error}") from error
