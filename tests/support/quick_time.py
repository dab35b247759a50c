"""Time that passes by itself: the loop of a test waits for nothing, and its clock goes on at once.

For code that knows no clock but its loop's.  A wait then lasts exactly as long as it was told to,
on any machine; who works in another thread would be overtaken.
"""

import asyncio
import selectors
from typing import Any

import pytest


@pytest.fixture
async def quick_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the test's loop begin at zero, and jump to what is due next."""
    loop: Any = asyncio.get_running_loop()
    select, now = loop._selector.select, 0.0

    def jump(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        nonlocal now
        events: list[tuple[selectors.SelectorKey, int]] = select(0 if timeout is not None else None)
        if timeout is not None and not events:
            now += timeout
        return events

    monkeypatch.setattr(loop._selector, "select", jump)
    monkeypatch.setattr(loop, "time", lambda: now)
