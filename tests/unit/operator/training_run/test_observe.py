"""What is read of a TrainingRun, and that reading creates nothing."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fairlead_operator.api.group import ANNOTATION_TOLD, LABEL_TRAINING_RUN
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.api.recipe import task_digest
from fairlead_operator.errors import ClusterRefusalError, InvalidSpecError
from fairlead_operator.training_run.manifests import job_labels
from fairlead_operator.training_run.observe import observe, read_job
from fairlead_operator.training_run.state_machine import JobState
from support.fakes import FakeKube
from support.training_run_builders import NAME, SUCCESS, training_run_manifest
from support.world import NAMESPACE, World, made_by, model_manifest, pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = job_labels("search", model="nsw-price", run=NAME)
OWNED = [{"uid": "uid-run"}]
FIXED = '{"searchSchema": "s"}'
RUNNING = {"phase": "Searching", "mlflowRunId": "run-1", "config": FIXED}


class Behind(FakeKube):
    """A cluster whose pods no watch has told of yet."""

    async def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        return []

    async def relist(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        return await super().list(kind, namespace, labels)


@pytest.fixture
def world() -> World:
    """A Model, and no operator that looks at it."""
    world = World()
    world.kube.put(model_manifest())
    world.kube.writes.clear()
    return world


def put_job(world: World, stage: str, *conditions: str, **meta: Any) -> dict[str, Any]:
    return world.kube.put(
        {
            "kind": "Job",
            "metadata": {"namespace": NAMESPACE, "name": f"{NAME}-{stage}", **meta},
            "spec": {"template": {"spec": {}}},
            "status": {"conditions": [{"type": kind, "status": "True"} for kind in conditions]},
        }
    )


def tell_trainer(world: World, stage: str, config: str) -> None:
    """Let the Job that is there tell its trainer this."""
    job = world.kube.objects["Job", NAMESPACE, f"{NAME}-{stage}"]
    container = {"name": "trainer", "args": [stage, "--config", config]}
    job["spec"] = {"template": {"spec": {"containers": [container]}}}


async def test_a_look_creates_nothing(world: World) -> None:
    """The run in MLflow was created while everything was read."""
    seen = await observe(training_run_manifest(), world.ports, now=NOW)

    assert not seen.observed.has_run
    assert world.registry.runs == {}
    assert world.kube.writes == []


DRY = training_run_manifest()
DRY["spec"]["dryRun"] = True


async def test_a_dry_run_is_told_the_recipe_and_of_no_run(world: World) -> None:
    seen = await observe(DRY, world.ports, now=NOW)

    told = json.loads(seen.config or "")
    assert (told["mlflowRunId"], told["champion"]) == (None, None)
    assert told["data"]["target"] == "price_up"
    assert world.kube.writes == []


async def test_a_dry_run_goes_on_with_what_its_job_was_told(world: World) -> None:
    """The look that made the Job was cut off before it wrote the status."""
    put_job(world, "check", uid="uid-job", ownerReferences=OWNED)
    tell_trainer(world, "check", FIXED)

    seen = await observe(DRY, world.ports, now=NOW)

    assert (seen.observed.check, seen.config) == (JobState.ACTIVE, FIXED)


async def test_a_run_that_started_goes_on_with_what_was_fixed_then(world: World) -> None:
    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert seen.observed.has_run
    assert (seen.mlflow_run_id, seen.config) == ("run-1", FIXED)


async def test_without_its_model_it_cannot_be_read(world: World) -> None:
    await world.kube.delete("Model", NAMESPACE, "nsw-price")

    with pytest.raises(InvalidSpecError, match="there is no Model nsw-price"):
        await observe(training_run_manifest(), world.ports, now=NOW)


async def test_progress_is_read_while_jobs_run(world: World) -> None:
    world.registry.progress_of["run-1"] = '{"stage": "fit"}'

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert seen.progress is not None
    assert seen.progress.stage == "fit"


async def test_an_mlflow_that_is_down_leaves_the_progress_as_it_was_known(world: World) -> None:
    world.registry.down = True

    seen = await observe(
        training_run_manifest(**RUNNING, progress={"stage": "data"}), world.ports, now=NOW
    )

    assert seen.observed.phase is Phase.SEARCHING
    assert seen.progress is not None
    assert seen.progress.stage == "data"
    assert seen.observed.unheard


@pytest.mark.parametrize(
    ("conditions", "waiting"),
    [
        pytest.param((), "waiting for h", id="its Job works"),
        pytest.param(("Failed",), "", id="its Job has ended, whatever it said last"),
    ],
)
async def test_whom_the_trainer_waits_for_is_read(
    world: World, conditions: tuple[str, ...], waiting: str
) -> None:
    world.registry.progress_of["run-1"] = '{"stage": "data", "waiting": "waiting for h"}'
    put_job(world, "search", *conditions, ownerReferences=OWNED)

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert seen.observed.waiting == waiting


@pytest.mark.parametrize(
    ("told", "corrected"),
    [
        pytest.param("now", False, id="what it would be told now"),
        pytest.param("before", True, id="something else"),
        pytest.param(None, False, id="a person made it, and no other follows"),
    ],
)
async def test_whether_the_model_was_corrected_since(
    world: World, told: str | None, corrected: bool
) -> None:
    run = training_run_manifest(**RUNNING)
    digest = task_digest(ModelSpec.model_validate(world.model()["spec"]))
    if told is not None:
        run["metadata"]["annotations"] = {ANNOTATION_TOLD: digest if told == "now" else told}

    seen = await observe(run, world.ports, now=NOW)

    assert seen.observed.corrected is corrected


@pytest.mark.parametrize("trials", [0, 1])
async def test_whether_a_trial_was_finished_is_remembered(world: World, trials: int) -> None:
    world.registry.progress_of["run-1"] = '{"stage": "data", "waiting": "waiting for h"}'

    seen = await observe(
        training_run_manifest(**RUNNING, progress={"stage": "search", "trial": trials}),
        world.ports,
        now=NOW,
    )

    assert seen.observed.tried is bool(trials)


async def test_a_job_that_is_being_deleted_is_absent(world: World) -> None:
    put_job(world, "search", ownerReferences=OWNED, deletionTimestamp="2026-01-01T00:00:00Z")

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert seen.observed.search is JobState.ABSENT


@pytest.mark.parametrize(
    ("meta", "state"),
    [
        pytest.param({"ownerReferences": OWNED}, JobState.COMPLETE, id="its own"),
        pytest.param({"labels": OURS}, JobState.ABSENT, id="whose labels anybody may write"),
        pytest.param({}, JobState.ABSENT, id="a person's"),
        pytest.param({"labels": OURS, "ownerReferences": [{"uid": "before"}]}, JobState.ABSENT,
                     id="an earlier run's of the same name"),
        pytest.param(
            {"labels": OURS | {LABEL_TRAINING_RUN: "nsw-price-training.1"}}, JobState.ABSENT,
            id="another run's, whose name makes the same name",
        ),
    ],
)  # fmt: skip
async def test_whose_job_is_read(world: World, meta: dict[str, Any], state: JobState) -> None:
    put_job(world, "search", "Complete", **meta)

    assert (
        await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)
    ).observed.search is state


@pytest.mark.parametrize(
    ("meta", "status", "config"),
    [
        pytest.param({"ownerReferences": OWNED}, {}, '{"a": 1, "searchSchema": "s"}',
                     id="its own: a look was cut off"),
        pytest.param({"ownerReferences": OWNED}, {"config": FIXED}, FIXED, id="status tells it"),
        pytest.param({"labels": OURS}, {}, None, id="of whom nothing but labels tells"),
    ],
)  # fmt: skip
async def test_what_a_search_was_told_stays(
    world: World, meta: dict[str, Any], status: dict[str, str], config: str | None
) -> None:
    put_job(world, "search", **meta)
    tell_trainer(world, "search", '{"a": 1, "searchSchema": "s"}')

    seen = await observe(training_run_manifest(**status), world.ports, now=NOW)

    assert seen.config == config


@pytest.mark.parametrize(
    ("phase", "jobs", "config", "expected"),
    [
        pytest.param("Searching", {"search": ()}, "{}", True, id="it runs"),
        pytest.param("Searching", {"search": ("Complete",)}, "{}", True, id="it is done"),
        pytest.param("Finishing", {"search": ("Complete",)}, "{}", True,
                     id="nothing finishes it yet"),
        pytest.param("Finishing", {"search": ("Complete",), "finish": ()}, "{}", False,
                     id="its study is being used"),
        pytest.param("Searching", {"search": ("Failed",)}, "{}", False, id="it has failed"),
        pytest.param("Searching", {"search": ()}, FIXED, False, id="this release made it"),
    ],
)  # fmt: skip
async def test_whether_an_earlier_release_made_the_search(
    world: World, phase: str, jobs: dict[str, tuple[str, ...]], config: str, *, expected: bool
) -> None:
    for stage, conditions in jobs.items():
        put_job(world, stage, *conditions, ownerReferences=OWNED)
    tell_trainer(world, "search", config)
    status = RUNNING | {"phase": phase, "config": config}

    seen = await observe(training_run_manifest(**status), world.ports, now=NOW)

    assert seen.observed.is_earlier is expected
    assert "searchSchema" in (seen.config or "")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
async def test_what_an_ended_training_was_told_is_left_as_it_is(world: World, phase: str) -> None:
    status = RUNNING | {"phase": phase, "config": "{}"}

    assert (await observe(training_run_manifest(**status), world.ports, now=NOW)).config == "{}"


async def test_the_last_word_of_a_pod_that_the_watch_has_not_told_yet_is_asked_for(
    world: World,
) -> None:
    labels = job_labels("finish", model="nsw-price", run=NAME)
    job = put_job(world, "finish", "Complete", labels=labels, ownerReferences=OWNED)
    ended = {"exitCode": 0, "message": json.dumps(dict(SUCCESS))}
    behind = Behind(world.clock)
    behind.objects = world.kube.objects
    behind.put(pod("p", labels=labels, ended=ended, job=job))

    seen = await observe(
        training_run_manifest(**RUNNING), dataclasses.replace(world.ports, kube=behind), now=NOW
    )

    assert seen.observed.finish_result is not None
    assert seen.observed.finish_result.trained is not None


@pytest.mark.parametrize(
    ("reference", "is_heard"),
    [
        pytest.param({}, True, id="of its own Job"),
        pytest.param(None, False, id="that a person made, with the labels"),
        pytest.param({"uid": "another"}, False, id="of another Job of that name"),
        pytest.param({"controller": False}, False, id="that names the Job, which does not run it"),
    ],
)
async def test_whose_word_counts(
    world: World, reference: dict[str, Any] | None, *, is_heard: bool
) -> None:
    """A pod with the labels of a trainer said what was registered, with its own digest."""
    labels = job_labels("finish", model="nsw-price", run=NAME)
    job = put_job(world, "finish", "Complete", labels=labels, ownerReferences=OWNED)
    said = pod("p", labels=labels, ended={"exitCode": 0, "message": json.dumps(dict(SUCCESS))})
    if reference is not None:
        said["metadata"]["ownerReferences"] = [made_by(job) | reference]
    world.kube.put(said)

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert (seen.observed.finish_result is not None) is is_heard


@pytest.mark.parametrize(
    ("conditions", "state"),
    [
        pytest.param([], JobState.ACTIVE, id="runs"),
        pytest.param([{"type": "FailureTarget", "status": "True"}], JobState.ACTIVE,
                     id="is about to fail: its pods have not ended yet"),
        pytest.param([{"type": "Failed", "status": "True"}], JobState.FAILED, id="failed"),
        pytest.param([{"type": "Complete", "status": "True"}], JobState.COMPLETE, id="complete"),
        pytest.param([{"type": "Failed", "status": "False"}], JobState.ACTIVE, id="not failed"),
    ],
)  # fmt: skip
def test_read_job(conditions: list[dict[str, str]], state: JobState) -> None:
    assert read_job({"status": {"conditions": conditions}})[0] is state


SECRET = {"reason": "CreateContainerConfigError", "message": 'secret "sqll" not found'}


@pytest.mark.parametrize(
    ("age", "waiting", "words"),
    [
        pytest.param(1, None, "", id="its pod is on its way"),
        pytest.param(20, None, "kubectl describe job", id="its pod is refused"),
        pytest.param(20, {}, "", id="it works"),
        pytest.param(20, {"reason": "ContainerCreating"}, "", id="its container is made"),
        pytest.param(20, SECRET, 'secret "sqll" not found', id="a Secret that is not there"),
        pytest.param(
            20, {"reason": "ErrImagePull", "message": "no"}, "ErrImagePull: no", id="no image"
        ),
    ],
)
async def test_what_an_active_job_waits_for_is_told(
    world: World, age: int, waiting: dict[str, str] | None, words: str
) -> None:
    created = (NOW - timedelta(seconds=age)).isoformat()
    job = put_job(world, "search", ownerReferences=OWNED, creationTimestamp=created)
    if waiting is not None:
        trainer = pod("trainer", labels=OURS, job=job)
        state = {"waiting": waiting} if waiting else {"running": {}}
        trainer["status"]["containerStatuses"][0]["state"] = state
        world.kube.put(trainer)

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert seen.observed.search is JobState.ACTIVE
    assert (words in seen.observed.obstacle) if words else not seen.observed.obstacle


QUOTA = (
    'Error creating: pods "t-0-x" is forbidden: exceeded quota: compute, '
    "requested: limits.memory=2Gi, used: limits.memory=0, limited: limits.memory=1Gi"
)
LIMIT_RANGE = (
    'Error creating: pods "t-0-x" is forbidden: maximum memory usage per Container is 1Gi, but '
    "limit is 2Gi"
)
POD_SECURITY = 'Error creating: pods "t-0-x" is forbidden: violates PodSecurity "restricted:latest"'
WEBHOOK = 'Error creating: admission webhook "no.example.com" denied the request: not today'
GUESS = "kubectl describe job"


def put_event(world: World, message: str, *, reason: str = "FailedCreate", at: int = 0) -> None:
    """Tell of the search Job, so many seconds after it was made."""
    job = world.kube.objects["Job", NAMESPACE, f"{NAME}-search"]["metadata"]
    world.kube.put({
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": f"{reason}-{at}"},
        "involvedObject": {"uid": job["uid"]},
        "reason": reason,
        "message": message,
        "lastTimestamp": (NOW + timedelta(seconds=at)).isoformat(),
    })  # fmt: skip


@pytest.mark.parametrize("begun", [False, True], ids=["first pods", "pods of a second Job"])
@pytest.mark.parametrize("message", [QUOTA, LIMIT_RANGE, POD_SECURITY, WEBHOOK])
async def test_a_pod_that_is_refused_is_told_in_the_clusters_words(
    world: World, message: str, *, begun: bool
) -> None:
    """A Job says it by an Event alone, and its deadline was minutes away."""
    put_job(world, "search", ownerReferences=OWNED, creationTimestamp=NOW.isoformat())
    put_event(world, message)
    status = RUNNING | ({"progress": {"stage": "data"}} if begun else {})

    seen = await observe(
        training_run_manifest(**status), world.ports, now=NOW + timedelta(seconds=6)
    )

    assert seen.observed.obstacle == f"Job {NAME}-search has no pod: {message}"
    assert seen.unstarted == timedelta(seconds=10)


@pytest.mark.parametrize(
    ("made", "told", "words"),
    [
        pytest.param(0, QUOTA, f"Job {NAME}-search has no pod: {QUOTA}", id="none was made"),
        pytest.param(
            1, QUOTA, f"Job {NAME}-search has too few pods: {QUOTA}", id="one of two was made"
        ),
        pytest.param(2, QUOTA, None, id="all were made"),
        pytest.param(1, None, None, id="one is made later, and nothing was refused"),
    ],
)
async def test_the_pods_of_a_job_that_are_refused_are_tried_again(
    world: World, made: int, told: str | None, words: str | None
) -> None:
    """When the quota had grown, Kubernetes' own back-off kept them away."""
    meta = {"ownerReferences": OWNED, "creationTimestamp": NOW.isoformat()}
    job = put_job(world, "search", **meta)
    job["spec"]["parallelism"] = 2
    for number in range(made):
        world.kube.put(pod(f"trainer-{number}", labels=OURS, job=job, ready=True))
    if told is not None:
        put_event(world, told)

    seen = await observe(
        training_run_manifest(**RUNNING), world.ports, now=NOW + timedelta(seconds=60)
    )

    assert (seen.refused is not None) is (words is not None)
    assert seen.observed.obstacle == (words or "")
    assert seen.unstarted == (timedelta(seconds=10) if words else None)


async def test_where_events_may_not_be_read_it_is_guessed(world: World) -> None:
    """As with the Role of an earlier chart."""
    put_job(world, "search", ownerReferences=OWNED, creationTimestamp=NOW.isoformat())

    async def refuse(_: object) -> list[dict[str, Any]]:
        raise ClusterRefusalError("GET events: 403 forbidden")

    world.kube.events = refuse  # type: ignore[assignment, method-assign]
    seen = await observe(
        training_run_manifest(**RUNNING), world.ports, now=NOW + timedelta(seconds=6)
    )

    assert GUESS in seen.observed.obstacle


@pytest.mark.parametrize(
    ("age", "conditions", "has_pod"),
    [
        pytest.param(4, (), False, id="its first pod is on its way"),
        pytest.param(60, (), True, id="it has a pod"),
        pytest.param(60, ("Complete",), False, id="it is done"),
        pytest.param(60, ("Failed",), False, id="it has failed"),
    ],
)
async def test_in_the_normal_course_no_events_are_read(
    world: World, age: int, conditions: tuple[str, ...], *, has_pod: bool
) -> None:
    meta = {"ownerReferences": OWNED, "creationTimestamp": NOW.isoformat()}
    job = put_job(world, "search", *conditions, **meta)
    if has_pod:
        world.kube.put(pod("trainer", labels=OURS, job=job, ready=True))

    async def fail(_: object) -> list[dict[str, Any]]:
        raise AssertionError("a list of Events is costly")

    world.kube.events = fail  # type: ignore[assignment, method-assign]
    now = NOW + timedelta(seconds=age)

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=now)

    assert not seen.observed.obstacle
    assert seen.unstarted is None


async def test_a_trainer_that_was_ended_at_its_memory_limit_is_told_so(world: World) -> None:
    job = put_job(world, "search", "Failed", ownerReferences=OWNED)
    ended = {"exitCode": 137, "reason": "OOMKilled"}
    world.kube.put(pod("trainer", labels=OURS, ended=ended, job=job))

    seen = await observe(training_run_manifest(**RUNNING), world.ports, now=NOW)

    assert "OOMKilled" in seen.observed.search_failure
    assert "spec.training.resources.limits.memory" in seen.observed.search_failure
