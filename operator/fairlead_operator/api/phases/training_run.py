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
    EXPERIMENT_DELETED = "ExperimentDeleted"
    SUSPENDED = "Suspended"
    REGISTERED = "Registered"
    DATA_CHECKED = "DataChecked"
    JOB_FAILED = "JobFailed"
    RESULT_UNREADABLE = "ResultUnreadable"


class Trigger(StrEnum):
    """Why a TrainingRun was created: the values of its ``spec.trigger``."""

    INITIAL = "initial"
    RECIPE = "recipe"
    REQUEST = "request"
    HAND = "hand"


# Nothing can move any more.
ENDED: Final = frozenset({Phase.SUCCEEDED, Phase.FAILED})
