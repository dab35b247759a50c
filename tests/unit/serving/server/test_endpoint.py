"""What a client gets, through BentoML's own application but without a socket."""

import gc
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from fairlead_contract.logs import JsonFormatter
from fairlead_serving.server.application import build_application
from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.endpoint import PredictEndpoint
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.incoming import WHOLE
from fairlead_serving.server.instances import (
    FLOAT32_MAX,
    BadInputError,
    InstanceReader,
    TooLargeError,
)
from fairlead_serving.server.metrics import Metrics
from fairlead_serving.server.predictors.protocol import Predictions
from fairlead_serving.server.refusals import RefusedError, refusal_outcome
from fairlead_serving.server.schemas import PredictResponse
from fairlead_serving.server.service import build_service
from fairlead_serving.server.signature import Column, Kind
from support.server_settings import server_settings

# BentoML's own classes do what pydantic deprecates, whenever a service is built.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")

READER = InstanceReader(
    [Column(name="price", kind=Kind.NUMBER)], null_is_missing=True, limit=FLOAT32_MAX
)


class FakePredictor:
    """Says which thread it ran on; fails or waits when told to."""

    reader = READER
    gives_text = False

    def __init__(
        self, *, is_fast: bool = True, before: Callable[[], object] = int, outputs: int = 0
    ) -> None:
        self.is_fast = is_fast
        self._outputs = (outputs,) if outputs else ()
        self.threads: set[str] = set()
        self._before = before

    def predict(self, instances: object) -> Predictions:
        matrix = READER.read_matrix(instances)
        self.threads.add(threading.current_thread().name)
        self._before()
        return np.full((len(matrix), *self._outputs), 0.75, dtype=np.float32)


class Post(Protocol):
    """Posts a body to a server of this predictor, which may take so many seconds."""

    async def __call__(
        self, predictor: FakePredictor, body: object, *, seconds: float = 60
    ) -> httpx.Response: ...


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def post(registry: CollectorRegistry) -> AsyncIterator[Post]:
    thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
    metrics = Metrics(model="nsw-price", version="1.1.0", registry=registry)

    async def _post(
        predictor: FakePredictor, body: object, *, seconds: float = 60
    ) -> httpx.Response:
        bodies = Bodies()
        settings = server_settings(request_timeout=timedelta(seconds=seconds))
        endpoint = PredictEndpoint(predictor, metrics, settings, thread=thread, bodies=bodies)
        feedback = FeedbackEndpoint(None, None, bodies)
        app = build_application(build_service(endpoint), feedback, registry, {})
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://server"
            ) as client,
        ):
            return await client.post(
                "/predict", content=content, headers={"x-request-id": "order-17"}
            )

    yield _post
    thread.shutdown()


def counted(registry: CollectorRegistry, outcome: str) -> float | None:
    labels = {"model": "nsw-price", "version": "1.1.0", "outcome": outcome}
    return registry.get_sample_value("fairlead_predictions_total", labels)


def rows(number: int) -> dict[str, Any]:
    return {"instances": [{"price": 1.0}] * number}


async def test_predictions_come_with_their_version(post: Post, registry: CollectorRegistry) -> None:
    response = await post(FakePredictor(), rows(2))

    answer = PredictResponse.model_validate_json(response.content)
    assert response.status_code == 200
    assert (answer.model, answer.version) == ("nsw-price", "1.1.0")
    assert answer.predictions == [0.75, 0.75]
    assert len(answer.predictionId) == 36
    assert counted(registry, "success") == 1


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param(np.array([[0.25, 0.75], [0.5, 0.5]])[:, -1], id="a column of a table"),
        pytest.param(np.array([0.5, 0.75])[::-1], id="from the end"),
        pytest.param(np.array([[0.75], [0.5]], order="F").reshape(-1), id="by columns"),
    ],
)
async def test_an_answer_is_written_however_it_lies_in_memory(
    post: Post, registry: CollectorRegistry, scores: Predictions
) -> None:
    """Two rows of a graph of two classes were a 500."""
    predictor = FakePredictor()
    predictor.predict = lambda _: scores  # type: ignore[method-assign]

    response = await post(predictor, rows(2))

    assert response.status_code == 200
    assert response.json()["predictions"] == [0.75, 0.5]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param(b"{bad", 400, "body is not JSON", id="no JSON"),
        pytest.param(b'{"instances": [{"price": NaN}]}', 400, "not JSON", id="NaN is no JSON"),
        pytest.param(b"", 400, "body is not JSON", id="no body"),
        pytest.param([], 400, "body has no instances", id="a list"),
        pytest.param({"rows": []}, 400, "body has no instances", id="another field"),
        pytest.param({**rows(1), "x": 1}, 400, "unknown fields x", id="a field more"),
        pytest.param(rows(0), 400, "instances is empty", id="no rows"),
        pytest.param({"instances": [{"price": "x"}]}, 400, "column 'price'", id="a bad cell"),
        pytest.param(rows(10_001), 413, "at most 10000", id="too many rows"),
        pytest.param(b" " * 1_000_000, 413, "send fewer rows at once", id="too many bytes"),
    ],
)
async def test_a_bad_request_says_what_is_wrong(
    post: Post,
    registry: CollectorRegistry,
    caplog: pytest.LogCaptureFixture,
    *,
    body: object,
    status: int,
    message: str,
) -> None:
    response = await post(FakePredictor(), body)

    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert message in response.json()["error"]
    assert counted(registry, "bad_input") == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("number", "outputs"),
    [pytest.param(10_000, 1000, id="a batch"), pytest.param(2, 200_000, id="on the loop")],
)
async def test_more_than_is_ever_answered_is_refused(
    post: Post, registry: CollectorRegistry, number: int, outputs: int
) -> None:
    response = await post(FakePredictor(outputs=outputs), rows(number))

    assert response.status_code == 413
    assert "values; send at most" in response.json()["error"]
    assert counted(registry, "bad_input") == 1


def fail() -> None:
    raise TimeoutError("division by zero")


@pytest.mark.parametrize("is_fast", [True, False])
async def test_a_failing_model_is_an_error_with_one_log_line(
    post: Post, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture, *, is_fast: bool
) -> None:
    response = await post(FakePredictor(is_fast=is_fast, before=fail), rows(1))

    assert response.status_code == 500
    assert response.json() == {"error": "the model failed; the log of its server says why"}
    assert counted(registry, "error") == 1
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    line = json.loads(JsonFormatter().format(record))
    assert "division by zero" in line["exception"]
    assert (line["message"], line["request_id"]) == ("Prediction failed", "order-17")


async def test_a_slow_model_runs_out_of_time(post: Post, registry: CollectorRegistry) -> None:
    release = threading.Event()
    try:
        held = FakePredictor(is_fast=False, before=release.wait)
        response = await post(held, rows(1), seconds=0.2)
    finally:
        release.set()

    assert response.status_code == 504
    assert response.json() == {"error": "no prediction within 0.2 seconds"}
    assert counted(registry, "timeout") == 1


@pytest.mark.parametrize(
    ("number", "is_fast", "is_on_loop"),
    [
        pytest.param(1, True, True, id="a row of a fast model stays on the loop"),
        pytest.param(201, True, False, id="a batch does not"),
        pytest.param(1, False, False, id="nor does a slow model"),
    ],
)
async def test_long_work_leaves_the_event_loop(
    post: Post, number: int, *, is_fast: bool, is_on_loop: bool
) -> None:
    predictor = FakePredictor(is_fast=is_fast)

    await post(predictor, rows(number))

    (name,) = predictor.threads
    assert (name == threading.current_thread().name) is is_on_loop


async def test_a_model_that_some_values_make_slow_leaves_the_event_loop(
    registry: CollectorRegistry,
) -> None:
    """One request held up probes and metrics for seconds, and the next one as well."""
    predictor = FakePredictor(before=work)
    thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
    metrics = Metrics(model="nsw-price", version="1.1.0", registry=registry)
    endpoint = PredictEndpoint(
        predictor, metrics, server_settings(), thread=thread, bodies=Bodies()
    )
    transport = httpx.ASGITransport(endpoint)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            ran_on = [await ran(predictor, client) for _ in range(3)]
    finally:
        thread.shutdown()

    assert ran_on == [threading.current_thread().name, "predict_0", "predict_0"]


def work() -> None:
    """Take the processor for longer than the event loop may be held up."""
    end = time.thread_time() + 0.15
    while time.thread_time() < end:
        pass


async def ran(predictor: FakePredictor, client: httpx.AsyncClient) -> str:
    """Ask for a row, and return the name of the thread that predicted it."""
    predictor.threads.clear()
    response = await client.post("/predict", content=json.dumps(rows(1)))
    assert response.status_code == 200
    (name,) = predictor.threads
    return name


async def test_requests_leave_nothing_behind(registry: CollectorRegistry) -> None:
    """What is left is collected while a caller waits, or fills the memory in time."""
    metrics = Metrics(model="nsw-price", version="1.1.0", registry=registry)
    body = json.dumps(rows(1)).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_: Any) -> None:
        """Drop the answer."""

    with ThreadPoolExecutor(1) as thread:
        endpoint = PredictEndpoint(
            FakePredictor(), metrics, server_settings(), thread=thread, bodies=Bodies()
        )
        left = []
        for _ in range(3):
            for _ in range(100):
                scope = {"type": "http", "headers": [], "extensions": {WHOLE: {}}}
                await endpoint(scope, receive, send)
            gc.collect()
            left.append(len(gc.get_objects()))

    assert left[2] - left[1] < 50  # of 100 requests


async def test_scores_of_a_batch_are_sampled(post: Post, registry: CollectorRegistry) -> None:
    await post(FakePredictor(), rows(1000))

    labels = {"model": "nsw-price", "version": "1.1.0"}
    assert registry.get_sample_value("fairlead_predicted_rows_total", labels) == 1000
    assert 40 <= (registry.get_sample_value("fairlead_prediction_score_count", labels) or 0) <= 50


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        pytest.param(BadInputError("x"), "bad_input", id="400"),
        pytest.param(TooLargeError("x"), "bad_input", id="413"),
        pytest.param(RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "x"), "bad_input", id="415"),
        pytest.param(RefusedError(HTTPStatus.REQUEST_TIMEOUT, "x"), "unread", id="408: too slow"),
        pytest.param(
            RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "x"), "unread", id="429: too much at once"
        ),
    ],
)
def test_what_was_not_read_was_not_refused_for_what_is_in_it(
    error: BadInputError, outcome: str
) -> None:
    assert refusal_outcome(error) == outcome
