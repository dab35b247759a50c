"""What a decision about a TrainingRun does: a run in MLflow, Jobs, and their end."""

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from fairlead_contract.search import study_name
from fairlead_operator.api.group import ANNOTATION_TRIED
from fairlead_operator.api.phases.training_run import Phase
from fairlead_operator.errors import TakenError, TransientError
from fairlead_operator.training_run.act import act, start_run
from fairlead_operator.training_run.manifests import job_labels
from fairlead_operator.training_run.seen import Seen
from fairlead_operator.training_run.state_machine import Decision, JobState, decide
from support.fake_logins import FakeLogins
from support.fakes import START
from support.training_run_builders import (
    FAILURE,
    NAME,
    SUCCESS,
    checking,
    finishing,
    observed,
    pending,
    result,
    seen,
    training_run_manifest,
)
from support.world import NAMESPACE, SETTINGS, World, pod

BODY = training_run_manifest()


@pytest.fixture
def world() -> World:
    return World()


async def act_on(world: World, look: Seen) -> Decision:
    decision = decide(look.observed)
    await act(BODY, decision, look, world.ports, SETTINGS, now=world.ports.now())
    return decision


def jobs(world: World) -> set[str]:
    return {name for kind, _, name in world.kube.objects if kind == "Job"}


async def test_a_run_starts_and_the_recipe_is_fixed(world: World) -> None:
    started = await start_run(BODY, seen(pending()), world.ports, now=START)

    assert started.observed.has_run
    assert started.mlflow_run_id == world.registry.runs["uid-run"]
    assert started.config is not None
    assert f'"mlflowRunId": "{started.mlflow_run_id}"' in started.config
    assert '"version": "1.0.0"' in started.config, "the version in charge is the champion"


async def test_starting_twice_is_starting_once(world: World) -> None:
    """An operator that was killed before it stored the id asks again."""
    first = await start_run(BODY, seen(pending()), world.ports, now=START)
    second = await start_run(BODY, seen(pending()), world.ports, now=START)

    assert first == second
    assert len(world.registry.runs) == 1


async def test_an_mlflow_that_is_down_is_said(world: World) -> None:
    world.registry.down = True

    asked = await start_run(BODY, seen(pending()), world.ports, now=START)

    assert not asked.observed.has_run
    assert asked.observed.tracking_error == "mlflow: connection refused"


async def test_an_experiment_that_was_deleted_ends_the_training(world: World) -> None:
    """It waited without end for a run that MLflow does not give."""
    world.registry.deleted_experiments.add(f"{NAMESPACE}/nsw-price")

    asked = await start_run(training_run_manifest(), seen(pending()), world.ports, now=START)

    decision = decide(asked.observed)
    assert (decision.phase, decision.reason) == (Phase.FAILED, "ExperimentDeleted")
    assert "was deleted; then `fairlead retrain MODEL`" in decision.message
    assert world.registry.runs == {}


@pytest.mark.parametrize(
    ("look", "names"),
    [
        pytest.param(seen(pending()), set(), id="no Job without a run"),
        pytest.param(seen(pending(has_run=True)), {f"{NAME}-search"}, id="the search"),
        pytest.param(seen(observed(search=JobState.COMPLETE)), {f"{NAME}-finish"}, id="the end"),
        pytest.param(seen(observed()), set(), id="a Job that is there is left alone"),
    ],
)
async def test_the_jobs_that_should_exist_are_made(
    world: World, look: Seen, names: set[str]
) -> None:
    await act_on(world, look)

    assert jobs(world) == names
    secret = ("Secret", NAMESPACE, "fairlead-database")
    assert (secret in world.kube.objects) == bool(names), "with what its pods read"


async def test_a_dry_run_makes_its_job_and_nothing_else(world: World) -> None:
    """No login, no run: it does not even ask whether MLflow and the database answer."""
    world.registry.down = True

    await act_on(world, seen(checking(check=JobState.ABSENT)))
    await act_on(world, seen(checking(check=JobState.FAILED, check_result=result(FAILURE))))

    assert {(kind, name) for kind, _, name in world.kube.objects} == {("Job", f"{NAME}-check")}
    assert world.registry.runs == {}


async def test_a_dry_run_that_is_suspended_has_no_job(world: World) -> None:
    await act_on(world, seen(checking(check=JobState.ABSENT)))
    await act_on(world, seen(checking(suspend=True)))

    assert jobs(world) == set()


async def test_a_job_finds_what_it_signs_in_to_mlflow_with(world: World) -> None:
    logins = FakeLogins()
    world.ports = dataclasses.replace(world.ports, logins=logins)

    await act_on(world, seen(pending(has_run=True)))
    await act_on(world, seen(observed()))

    assert logins.admitted == [(NAMESPACE, "nsw-price")]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(TransientError("mlflow: away"), id="MLflow is away"),
        pytest.param(TakenError("Secret fairlead-mlflow is not ours"), id="another's Secret"),
    ],
)
async def test_without_it_no_job_starts(world: World, refusal: Exception) -> None:
    look = seen(pending(has_run=True))
    ports = dataclasses.replace(world.ports, logins=FakeLogins(refusal))

    failures = await act(BODY, decide(look.observed), look, ports, SETTINGS, now=ports.now())

    assert jobs(world) == set()
    assert [failure.message for failure in failures] == [str(refusal)]


async def test_a_suspended_run_has_no_jobs(world: World) -> None:
    await act_on(world, seen(pending(has_run=True)))

    await act_on(world, seen(observed(suspend=True)))

    assert jobs(world) == set()


async def test_a_search_of_an_earlier_release_makes_way(world: World) -> None:
    """Its study is where the namespace's own login does not see it."""
    await act_on(world, seen(pending(has_run=True)))

    await act_on(world, seen(finishing(is_earlier=True)))
    left = jobs(world)
    await act_on(world, seen(observed(search=JobState.ABSENT)))

    assert (left, jobs(world)) == (set(), {f"{NAME}-search"})


FAILED: dict[str, Any] = {"finish": JobState.FAILED, "finish_result": result(FAILURE)}


DONE: dict[str, Any] = {"finish": JobState.COMPLETE, "finish_result": result(SUCCESS)}
STUDY = study_name(NAMESPACE, NAME, "uid-run")


@pytest.mark.parametrize(
    ("look", "ended", "studies"),
    [
        pytest.param(seen(observed()), {}, {STUDY}, id="a search goes on"),
        pytest.param(seen(observed(suspend=True)), {}, {STUDY}, id="it is suspended"),
        pytest.param(
            seen(finishing(finish=JobState.ABSENT)), {}, {STUDY}, id="its Job was deleted"
        ),
        pytest.param(seen(finishing(**DONE)), {"run-1": "FINISHED"}, set(), id="it has succeeded"),
        pytest.param(seen(finishing(**FAILED)), {"run-1": "FAILED"}, set(), id="it has failed"),
        pytest.param(seen(observed(phase=Phase.FAILED)), {}, {STUDY}, id="it had failed before"),
    ],
)
async def test_the_run_in_mlflow_and_the_study_end_with_it(
    world: World, look: Seen, ended: dict[str, str], studies: set[str]
) -> None:
    world.record.studies.add(STUDY)

    await act_on(world, look)

    assert world.registry.ended == ended
    assert world.registry.closed == ended.keys()
    assert world.record.studies == studies


async def test_the_end_of_a_training_waits_for_no_database(world: World) -> None:
    world.record.down = True

    decision = await act_on(world, seen(finishing(**DONE)))

    assert decision.phase is Phase.SUCCEEDED
    assert world.registry.ended == {"run-1": "FINISHED"}
    assert world.registry.closed == set(), "by the open run its study is found later"


@pytest.mark.parametrize(
    ("told", "study"),
    [
        pytest.param("uid-before", "uid-before", id="restored from a backup"),
        pytest.param(None, "uid-run", id="a config that names none"),
    ],
)
async def test_the_study_that_is_dropped_is_the_trainers(
    world: World, told: str | None, study: str
) -> None:
    """A TrainingRun that was restored has another uid, and left the study of the first."""
    world.record.studies.add(study_name(NAMESPACE, NAME, study))

    await act_on(world, seen(finishing(**DONE), config=json.dumps({"trainingRunUid": told})))

    assert world.record.studies == set()
    assert world.registry.closed == {"run-1"}


@pytest.mark.parametrize(
    ("run", "phase", "is_dropped"),
    [
        pytest.param(NAME, "Running", False, id="it still ends"),
        pytest.param(NAME, "Pending", False, id="it starts"),
        pytest.param(NAME, "Failed", True, id="it has ended"),
        pytest.param("another", "Running", True, id="another training's"),
    ],
)
async def test_a_study_is_not_dropped_while_a_pod_may_begin_it_anew(
    world: World, run: str, phase: str, *, is_dropped: bool
) -> None:
    """Before Kubernetes 1.31 a Job is Failed while other pods of it still end."""
    worker = pod("worker", labels=job_labels("search", model="nsw-price", run=run))
    worker["status"]["phase"] = phase
    world.kube.put(worker)
    world.record.studies.add(STUDY)

    await act_on(world, seen(finishing(**FAILED)))

    assert world.registry.ended == {"run-1": "FAILED"}, "that waits for nobody"
    assert world.record.studies == (set() if is_dropped else {STUDY})
    assert world.registry.closed == ({"run-1"} if is_dropped else set())


async def test_refused_pods_of_a_job_are_tried_again_every_ten_seconds(world: World) -> None:
    meta = {"namespace": NAMESPACE, "name": f"{NAME}-search"}
    tried = []
    for _ in range(3):
        job = world.kube.put({"kind": "Job", "metadata": meta})
        await act_on(world, seen(observed(), refused=job))
        annotations = world.kube.objects["Job", NAMESPACE, f"{NAME}-search"]["metadata"]
        tried.append(datetime.fromisoformat(annotations["annotations"][ANNOTATION_TRIED]) - START)
        world.clock.advance(timedelta(seconds=6))

    assert [span.total_seconds() for span in tried] == [0, 0, 10]
    assert [verb for verb, kind, _ in world.kube.writes if kind == "Job"].count("annotate") == 2


async def test_a_job_that_is_to_go_is_not_tried_again(world: World) -> None:
    meta = {"namespace": NAMESPACE, "name": f"{NAME}-search"}
    job = world.kube.put({"kind": "Job", "metadata": meta})

    await act_on(world, seen(observed(suspend=True), refused=job))

    assert ("annotate", "Job", f"{NAME}-search") not in world.kube.writes


async def test_all_jobs_that_an_earlier_run_left_are_named_at_once(world: World) -> None:
    for stage in ("search", "finish"):
        labels = job_labels(stage, model="nsw-price", run=NAME)
        meta = {"namespace": NAMESPACE, "name": f"{NAME}-{stage}", "labels": labels}
        world.kube.put({"kind": "Job", "metadata": meta})
    look = seen(observed(search=JobState.ABSENT))

    (failure,) = await act(
        BODY, decide(look.observed), look, world.ports, SETTINGS, now=world.ports.now()
    )

    assert failure.message == (
        f"Job {NAME}-search, Job {NAME}-finish are what an earlier TrainingRun of this name left "
        "behind: delete them"
    )
