"""What tests of a TrainingRun begin with; each names only what differs."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.api.training_run import TrainingRunSpec, TrainingRunStatus
from fairlead_operator.training_run.result import Result, parse_result
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import JobState, Observed
from support.world import NAMESPACE, model_manifest

NAME: Final = "nsw-price-training-1"
SUCCESS: Final[Mapping[str, Any]] = {
    "outcome": "Succeeded", "version": "1.0.0", "registryVersion": "1", "digest": "sha256:0",
    "metric": "roc_auc", "candidate": {"value": 0.9},
}  # fmt: skip
FAILURE: Final[Mapping[str, Any]] = {
    "outcome": "Failed", "reason": "TargetConstant", "message": "price_up is always 1",
}  # fmt: skip
CHECKED: Final[Mapping[str, Any]] = {
    "outcome": "Succeeded", "stage": "check",
    "message": "30 rows with 2 features can be learned from",
    "rows": 30, "warnings": ["3 rows have no label, and were left out"],
}  # fmt: skip
STABLE: Final = VersionReference(version="1.0.0", registry_version="1", digest="sha256:0")


def training_run_manifest(**status: Any) -> dict[str, Any]:
    """Build a TrainingRun as the API server has it, with this status."""
    return {
        "kind": "TrainingRun",
        "metadata": {"namespace": NAMESPACE, "name": NAME, "uid": "uid-run", "generation": 1},
        "spec": {"model": "nsw-price", "trigger": "initial"},
        **({"status": status} if status else {}),
    }


def result(document: Mapping[str, Any]) -> Result:
    parsed = parse_result(json.dumps(document))
    assert parsed is not None
    return parsed


def observed(**changes: Any) -> Observed:
    """Observe a search that runs."""
    searching = Observed(
        phase=Phase.SEARCHING,
        reason="Searching",
        message="",
        suspend=False,
        has_run=True,
        tracking_error="",
        search=JobState.ACTIVE,
        search_failure="",
        search_result=None,
        finish=JobState.ABSENT,
        finish_failure="",
        finish_result=None,
    )
    return dataclasses.replace(searching, **changes)


def pending(**changes: Any) -> Observed:
    """Observe a run that MLflow was not asked for yet."""
    return observed(
        **{"phase": Phase.PENDING, "has_run": False, "search": JobState.ABSENT} | changes
    )


def finishing(**changes: Any) -> Observed:
    return observed(**{"phase": Phase.FINISHING, "search": JobState.COMPLETE} | changes)


def checking(**changes: Any) -> Observed:
    """Observe a dry run whose Job works."""
    working = {"phase": Phase.CHECKING, "dry_run": True, "has_run": False}
    return observed(**working | {"search": JobState.ABSENT, "check": JobState.ACTIVE} | changes)


def seen(about: Observed, **changes: Any) -> Seen:
    """Return all that is known of the run when this was observed."""
    model = ModelSpec.model_validate(model_manifest()["spec"])
    has_run = about.has_run
    common: dict[str, Any] = {
        "observed": about,
        "status": TrainingRunStatus(),
        "spec": TrainingRunSpec(model="nsw-price", trigger="initial", dry_run=about.dry_run),
        "model": model,
        "champion": STABLE,
        "mlflow_run_id": "run-1" if has_run else None,
        "config": json.dumps({"search": {"parallelism": 2}}) if has_run or about.dry_run else None,
        "progress": None,
    }
    return Seen(**common | changes)
