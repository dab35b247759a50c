"""A decision into MLflow and the cluster: the run and the Jobs that should exist, no others."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from fairlead_operator.api.group import ANNOTATION_TRIED, LABEL_TRAINING_RUN
from fairlead_operator.api.phases.training_run import ENDED, Phase
from fairlead_operator.api.runs import RunEnd
from fairlead_operator.attempts import Attempts, Failure
from fairlead_operator.errors import TransientError
from fairlead_operator.kube.metadata import Owner, component_labels
from fairlead_operator.kube.owned import create_once, is_left_behind, remove_owned
from fairlead_operator.kube.pods import is_working
from fairlead_operator.kube.refused_pods import name_try
from fairlead_operator.namespace.login import provide_login
from fairlead_operator.ports import Kube, Ports
from fairlead_operator.settings import Settings
from fairlead_operator.training_run.config import build_config, read_training
from fairlead_operator.training_run.manifests import Stage, build_job, name_job
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import Decision, JobState

_LOGGER = logging.getLogger(__name__)
_STAGES: Final[tuple[Stage, ...]] = ("search", "finish")
_DRY_STAGES: Final[tuple[Stage, ...]] = ("check",)


async def start_run(body: Mapping[str, Any], seen: Seen, ports: Ports, *, now: datetime) -> Seen:
    """Let MLflow have a run, fix the recipe, and return what is known then.

    The run's key is the object's uid: asking again yields the same run.
    """
    owner = Owner.of(body)
    try:
        run_id = await ports.registry.start_run(
            experiment=f"{owner.namespace}/{seen.spec.model}",
            name=owner.name,
            key=owner.uid,
            now=now,
        )
    except ValueError as error:
        observed = dataclasses.replace(seen.observed, experiment_deleted=str(error))
        return dataclasses.replace(seen, observed=observed)
    except TransientError as error:
        observed = dataclasses.replace(seen.observed, tracking_error=str(error))
        return dataclasses.replace(seen, observed=observed)
    config = seen.config or build_config(
        seen.model,
        model=seen.spec.model,
        run=owner,
        mlflow_run_id=run_id,
        champion=seen.champion,
        after=seen.highest,
    )
    return dataclasses.replace(
        seen,
        observed=dataclasses.replace(seen.observed, has_run=True),
        mlflow_run_id=run_id,
        config=config,
    )


async def act(
    body: Mapping[str, Any],
    decision: Decision,
    seen: Seen,
    ports: Ports,
    settings: Settings,
    *,
    now: datetime,
) -> tuple[Failure, ...]:
    """Make the decision true; twice is the same as once.  Return what could not be written.

    Raises:
        TransientError: MLflow did not answer at the end of a run.
    """
    owner, attempts = Owner.of(body), Attempts()
    if decision.phase is Phase.SUSPENDED:
        for stage in _DRY_STAGES if seen.spec.dry_run else _STAGES:
            with attempts.attempt():
                await remove_owned(name_job(stage, owner, model=seen.spec.model), ports.kube)
    if decision.drop_search:
        with attempts.attempt():
            await remove_owned(name_job("search", owner, model=seen.spec.model), ports.kube)
    if decision.want_search and seen.observed.search is JobState.ABSENT:
        await _start("search", owner, seen, ports, settings, attempts=attempts)
    if decision.want_finish and seen.observed.finish is JobState.ABSENT:
        await _start("finish", owner, seen, ports, settings, attempts=attempts)
    if decision.want_check and seen.observed.check is JobState.ABSENT:
        with attempts.attempt():
            await _create(_build("check", owner, seen, settings), owner, seen, ports.kube)
    if seen.refused is not None and decision.wants_job:
        with attempts.attempt():
            await _have_pods_tried(seen.refused, ports.kube, now=now)
    ended = decision.phase in ENDED and seen.observed.phase not in ENDED
    if ended and seen.mlflow_run_id is not None:
        end = RunEnd.FINISHED if decision.phase is Phase.SUCCEEDED else RunEnd.FAILED
        await ports.registry.end_run(seen.mlflow_run_id, end, now=now)
        if await _drop_study(owner, seen, ports, now=now):
            await ports.registry.close_run(seen.mlflow_run_id)
    return attempts.failures


async def _find_left(owner: Owner, seen: Seen, kube: Kube) -> Sequence[Mapping[str, Any]]:
    """Find the Jobs that an earlier TrainingRun of this name left."""
    left = []
    for stage in (*_STAGES, *_DRY_STAGES):
        name = name_job(stage, owner, model=seen.spec.model)
        job = await kube.get("Job", owner.namespace, name["metadata"]["name"])
        if job is not None and is_left_behind(name, job):
            left.append(job)
    return left


async def _have_pods_tried(job: Mapping[str, Any], kube: Kube, *, now: datetime) -> None:
    """Have the refused pods of a Job tried again, if it is time."""
    meta, moment = job["metadata"], name_try(now)
    if (meta.get("annotations") or {}).get(ANNOTATION_TRIED) != moment:
        tried = {ANNOTATION_TRIED: moment}
        await kube.annotate("Job", meta["namespace"], meta["name"], tried)


async def _drop_study(owner: Owner, seen: Seen, ports: Ports, *, now: datetime) -> bool:
    """Drop the study, which nothing goes on from now; tell whether that is done.

    The result waits neither for the database nor for a pod that still ends, as one may beside a
    failed Job before Kubernetes 1.31, and that would begin the study anew.  By the run, which
    then stays open, `tidy` finds the study.
    """
    labels = component_labels("trainer", seen.spec.model) | {LABEL_TRAINING_RUN: owner.name}
    try:
        # Not from the watches: that of Jobs, by which it has ended, may be ahead of that of pods.
        pods = await ports.kube.relist("Pod", owner.namespace, labels)
        if any(is_working(pod, now) for pod in pods):
            return False
        await ports.record.forget_study(owner.namespace, read_training(seen.config) or owner.uid)
    except TransientError as error:
        _LOGGER.info("study not removed yet", extra={"error": str(error)})
        return False
    return True


async def _start(
    stage: Stage, owner: Owner, seen: Seen, ports: Ports, settings: Settings, *, attempts: Attempts
) -> None:
    """Start the Job of this stage, with what its pods read."""
    with attempts.attempt():  # no Job without the login, nor with another's Secret
        await provide_login(
            owner.namespace,
            ports,
            address=settings.database_url,
            logins=settings.logins,
            limits=settings.login_limits,
        )
        await ports.logins.admit(owner.namespace, ports.kube, model=seen.spec.model)
        await _create(_build(stage, owner, seen, settings), owner, seen, ports.kube)


async def _create(job: dict[str, Any], owner: Owner, seen: Seen, kube: Kube) -> None:
    await create_once(job, kube, beside=await _find_left(owner, seen, kube))


def _build(stage: Stage, owner: Owner, seen: Seen, settings: Settings) -> dict[str, Any]:
    return build_job(
        stage,
        seen.config or "",
        seen.model,
        model=seen.spec.model,
        owner=owner,
        images=settings.images,
        mlflow_url=settings.mlflow.address,
        sources=settings.source_variables,
        allows_code=settings.allow_artifact_code and seen.model.serving.allow_artifact_code,
        logins=settings.logins,
    )
