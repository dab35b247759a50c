"""What one look at a Rollout has seen.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.rollout.decision.states import Observed
from fairlead_operator.rollout.statistics.verdict import Judgment
from fairlead_operator.rollout.traffic.accepted import Routed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out needs."""

    observed: Observed
    status: RolloutStatus
    model: Mapping[str, Any]
    spec: ModelSpec
    policy: RolloutPolicy
    gateway: GatewaySpec  # what carries the traffic
    routed: Routed | None  # what the cluster's own Gateways say; None with the built-in one
    uid: str  # of the Rollout: the id of its fast guard
    candidates: tuple[VersionReference, ...]  # empty until the registry has answered
    stable: VersionReference | None
    servers: Mapping[str, Mapping[str, Any]]  # the Deployment of each version of the Model
    judgments: tuple[tuple[str, Judgment], ...]  # with the version that was measured
    measured_at: datetime | None
    next_measurement: timedelta
    known_since: datetime | None  # when an alert or the fast guard spoke first
