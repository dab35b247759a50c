"""The phases, reasons and verdicts of a Rollout.  Part of the API: a name is never changed."""

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a Rollout stands."""

    PENDING = "Pending"
    REPLACING = "Replacing"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    GUARDING = "Guarding"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    SUCCEEDED = "Succeeded"


class Reason(StrEnum):
    """Why the phase is what it is; part of the API, so never renamed."""

    WAITING_FOR_TURN = "WaitingForTurn"
    SUSPENDED = "Suspended"
    FROZEN = "Frozen"
    WAITING_FOR_REGISTRY = "WaitingForRegistry"
    WAITING_FOR_CANDIDATE = "WaitingForCandidate"
    WAITING_FOR_GATEWAY = "WaitingForGateway"
    WAITING_FOR_REPLICAS = "WaitingForReplicas"
    ANALYSIS_UNAVAILABLE = "AnalysisUnavailable"
    STOPPING_STABLE = "StoppingStable"
    CANDIDATE_NOT_READY = "CandidateNotReady"
    STEP_STARTED = "StepStarted"
    STEP_HOLDING = "StepHolding"
    TRIAL_RUNNING = "TrialRunning"
    TRIAL_UNDECIDED = "TrialUndecided"
    GUARD_STARTED = "GuardStarted"
    GUARD_HOLDING = "GuardHolding"
    ANALYSIS_INCONCLUSIVE = "AnalysisInconclusive"
    INVALID_SPEC = "InvalidSpec"
    AWAITING_APPROVAL = "AwaitingApproval"
    PAUSED_BY_REQUEST = "PausedByRequest"
    PROMOTED = "Promoted"
    VERSION_NOT_FOUND = "VersionNotFound"
    CODE_NOT_ALLOWED = "CodeNotAllowed"
    VERSION_AMBIGUOUS = "VersionAmbiguous"
    VERSION_CHANGED = "VersionChanged"
    CANDIDATE_FAILED = "CandidateFailed"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    UNSUPPORTED_BY_TARGET = "UnsupportedByTarget"
    APPROVAL_DEADLINE_EXCEEDED = "ApprovalDeadlineExceeded"
    ANALYSIS_FAILED = "AnalysisFailed"
    ALERT_FIRED = "AlertFired"
    GUARD_TRIPPED = "GuardTripped"
    TRIAL_LOST = "TrialLost"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


class EventReason(StrEnum):
    """What only an Event tells."""

    ROLLED_BACK = "RolledBack"


class AlertReason(StrEnum):
    """Why an alert took nothing back."""

    IGNORED = "AlertIgnored"
    UNREADABLE = "AlertUnreadable"


class AutoscalerReason(StrEnum):
    """Whether the pods follow the load."""

    APPLIED = "AutoscalerApplied"
    MISSING = "AutoscalerMissing"
    STOPPED = "AutoscalerStopped"
    LIMITED = "AutoscalerLimited"


class RouteReason(StrEnum):
    """Why the route is in force or not; part of the API, so never renamed."""

    ACCEPTED = "RouteAccepted"
    PENDING = "RoutePending"
    REFUSED = "RouteRefused"
    KIND_MISSING = "GatewayApiMissing"


class PodsReason(StrEnum):
    """Whether callers get an answer; part of the API, so never renamed."""

    READY = "PodsReady"
    MISSING = "PodsMissing"
    NOT_ANSWERING = "NotAnswering"


class SignatureReason(StrEnum):
    """What is known of the signatures; part of the API, so never renamed."""

    CHANGED = "SignatureChanged"
    UNCHANGED = "SignatureUnchanged"
    UNREADABLE = "SignatureUnreadable"


class Verdict(StrEnum):
    """What the evidence says of a candidate."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


class Transition(StrEnum):
    """What of a Rollout is kept in the history."""

    STARTED = "Started"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"


class Trigger(StrEnum):
    """Why a Rollout was created: the values of its ``spec.trigger``."""

    TRAINED = "trained"
    PINNED = "pinned"
    RESTORED = "restored"
    HAND = "hand"
    ROLLBACK = "rollback"


# What a person creates, and the Model takes up when nothing else is in flight.
BY_HAND: Final = frozenset({Trigger.HAND, Trigger.ROLLBACK})
# Which artifact a version is was not settled, so nothing of it was tried.
UNRESOLVED: Final = frozenset(
    {Reason.VERSION_NOT_FOUND, Reason.VERSION_AMBIGUOUS, Reason.VERSION_CHANGED}
)
# Nothing can move any more.
# No candidate is in the route yet.
BEFORE_TRAFFIC: Final = frozenset({Phase.PENDING, Phase.REPLACING})
ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.ROLLED_BACK})
# An alert, a person or the evidence can still take the candidate back.
CAN_GO_BACK: Final = frozenset(Phase) - ENDED - {Phase.ROLLING_BACK}
