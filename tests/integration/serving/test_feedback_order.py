"""The word of feedback that was given last counts, in whatever order pods write it."""

import itertools
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from fairlead_operator.record.client import RecordClient
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.record_store import RecordStore
from support.postgres import Postgres
from support.server_settings import record_settings, server_settings

pytestmark = pytest.mark.integration

# Later than any row is written, so that the rows of old servers are the oldest.
NOON = datetime(2200, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(name="database")
async def _database(postgres: Postgres, patient_record: None) -> AsyncIterator[str]:
    url = postgres.uri(postgres.create_database("record"))
    record = RecordClient(url)
    await record.history("energy", "nsw-price", 1)  # makes the tables
    yield url
    await record.close()


@pytest.fixture(name="pods")
def _pods(database: str) -> Iterator[tuple[RecordStore, RecordStore]]:
    """Two model servers, of two versions."""
    record = record_settings(database)
    pods = tuple(
        RecordStore(record, server_settings(version=version)) for version in ("1.0.0", "1.1.0")
    )
    yield pods[0], pods[1]
    for pod in pods:
        pod.close()


def said(second: float, **what: Any) -> dict[str, Any]:
    """Feedback that was given so many seconds after noon."""
    return {"given_at": NOON + timedelta(seconds=second), **what}


def label(name: str, value: float | None) -> dict[str, Any]:
    return {"label_class": name, "label_value": value}


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        pytest.param([said(0, reward=0), said(1, reward=1)], (None, None, 1), id="rewards"),
        pytest.param(
            [said(0, reward=1), said(1e-6, reward=0)], (None, None, 0), id="a microsecond"
        ),
        pytest.param(
            [said(0, **label("1", 1)), said(1, **label("0", 0))], (0, "0", None), id="labels"
        ),
        pytest.param(
            [said(0, **label("1", 1)), said(1, **label("up", None))],
            (None, "up", None),
            id="a name after a number leaves no number",
        ),
        pytest.param(
            [said(1, **label("1", 1), reward=0.5), said(2, reward=1), said(0, **label("0", 0))],
            (1, "1", 1),
            id="each kind has its own time",
        ),
        pytest.param(
            [said(0, reward=0), said(0, reward=1), said(0, reward=0.5)],
            (None, None, 1),
            id="rewards of one moment: the larger",
        ),
        pytest.param(
            [said(0, **label("1", 1)), said(0, **label("1", None)), said(0, **label("0", 0))],
            (1, "1", None),
            id="labels of one moment: the larger",
        ),
    ],
)
def test_the_word_given_last_counts_in_every_order(
    database: str, pods: tuple[RecordStore, RecordStore], words: list[Any], kept: tuple[Any, ...]
) -> None:
    for order in itertools.permutations(words):
        apart, together = str(uuid.uuid4()), str(uuid.uuid4())
        for pod, word in zip(itertools.cycle(pods), order, strict=False):
            pod.add([], [Feedback(prediction_id=apart, row_index=0, **word)])
        batch = [Feedback(prediction_id=together, row_index=0, **word) for word in order]
        pods[0].add([], batch)
        pods[1].add([], batch[:1])  # again, as after a lost connection

        assert stored(database, apart) == kept
        assert stored(database, together) == kept


def test_rows_of_a_server_that_writes_no_times_were_given_when_written(
    database: str, pods: tuple[RecordStore, RecordStore]
) -> None:
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    with psycopg.connect(database) as connection:
        for name in (first, second):
            connection.execute(
                "INSERT INTO fairlead_record.feedback (prediction_id, row_index, namespace, model,"
                " at, label_class, label_value, reward)"
                " VALUES (%s, 0, 'energy', 'nsw-price', %s, '1', 1, 1)",
                (name, NOON),
            )
    before, after = said(-1, **label("0", 0), reward=0), said(1, **label("0", 0), reward=0)

    pods[0].add([], [Feedback(prediction_id=first, row_index=0, **before)])
    pods[0].add([], [Feedback(prediction_id=second, row_index=0, **after)])

    assert stored(database, first) == (1, "1", 1)
    assert stored(database, second) == (0, "0", 0)


def stored(url: str, prediction_id: str) -> tuple[Any, ...] | None:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT label_value, label_class, reward FROM fairlead_record.feedback"
            " WHERE prediction_id = %s",
            (prediction_id,),
        ).fetchone()
