"""What `POST /feedback` answers."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.feedback import Feedback
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.prediction_log import Offer
from support.server_settings import record_settings


class FakeLog:
    """Keeps what it is offered, unless it is told otherwise."""

    def __init__(self, offer: Offer = Offer.KEPT) -> None:
        self.feedback: list[Feedback] = []
        self._offer = offer

    def offer_feedback(self, feedback: Feedback) -> Offer:
        if self._offer is Offer.KEPT:
            self.feedback.append(feedback)
        return self._offer


BODY = {"predictionId": "0b0e7a5c-1d0c-4f61-9f0e-0f7f6b2b8c11", "label": 1}


async def post(
    log: FakeLog | None, *, token: str = "", body: object = BODY, authorization: str = ""
) -> httpx.Response:
    record = record_settings("x", feedback_token=token)
    endpoint = FeedbackEndpoint(record if log else None, log, Bodies())  # type: ignore[arg-type]
    return await ask(endpoint, body, authorization=authorization)


async def ask(endpoint: FeedbackEndpoint, body: object, *, authorization: str) -> httpx.Response:
    app = Starlette(routes=[Route("/feedback", endpoint.answer, methods=["POST"])])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        headers = {"authorization": authorization.encode()}
        return await client.post("/feedback", json=body, headers=headers)


async def test_feedback_is_accepted() -> None:
    log = FakeLog()

    response = await post(log, body={**BODY, "row": 2})

    assert response.status_code == 202
    assert response.json() == {"predictionId": BODY["predictionId"], "row": 2}
    assert [each.row_index for each in log.feedback] == [2]


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        pytest.param("Bearer right", 202, id="the token"),
        pytest.param("bearer  right", 202, id="in small letters"),
        pytest.param("Bearer wrong", 401, id="another"),
        pytest.param("right", 401, id="no scheme"),
        pytest.param("", 401, id="none"),
        pytest.param("Bearer rïght", 401, id="not even ASCII"),
    ],
)
async def test_feedback_needs_the_token_that_is_set(authorization: str, status: int) -> None:
    response = await post(FakeLog(), token="right", authorization=authorization)

    assert response.status_code == status
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_the_token_follows_its_secret(tmp_path: Path) -> None:
    file = tmp_path / "token"
    record = record_settings("x", feedback_token="first", feedback_token_file=file)
    endpoint = FeedbackEndpoint(record, FakeLog(), Bodies())  # type: ignore[arg-type]
    file.write_text("second")

    answers = [
        (await ask(endpoint, BODY, authorization=f"Bearer {token}")).status_code
        for token in ("first", "second")
    ]

    assert answers == [401, 202]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        pytest.param({"label": 1}, 400, "predictionId", id="no id"),
        pytest.param({**BODY, "label": "x" * 100_000}, 413, "65536 bytes", id="too large"),
    ],
)
async def test_bad_feedback_is_refused(body: object, status: int, message: str) -> None:
    response = await post(FakeLog(), body=body)

    assert response.status_code == status
    assert message in response.json()["error"]


async def test_a_model_that_keeps_nothing_says_so() -> None:
    response = await post(None)

    assert response.status_code == 404
    assert "predictionLog" in response.json()["error"]


@pytest.mark.parametrize(
    ("offer", "status", "seconds"),
    [
        pytest.param(Offer.NO_ROOM, 503, "30", id="no room"),
        pytest.param(Offer.LIMIT_REACHED, 429, "60", id="enough of it today"),
    ],
)
async def test_feedback_that_is_not_kept_may_come_again(
    offer: Offer, status: int, seconds: str
) -> None:
    response = await post(FakeLog(offer))

    assert (response.status_code, response.headers["retry-after"]) == (status, seconds)
