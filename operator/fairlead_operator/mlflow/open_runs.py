"""Where runs are open: by them is found what ended while no operator was there."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Registry

_LOGGER = logging.getLogger(__name__)
_EVERY: Final = 300.0  # seconds


async def keep_finding(registry: Registry, tell: Callable[[str], None]) -> None:
    """Tell of each namespace that has an open run, at the start and now and then; never return."""
    while True:
        try:
            for namespace in sorted({run.namespace for run in await registry.open_runs()}):
                tell(namespace)
        except TransientError as error:
            _LOGGER.debug("open runs not listed", extra={"error": str(error)})
        await asyncio.sleep(_EVERY)
