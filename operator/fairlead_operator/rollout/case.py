"""A Rollout as it is written, with what it takes from its Model.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import BY_HAND, Phase, Trigger
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
    gateway: GatewaySpec  # what carries the traffic, without host names that are another Model's
    stable: VersionReference | None  # the version in charge; None for a first version
    taken: str | None = None  # which host names are another Model's, and what to do
    unrecorded: str | None = None  # why no prediction of the Model is kept that should be
    alone: bool = False  # the Model has no Rollout in flight
    invalid: str | None = None  # why nothing may widen: what it goes by cannot be read any more
    has_servers: bool = True  # how its servers should be can be read in full
    known: tuple[VersionReference, ...] = ()  # which artifacts versions are, as the Model has it

    @property
    def phase(self) -> Phase:
        return Phase(self.status.phase or Phase.PENDING)

    @property
    def stable_version(self) -> str:
        """Return the version in charge; empty for a first version."""
        return self.stable.version if self.stable else ""

    @property
    def is_begun_by_model(self) -> bool:
        """Tell whether the Model made it, which then names it with what it knows of versions."""
        return self.spec.trigger not in BY_HAND

    def pinned_digest(self, version: str) -> str | None:
        """Return the digest that a spec names for a version, this Rollout's before the Model's.

        What was in charge is restored as it was, whatever a spec says by now.
        """
        if self.spec.trigger is Trigger.RESTORED:
            return None
        return self.spec.digest_of(version) or self.model.digest_of(version)

    @property
    def nameless(self) -> str | None:
        """Return why it has none of the host names that it needs to begin; None where it has.

        A way back needs no preview.
        """
        gateway, has_preview = self.gateway, self.plan.preview and not self.spec.goes_back
        lacks = not gateway.hostnames or (has_preview and not gateway.preview_hostnames)
        return self.taken if gateway.kind == "GatewayAPI" and lacks else None

    @property
    def present(self) -> Step | None:
        """Return the step it is in; None before the first and after the last."""
        return present_step(self.plan, self.phase, self.status.step)

    @property
    def in_play(self) -> tuple[str, ...]:
        """Return the candidates that are still in."""
        left = {arm.version for arm in self.status.arms if arm.reason is not None}
        return in_play(self.spec.versions, winner=self.status.winner, left=left)
