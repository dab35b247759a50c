"""What trainings that are gone leave, and which runs nobody may end."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_contract.search import study_name
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.training_run.manifests import job_labels
from fairlead_operator.training_run.tidy import find_end, has_trainer_left, tidy_trainings
from support.fakes import START
from support.training_run_builders import NAME, training_run_manifest
from support.world import NAMESPACE, World, pod

RUN = OpenRun(run_id="run-1", namespace=NAMESPACE, key="uid-run")


def training(*, uid: str = "uid-run", **status: Any) -> dict[str, Any]:
    manifest = training_run_manifest(**status)
    manifest["metadata"]["uid"] = uid
    return manifest


@pytest.mark.parametrize(
    ("trainings", "end"),
    [
        pytest.param([], RunEnd.KILLED, id="its TrainingRun is gone"),
        pytest.param([training(uid="other")], RunEnd.KILLED, id="one of its name is another"),
        pytest.param([training()], None, id="it has only begun"),
        pytest.param([training(phase="Pending")], None, id="it waits"),
        pytest.param([training(phase="Suspended")], None, id="it is suspended, and may go on"),
        pytest.param([training(phase="Finishing")], None, id="it finishes"),
        pytest.param([training(phase="Succeeded")], RunEnd.FINISHED, id="it has succeeded"),
        pytest.param([training(phase="Failed")], RunEnd.FAILED, id="it has failed"),
        pytest.param(
            [training(uid="new", phase="Searching", mlflowRunId="run-1")], None,
            id="restored from a backup, it goes on with its run",
        ),
        pytest.param([training(uid="a"), training(phase="Searching")], None, id="one of several"),
    ],
)  # fmt: skip
def test_how_a_training_ended(trainings: list[dict[str, Any]], end: RunEnd | None) -> None:
    assert find_end(RUN, trainings) == end


GONE, THERE = [{"uid": "uid-gone"}], [{"uid": "uid-run"}]
DONE = [{"type": "Complete", "status": "True"}]


def job(owners: list[dict[str, str]] = GONE, **status: Any) -> dict[str, Any]:
    """Build a search Job; those of two trainings of one name differ in their owners alone."""
    labels = job_labels("search", model="nsw-price", run=NAME)
    meta = {
        "namespace": NAMESPACE,
        "name": "job",
        "uid": "uid-job",
        "labels": labels,
        "ownerReferences": owners,
    }
    return {"kind": "Job", "metadata": meta, "status": status}


def trainer(phase: str = "Running", **meta: Any) -> dict[str, Any]:
    """Build a pod of that Job."""
    found = pod("trainer", labels=job_labels("search", model="nsw-price", run=NAME))
    found["metadata"] |= {"ownerReferences": [{"uid": "uid-job"}], **meta}
    found["status"]["phase"] = phase
    return found


def after(seconds: int) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("left", "works"),
    [
        pytest.param(trainer(), True, id="it runs"),
        pytest.param(trainer("Pending"), True, id="it starts"),
        pytest.param(trainer(deletionTimestamp=after(15)), True, id="it ends"),
        pytest.param(trainer(deletionTimestamp=after(-10)), True, id="it is slow to end"),
        pytest.param(trainer(deletionTimestamp=after(-60)), False, id="its node is away"),
        pytest.param(trainer("Failed"), False, id="it has failed"),
        pytest.param(trainer("Succeeded"), False, id="it is done"),
        pytest.param(job(), True, id="a Job that can make pods"),
        pytest.param(job([]), True, id="a Job that nobody owns"),
        pytest.param(job(conditions=DONE), False, id="a Job that is done"),
        pytest.param(
            job() | {"metadata": {**job()["metadata"], "deletionTimestamp": after(0)}},
            False,
            id="a Job that is being deleted",
        ),
        pytest.param(job(THERE), False, id="a Job of a TrainingRun that is there"),
    ],
)
def test_whether_a_trainer_is_left(left: dict[str, Any], *, works: bool) -> None:
    """The TrainingRun that is there has the name of the one that is gone."""
    workers: dict[str, list[dict[str, Any]]] = {"Job": [], "Pod": [], left["kind"]: [left]}

    assert has_trainer_left(workers["Job"], workers["Pod"], [training()], now=START) is works


@pytest.mark.parametrize(
    ("jobs", "works"),
    [
        pytest.param([job(THERE)], False, id="of a TrainingRun that is there"),
        pytest.param([job(conditions=DONE)], True, id="of one that is gone"),
        pytest.param([], True, id="gone before it"),
    ],
)
def test_whose_job_a_pod_that_works_is_of(jobs: list[dict[str, Any]], *, works: bool) -> None:
    assert has_trainer_left(jobs, [trainer()], [training()], now=START) is works


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_outlives_its_training_is_waited_for(phase: str) -> None:
    """Before Kubernetes 1.31 a Job is Failed while other pods of it still end."""
    failed = job(THERE, conditions=[{"type": "Failed", "status": "True"}])
    over = training(phase=phase)

    assert has_trainer_left([failed], [trainer(deletionTimestamp=after(15))], [over], now=START)
    assert not has_trainer_left([failed], [trainer("Failed")], [over], now=START)


@pytest.fixture
async def world() -> World:
    """Three runs of two namespaces with their studies, and the objects of none."""
    world = World()
    for namespace, name in ((NAMESPACE, "a"), (NAMESPACE, "b"), ("elsewhere", "c")):
        experiment = f"{namespace}/nsw-price"
        await world.registry.start_run(
            experiment=experiment, name=name, key=f"uid-{name}", now=START
        )
        world.record.studies.add(study_name(namespace, name, f"uid-{name}"))
    return world


async def test_what_is_left_of_a_namespace_is_ended(world: World) -> None:
    again = await tidy_trainings(NAMESPACE, world.ports)

    assert again is None
    assert world.registry.ended == {"run-1": "KILLED", "run-2": "KILLED"}
    assert world.registry.closed == {"run-1", "run-2"}
    assert world.record.studies == {"elsewhere/c/uid-c"}


async def test_who_is_under_way_is_left_alone(world: World) -> None:
    run = training(phase="Searching")
    run["metadata"]["name"] = "a"
    uid = world.kube.put(run)["metadata"]["uid"]
    assert uid == "uid-run"
    world.registry.runs["uid-run"] = world.registry.runs.pop("uid-a")

    await tidy_trainings(NAMESPACE, world.ports)

    assert world.registry.ended == {"run-2": "KILLED"}
    assert "energy/a/uid-a" in world.record.studies


async def test_a_run_of_one_namespace_ends_no_training_of_another(world: World) -> None:
    """Whoever may write to MLflow can tag a run of his own with the uid of another's training."""
    await world.registry.start_run(experiment="tenant/m", name="x", key="uid-c-of-mine", now=START)
    world.registry.runs["uid-c"], mine = "run-4", world.registry.runs["uid-c"]
    world.registry.runs["uid-c-of-mine"] = mine
    world.registry.experiments |= {"run-4": "tenant/m", mine: "elsewhere/nsw-price"}

    await tidy_trainings("tenant", world.ports)

    assert world.registry.ended == {"run-4": "KILLED"}
    assert "elsewhere/c/uid-c" in world.record.studies


async def test_a_trainer_that_ends_is_waited_for(world: World) -> None:
    """It would write its study anew."""
    world.kube.put(trainer())

    again = await tidy_trainings(NAMESPACE, world.ports)

    assert again is not None
    assert world.registry.ended == {}
    await world.kube.delete("Pod", NAMESPACE, "trainer")
    assert await tidy_trainings(NAMESPACE, world.ports) is None
    assert len(world.registry.ended) == 2


async def test_a_database_that_is_away_leaves_the_run_to_be_found_again(world: World) -> None:
    world.record.down = True

    with pytest.raises(TransientError):
        await tidy_trainings(NAMESPACE, world.ports)

    assert world.registry.closed == set()


async def test_a_study_that_is_not_removed_holds_up_no_other(world: World) -> None:
    """One that was too large for its time kept all others of its namespace, for good."""
    forget = world.record.forget_study

    async def forget_but_one(namespace: str, uid: str) -> None:
        if uid == "uid-a":
            raise TransientError("record database: the query took too long")
        await forget(namespace, uid)

    world.record.forget_study = forget_but_one  # type: ignore[method-assign]

    with pytest.raises(TransientError, match="took too long"):
        await tidy_trainings(NAMESPACE, world.ports)

    assert world.registry.closed == {"run-2"}
    assert world.record.studies == {"energy/a/uid-a", "elsewhere/c/uid-c"}


async def test_what_cannot_be_seen_is_left(world: World) -> None:
    async def refuse(*_: object) -> list[dict[str, Any]]:
        raise ClusterRefusalError("GET trainingruns: 403 forbidden")

    world.kube.relist = refuse  # type: ignore[assignment, method-assign]

    assert await tidy_trainings(NAMESPACE, world.ports) is None
    assert world.registry.ended == {}


async def test_where_nothing_is_open_the_cluster_is_not_asked(world: World) -> None:
    async def refuse(*_: object) -> list[dict[str, Any]]:
        raise AssertionError

    world.kube.relist = refuse  # type: ignore[assignment, method-assign]

    assert await tidy_trainings("quiet", world.ports) is None
