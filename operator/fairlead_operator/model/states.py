"""The words of the Model's state machine: what is observed, and what is decided.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import BlockedVersion, GateStatus, RefusedTarget
from fairlead_operator.api.phases.model import Phase
from fairlead_operator.api.phases.rollout import Trigger as RolloutTrigger
from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.schedule import Schedule, ScheduleStatus
from fairlead_operator.model.gate import Comparison, Demand
from fairlead_operator.model.past import Past
from fairlead_operator.requests import Action, Answer, Request


class RunState(StrEnum):
    """How a child stands, as the Model sees it."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The latest TrainingRun that the Model started."""

    name: str
    state: RunState
    reason: str
    message: str
    comparison: Comparison | None
    started_at: datetime | None  # None before the first look at it
    task: str | None  # digest of what it was told; None where an earlier release started it
    change: str = ""  # what its version takes or gives otherwise than the one in charge


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRollout:
    """The Rollout that status names, in flight or ended."""

    name: str
    reference: VersionReference  # the version it moves to; of a trial, the winner or first
    versions: tuple[str, ...]  # every candidate
    lost: tuple[BlockedVersion, ...]  # candidates that did not make it; empty while in flight
    trigger: RolloutTrigger
    state: RunState
    reason: str
    message: str
    asked_back: bool  # a person or the Model has asked it to go back already
    leader: str | None = None  # the best version of a trial so far; None where none is known
    paused: bool = False
    weight: int = 0  # percent of the traffic that its candidates really have
    out: frozenset[str] = frozenset()  # candidates that left its trial, or lost it
    starts: bool = False  # it has no traffic yet, and the message says what it waits for

    @property
    def in_play(self) -> tuple[str, ...]:
        """Return the candidates that may still come to all traffic."""
        return tuple(version for version in self.versions if version not in self.out)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a Rollout moves to."""

    version: str
    trigger: RolloutTrigger
    alternatives: tuple[str, ...] = ()  # other candidates, tried at the same time

    @property
    def versions(self) -> tuple[str, ...]:
        """Return every candidate, the first first."""
        return (self.version, *self.alternatives)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A training that is to start."""

    trigger: Trigger
    why: str  # for people


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything a decision may depend on, read once per reconcile."""

    now: datetime
    generation: int
    suspend: bool
    pinned: str | None
    pinned_digest: str | None = None  # of the pinned version, where the spec names it
    alternative_digests: Mapping[str, str] = dataclasses.field(default_factory=dict)  # likewise
    alternatives: tuple[str, ...]  # tried beside the pinned version
    on_new_target: Literal["supersede", "queue", "reject"]
    demand: Demand
    recipe: str  # digest of the recipe in the spec
    trained_recipe: str | None  # of the last training that was started
    task: str  # digest of all that a training would be told now
    schedule: Schedule | None = None
    followed: datetime | None = None  # the moment up to which this schedule was; None: never yet
    requests: tuple[Request, ...]  # of people, not answered yet
    stable: VersionReference | None
    candidate: VersionReference | None
    blocked: tuple[BlockedVersion, ...]
    refused: RefusedTarget | None  # the last target that was
    gate: GateStatus | None  # of the last training
    training: Training | None  # the latest the Model started
    training_folded: bool  # its end was acted on
    rollout: CurrentRollout | None  # the current one
    rollout_lost: bool  # status names one that is gone
    rollout_folded: bool
    waiting: tuple[str, ...]  # Rollouts made by hand that wait for their turn, oldest first
    next_rollout: str  # the name of one that the Model starts now
    # Digests of blocked versions that MLflow was asked about, where it has the right one.
    artifacts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    allows_code: bool = False  # whether a version may bring code
    past: Past | None = None  # of earlier Models of this name; None once a Rollout was started
    # What a look started that was cut off before status could name it.
    unnamed_rollout: Target | None = None
    unnamed_training: Start | None = None
    cannot_start: frozenset[str] = frozenset()  # kinds of which the cluster has just refused one
    refusal: str = ""  # the words with which it did

    @property
    def takes_up(self) -> str | None:
        """Return the version of an earlier Model that is taken up now, before all else."""
        if self.stable is not None:
            return None
        rollout = self.rollout
        if rollout is not None and rollout.state is RunState.ACTIVE:
            return rollout.reference.version if rollout.trigger == RolloutTrigger.RESTORED else None
        past = self.past
        if past is None or past.stable is None:
            return None
        is_first = past.takes_up(self.pinned, self.alternatives)
        return past.stable.version if is_first else None

    def digest_of(self, version: str) -> str | None:
        """Return the digest that the spec names for a candidate."""
        pinned = version == self.pinned
        return self.pinned_digest if pinned else self.alternative_digests.get(version)

    def request(self, action: Action) -> Request | None:
        """Return the request of a person for this that has no answer yet."""
        return next((asked for asked in self.requests if asked.action is action), None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What should be true after this reconcile."""

    phase: Phase
    reason: str
    message: str
    stable: VersionReference | None
    candidate: VersionReference | None
    blocked: tuple[BlockedVersion, ...]
    refused: RefusedTarget | None
    gate: GateStatus | None
    weight: int | None = None  # percent of the traffic that a rollout in flight has moved
    start_rollout: Target | None = None
    adopt_rollout: str | None = None
    supersede_by: str | None = None  # the version for which the one in flight makes way
    start_training: Start | None = None
    schedule: ScheduleStatus | None = None
    next_training: datetime | None = None  # by itself; None where no moment starts one
    answers: tuple[Answer, ...] = ()
    look_again: timedelta | None = None  # None: when something changes
