"""What one look at a TrainingRun sees, beyond what is decided from.  Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.training_run import Progress, TrainingRunSpec, TrainingRunStatus
from fairlead_operator.training_run.state_machine import Observed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the decision is taken from, and what carrying it out and saying so needs."""

    observed: Observed
    status: TrainingRunStatus
    spec: TrainingRunSpec
    model: ModelSpec
    champion: VersionReference | None  # the version in charge, if there is one
    highest: str | None = None  # version that the Model knows
    mlflow_run_id: str | None  # a dry run has none
    config: str | None  # what the trainer is told; fixed when the run starts
    progress: Progress | None
    refused: Mapping[str, Any] | None = None  # the active Job, while pods of it are refused
    unstarted: timedelta | None = None  # when to ask again why the active Job's pods do not start
