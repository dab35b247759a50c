"""Explanations: few rows, one question at a time, and nothing that counts as a prediction."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from fairlead_serving.server.__main__ import build
from fairlead_serving.server.instances import InstanceReader
from fairlead_serving.server.predictors.protocol import (
    Explained,
    Explanation,
    Method,
    Predictions,
    Scale,
)
from fairlead_serving.server.signature import Column, Kind
from support.server_settings import server_settings

# BentoML's own classes do what pydantic deprecates, whenever a service is built.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")


class Held:
    """Explains when it is let, and says when it has begun and whether it was told to stop."""

    reader = InstanceReader([Column(name="price", kind=Kind.NUMBER)], null_is_missing=True)
    is_fast = True
    gives_text = False

    def __init__(self) -> None:
        self.begun, self.let = threading.Event(), threading.Event()
        self.is_over: Callable[[], bool] = bool

    def predict(self, instances: object) -> Predictions:
        return np.full(len(self.reader.read_rows(instances)), 0.75)

    def explain(self, instances: object, is_over: Callable[[], bool]) -> Explained:
        rows = self.reader.read_rows(instances)
        self.is_over = is_over
        self.begun.set()
        self.let.wait()
        one = Explanation(score=1.0, base=0.0, attributions={"price": 1.0})
        return Explained(method=Method.TREES, scale=Scale.VALUE, rows=[one] * len(rows))


def rows(number: int) -> dict[str, Any]:
    return {"instances": [{"price": 1.0}] * number}


def client(
    model: Held, registry: CollectorRegistry | None = None, *, seconds: float = 60
) -> httpx.AsyncClient:
    settings = server_settings(request_timeout=timedelta(seconds=seconds))
    app = build(settings, model, registry or CollectorRegistry())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")


async def test_predictions_are_answered_while_one_question_waits_and_a_second_is_refused() -> None:
    model, registry = Held(), CollectorRegistry()
    async with client(model, registry) as caller:
        first = asyncio.create_task(caller.post("/explain", json=rows(2)))
        await asyncio.to_thread(model.begun.wait)

        second = await caller.post("/explain", json=rows(1))
        prediction = await caller.post("/predict", json=rows(1))
        model.let.set()
        explained = await first
        third = await caller.post("/explain", json=rows(1))

    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert "another explanation is under way" in second.json()["error"]
    assert [answer.status_code for answer in (prediction, explained, third)] == [200, 200, 200]
    assert len(explained.json()["explanations"]) == 2
    labels = {"model": "nsw-price", "version": "1.1.0", "outcome": "success"}
    assert registry.get_sample_value("fairlead_predictions_total", labels) == 1


async def test_what_nobody_waits_for_is_told_to_stop() -> None:
    model = Held()
    try:
        async with client(model, seconds=0.2) as caller:
            answer = await caller.post("/explain", json=rows(1))
        await asyncio.to_thread(model.begun.wait)
    finally:
        model.let.set()

    assert answer.status_code == 504
    assert model.is_over()


async def test_a_server_that_ends_does_not_wait_for_an_explanation() -> None:
    model = Held()
    try:
        async with client(model) as caller:
            asked = asyncio.create_task(caller.post("/explain", json=rows(1)))
            await asyncio.to_thread(model.begun.wait)
            asked.cancel()
            await asyncio.wait({asked})
    finally:
        model.let.set()

    assert model.is_over()


@pytest.mark.parametrize(
    ("asked", "status", "message"),
    [
        pytest.param(rows(11), 413, "11 instances to explain; send at most 10", id="many rows"),
        pytest.param(rows(0), 400, "instances is empty", id="no rows"),
        pytest.param({"instances": [{"prize": 1}]}, 400, "unknown column 'prize'", id="a column"),
        pytest.param({"rows": []}, 400, "body has no instances", id="another field"),
    ],
)
async def test_a_question_has_the_limits_and_refusals_of_predictions(
    asked: dict[str, Any], status: int, message: str
) -> None:
    async with client(Held()) as caller:
        answer = await caller.post("/explain", json=asked)

    assert answer.status_code == status
    assert message in answer.json()["error"]
