"""BentoML's application as we serve it: our routes beside its own, and one form of error."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from fairlead_serving.server.application import (
    answer_directly,
    build_application,
    require_token,
    return_request_id,
)
from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.endpoint import PredictEndpoint
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.instances import InstanceReader
from fairlead_serving.server.metrics import Metrics
from fairlead_serving.server.predictors.protocol import Predictions
from fairlead_serving.server.service import build_service
from fairlead_serving.server.signature import Column, Kind
from fairlead_serving.server.tokens import Token
from support.server_settings import server_settings

# BentoML's own classes do what pydantic deprecates, whenever a service is built.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")


class Constant:
    """Predicts one number."""

    reader = InstanceReader([Column(name="price", kind=Kind.NUMBER)], null_is_missing=True)
    is_fast = True
    gives_text = False

    def predict(self, instances: object) -> Predictions:
        assert isinstance(instances, list)
        return np.full(len(instances), 0.75)


def build() -> Starlette:
    registry = CollectorRegistry()
    metrics = Metrics(model="nsw-price", version="1.1.0", registry=registry)
    thread, bodies = ThreadPoolExecutor(1), Bodies()
    endpoint = PredictEndpoint(Constant(), metrics, server_settings(), thread=thread, bodies=bodies)
    feedback = FeedbackEndpoint(None, None, bodies)
    return build_application(build_service(endpoint), feedback, registry, {"openapi": "3.1.0"})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = build()
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://server") as each,
    ):
        yield each


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        pytest.param("GET", "/nosuch", 404, "predictions are at POST /predict", id="no such path"),
        pytest.param("POST", "/docs.json", 405, "Method Not Allowed", id="a description is read"),
        pytest.param("GET", "/predict", 405, "Method Not Allowed", id="a method of BentoML's"),
        pytest.param("GET", "/feedback", 405, "Method Not Allowed", id="a method of ours"),
        pytest.param("POST", "/feedback", 404, "logs no predictions", id="feedback is off"),
        pytest.param("POST", "/predict", 400, "body is not JSON", id="a bad request"),
    ],
)
async def test_every_refusal_has_one_form(
    client: httpx.AsyncClient, method: str, path: str, status: int, message: str
) -> None:
    response = await client.request(method, path)

    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert message in response.json()["error"]


@pytest.mark.parametrize("path", ["/predict", "/feedback"])
async def test_a_refused_method_names_the_allowed_one(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/static_content/index.css", "/static_content/"])
async def test_no_page_of_a_library_is_served(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert response.status_code == 404
    assert "script" not in response.text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/predict/", 200), ("/predict//", 200), ("/predict", 200), ("/nosuch/", 404), ("/", 404)],
)
async def test_a_slash_at_the_end_changes_nothing(path: str, status: int) -> None:
    app = build()
    transport = httpx.ASGITransport(answer_directly(app, {}, shadow_port=3001))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://server") as client,
    ):
        answer = await client.post(path, json={"instances": [{"price": 1.0}]})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        pytest.param("order-17", "order-17", id="a caller's"),
        pytest.param("c29tZQ==+/|a@b~c:d", "c29tZQ==+/|a@b~c:d", id="every other character"),
        pytest.param("a" * 129, None, id="too long"),
        pytest.param("a b", None, id="a space"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
@pytest.mark.parametrize(("path", "status"), [("/predict", 200), ("/feedback", 404), ("/no", 404)])
async def test_every_answer_returns_the_callers_request_id(
    path: str, status: int, given: str | None, returned: str | None
) -> None:
    app = build()
    transport = httpx.ASGITransport(return_request_id(app))
    headers = {} if given is None else {"x-request-id": given}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://server") as client,
    ):
        answer = await client.post(path, json={"instances": [{"price": 1.0}]}, headers=headers)

    assert answer.status_code == status
    assert answer.headers.get("x-request-id") == returned


async def test_the_description_is_ours(client: httpx.AsyncClient) -> None:
    """BentoML's own knows neither the columns nor our refusals."""
    assert (await client.get("/docs.json")).json() == {"openapi": "3.1.0"}


async def test_probes_answer(client: httpx.AsyncClient) -> None:
    assert [(await client.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


async def test_metrics_are_ours_alone(client: httpx.AsyncClient) -> None:
    await client.post("/predict", json={"instances": [{"price": 1}]})
    await client.get("/any/path/that/comes/to/mind")

    response = await client.get("/metrics")

    families = {line.split()[2] for line in response.text.splitlines() if line.startswith("# TYPE")}
    assert response.headers["content-type"].startswith("text/plain")
    assert families == {
        "fairlead_predictions_total",
        "fairlead_predicted_rows_total",
        "fairlead_prediction_seconds",
        "fairlead_prediction_score",
    }


async def test_a_finished_request_leaves_no_timer(client: httpx.AsyncClient) -> None:
    """BentoML's timeout kept each request in memory for a minute."""
    loop: Any = asyncio.get_running_loop()

    for _ in range(10):
        await client.post("/predict", json={"instances": [{"price": 1}]})

    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []


def test_a_bentoml_with_other_pages_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead_serving.server.application._PAGES", ("/", "/ui"))

    with pytest.raises(RuntimeError, match="does not have the pages"):
        build()


def test_another_bentoml_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead_serving.server.application._UNWANTED", "GoneMiddleware")

    with pytest.raises(RuntimeError, match="no GoneMiddleware any more"):
        build()


@pytest.mark.parametrize(
    ("method", "path", "is_direct"),
    [
        pytest.param("POST", "/predict", True, id="its method and path"),
        pytest.param("POST", "/predict//", True, id="a slash more"),
        pytest.param("GET", "/predict", False, id="another method"),
        pytest.param("POST", "/Predict", False, id="another path"),
        pytest.param("POST", "/", False, id="no path"),
    ],
)
async def test_an_endpoint_answers_directly(method: str, path: str, *, is_direct: bool) -> None:
    answered: list[str] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        answered.append("app")

    async def endpoint(_scope: Scope, _receive: Receive, _send: Send) -> None:
        answered.append("endpoint")

    front = answer_directly(app, {("POST", "/predict"): endpoint}, shadow_port=3001)
    scope = {"type": "http", "server": ("10.0.0.1", 3000), "method": method, "path": path}
    await front({**scope, "headers": []}, None, None)  # type: ignore[arg-type]
    await front({"type": "lifespan"}, None, None)  # type: ignore[arg-type]

    assert answered == ["endpoint" if is_direct else "app", "app"]


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        pytest.param(3001, [(b"x-fairlead-shadow", b"true"), (b"a", b"b")], id="a copy"),
        pytest.param(3000, [(b"a", b"b")], id="a live request"),
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/feedback"])
async def test_what_comes_in_at_the_shadow_port_is_marked_as_a_copy(
    port: int, expected: list[tuple[bytes, bytes]], path: str
) -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        scopes.append(scope)

    scope = {"type": "http", "server": ("10.0.0.1", port), "headers": [(b"a", b"b")]}
    asked = {**scope, "method": "POST", "path": path}
    endpoints = {("POST", "/predict"): app}
    await answer_directly(app, endpoints, shadow_port=3001)(asked, None, None)  # type: ignore[arg-type]

    assert scopes[0]["headers"] == expected


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="no version is asked for"),
        pytest.param({"x-fairlead-force-token": "guess"}, 200, id="a token alone asks for nothing"),
        pytest.param({"x-fairlead-version": "1.1.0"}, 403, id="no token"),
        pytest.param(
            {"x-fairlead-version": "1.1.0", "x-fairlead-force-token": ""}, 403, id="an empty one"
        ),
        pytest.param(
            {"x-fairlead-version": "1.1.0", "x-fairlead-force-token": "guess"},
            403,
            id="another one",
        ),
        pytest.param({"x-fairlead-version": "", "x-fairlead-force-token": "é"}, 403, id="no text"),
        pytest.param(
            {"x-fairlead-version": "1.1.0", "x-fairlead-force-token": "right"}, 200, id="the one"
        ),
    ],
)
async def test_who_chooses_a_version_needs_the_token(headers: dict[str, str], status: int) -> None:
    app = build()
    transport = httpx.ASGITransport(require_token(app, Token("right")))
    encoded = {name: value.encode() for name, value in headers.items()}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://server") as client,
    ):
        answer = await client.post(
            "/predict", headers=encoded, json={"instances": [{"price": 1.0}]}
        )

    assert answer.status_code == status
    if status == 403:
        assert "spec.serving.forceVersionSecret" in answer.json()["error"]


@pytest.mark.parametrize(("mark", "counted"), [("true", 0.0), ("false", 1.0), (None, 1.0)])
async def test_what_a_gateway_says_does_not_count_does_not(
    mark: str | None, counted: float
) -> None:
    app = build()
    headers = {} if mark is None else {"x-fairlead-uncounted": mark}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client,
    ):
        await client.post("/predict", headers=headers, json={"instances": [{"price": 1.0}]})
        metrics = (await client.get("/metrics")).text

    assert (
        'fairlead_predictions_total{model="nsw-price",outcome="success",version="1.1.0"} '
        f"{counted}" in metrics
    )
