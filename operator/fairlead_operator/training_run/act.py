"""A decision into the cluster: the Jobs that should exist, and no others."""

from collections.abc import Mapping
from typing import Any

from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.kube.database_secret import build_database_secret
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.ports import Ports
from fairlead_operator.settings import Settings
from fairlead_operator.training_run.manifests import (
    Stage,
    build_job,
    job_name,
)
from fairlead_operator.training_run.observe import Seen
from fairlead_operator.training_run.state_machine import Decision, JobState, is_finished


async def act(
    body: Mapping[str, Any], decision: Decision, seen: Seen, ports: Ports, settings: Settings
) -> None:
    """Make the decision true; twice is the same as once."""
    owner = Owner.of(body)
    if decision.phase is Phase.SUSPENDED:
        await ports.kube.delete("Job", owner.namespace, job_name(owner.name, "search"))
        await ports.kube.delete("Job", owner.namespace, job_name(owner.name, "finish"))
    if decision.want_search and seen.observed.search is JobState.ABSENT:
        await _start("search", owner, seen, ports, settings)
    if decision.want_finish and seen.observed.finish is JobState.ABSENT:
        await _start("finish", owner, seen, ports, settings)
    ended = is_finished(decision.phase) and not is_finished(seen.observed.phase)
    if ended and seen.mlflow_run_id is not None:
        succeeded = decision.phase is Phase.SUCCEEDED
        await ports.registry.finish_run(seen.mlflow_run_id, succeeded=succeeded)


async def _start(stage: Stage, owner: Owner, seen: Seen, ports: Ports, settings: Settings) -> None:
    await ports.kube.apply(build_database_secret(owner.namespace, settings.database_url))
    await ports.kube.apply(
        build_job(
            stage,
            seen.config or "",
            seen.model,
            model=seen.spec.model,
            owner=owner,
            images=settings.images,
            mlflow_url=settings.mlflow_url,
        )
    )
