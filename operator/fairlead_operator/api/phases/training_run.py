"""Phases, reasons and triggers of a TrainingRun.  Part of the API: a name is never changed."""

from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a TrainingRun stands."""

    PENDING = "Pending"
    SEARCHING = "Searching"
    FINISHING = "Finishing"
    CHECKING = "Checking"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Reason(StrEnum):
    """Why; the trainer's own reasons (docs/contracts.md) come through as they are."""

    WAITING_FOR_TRACKING = "WaitingForTracking"
    SEARCHING = "Searching"
    FINISHING = "Finishing"
    CHECKING = "Checking"
    WAITING_FOR_PODS = "WaitingForPods"
    WAITING_FOR_CONNECTION = "WaitingForConnection"
    EXPERIMENT_DELETED = "ExperimentDeleted"
    SUPERSEDED = "Superseded"
    SUSPENDED = "Suspended"
    REGISTERED = "Registered"
    DATA_CHECKED = "DataChecked"
    JOB_FAILED = "JobFailed"
    RESULT_UNREADABLE = "ResultUnreadable"


class Trigger(StrEnum):
    """Why a TrainingRun was created: the values of its ``spec.trigger``."""

    INITIAL = "initial"
    RECIPE = "recipe"
    SCHEDULE = "schedule"
    REQUEST = "request"
    HAND = "hand"


# What a training waits for, while its Jobs are there; it may be what the Model says of its data.
STUCK: Final = frozenset({Reason.WAITING_FOR_PODS, Reason.WAITING_FOR_CONNECTION})
# Nothing can move any more.
ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED})
