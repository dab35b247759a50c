"""What one look at a Rollout has seen.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.phases.rollout import SignatureReason
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.states import Observed
from fairlead_operator.rollout.presence import Pods
from fairlead_operator.rollout.statistics.verdict import Judgment
from fairlead_operator.rollout.traffic.accepted import Routed

SIGNATURE_CHANGED: Final = "SignatureChanged"  # the condition


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signatures:
    """What was found of all candidates together."""

    reason: SignatureReason
    message: str
    refuses: bool = False  # callers who send what they always sent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out and reporting it need."""

    case: Case
    observed: Observed
    candidates: tuple[VersionReference, ...]  # empty until the registry has answered
    signatures: Signatures | None  # what they change for callers; None where nothing is new
    servers: Mapping[str, Mapping[str, Any]]  # the Deployment of each version of the Model
    routed: Routed | None  # what the cluster's own Gateways say; None with the built-in one
    pods: Mapping[str, Pods]  # of each version that there is
    limited: Mapping[str, str]  # versions that would need more pods than they may have, and why
    gateway: Pods | None  # of the built-in one, where it carries the traffic
    judgments: tuple[tuple[str, Judgment], ...]  # with the version that was measured
    measured_at: datetime | None
    next_measurement: timedelta
    known_since: datetime | None  # when an alert or the fast guard spoke first
    returning: frozenset[str] = frozenset()  # candidates that were in charge with these bytes
    unstarted: timedelta | None = None  # when to ask again why pods are slow to start
    unreadable_alert: str | None = None  # why the annotation of an alert asks for nothing
