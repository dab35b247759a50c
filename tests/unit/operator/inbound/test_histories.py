"""``GET /history``: what it answers, and that nothing but loopback hears it."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.inbound.histories import LOOPBACK, Histories
from support.fake_record import FakeRecord
from support.fakes import Clock

AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ENTRY = HistoryEntry(
    namespace="energy",
    model="nsw-price",
    rollout="r-1",
    rollout_uid="u-1",
    transition="Promoted",
    at=AT,
    version="1.1.0",
    numbers={"checks": []},
)


async def ask(record: FakeRecord, path: str) -> tuple[int, Any]:
    application = Histories(record).application()
    request = make_mocked_request("GET", path)
    match = await application.router.resolve(request)
    request._match_info = match
    response = await match.handler(request)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    return response.status, json.loads(response.body)


async def test_the_entries_of_one_model_newest_first() -> None:
    record = FakeRecord(Clock())
    await record.add_history(ENTRY)
    await record.add_history(dataclasses.replace(ENTRY, namespace="elsewhere"))

    status, document = await ask(record, "/history/energy/nsw-price")

    assert status == 200
    (entry,) = document["entries"]
    assert (entry["at"], entry["began"]) == ("2026-03-04T12:00:00.000Z", None)
    assert (entry["version"], entry["numbers"]) == ("1.1.0", {"checks": []})


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "many", ""])
async def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    status, document = await ask(FakeRecord(Clock()), f"/history/energy/nsw-price?limit={limit}")

    assert (status, "limit" in document["error"]) == (400, True)


async def test_a_database_that_is_away_is_said() -> None:
    record = FakeRecord(Clock())
    record.down = True

    status, document = await ask(record, "/history/energy/nsw-price")

    assert (status, bool(document["error"])) == (503, True)


def test_it_is_served_on_loopback_alone() -> None:
    assert LOOPBACK == "127.0.0.1"
