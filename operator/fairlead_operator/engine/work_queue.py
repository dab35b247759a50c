"""The work queue: each key waits once, and is never worked on twice at a time.

The semantics are those of Kubernetes' controller queue.  A key that is added while it is
worked on comes back afterwards; a key that is added many times waits once; a failure
comes back with back-off; ``add_after`` keeps the soonest of several times.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from fairlead_operator.keys import Key

_FIRST_RETRY: Final = 0.2
_LONGEST_RETRY: Final = 30.0


@dataclasses.dataclass(slots=True)
class _Timer:
    due: float
    handle: asyncio.TimerHandle


class WorkQueue:
    """Keys to work on; used from one event loop only."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()  # added, not taken
        self._working: set[Key] = set()
        self._again: set[Key] = set()  # added while worked on
        self._timers: dict[Key, _Timer] = {}
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._again)

    def add(self, key: Key) -> None:
        """Queue a key to be looked at as soon as possible."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, delay: timedelta) -> None:
        """Queue a key after the delay, unless a sooner look is already planned."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, delay.total_seconds())
        planned = self._timers.get(key)
        if planned is not None:
            if planned.due <= due:
                return
            planned.handle.cancel()
        self._timers[key] = _Timer(due, loop.call_at(due, self._fire, key))

    def forget(self, key: Key) -> None:
        """Drop the timer and the failures of an object that is gone."""
        self._failures.pop(key, None)
        self._cancel(key)

    def failures(self, key: Key) -> int:
        """Return the number of failures in a row."""
        return self._failures.get(key, 0)

    async def work(
        self,
        handle: Callable[[Key], Awaitable[timedelta | None]],
        failed: Callable[[Key, Exception], float | None],
    ) -> None:
        """Take keys forever.

        ``handle`` answers when to look again.  When it raises, ``failed`` is told
        and may name the seconds to wait; without them the back-off doubles.
        """
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._working.add(key)
            self._cancel(key)
            try:
                again = await handle(key)
            except Exception as error:
                self._failures[key] = self._failures.get(key, 0) + 1
                self.add_after(key, self._back_off(key, failed(key, error)))
            else:
                self._failures.pop(key, None)
                if again is not None:
                    self.add_after(key, again)
            finally:
                self._working.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _back_off(self, key: Key, asked: float | None) -> timedelta:
        doubled = _FIRST_RETRY * 2.0 ** min(self._failures[key] - 1, 16)
        return timedelta(seconds=min(_LONGEST_RETRY, max(asked or 0.0, doubled)))

    def _fire(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.handle.cancel()
