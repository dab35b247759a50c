"""The phases and reasons of a Model, and of its gate.  Part of the API: a name is never changed."""

from enum import StrEnum


class Phase(StrEnum):
    """Where a Model stands."""

    PENDING = "Pending"
    TRAINING = "Training"
    ROLLING_OUT = "RollingOut"
    SERVING = "Serving"
    BLOCKED = "Blocked"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Reason(StrEnum):
    """Why; reasons of a TrainingRun, a gate or a Rollout come through as they are."""

    WAITING = "Waiting"
    TRAINING = "Training"
    ROLLING_OUT = "RollingOut"
    PAUSED = "Paused"
    SERVING = "Serving"
    SUSPENDED = "Suspended"
    VERSION_BLOCKED = "VersionBlocked"
    LEFT_BY_HAND = "LeftByHand"
    TARGET_REFUSED = "TargetRefused"
    VERSION_CHANGED = "VersionChanged"
    GATE_NOT_PASSED = "GateNotPassed"
    RESTORED = "Restored"
    STABLE_VERSION_GONE = "StableVersionGone"
    HISTORY_UNAVAILABLE = "HistoryUnavailable"


class EventReason(StrEnum):
    """What only an Event tells, beside ``Reason.GATE_NOT_PASSED``."""

    GATE_PASSED = "GatePassed"
    PROMOTED = "Promoted"
    TRAINING_STARTED = "TrainingStarted"
    LOGIN_RENEWED = "LoginRenewed"
    TRAINING_FAILED = "TrainingFailed"


class RegistrationReason(StrEnum):
    """Whether the registry has the stable version as it was verified."""

    REGISTERED = "Registered"
    CHANGED = "RegistrationChanged"


class CodeReason(StrEnum):
    """Whether the stable version runs code that it may not."""

    NOT_ALLOWED = "CodeNotAllowed"


class AnsweringReason(StrEnum):
    """Whether the stable version answers, once it has only failed."""

    ANSWERING = "Answering"
    ONLY_FAILURES = "OnlyFailures"


class QueriesReason(StrEnum):
    """Whether Prometheus can read the PromQL of the policy."""

    READABLE = "QueriesReadable"
    REFUSED = "QueryRefused"


class GateReason(StrEnum):
    """Why a candidate passed or not; part of the API."""

    FIRST_VERSION = "FirstVersion"
    BETTER = "Better"
    NOT_BETTER = "NotBetter"
    BELOW_THRESHOLD = "BelowThreshold"
    CHAMPION_NOT_COMPARED = "ChampionNotCompared"
    RECIPE_CHANGED = "RecipeChanged"
    RESULT_UNREADABLE = "ResultUnreadable"
    NOT_BETTER_THAN_BASELINE = "NotBetterThanBaseline"
    WORSE_IN_A_SLICE = "WorseInASlice"
    WORSE_IN_A_METRIC = "WorseInAMetric"
    GROUPS_TREATED_APART = "GroupsTreatedApart"
    NOT_CALIBRATED = "NotCalibrated"
    GATE_NOT_MEASURED = "GateNotMeasured"
