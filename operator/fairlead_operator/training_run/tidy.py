"""Ends what trainings left in MLflow and PostgreSQL.

No finalizer holds a TrainingRun back for it: objects can be deleted while the operator is away.
That a run is open is the note that something is left to do, so closing it comes last.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.group import LABEL_COMPONENT
from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.owned import owners
from fairlead_operator.kube.pods import is_working
from fairlead_operator.ports import Ports
from fairlead_operator.training_run.observe import read_job
from fairlead_operator.training_run.state_machine import JobState

_LOGGER = logging.getLogger(__name__)
_LEAVING: Final = timedelta(seconds=5)  # until a trainer that still works is looked at again
_ENDS: Final[Mapping[str, RunEnd]] = {Phase.SUCCEEDED: RunEnd.FINISHED, Phase.FAILED: RunEnd.FAILED}


async def tidy_trainings(namespace: str, ports: Ports) -> timedelta | None:
    """End the open runs of a namespace's trainings that are gone or over; drop their studies.

    Returns:
        when to look again, while a trainer still works for one: it would begin its study anew.

    Raises:
        TransientError: MLflow, the cluster or the database did not answer, for one run at least.
    """
    now = ports.now()
    runs = await ports.registry.open_runs(namespace)
    if not runs:
        return None
    # After the runs, and past the watches: whoever has a run was there before it.
    try:
        trainings = await ports.kube.relist("TrainingRun", namespace, {})
    except ClusterRefusalError as error:  # our Role went with the namespace: nothing is known
        _LOGGER.info("open runs left", extra={"namespace": namespace, "error": str(error)})
        return None
    ends = {run: end for run in runs if (end := find_end(run, trainings)) is not None}
    if not ends:
        return None
    trainers = {LABEL_COMPONENT: "trainer"}
    jobs = await ports.kube.list("Job", namespace, trainers)
    pods = await ports.kube.list("Pod", namespace, trainers)
    if has_trainer_left(jobs, pods, trainings, now=now):
        return _LEAVING
    trouble: TransientError | None = None
    for run, end in ends.items():
        try:
            await ports.registry.end_run(run.run_id, end, now=now)
            await ports.record.forget_study(namespace, run.key)
            await ports.registry.close_run(run.run_id)
        except TransientError as error:  # of this one maybe: a study that takes too long
            trouble = error
    if trouble is not None:
        raise trouble
    return None


def find_end(run: OpenRun, trainings: Iterable[Mapping[str, Any]]) -> RunEnd | None:
    """Say how the run's training ended; None while it is under way.

    One that was restored from a backup has another uid, but may know its run.
    """
    for training in trainings:
        status = training.get("status") or {}
        if training["metadata"]["uid"] == run.key or status.get("mlflowRunId") == run.run_id:
            return _ENDS.get(_phase(training))
    return RunEnd.KILLED


def has_trainer_left(
    jobs: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    trainings: Iterable[Mapping[str, Any]],
    *,
    now: datetime,
) -> bool:
    """Tell whether a Job or a pod works on though its TrainingRun is gone or over.

    No name tells: a Model that is applied again gives its trainings the same ones.
    """
    under_way = {each["metadata"]["uid"] for each in trainings if _phase(each) not in _ENDS}
    kept, left = set(), []
    for job in jobs:
        if owners(job) & under_way:
            kept.add(job["metadata"]["uid"])
        else:
            left.append(job)
    return any(map(_makes_pods, left)) or any(
        is_working(pod, now) for pod in pods if not owners(pod) & kept
    )


def _makes_pods(job: Mapping[str, Any]) -> bool:
    return "deletionTimestamp" not in job["metadata"] and read_job(job)[0] is JobState.ACTIVE


def _phase(training: Mapping[str, Any]) -> str:
    return str((training.get("status") or {}).get("phase", ""))
