"""The record, both sides: real servers write what the operator reads from a real PostgreSQL."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
import psycopg
import pytest

from cluster.ports import refusing_port
from fairlead_operator.ports import Subject
from fairlead_operator.record.client import RecordClient
from support.mlflow_server import MlflowServer
from support.model_server import Registered, ServerProcess, model_server, register_booster
from support.postgres import Postgres

pytestmark = pytest.mark.integration

UP = {"c0": 2.0, "c1": 2.0, "c2": 0, "c3": 0}
DOWN = {"c0": -2.0, "c1": -2.0, "c2": 0, "c3": 0}
T = TypeVar("T")


@pytest.fixture(scope="module")
def booster(mlflow_server: MlflowServer) -> Registered:
    return register_booster(mlflow_server.uri, "energy.recorded")


@pytest.fixture(name="database")
def _database(postgres: Postgres) -> str:
    return postgres.uri(postgres.create_database("record"))


@pytest.fixture(name="record")
async def _record(database: str, patient_record: None) -> AsyncIterator[RecordClient]:
    record = RecordClient(database)
    await record.history("energy", "nsw-price", 1)  # makes the tables, as the operator does
    yield record
    await record.close()


@contextlib.contextmanager
def serving(
    booster: Registered, database: str, *, version: str = "1.1.0", **more: str
) -> Iterator[ServerProcess]:
    environment = {
        "FAIRLEAD_VERSION": version,
        "FAIRLEAD_DATABASE_URL": database,
        "FAIRLEAD_TASK": "binary-classification",
        "FAIRLEAD_PREDICTION_SAMPLE": "1",
        **more,
    }
    with model_server(booster, timeout_seconds=60, environment=environment) as server:
        server.wait_until_ready()
        yield server


def since(version: str) -> Subject:
    moment = datetime.now(UTC) - timedelta(minutes=10)
    return Subject(namespace="energy", model="nsw-price", version=version, since=moment)


async def eventually(ask: Callable[[], Awaitable[T]], is_right: Callable[[T], bool]) -> T:
    """Ask until the answer is right, as long as a busy machine may take."""
    deadline = time.monotonic() + 120
    while not is_right(answer := await ask()):
        assert time.monotonic() < deadline, f"still {answer}"
        await asyncio.sleep(0.1)
    return answer


def tell(
    server: ServerProcess, prediction: httpx.Response, *, token: str = "", **told: Any
) -> httpx.Response:
    body = {"predictionId": prediction.json()["predictionId"], **told}
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return server.post("/feedback", json=body, headers=headers)


def metric(server: ServerProcess, name: str) -> float:
    lines = server.get("/metrics").text.splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}{{")]
    return float(line.split()[-1])


async def test_the_operator_reads_what_two_versions_predicted(
    booster: Registered, database: str, record: RecordClient
) -> None:
    """A shadow's whole path: mirrored answers, labels of the live ones, through either's pod."""
    with (
        serving(booster, database, version="1.0.0") as stable,
        serving(booster, database) as candidate,
    ):
        for at, (row, label) in enumerate(((UP, 1), (DOWN, 0), (UP, 0))):
            live = stable.predict(row, x_request_id=f"r{at}")
            if at:
                candidate.predict(row, x_request_id=f"r{at}", x_fairlead_shadow="true")
            else:
                candidate.predict(row, copied=True, x_request_id="r0")
            pod = candidate if at else stable
            assert tell(pod, live, label=label, reward=0.5).status_code == 202

        accuracy = await eventually(
            lambda: record.tally("accuracy", since("1.1.0")), lambda tally: tally.trials == 3
        )
        agreement = await eventually(
            lambda: record.agreement(since("1.1.0"), "1.0.0"), lambda tally: tally.trials == 3
        )

        assert (accuracy.successes, agreement.successes) == (2, 3)
        assert await record.tally("accuracy", since("1.0.0")) == accuracy
        rewards = await record.tally("reward", since("1.0.0"))
        assert (rewards.successes, rewards.trials) == (1.5, 3)
        assert (await record.tally("reward", since("1.1.0"))).trials == 0
        losses = await record.losses("log-loss", since("1.1.0"))
        assert losses.count == 3
        assert losses.total > 1, "one of three was sure of the wrong class"
        ours, theirs = await record.distributions(since("1.1.0"), "1.0.0")
        assert (sum(ours), ours) == (3, theirs)


async def test_words_are_told_recorded_and_judged(
    mlflow_server: MlflowServer, database: str, record: RecordClient
) -> None:
    words = register_booster(mlflow_server.uri, "energy.words", classes=("down", 'so "up"'))
    with serving(words, database) as server:
        answers = [server.predict(row) for row in (UP, UP, DOWN)]
        for answer, label in zip(answers, ('so "up"', "down", "down"), strict=True):
            assert tell(server, answer, label=label).status_code == 202
        refused = tell(server, answers[0], label="Up")

        (told,) = answers[0].json()["predictions"]
        assert told["label"] == 'so "up"'
        assert list(told["probabilities"]) == ["down", 'so "up"']
        assert sum(told["probabilities"].values()) == pytest.approx(1)
        assert (refused.status_code, "neither down nor" in refused.text) == (400, True)

        accuracy = await eventually(
            lambda: record.tally("accuracy", since("1.1.0")), lambda tally: tally.trials == 3
        )
        losses = await record.losses("log-loss", since("1.1.0"))
        assert (accuracy.successes, losses.count) == (2, 3)
        assert losses.total > 1, "one of three was sure of the wrong class"


async def test_feedback_may_come_in_parts_and_before_its_prediction(
    booster: Registered, database: str, record: RecordClient
) -> None:
    with serving(booster, database) as server:
        prediction = server.predict(UP, DOWN)
        for told in ({"row": 1, "label": 1}, {"row": 1, "reward": 1}, {"row": 1, "label": 0}):
            assert tell(server, prediction, **told).status_code == 202

        tally = await eventually(
            lambda: record.tally("accuracy", since("1.1.0")), lambda tally: tally.successes == 1
        )

        assert tally.trials == 1, "the last label counts, for the one row that was told of"
        assert (await record.tally("reward", since("1.1.0"))).trials == 1


async def test_sigterm_writes_what_is_left(
    booster: Registered, database: str, record: RecordClient
) -> None:
    with serving(booster, database) as server:
        for _ in range(20):
            server.predict(UP)

        assert server.stop() == 0

        with psycopg.connect(database) as connection:
            rows = connection.execute(
                "SELECT count(*), min(class), min(value) FROM fairlead_record.predictions"
            )
            count, class_, value = rows.fetchone() or (0, "", 0)
        assert (count, class_) == (20, "1")
        assert value > 0.9


async def test_feedback_needs_the_token(booster: Registered, database: str) -> None:
    with serving(booster, database, FAIRLEAD_FEEDBACK_TOKEN="right") as server:
        prediction = server.predict(UP)
        refused = tell(server, prediction, label=1)
        accepted = tell(server, prediction, token="right", label=1)

        assert (refused.status_code, accepted.status_code) == (401, 202)
        assert refused.headers["x-fairlead-version"] == "1.1.0"
        assert "right" not in (server.folder / "log").read_text()


def test_predictions_go_on_without_a_database(booster: Registered) -> None:
    absent = f"postgresql://fairlead@127.0.0.1:{refusing_port()}/fairlead"
    with serving(booster, absent) as server:
        batches = [server.predict(*[UP] * 10_000) for _ in range(7)]
        answers = [server.predict(UP) for _ in range(20)]

        assert {answer.status_code for answer in batches + answers} == {200}
        assert metric(server, "fairlead_prediction_log_dropped_total") >= 10_000
        assert server.stop() == 0, "the end waits for no database"
        assert any("Cannot log predictions" in line["message"] for line in server.log)


async def test_a_log_goes_on_when_the_database_is_back(
    booster: Registered, database: str, record: RecordClient
) -> None:
    """The server's backend is stopped, so that its socket lives, then killed."""
    with serving(booster, database) as server:
        server.predict(UP)
        (backend,) = await eventually(
            lambda: _backends(database), lambda backends: len(backends) == 1
        )
        os.kill(backend, signal.SIGSTOP)
        answers = [server.predict(UP) for _ in range(20)]
        with psycopg.connect(database) as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (backend,))
        os.kill(backend, signal.SIGCONT)

        assert {answer.status_code for answer in answers} == {200}
        written, dropped = (
            f"fairlead_prediction_log_{name}_total" for name in ("written", "dropped")
        )
        await eventually(
            lambda: asyncio.sleep(0, metric(server, written) + metric(server, dropped)),
            lambda rows: rows == 21,
        )
        assert metric(server, dropped) <= 20


async def _backends(database: str) -> list[int]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'fairlead-server'"
            " AND datname = current_database()"
        )
        return [row[0] for row in rows]
