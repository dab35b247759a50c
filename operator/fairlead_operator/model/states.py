"""The words of the Model's state machine: what is observed, and what is decided.  Pure."""

import dataclasses
from enum import StrEnum
from typing import Literal

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.model import Phase
from fairlead_operator.model.gate import Comparison, Demand, Outcome
from fairlead_operator.requests import Action, Answer, Request


class RunState(StrEnum):
    """A child, as the Model sees it."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    name: str
    state: RunState
    reason: str
    message: str
    comparison: Comparison | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSeen:
    name: str
    reference: VersionReference  # the version it moves to; of a trial, the winner or first
    versions: tuple[str, ...]  # every candidate
    lost: tuple[tuple[str, str, str], ...]  # those that did not make it: version, reason, message
    trigger: str
    state: RunState
    reason: str
    message: str
    asked_back: bool  # a person or the Model has asked it to go back already


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    version: str
    reason: str
    message: str
    generation: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A target that came while another rollout was in flight, under onNewTarget: reject."""

    version: str
    message: str
    generation: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything a decision may depend on, read once per reconcile."""

    generation: int
    suspend: bool
    pinned: str | None
    alternatives: tuple[str, ...]  # tried beside the pinned version
    on_new_target: Literal["supersede", "queue", "reject"]
    demand: Demand
    recipe: str  # digest of the recipe in the spec
    trained_recipe: str | None  # of the last training that was started
    requests: tuple[Request, ...]  # of people, not answered yet
    stable: VersionReference | None
    candidate: VersionReference | None
    blocked: tuple[Blocked, ...]
    refused: Refused | None  # the last target that was
    gate: Outcome | None  # of the last training
    training: Training | None  # the latest the Model started
    training_folded: bool  # its end was acted on
    rollout: RolloutSeen | None  # the current one
    rollout_lost: bool  # status names one that is gone
    rollout_folded: bool
    waiting: tuple[str, ...]  # Rollouts made by hand that wait for their turn, oldest first

    def asks(self, action: Action) -> bool:
        """Whether a person asks for this and has no answer yet."""
        return any(request.action is action for request in self.requests)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    version: str
    trigger: str
    alternatives: tuple[str, ...] = ()  # other candidates, tried at the same time

    @property
    def versions(self) -> tuple[str, ...]:
        return (self.version, *self.alternatives)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What should be true after this reconcile."""

    phase: Phase
    reason: str
    message: str
    stable: VersionReference | None
    candidate: VersionReference | None
    blocked: tuple[Blocked, ...]
    refused: Refused | None
    gate: Outcome | None
    start_rollout: Target | None = None
    adopt_rollout: str | None = None
    supersede_by: str | None = None  # the version for which the one in flight makes way
    start_training: str | None = None  # the trigger
    answers: tuple[Answer, ...] = ()
