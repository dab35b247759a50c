"""A Rollout as it is written, with what it takes from its Model.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutSpec, RolloutStatus
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.decision.plan import Plan, Step
from fairlead_operator.rollout.decision.states import in_play, present_step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is to be decided at this moment, before anything was asked of the world."""

    now: datetime
    namespace: str
    uid: str  # of the Rollout: the id of its fast guard
    annotations: Mapping[str, str]
    spec: RolloutSpec
    status: RolloutStatus
    owner: Owner  # the Model
    model: ModelSpec
    has_turn: bool  # the Model names this Rollout as its current one
    policy: RolloutPolicy  # its own, or else the Model's
    plan: Plan
    gateway: GatewaySpec  # what carries the traffic
    stable: VersionReference | None  # the version in charge; None for a first version
    unrecorded: str | None = None  # why no prediction of the Model is kept that should be
    alone: bool = False  # the Model has no Rollout in flight
    invalid: str | None = None  # why nothing may widen: what it goes by cannot be read any more
    has_servers: bool = True  # how its servers should be can be read in full

    @property
    def phase(self) -> Phase:
        return Phase(self.status.phase or Phase.PENDING)

    @property
    def stable_version(self) -> str:
        """Return the version in charge; empty for a first version."""
        return self.stable.version if self.stable else ""

    @property
    def present(self) -> Step | None:
        """Return the step it is in; None before the first and after the last."""
        return present_step(self.plan, self.phase, self.status.step)

    @property
    def in_play(self) -> tuple[str, ...]:
        """Return the candidates that are still in."""
        left = {arm.version for arm in self.status.arms if arm.reason is not None}
        return in_play(self.spec.versions, winner=self.status.winner, left=left)
