"""When the password of a namespace's login gives way to another.  Pure, but for whose turn it is.

    Its password is there      The next one              Then
    nobody knows since when,   is not there              its time begins now
    or in the future
    for less than its age      is not there              it stays
    for that or longer         is not there              it stays until this namespace has the turn;
                                                         then pods are told the next one beside it
    however long               is told for less than     it still opens, and pods have both
                               pods need to have it
    however long               is told for longer        the next one takes its place
    however long               is told in the future     another one is told

The moments stand on the Secret, so that they outlive the operator.  A clock that was set forward
renews early, and one that was set back begins to count anew: never does a password end that pods
have not had the next one beside for as long as the clock says.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

# The kubelet renews mounted files within two minutes, and a node may be slow.
SPREAD: Final = timedelta(minutes=10)
_AHEAD: Final = timedelta(minutes=5)  # of another operator's clock
_TURN: Final = SPREAD + timedelta(minutes=1)


class Step(StrEnum):
    """What a look does."""

    COUNT = "count"
    STAY = "stay"
    TELL = "tell"
    WAIT = "wait"
    TAKE = "take"


def decide(
    made: datetime | None,
    told: datetime | None,
    *,
    now: datetime,
    age: timedelta | None,
    has_turn: bool,
) -> Step:
    """Choose the step.

    Args:
        made: since when the password is there.
        told: since when the next one is.
        age: that a password may reach; None: any.
        has_turn: whether no other namespace is at it.
    """
    if told is not None:
        if told > now + _AHEAD:
            return Step.TELL
        return Step.TAKE if now - told >= SPREAD else Step.WAIT
    if made is None or made > now + _AHEAD:
        return Step.COUNT
    return Step.TELL if age is not None and now - made >= age and has_turn else Step.STAY


class Turns:
    """Whose turn it is: one namespace after the other.

    The moments are on Secrets of the namespaces, who may write there what they like: the next turn
    of each comes when a password may be old again, so that nobody takes those of the others.
    """

    def __init__(self) -> None:
        self._free: datetime | None = None
        self._next: dict[str, datetime] = {}  # of a namespace that had one

    def is_free(self, namespace: str, now: datetime) -> bool:
        """Tell whether nobody is at it; what the operator before began may still go on."""
        if (
            self._free is None or self._free > now + _TURN
        ):  # at the start, or the clock was set back
            self._free = now + _TURN
        return now >= max(self._free, self._next.get(namespace, self._free))

    def take(self, namespace: str, now: datetime, *, age: timedelta | None) -> None:
        """Take the turn, which ends by itself."""
        self._free = now + _TURN
        self._next = {each: moment for each, moment in self._next.items() if moment > now}
        self._next[namespace] = now + (age or _TURN)


def read_moment(text: str | None) -> datetime | None:
    """Read a moment that stands on a Secret; None where nothing does that can be one."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
