"""``GET /history/{namespace}/{model}``: what was live when, from the record.

Served on the loopback address alone, so nothing on the pod network reaches it; a person
does through the API server's port-forward, which asks RBAC first (ADR 10).
"""

import dataclasses
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from fairlead_operator.api.base import to_moment
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Record

LOOPBACK: Final = "127.0.0.1"
_MOST: Final = 1000


class Histories:
    """Serves histories; it only reads, so any replica answers, leader or standby."""

    def __init__(self, record: Record) -> None:
        self._record = record

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get("/history/{namespace}/{model}", self._answer)
        return application

    async def _answer(self, request: web.Request) -> web.Response:
        text = request.query.get("limit", str(_MOST))
        if not text.isdecimal() or not 1 <= int(text) <= _MOST:
            return _refuse(400, f"limit is {text!r}; it must be a whole number from 1 to {_MOST}")
        place = request.match_info
        try:
            entries = await self._record.history(place["namespace"], place["model"], int(text))
        except TransientError as error:
            return _refuse(503, str(error))
        return web.json_response({"entries": [_to_json(entry) for entry in entries]})


def _to_json(entry: HistoryEntry) -> dict[str, Any]:
    return {
        key: to_moment(value) if isinstance(value, datetime) else value
        for key, value in dataclasses.asdict(entry).items()
    }


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
