"""What the server says of its API, held against the answers that its application gives."""

import asyncio
import json
import threading
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from starlette.routing import Route

from fairlead_contract.http import OWN_PATHS
from fairlead_serving.server.application import (
    build_application,
    require_token,
    return_request_id,
)
from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.endpoint import PredictEndpoint
from fairlead_serving.server.explain_endpoint import ExplainEndpoint
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.instances import InstanceReader
from fairlead_serving.server.metrics import Metrics
from fairlead_serving.server.openapi import describe_api
from fairlead_serving.server.prediction_log import Offer
from fairlead_serving.server.predictors.protocol import (
    Explained,
    Explanation,
    Method,
    NotExplainedError,
    Predictions,
    Scale,
)
from fairlead_serving.server.service import build_service
from fairlead_serving.server.settings import Settings
from fairlead_serving.server.signature import Column, Kind, Task
from fairlead_serving.server.tokens import Token
from support.openapi import check_openapi, problems, resolve
from support.server_settings import record_settings, server_settings

# BentoML's own classes do what pydantic deprecates, whenever a service is built.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")

RECORD = record_settings("x", feedback_token="right")
SETTINGS = server_settings(record=RECORD, force_token="may")
READER = InstanceReader(
    [
        Column(name="demand", kind=Kind.NUMBER),
        Column(name="region", kind=Kind.TEXT, mlflow_type="string", required=False),
    ],
    null_is_missing=False,
)
DESCRIPTION = describe_api(SETTINGS, READER)
GOOD: Final = {
    "/predict": {"instances": [{"demand": 7000.5, "region": "NSW1"}, {"demand": None}]},
    "/explain": {"instances": [{"demand": 7000.5, "region": "NSW1"}]},
    "/feedback": {"predictionId": "0b0e7a5c-1d0c-4f61-9f0e-0f7f6b2b8c11", "label": 1},
}


def most_bytes(path: str) -> int:
    most = DESCRIPTION["paths"][path]["post"]["requestBody"]["x-max-bytes"]
    assert isinstance(most, int)
    return most


async def never() -> AsyncIterator[bytes]:
    """Begin a body that does not end."""
    yield b"["
    await asyncio.Future()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What differs from a good request to a healthy server."""

    content: bytes | Callable[[], AsyncIterable[bytes]] | None = None
    headers: Mapping[str, str] | None = None
    model: Callable[[threading.Event], object] = lambda _: None
    settings: Settings = SETTINGS
    bodies: Callable[[], Bodies] = Bodies
    offer: Offer = Offer.KEPT


def fail(_: threading.Event) -> None:
    raise ValueError("division by zero")


def is_of_another_kind(_: threading.Event) -> None:
    raise NotExplainedError("a model that MLflow opens is not explained")


ANSWERS: Final[Mapping[tuple[str, int], Asked]] = {
    ("/predict", 200): Asked(),
    ("/predict", 500): Asked(model=fail),
    ("/predict", 504): Asked(
        model=threading.Event.wait,
        settings=replace(SETTINGS, request_timeout=timedelta(milliseconds=1)),
    ),
    ("/explain", 200): Asked(),
    ("/explain", 500): Asked(model=fail),
    ("/explain", 501): Asked(model=is_of_another_kind),
    ("/explain", 504): Asked(
        model=threading.Event.wait,
        settings=replace(SETTINGS, request_timeout=timedelta(milliseconds=1)),
    ),
    ("/feedback", 202): Asked(),
    ("/feedback", 401): Asked(headers={"authorization": "Bearer wrong"}),
    ("/feedback", 503): Asked(offer=Offer.NO_ROOM),
} | {
    (path, status): asked
    for path in (*OWN_PATHS, "/explain")
    for status, asked in {
        400: Asked(content=b"{bad"),
        403: Asked(headers={"x-fairlead-version": "1.1.0"}),
        408: Asked(content=never, bodies=lambda: Bodies(seconds=0)),
        413: Asked(content=b" " * (most_bytes(path) + 1)),
        415: Asked(headers={"content-encoding": "br"}),
        429: Asked(bodies=lambda: Bodies(room=0, reserve=0)),
    }.items()
}


class Log:
    """Stands in for the log of predictions."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def offer(self, *_: object, **__: object) -> None:
        """Keep nothing."""

    def offer_feedback(self, _: object) -> Offer:
        return self._offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Predicts one number, when it gets so far."""

    before: Callable[[], object]
    reader = READER
    is_fast = False
    gives_text = False

    def predict(self, instances: object) -> Predictions:
        rows = READER.read_rows(instances)
        self.before()
        return np.full(len(rows), 0.75)

    def explain(self, instances: object, _: Callable[[], bool]) -> Explained:
        rows = READER.read_rows(instances)
        self.before()
        one = Explanation(
            score=0.75, base=0.5, attributions={"demand": 0.25, "region": 0.0}, output=1
        )
        return Explained(method=Method.ALL_ORDERS, scale=Scale.PROBABILITY, rows=[one] * len(rows))


async def answer(
    path: str, asked: Asked, classes: Classes = PLAIN
) -> tuple[dict[str, Any], httpx.Response]:
    """Return what the server says of itself, and what it answers."""
    released = threading.Event()
    model = Model(before=lambda: asked.model(released))
    registry = CollectorRegistry()
    metrics = Metrics(model="nsw-price", version="1.1.0", registry=registry)
    log: Any = Log(asked.offer)
    thread, bodies = ThreadPoolExecutor(1), asked.bodies()
    endpoint = PredictEndpoint(
        model, metrics, asked.settings, thread=thread, bodies=bodies, log=log, classes=classes
    )
    feedback = FeedbackEndpoint(RECORD, log, bodies, classes=classes)
    description = describe_api(asked.settings, READER, classes)
    explain = ExplainEndpoint(model, asked.settings, bodies, classes=classes)
    server = build_application(
        build_service(endpoint),
        feedback,
        registry,
        description,
        [Route("/explain", explain.answer, methods=["POST"])],
    )
    app = return_request_id(require_token(server, Token(SETTINGS.force_token)))
    content = asked.content or json.dumps(GOOD[path]).encode()
    headers = {"x-request-id": "order-17", "authorization": "Bearer right"}
    try:
        async with (
            server.router.lifespan_context(server),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://server"
            ) as client,
        ):
            told = await client.get("/docs.json")
            return told.json(), await client.post(
                path,
                content=content() if callable(content) else content,
                headers=headers | dict(asked.headers or {}),
            )
    finally:
        released.set()
        thread.shutdown()


@pytest.mark.parametrize(
    ("path", "status"), ANSWERS, ids=[f"{path} {status}" for path, status in ANSWERS]
)
async def test_an_answer_is_as_described(path: str, status: int) -> None:
    document, given = await answer(path, ANSWERS[path, status])

    described = document["paths"][path]["post"]["responses"][str(status)]
    headers = {name: resolve(document, each) for name, each in described["headers"].items()}
    del headers["x-fairlead-version"]  # which uvicorn writes, see integration/serving/test_server
    values = {name: given.headers[name] for name in headers}
    number = {"retry-after": int}
    assert given.status_code == status
    assert given.headers["content-type"] in described["content"]
    schema = described["content"]["application/json"]["schema"]
    assert problems(document, schema, given.json()) == []
    assert {
        name: problems(document, headers[name]["schema"], number.get(name, str)(value))
        for name, value in values.items()
    } == {name: [] for name in headers}


@pytest.mark.parametrize(("labels", "told"), [((), 1), (("a", "b"), "b"), ((False, True), True)])
async def test_an_explanation_names_its_class_as_described(
    labels: tuple[Any, ...], told: object
) -> None:
    document, given = await answer("/explain", Asked(), Classes(labels=labels))

    schema = {"$ref": "#/components/schemas/ExplainResponse"}
    assert problems(document, schema, given.json()) == []
    assert given.json() == {
        "model": "nsw-price",
        "version": "1.1.0",
        "method": "shapley",
        "scale": "probability",
        "explanations": [
            {
                "class": told,
                "score": 0.75,
                "base": 0.5,
                "attributions": {"demand": 0.25, "region": 0.0},
                "error": None,
            }
        ],
    }


async def test_an_answer_in_words_is_as_described() -> None:
    document, given = await answer("/predict", ANSWERS["/predict", 200], Classes(labels=("a", "b")))

    schema = {"$ref": "#/components/schemas/PredictResponse"}
    assert problems(document, schema, given.json()) == []
    told = {"label": "b", "probabilities": {"a": 0.25, "b": 0.75}}
    assert [row == told for row in given.json()["predictions"]] == [True] * 2
    assert problems(document, schema, given.json() | {"predictions": [0.75]}) != []
    check_openapi(document)


async def test_feedback_in_words_is_as_described() -> None:
    words = Classes(labels=("a", "b"))
    said = json.dumps(GOOD["/feedback"] | {"label": "b"}).encode()
    document, given = await answer("/feedback", Asked(content=said), words)

    label = document["components"]["schemas"]["FeedbackRequest"]["properties"]["label"]
    assert given.status_code == 202
    assert label["enum"] == ["a", "b"]


def test_every_answer_that_is_described_is_tried() -> None:
    described = {
        (path, int(status))
        for path, item in DESCRIPTION["paths"].items()
        for status in item["post"]["responses"]
    }

    assert described == set(ANSWERS)


@pytest.mark.parametrize("path", GOOD)
async def test_a_body_of_the_size_that_is_described_is_read(path: str) -> None:
    _, given = await answer(path, Asked(content=b" " * most_bytes(path)))

    assert given.status_code == 400  # there is nothing in it


@pytest.mark.parametrize(
    ("body", "is_allowed"),
    [
        pytest.param(GOOD["/predict"], True, id="rows of the model's columns"),
        pytest.param({"instances": []}, False, id="no rows"),
        pytest.param({"instances": [{}]}, False, id="a row without a column"),
        pytest.param({"instances": [{"demand": 1, "price": 2}]}, False, id="another column"),
        pytest.param({"instances": [{"demand": "1"}]}, False, id="text for a number"),
        pytest.param({"rows": [{"demand": 1}]}, False, id="another field"),
        pytest.param({"instances": [{"demand": 1}] * 10_001}, False, id="too many rows"),
    ],
)
def test_the_columns_are_in_the_description(body: object, *, is_allowed: bool) -> None:
    content = DESCRIPTION["paths"]["/predict"]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]

    assert (problems(DESCRIPTION, schema, body) == []) is is_allowed


def test_what_a_model_does_not_offer_is_not_described() -> None:
    plain = describe_api(replace(SETTINGS, record=None, force_token=""), READER)
    closed = DESCRIPTION["paths"]["/feedback"]["post"]
    open_to_all = describe_api(
        replace(SETTINGS, record=replace(RECORD, feedback_token="")), READER
    )["paths"]["/feedback"]["post"]

    assert list(plain["paths"]) == ["/predict", "/explain"]
    assert "403" not in plain["paths"]["/predict"]["post"]["responses"]
    assert "force-token" not in json.dumps(plain)
    assert ("401" in closed["responses"], "security" in closed) == (True, True)
    assert ("401" in open_to_all["responses"], "security" in open_to_all) == (False, False)


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, force_token=""),
        replace(SETTINGS, record=None),
        replace(SETTINGS, record=replace(RECORD, feedback_token="", task=Task.REGRESSION)),
    ],
    ids=["everything", "no forced versions", "no record", "open feedback"],
)
def test_the_description_is_openapi(settings: Settings) -> None:
    check_openapi(describe_api(settings, READER))
