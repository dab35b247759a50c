"""What one look at a Model sees, beyond what is decided from.  Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.conditions import Condition
from fairlead_operator.api.gateway import GatewayKind, GatewaySpec
from fairlead_operator.api.model import ModelSpec, ModelStatus
from fairlead_operator.attempts import Failure
from fairlead_operator.model.states import Observed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out and saying so needs."""

    observed: Observed
    spec: ModelSpec
    status: ModelStatus
    unregistered: str | None  # what is wrong with the stable version's registration; None: unknown
    annotations: Mapping[str, str]
    failing: str | None = None  # that the stable version only fails; None: unknown
    mistakes: str | None = None  # what Prometheus refuses of the policy's PromQL; None: unknown
    settled: GatewayKind | None  # what carries the traffic and confirmed it; None: not known
    routed: GatewaySpec | None = None  # whose route its Rollout writes; None: not known
    pods: Condition | None = None  # what its Rollout says of the pods behind its address
    held: str | None = None  # why its Rollout leaves pods as an earlier release made them
    scaled: Condition | None = None  # what it says of those pods' autoscalers
    failures: tuple[Failure, ...] = ()  # what its Rollout and TrainingRun cannot write
    known: tuple[VersionReference, ...] = ()  # which artifacts versions are
    training_runs: Sequence[Mapping[str, Any]]  # of this Model
    rollouts: Sequence[Mapping[str, Any]]
