"""Cluster and MLflow into one frozen ``Seen``."""

import asyncio
import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.group import ANNOTATION_TOLD
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.training_run import ENDED, Phase, Reason
from fairlead_operator.api.recipe import task_digest
from fairlead_operator.api.training_run import Progress, TrainingRunSpec, TrainingRunStatus
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.kube.owned import is_made_by, owners
from fairlead_operator.kube.pods import (
    LONGEST_WORDS,
    find_killed,
    find_obstacle,
    find_refusal,
    is_ready,
)
from fairlead_operator.kube.refused_pods import TRY_EVERY
from fairlead_operator.kube.starts import ask_again, look_at_starts
from fairlead_operator.parent import read_parent, without_wait
from fairlead_operator.ports import Ports
from fairlead_operator.text import shorten
from fairlead_operator.training_run.config import build_config, is_earlier, renew_config
from fairlead_operator.training_run.manifests import Stage, job_labels, name_job, read_config
from fairlead_operator.training_run.result import Result, carry_on, parse_progress, read_result
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import JobState, Observed
from fairlead_operator.versions import highest, told_by

_LOGGER = logging.getLogger(__name__)
_FIRST_POD: Final = timedelta(seconds=5)  # from a Job's creation; usually a moment


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    state: JobState
    failure: str
    result: Result | None
    obstacle: str = ""  # what keeps its pods from working, while it is active
    is_guess: bool = False  # the obstacle, from there being no pod
    refused: Mapping[str, Any] | None = None  # the Job itself, while pods of it are refused
    unstarted: timedelta | None = None  # when to ask again why it has no pod, or none that starts
    config: str | None = None  # what its trainers are told, where that may not be known
    is_earlier: bool = False  # an earlier release made it


async def observe(body: Mapping[str, Any], ports: Ports, *, now: datetime) -> Seen:
    """Read everything once.

    Raises:
        InvalidSpecError: the Model is missing or cannot be read.
        TransientError: the cluster did not answer.
    """
    namespace = body["metadata"]["namespace"]
    spec = TrainingRunSpec.model_validate(body["spec"])
    status = TrainingRunStatus.model_validate(without_wait(body.get("status")))
    model = await read_parent(spec.model, namespace, ports.kube)
    phase = Phase(status.phase or Phase.PENDING)
    owner = Owner.of(body)
    check = search = finish = _Job(state=JobState.ABSENT, failure="", result=None)
    progress, unheard = None, ""
    # Until status says what its trainers are told, the API server is asked itself.
    is_new = _is_new(status)
    if spec.dry_run:
        check = await _read_job(owner, "check", spec.model, ports, now=now, fresh=is_new)
    else:
        search, finish, (progress, unheard) = await asyncio.gather(
            _read_job(owner, "search", spec.model, ports, now=now, fresh=is_new),
            _read_job(owner, "finish", spec.model, ports, now=now),
            _read_progress(phase, status.mlflow_run_id, ports),
        )
    config = _read_config(status, check if spec.dry_run else search, namespace)
    if spec.dry_run and config is None:
        config = build_config(
            model.spec, model=spec.model, run=owner, mlflow_run_id=None, champion=None
        )
    reached = carry_on(progress, status.progress)
    works = JobState.ACTIVE in {search.state, finish.state}
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
        dry_run=spec.dry_run,
        check=check.state,
        check_failure=check.failure,
        check_result=check.result,
        is_earlier=search.is_earlier and finish.state is JobState.ABSENT,
        obstacle=_name_obstacle((search, finish, check), begun=reached is not None),
        waiting=progress.waiting if progress is not None and works else "",
        unheard=unheard,
        tried=reached is not None and reached.trial > 0,
        corrected=_is_corrected(body, model.spec),
    )
    return Seen(
        observed=observed,
        status=status,
        spec=spec,
        model=model.spec,
        champion=model.status.stable,
        highest=highest(one.version for one in told_by(model.status)),
        mlflow_run_id=status.mlflow_run_id,
        config=config,
        progress=reached,
        unstarted=search.unstarted or finish.unstarted or check.unstarted,
        refused=search.refused or finish.refused or check.refused,
    )


def _read_config(status: TrainingRunStatus, first: _Job, namespace: str) -> str | None:
    """Return what the trainer is told.

    If a look that was cut off has started the first Job, what that is told is what was fixed.
    """
    if status.phase in ENDED:
        return status.config
    return renew_config(status.config or first.config, namespace)


def _is_corrected(body: Mapping[str, Any], spec: ModelSpec) -> bool:
    """Tell whether the Model would tell a training something else now than it told this one.

    Only of one that it started, as it starts another then.
    """
    told = (body["metadata"].get("annotations") or {}).get(ANNOTATION_TOLD)
    return told is not None and told != task_digest(spec)


def _is_new(status: TrainingRunStatus) -> bool:
    """Tell whether a look may have been cut off which had started the first Job."""
    return status.config is None and status.phase not in ENDED


async def _read_progress(
    phase: Phase, run_id: str | None, ports: Ports
) -> tuple[Progress | None, str]:
    """Ask where the trainer is, or why nobody says it; that must not stop the training."""
    if run_id is None or phase not in {Phase.SEARCHING, Phase.FINISHING}:
        return None, ""
    try:
        return parse_progress(await ports.registry.progress(run_id)), ""
    except TransientError as error:
        return None, shorten(str(error), 500)


async def _read_job(
    owner: Owner, stage: Stage, model: str, ports: Ports, *, now: datetime, fresh: bool = False
) -> _Job:
    """Read the state of one Job, and its pods' last word once it has ended.

    What a training registered is what a pod of its own Job said.  Anybody in the namespace may
    give a pod or a Job the labels, so the uids decide whose they are.

    Where it has too few pods, or one that does not start, the cluster is asked for Events, which
    costs a request: every 5 s at first, less often the older it gets, and each minute at last; or
    as often as refused pods are tried again.  A pod that comes after all is told by the watch.
    """
    name = name_job(stage, owner, model=model)
    read = ports.kube.reread if fresh else ports.kube.get
    job = await read("Job", owner.namespace, name["metadata"]["name"])
    if job is None or job["metadata"].get("deletionTimestamp") or owner.uid not in owners(job):
        return _Job(state=JobState.ABSENT, failure="", result=None)
    state, failure = read_job(job)
    told = read_config(job)
    config = told if fresh else None
    labels = job_labels(stage, model=model, run=owner.name)
    pods = _pods_of(job, await ports.kube.list("Pod", owner.namespace, labels))
    if state is JobState.ACTIVE:
        active = _Job(
            state=state, failure="", result=None, config=config, is_earlier=is_earlier(told)
        )
        age = _age(job, now)
        refusal = (
            await _find_refusal(job, ports) if _lacks(job, pods) and age > _FIRST_POD else None
        )
        if refusal:
            return dataclasses.replace(
                active,
                obstacle=_explain_refusal(job["metadata"]["name"], pods, refusal),
                refused=job,
                unstarted=TRY_EVERY,
            )
        if pods or age <= _FIRST_POD:
            start = await look_at_starts(pods, ports.kube, now=now)
            obstacle = find_obstacle({}, pods) or start.obstacle or ""
            again = None if any(map(is_ready, pods)) else start.look_again  # one makes progress
            return dataclasses.replace(active, obstacle=obstacle, unstarted=again)
        obstacle, again = _explain_no_pod(job["metadata"]["name"]), ask_again(age)
        return dataclasses.replace(active, obstacle=obstacle, is_guess=True, unstarted=again)
    result = read_result(pods)
    if result is None:  # the watch of Jobs may be ahead of that of pods
        result = read_result(_pods_of(job, await ports.kube.relist("Pod", owner.namespace, labels)))
    killed = find_killed(pods) if result is None else None
    return _Job(
        state=state,
        failure=killed or failure,
        result=result,
        config=config,
        is_earlier=state is JobState.COMPLETE and is_earlier(told),
    )


def _pods_of(
    job: Mapping[str, Any], labelled: Iterable[Mapping[str, Any]]
) -> Sequence[Mapping[str, Any]]:
    """Return the pods that this Job made."""
    return [pod for pod in labelled if is_made_by(pod, job)]


def _name_obstacle(jobs: Iterable[_Job], *, begun: bool) -> str:
    """Return the first obstacle; a trainer that has reported its progress had a pod."""
    told = (job.obstacle for job in jobs if not (job.is_guess and begun))
    return next((obstacle for obstacle in told if obstacle), "")


def _age(job: Mapping[str, Any], now: datetime) -> timedelta:
    return now - datetime.fromisoformat(job["metadata"].get("creationTimestamp") or now.isoformat())


async def _find_refusal(job: Mapping[str, Any], ports: Ports) -> str | None:
    """Ask why a Job has no pod; None where nobody says it, or we may not ask."""
    try:
        return find_refusal(await ports.kube.events(job))
    except (TransientError, ClusterRefusalError) as error:  # the guess has to do
        _LOGGER.debug("events of a Job not read", extra={"error": str(error)})
        return None


def _lacks(job: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a Job has fewer pods than work side by side; one that has ended counts."""
    return len(pods) < int((job.get("spec") or {}).get("parallelism", 1))


def _explain_refusal(name: str, pods: Sequence[Mapping[str, Any]], refusal: str) -> str:
    lacks = "too few pods" if pods else "no pod"
    return shorten(f"Job {name} has {lacks}: {refusal}", LONGEST_WORDS)


def _explain_no_pod(name: str) -> str:
    return (
        f"Job {name} has no pod yet: a quota, a LimitRange or an admission webhook may refuse "
        f"it; `kubectl describe job {name}` says which"
    )


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
