"""The record in PostgreSQL, as model servers write it: the operator creates its tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from fairlead_contract import record
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.outputs import to_outputs
from fairlead_serving.server.prediction_log import Answer, UnavailableError
from fairlead_serving.server.settings import RecordSettings, Settings

_PREDICTIONS = f"COPY {record.PREDICTIONS} ({', '.join(record.PREDICTION_COLUMNS)}) FROM STDIN"
# A label and a reward may come apart; each stays until another of its kind comes.
_FEEDBACK = f"""
INSERT INTO {record.FEEDBACK} AS stored ({", ".join(record.FEEDBACK_COLUMNS)}) VALUES (
    %(prediction_id)s, %(row_index)s, %(namespace)s, %(model)s, now(), %(label_value)s,
    %(label_class)s, %(reward)s
) ON CONFLICT (prediction_id, row_index, namespace, model) DO UPDATE SET
    label_value = CASE WHEN excluded.label_class IS NULL
        THEN stored.label_value ELSE excluded.label_value END,
    label_class = coalesce(excluded.label_class, stored.label_class),
    reward = coalesce(excluded.reward, stored.reward)
"""
# A server that is newer than the tables waits until the operator has migrated them.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
)
# A network that swallows packets is noticed, too.
_CONNECTION = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "prepare_threshold": None,  # a pooler in between may not keep what was prepared
    "application_name": "fairlead-server",
    "options": "-c statement_timeout=10s",
}


class RecordStore:
    """One connection, opened when it is needed."""

    def __init__(self, record: RecordSettings, settings: Settings) -> None:
        self._record = record
        self._settings = settings
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def add(self, answers: Sequence[Answer], feedback: Sequence[Feedback]) -> None:
        """Write the batch in one transaction."""
        try:
            connection = self._connect()
            self._write(connection, answers, feedback)
        except _UNAVAILABLE as error:
            self.close()
            raise UnavailableError(_first_line(error)) from error
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
        if self._connection is None:
            self._connection = psycopg.connect(self._record.url, **_CONNECTION)  # type: ignore[arg-type]  # one dict of all kinds
        return self._connection

    def _write(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        answers: Sequence[Answer],
        feedback: Sequence[Feedback],
    ) -> None:
        with connection.cursor() as cursor:
            if answers:
                with cursor.copy(_PREDICTIONS) as copy:
                    for row in self._rows(answers):
                        copy.write_row(row)
            if feedback:
                cursor.executemany(_FEEDBACK, [self._row(item) for item in feedback])

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
        }


def _first_line(error: psycopg.Error) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
