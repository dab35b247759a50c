"""The record's own upkeep: its tables are there early, and old rows go."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from fairlead_operator.errors import TransientError
from fairlead_operator.record.client import RecordClient

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 3600.0  # seconds
_AGAIN: Final = 5.0  # while the database is away: servers wait for the tables


async def keep_record(
    record: RecordClient,
    *,
    retention: timedelta,
    now: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Create the tables as soon as the database is there, and remove old rows; never returns."""
    while True:
        pause = _EVERY
        try:
            removed = await record.remove_old(now() - retention)
        except TransientError as error:
            _LOGGER.debug("record not tidied", extra={"error": str(error)})
            pause = _AGAIN
        else:
            if removed:
                _LOGGER.info("old predictions removed", extra={"rows": removed})
        await sleep(pause)
