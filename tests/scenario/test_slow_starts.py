"""Pods that do not start and do not say why: their Events are handed on within seconds."""

import json
from datetime import timedelta
from typing import Any

import pytest

from support.world import NAMESPACE, World, model_manifest

SOON = timedelta(seconds=10)
NAME = {"namespace": NAMESPACE, "name": "nsw-price"}
SANDBOX = ("FailedCreatePodSandBox", "memory limit too low?")
TROUBLES = [
    pytest.param(SANDBOX, id="no sandbox"),
    pytest.param(("FailedMount", 'secret "late" not found'), id="a volume that is late"),
    pytest.param(("Pulling", 'Pulling image "fairlead/serving:1"'), id="a pull that hangs"),
]


@pytest.fixture
async def serving() -> World:
    world = World()
    world.kube.put(model_manifest())
    await world.train("nsw-price-training-1", "1.0.0")
    return world


def change_servers(world: World) -> None:
    """Have new pods of every version, as a person does who edits what they may have."""
    limits = {"limits": {"memory": "1Mi"}}
    world.kube.put({"kind": "Model", "metadata": NAME, "spec": {"serving": {"resources": limits}}})


def pods_ready(body: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in body["status"]["conditions"] if each["type"] == "PodsReady")


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_new_pods_that_hang_are_told_while_the_old_ones_answer(
    serving: World, trouble: tuple[str, str]
) -> None:
    """The Model said that every pod behind the address is ready, for as long as it lasted."""
    serving.hanging["1.0.0"] = trouble
    change_servers(serving)
    await serving.run()
    at_once = pods_ready(serving.model())

    await serving.pass_time(SOON)

    assert (at_once["status"], "every pod" in at_once["message"]) == ("True", False)
    for told in (pods_ready(serving.rollout()), pods_ready(serving.model())):
        assert (told["status"], told["reason"]) == ("False", "PodsMissing")
        assert ": ".join(trouble) in told["message"]

    serving.hanging.clear()
    await serving.pass_time(SOON)

    told = pods_ready(serving.model())
    assert (told["status"], told["message"]) == ("True", "every pod behind the address is ready")


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_new_pods_of_a_candidate_that_hang_are_told(
    serving: World, trouble: tuple[str, str]
) -> None:
    """It said that the candidate is not ready, with 1 of 1 pods ready."""
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.pin("1.1.0")
    await serving.run()
    serving.hanging["1.1.0"] = trouble
    change_servers(serving)

    await serving.pass_time(SOON)

    status = serving.rollout()["status"]
    assert status["reason"] == "CandidateNotReady"
    assert ": ".join(trouble) in status["message"]
    assert "1 of 1 pods ready, and those that take their place are not yet" in status["message"]
    assert ": ".join(trouble) in pods_ready(serving.model())["message"]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_candidate_whose_first_pods_hang_says_why(
    serving: World, trouble: tuple[str, str]
) -> None:
    serving.hanging["1.1.0"] = trouble
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.pin("1.1.0")

    await serving.pass_time(SOON)

    status = serving.rollout()["status"]
    assert status["reason"] == "WaitingForCandidate"
    assert ": ".join(trouble) in status["message"]


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_trainer_that_hangs_is_told(trouble: tuple[str, str]) -> None:
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    job = world.kube.objects["Job", NAMESPACE, "nsw-price-training-1-search"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    world.hang("trainer", *trouble, labels=labels, job=job)

    await world.pass_time(SOON)

    run = world.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert run["reason"] == "WaitingForPods"
    assert ": ".join(trouble) in run["message"]
    told = [condition["message"] for condition in world.model()["status"]["conditions"]]
    assert any(": ".join(trouble) in message for message in told), told


WRONG = {
    "uri": "postgresql://market-db/market",
    "query": "SELECT 1",
    "credentials": {"name": "sqll"},
}
RIGHT = WRONG | {"credentials": {"name": "sql"}}
NO_SECRET = ("Failed", 'Error: secret "sqll" not found')


def read_run(world: World, number: int) -> dict[str, Any]:
    name = f"nsw-price-training-{number}"
    return dict(world.kube.objects["TrainingRun", NAMESPACE, name]["status"])


def correct(world: World) -> None:
    spec = world.model()["spec"]
    corrected = {"data": spec["data"] | {"source": RIGHT}}
    world.kube.put({"kind": "Model", "metadata": NAME, "spec": corrected})


async def test_a_training_whose_secret_was_named_wrongly_makes_way_once_that_is_corrected() -> None:
    """It stayed until its Job's deadline, by what it had been told, and the Model with it."""
    world = World()
    model = model_manifest()
    model["spec"]["data"]["source"] = WRONG
    world.kube.put(model)
    await world.run()
    job = world.kube.objects["Job", NAMESPACE, "nsw-price-training-1-search"]
    labels = job["spec"]["template"]["metadata"]["labels"]
    world.hang("trainer", *NO_SECRET, labels=labels, job=job)
    await world.pass_time(SOON)
    assert read_run(world, 1)["reason"] == "WaitingForPods"

    correct(world)
    await world.run()

    first = read_run(world, 1)
    assert (first["phase"], first["reason"]) == ("Failed", "Superseded")
    assert NO_SECRET[1] in first["message"]
    assert ("Job", NAMESPACE, "nsw-price-training-1-search") not in world.kube.objects
    assert world.model()["status"]["phase"] == "Training"
    await world.train("nsw-price-training-2", "1.0.0")
    assert world.model()["status"]["stable"]["version"] == "1.0.0"


async def test_a_source_that_is_not_up_is_told_until_it_is_and_ends_nothing() -> None:
    """Three tries within a minute ended the first training for good."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    run_id = read_run(world, 1)["mlflowRunId"]
    told = (
        "waiting for http://data.energy/d.csv: Connection refused; tried 4 times, gives up in 9 min"
    )
    world.registry.progress_of[run_id] = json.dumps({"stage": "data", "waiting": told})

    await world.pass_time(timedelta(seconds=4))

    run = read_run(world, 1)
    assert (run["phase"], run["reason"], run["message"]) == (
        "Searching",
        "WaitingForConnection",
        told,
    )
    assert any(told in each["message"] for each in world.model()["status"]["conditions"])

    world.registry.progress_of[run_id] = json.dumps({"stage": "features"})
    await world.pass_time(timedelta(seconds=4))

    assert read_run(world, 1)["reason"] == "Searching"
    assert not any(told in each["message"] for each in world.model()["status"]["conditions"])
