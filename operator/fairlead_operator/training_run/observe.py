"""Cluster and MLflow into one frozen ``Seen``."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from fairlead_operator.api.phases.training_run import Phase, Reason
from fairlead_operator.api.training_run import Progress, TrainingRunSpec, TrainingRunStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.owned import is_ours
from fairlead_operator.parent import read_parent
from fairlead_operator.ports import Ports
from fairlead_operator.training_run.manifests import Stage, job_labels, name_job
from fairlead_operator.training_run.result import Result, parse_progress, read_result
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import JobState, Observed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    state: JobState
    failure: str
    result: Result | None


async def observe(body: Mapping[str, Any], ports: Ports) -> Seen:
    """Read everything once.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    namespace = body["metadata"]["namespace"]
    spec = TrainingRunSpec.model_validate(body["spec"])
    status = TrainingRunStatus.model_validate(body.get("status") or {})
    model = await read_parent(spec.model, namespace, ports.kube)
    phase = Phase(status.phase or Phase.PENDING)
    owner = Owner.of(body)
    search, finish, progress = await asyncio.gather(
        _read_job(owner, "search", spec.model, ports),
        _read_job(owner, "finish", spec.model, ports),
        _read_progress(phase, status.mlflow_run_id, ports),
    )
    observed = Observed(
        phase=phase,
        reason=status.reason or Reason.WAITING_FOR_TRACKING,
        message=status.message or "",
        suspend=spec.suspend,
        has_run=status.mlflow_run_id is not None and status.config is not None,
        tracking_error="",
        search=search.state,
        search_failure=search.failure,
        search_result=search.result,
        finish=finish.state,
        finish_failure=finish.failure,
        finish_result=finish.result,
    )
    return Seen(
        observed=observed,
        status=status,
        spec=spec,
        model=model.spec,
        champion=model.status.stable,
        mlflow_run_id=status.mlflow_run_id,
        config=status.config,
        progress=progress or status.progress,
    )


async def _read_progress(phase: Phase, run_id: str | None, ports: Ports) -> Progress | None:
    """Ask where the trainer is; not knowing it must not stop the training."""
    if run_id is None or phase not in {Phase.SEARCHING, Phase.FINISHING}:
        return None
    try:
        return parse_progress(await ports.registry.progress(run_id))
    except TransientError:
        return None


async def _read_job(owner: Owner, stage: Stage, model: str, ports: Ports) -> _Job:
    """Read the state of one Job, and its pods' last word once it has ended."""
    name = name_job(stage, owner, model=model)
    job = await ports.kube.get("Job", owner.namespace, name["metadata"]["name"])
    if job is None or job["metadata"].get("deletionTimestamp") or not is_ours(name, job):
        return _Job(state=JobState.ABSENT, failure="", result=None)
    state, failure = read_job(job)
    if state is JobState.ACTIVE:
        return _Job(state=state, failure="", result=None)
    labels = job_labels(stage, model=model, run=owner.name)
    result = read_result(await ports.kube.list("Pod", owner.namespace, labels))
    if result is None:  # the watch of Jobs may be ahead of that of pods
        result = read_result(await ports.kube.relist("Pod", owner.namespace, labels))
    return _Job(state=state, failure=failure, result=result)


def read_job(job: Mapping[str, Any]) -> tuple[JobState, str]:
    """Read the state of a Job from its conditions, and why it failed."""
    for condition in (job.get("status") or {}).get("conditions") or []:
        if condition.get("status") != "True":
            continue
        if condition["type"] == "Complete":
            return JobState.COMPLETE, ""
        if condition["type"] == "Failed":
            reason, message = condition.get("reason", ""), condition.get("message", "")
            return JobState.FAILED, f"{reason}: {message}"
    return JobState.ACTIVE, ""
