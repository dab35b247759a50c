"""A run in MLflow as values."""

import dataclasses
from enum import StrEnum


class RunEnd(StrEnum):
    """How a run ended, in MLflow's words."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run that this operator began, and after which it has yet to tidy up."""

    run_id: str
    namespace: str  # of its experiment, <namespace>/<model>
    key: str  # uid of its TrainingRun
