"""Wakes whoever waits for a moment when the clock jumps.

A wait is measured by a clock that does not jump, and was reckoned by the one that does.  One
process asks once for all of them, so that nobody has to look at the clock while it waits.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 10.0
_JUMP: Final = 1.0  # seconds; less is the clock being corrected


async def keep_clock(now: Callable[[], datetime], hurry: Callable[[], None]) -> None:
    """Call ``hurry`` after each jump of the clock; never return."""
    clock = asyncio.get_running_loop().time
    ahead = now().timestamp() - clock()
    while True:
        await asyncio.sleep(_EVERY)
        was, ahead = ahead, now().timestamp() - clock()
        if abs(ahead - was) > _JUMP:
            _LOGGER.warning("clock jumped", extra={"seconds": round(ahead - was)})
            hurry()
