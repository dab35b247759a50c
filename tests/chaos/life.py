"""One rollout with troubles around it: what is lived, its course, and how it went."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from chaos.troubles import Trouble
from chaos.ways import Moment, Strategy, Way
from e2e.story.answers import Answer

Cause = Literal["", "bad answers", "alert", "abort"]

# Reasons with which a rollout may end.  A bad version's failures fire an alert, too.
ENDS: Final[Mapping[Cause, frozenset[str]]] = {
    "": frozenset({"Promoted"}),
    "bad answers": frozenset({"GuardTripped", "AnalysisFailed", "AlertFired"}),
    "alert": frozenset({"AlertFired"}),
    "abort": frozenset({"Aborted"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A rollout, what goes wrong around it, and why it goes back, if it does."""

    strategy: Strategy
    troubles: tuple[Trouble, ...]
    cause: Cause = ""  # given at the moment of the first trouble

    @property
    def kills(self) -> tuple[Moment, ...]:
        """Return when the operator is killed."""
        return tuple(each.moment for each in self.troubles if each.what == "operator killed")

    def __str__(self) -> str:
        troubles = "; ".join(map(str, self.troubles))
        return f"{self.strategy}{f', {self.cause}' if self.cause else ''}: {troubles}"


@dataclass(slots=True, kw_only=True)
class Course:
    """What a life was begun with, and what was done to it when."""

    life: Life
    way: Way
    stable: str
    candidate: str
    changes: list[tuple[float, str, bool]] = field(default_factory=list)  # of what is expected
    back_by: float | None = None  # when a cause must have taken the traffic back, whatever happens

    @property
    def serving(self) -> str:
        """Return the version that is in charge afterwards."""
        return self.stable if self.life.cause else self.candidate

    def expect(self, name: str, *, value: bool, at: float | None = None) -> None:
        """Let the checker expect it from now on, or from that moment on."""
        self.changes.append((at or time.time(), name, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """How a life went."""

    life: str
    strategy: str
    what: str  # was taken away
    away: float  # seconds that it was told to be
    kills: tuple[Moment, ...]
    seconds: float
    phase: str
    reason: str
    states: int  # that were held against the invariants, one after each write
    answers: int
    bad: int  # failed by the bad version
    without: int  # failed while no version ran, as the strategy says
    failures: tuple[Answer, ...]  # all others
