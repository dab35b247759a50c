"""Take the operator away, or what it talks to, at one chosen call.

All that a reconcile does to the world, and all it learns of it, goes through the
ports: so every await at which a process can be killed is a call that ``Gate``
counts.  A life is lived once to learn how many there are, and then again for
each of them, with the process killed just before the call, or just after it
took effect and before its answer was heard.
"""

import contextlib
import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from fairlead_operator.errors import ConflictError, TransientError
from fairlead_operator.keys import Key
from fairlead_operator.ports import Ports
from support.fakes import Clock
from support.world import World

_RETRY = timedelta(seconds=1)
_LONG = timedelta(seconds=25)  # shorter than what the clients wait for


class Killed(BaseException):
    """The process is gone: nothing may catch this but the world itself."""


class Trouble(StrEnum):
    """What happens at the chosen call."""

    KILLED_BEFORE = "killed before the call"
    KILLED_AFTER = "killed after its effect"
    CONFLICT = "409 conflict"
    THROTTLED = "429 too many requests"
    GONE = "410 gone"
    LOST_ANSWER = "done, but the answer is lost"
    SLOW = "answered after a long time"


_ERRORS = {
    Trouble.CONFLICT: ConflictError("PATCH: 409 the object has been modified"),
    Trouble.THROTTLED: TransientError("PATCH: 429 too many requests", retry_after=2.0),
    Trouble.GONE: TransientError("GET: 410 the resourceVersion is too old"),
    Trouble.LOST_ANSWER: TransientError("PATCH: connection reset by peer"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A port that does not answer for a while, or answers slowly."""

    port: str
    begins: datetime
    ends: datetime
    delay: timedelta | None = None  # of each answer; None: there is none


class Gate:
    """Every call of the operator to the outside passes here."""

    def __init__(self, clock: Clock) -> None:
        self.calls = 0
        self.killed = False  # also where a call beside it failed first, and is what was heard
        self.outages: list[Outage] = []
        self._clock = clock
        self._at = 0
        self._trouble: Trouble | None = None

    def plan(self, trouble: Trouble, *, at: int) -> None:
        """Let the trouble happen at that call, counted from 1, and once."""
        self._trouble, self._at = trouble, at

    def guard(self, ports: Ports) -> Ports:
        """Return the same ports, through this gate."""
        names = [field.name for field in dataclasses.fields(ports) if field.name != "now"]
        guarded = {name: _Guarded(name, getattr(ports, name), self) for name in names}
        return dataclasses.replace(ports, **cast("Any", guarded))

    async def call(self, port: str, method: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        trouble = self._trouble if self.calls == self._at else None
        self.killed = self.killed or trouble in {Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER}
        if trouble is Trouble.KILLED_BEFORE:
            raise Killed
        for outage in self.outages:
            if outage.port == port and outage.begins <= self._clock() < outage.ends:
                if outage.delay is None and trouble is Trouble.KILLED_AFTER:
                    raise Killed
                if outage.delay is None:
                    raise TransientError(f"{port}: no answer")
                self._clock.advance(outage.delay)
        if trouble in {Trouble.CONFLICT, Trouble.THROTTLED, Trouble.GONE}:
            raise _ERRORS[trouble]
        if trouble is Trouble.KILLED_AFTER:
            with contextlib.suppress(TransientError):
                await method()
            raise Killed
        answer = await method()
        if trouble is Trouble.SLOW:
            self._clock.advance(_LONG)
        elif trouble is not None:
            raise _ERRORS[trouble]
        return answer


class _Guarded:
    """One port whose calls go through the gate."""

    def __init__(self, name: str, port: object, gate: Gate) -> None:
        self._name, self._port, self._gate = name, port, gate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def guarded(*arguments: Any, **named: Any) -> Any:
            return await self._gate.call(self._name, lambda: method(*arguments, **named))

        return guarded


class FaultyWorld(World):
    """A world whose operator can be killed and cut off."""

    def __init__(self) -> None:
        clock = Clock()
        self.gate = Gate(clock)
        self.kills = 0
        super().__init__(clock)

    def jump(self, span: timedelta) -> None:
        """Set the clock; what the operator has planned runs by another, which does not jump."""
        self.clock.advance(span)
        self._planned = {key: moment + span for key, moment in self._planned.items()}

    def _outside(self) -> Ports:
        return self.gate.guard(self.ports)

    async def _turn(self, key: Key) -> None:
        try:
            await super()._turn(key)
        except Killed:
            pass
        except TransientError as error:
            pause = timedelta(seconds=error.retry_after or 0)
            self._planned[key] = self.clock() + max(pause, _RETRY)
        if self.gate.killed:
            self.gate.killed = False
            self.kills += 1
            self.restart_operator()
