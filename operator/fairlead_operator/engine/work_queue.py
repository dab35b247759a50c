"""The work queue: each key waits once, and is never worked on twice at a time.

The semantics are those of Kubernetes' controller queue.  A key that is added while it is
worked on comes back afterwards; a key that is added many times waits once; a failure
comes back with back-off; ``add_after`` keeps the soonest of several times.  What is urgent
overtakes what came some seconds before it, and no more: nothing waits for ever.
"""

import asyncio
import dataclasses
import itertools
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
    """Keys to work on; used from one event loop only.

    Args:
        head_start: the seconds by which a key overtakes what was added before it.
    """

    def __init__(self, head_start: Callable[[Key], float] = lambda _: 0.0) -> None:
        self._head_start = head_start
        self._turns = itertools.count()  # of what has the same place
        # A key that became urgent while it waited is in here twice.
        self._ready: asyncio.PriorityQueue[tuple[float, int, Key]] = asyncio.PriorityQueue()
        self._waiting: dict[Key, float] = {}  # added, not taken, with their place
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
            return
        place = asyncio.get_running_loop().time() - self._head_start(key)
        if key not in self._waiting or place < self._waiting[key]:
            self._waiting[key] = place
            self._ready.put_nowait((place, next(self._turns), key))

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

    def hurry(self) -> None:
        """Queue at once all that wait for a moment."""
        for key, timer in tuple(self._timers.items()):
            timer.handle.cancel()
            self._fire(key)

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
            place, _, key = await self._ready.get()
            if self._waiting.get(key) != place:
                continue  # it has had its turn at a better place
            del self._waiting[key]
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
