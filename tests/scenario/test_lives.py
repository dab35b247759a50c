"""Whole lives of a Model against fakes: what a user would see, from apply to rollback."""

import json
from datetime import timedelta

import pytest

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.recipe import recipe_digest
from fairlead_operator.keys import Key
from fairlead_operator.kube.kinds import WATCHED
from support.world import NAMESPACE, World, model_manifest

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def world() -> World:
    """A Model that was applied, and nothing more."""
    world = World()
    world.kube.put(model_manifest())
    await world.run()
    return world


@pytest.fixture
async def serving(world: World) -> World:
    """The first version is in charge."""
    await world.train("nsw-price-training-1", "1.0.0")
    return world


async def retrain(world: World, version: str) -> None:
    world.kube.put(
        {
            "kind": "Model",
            "metadata": {
                "namespace": NAMESPACE,
                "name": "nsw-price",
                "annotations": {"fairlead.dev/retrain": version},
            },
        }
    )
    await world.run()
    run = world.model()["status"]["trainingRun"]
    stable = world.model()["status"]["stable"]["version"]
    await world.train(run, version, champion=stable)


async def test_a_new_model_starts_its_first_training(world: World) -> None:
    status = world.model()["status"]

    assert (status["phase"], status["trainingRun"]) == ("Training", "nsw-price-training-1")
    assert ("Job", NAMESPACE, "nsw-price-training-1-search") in world.kube.objects
    assert world.weights() == {}


async def test_the_first_version_takes_all_traffic_once_it_is_ready(serving: World) -> None:
    status = serving.model()["status"]

    assert (status["phase"], status["stable"]["version"]) == ("Serving", "1.0.0")
    assert serving.weights() == {"1.0.0": 100}


async def test_a_better_candidate_goes_up_step_by_step(serving: World) -> None:
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    seen = [serving.weights()["1.0.1"]]

    for _ in range(24):
        await serving.pass_time(timedelta(seconds=10))
        seen.append(serving.weights().get("1.0.1", 0))

    assert sorted(set(seen)) == [10, 50, 100]
    assert seen == sorted(seen)
    assert serving.model()["status"]["stable"]["version"] == "1.0.1"
    assert ("Deployment", NAMESPACE, "nsw-price-1-0-0") not in serving.kube.objects


async def test_a_candidate_that_is_no_better_is_kept_but_not_shipped(serving: World) -> None:
    serving.kube.put(
        {
            "kind": "Model",
            "metadata": {
                "namespace": NAMESPACE,
                "name": "nsw-price",
                "annotations": {"fairlead.dev/retrain": "now"},
            },
        }
    )
    await serving.train(
        "nsw-price-training-2", "1.0.1", champion="1.0.0", gain=(0.001, -0.01, 0.01)
    )
    status = serving.model()["status"]

    assert status["stable"]["version"] == "1.0.0"
    assert status["gate"]["reason"] == "NotBetter"
    assert "must exceed" in status["gate"]["message"]
    assert status["rollout"] == "nsw-price-rollout-1"


async def test_a_pinned_version_that_answers_badly_is_rolled_back_and_blocked(
    serving: World,
) -> None:
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.prometheus.healthy()
    serving.prometheus.success_rate = 0.7
    serving.pin("1.1.0")

    await serving.pass_time(2 * MINUTE)
    rollout = serving.rollout()["status"]

    assert (rollout["phase"], rollout["reason"]) == ("RolledBack", "AnalysisFailed")
    assert "0.7 over 500 requests, allowed at least 0.99" in rollout["message"]
    assert serving.weights() == {"1.0.0": 100}
    assert serving.model()["status"]["phase"] == "Blocked"
    assert serving.model()["status"]["stable"]["version"] == "1.0.0"
    assert any(reason == "RolledBack" for reason, _ in serving.events())


async def test_git_that_still_asks_for_the_bad_version_causes_no_loop(serving: World) -> None:
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    serving.prometheus.healthy()
    serving.prometheus.success_rate = 0.0
    serving.pin("1.1.0")
    await serving.pass_time(2 * MINUTE)

    await serving.pass_time(60 * MINUTE)

    assert serving.model()["status"]["rollout"] == "nsw-price-rollout-2"


async def test_a_candidate_that_cannot_start_never_takes_traffic(serving: World) -> None:
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.1.0")
    words = {"reason": "DigestMismatch", "message": "artifact has another digest"}
    serving.broken["1.1.0"] = json.dumps(words)
    serving.pin("1.1.0")
    await serving.pass_time(MINUTE)
    rollout = serving.rollout()["status"]

    assert (rollout["phase"], rollout["reason"]) == ("RolledBack", "CandidateFailed")
    assert rollout["message"] == "DigestMismatch: artifact has another digest"
    assert serving.weights() == {"1.0.0": 100}


async def test_a_version_nobody_registered_is_refused_by_name(serving: World) -> None:
    serving.pin("9.9.9")
    await serving.run()
    rollout = serving.rollout()["status"]

    assert (rollout["phase"], rollout["reason"]) == ("RolledBack", "VersionNotFound")
    assert "9.9.9" in rollout["message"]


async def test_an_outage_of_prometheus_holds_then_pauses_and_never_rolls_back(
    serving: World,
) -> None:
    serving.prometheus.down = True
    await retrain(serving, "1.0.1")

    await serving.pass_time(4 * MINUTE)
    holding = serving.rollout()["status"]["phase"], serving.weights()["1.0.1"]
    await serving.pass_time(10 * MINUTE)
    paused = serving.rollout()["status"]["phase"], serving.weights()["1.0.1"]

    assert holding == ("Progressing", 10)
    assert paused == ("Paused", 10)

    serving.prometheus.down = False
    serving.prometheus.healthy()
    await serving.pass_time(10 * MINUTE)

    assert serving.rollout()["status"]["phase"] == "Succeeded"


async def test_an_alert_in_the_guard_window_goes_back_to_the_previous_version(
    serving: World,
) -> None:
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    while serving.rollout()["status"]["phase"] != "Guarding":
        await serving.pass_time(timedelta(seconds=10))
    name = serving.model()["status"]["rollout"]
    alert = {"receivedAt": serving.clock().isoformat(), "message": "FairleadVersionSlow"}
    await serving.kube.annotate(
        "Rollout", NAMESPACE, name, {"fairlead.dev/alert": json.dumps(alert)}
    )

    await serving.run()

    assert serving.rollout()["status"]["reason"] == "AlertFired"
    assert serving.weights() == {"1.0.0": 100}
    assert serving.model()["status"]["stable"]["version"] == "1.0.0"


async def test_a_restart_of_the_operator_at_any_moment_changes_nothing_for_traffic(
    serving: World,
) -> None:
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    seen = []
    for _ in range(30):
        serving.restart_operator()
        before = serving.weights()
        await serving.run()
        assert serving.weights() == before
        await serving.pass_time(timedelta(seconds=10))
        seen.append(serving.weights().get("1.0.1", 0))

    assert seen == sorted(seen)
    assert serving.model()["status"]["stable"]["version"] == "1.0.1"


async def test_a_new_target_takes_the_rollout_in_flight_back_first(serving: World) -> None:
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    assert serving.weights() == {"1.0.1": 10, "1.0.0": 90}
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")
    serving.pin("1.2.0")

    await serving.run()

    first = serving.kube.objects["Rollout", NAMESPACE, "nsw-price-rollout-2"]["status"]
    assert (first["phase"], first["reason"]) == ("RolledBack", "Superseded")
    assert serving.weights() == {"1.2.0": 10, "1.0.0": 90}


async def test_a_rollout_that_starts_costs_its_model_a_write_for_each_thing_it_waits_for(
    serving: World,
) -> None:
    """The turn, its Deployment, a pod, and what keeps that; nothing more while it waits."""
    serving.registry.register(f"{NAMESPACE}.nsw-price", "1.2.0")
    serving.slow.add("1.2.0")
    serving.pin("1.2.0")
    serving.kube.writes.clear()

    await serving.pass_time(MINUTE)

    writes = [write for write in serving.kube.writes if write[1] == "Model"]
    status = serving.model()["status"]
    assert writes == 4 * [("status", "Model", "nsw-price")]
    assert (status["weight"], status["gateway"]) == (0, "BuiltIn")
    assert ("RollingOut", "RollingOut: nsw-price-rollout-2 to 1.2.0") in serving.events()


async def test_a_lost_rollout_is_restored_without_moving_traffic(serving: World) -> None:
    await serving.kube.delete("Rollout", NAMESPACE, "nsw-price-rollout-1")
    serving.restart_operator()
    await serving.run()

    assert serving.model()["status"]["rollout"] == "nsw-price-rollout-2"
    assert serving.weights() == {"1.0.0": 100}
    assert serving.rollout()["status"]["phase"] == "Succeeded"


async def test_a_gateway_that_does_not_report_stops_the_steps(serving: World) -> None:
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    serving.gateway_reports = False
    await serving.pass_time(3 * MINUTE)
    status = serving.rollout()["status"]

    assert status["phase"] in {"Progressing", "Paused"}
    assert status["reason"] == "WaitingForGateway"


async def test_data_that_cannot_be_used_ends_in_a_reason_that_names_the_column(
    world: World,
) -> None:
    document = {
        "outcome": "Failed",
        "stage": "data",
        "reason": "ColumnMissing",
        "message": "column price_up is not in the data; correct spec.data.target",
    }
    world.end_job("nsw-price-training-1", "search", result=document, failed="PodFailurePolicy")

    await world.run()

    run = world.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert (run["phase"], run["reason"]) == ("Failed", "ColumnMissing")
    assert world.model()["status"]["phase"] == "Failed"
    ready = world.model()["status"]["conditions"][0]
    assert (ready["type"], ready["status"], ready["reason"]) == ("Ready", "False", "ColumnMissing")


async def test_the_search_starts_in_the_first_look_at_a_run() -> None:
    """Run, recipe and Job come from one look, and one write of the status tells of them."""
    world = World()
    world.kube.put(model_manifest())
    meta = {"namespace": NAMESPACE, "name": "by-hand"}
    world.kube.put({"kind": "TrainingRun", "metadata": meta, "spec": {"model": "nsw-price"}})
    world.deliver()
    world.kube.writes.clear()

    await world.controller.handle(Key("TrainingRun", NAMESPACE, "by-hand"))

    status = world.kube.objects["TrainingRun", NAMESPACE, "by-hand"]["status"]
    assert (status["phase"], status["mlflowRunId"]) == ("Searching", "run-1")
    assert ("Job", NAMESPACE, "by-hand-search") in world.kube.objects
    assert [kind for verb, kind, _ in world.kube.writes if verb == "status"] == ["TrainingRun"]
    assert [reason for reason, _ in world.events()] == ["Searching"]


async def test_an_mlflow_that_is_down_is_waited_for(world: World) -> None:
    down = World()
    down.registry.down = True
    down.kube.put(model_manifest())
    await down.run()
    run = down.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert (run["phase"], run["reason"]) == ("Pending", "WaitingForTracking")

    down.registry.down = False
    await down.pass_time(timedelta(seconds=30))

    run = down.kube.objects["TrainingRun", NAMESPACE, "nsw-price-training-1"]["status"]
    assert run["phase"] == "Searching"


# What releases up to 0.1.0 wrote for the Model of these tests.
RECIPE_OF_0_1 = "sha256:d549b617cd53cde306788b11ac45629aafa81f47706b346565db0b22ecf8342d"


@pytest.mark.parametrize(
    ("spec", "training"),
    [
        pytest.param({}, "nsw-price-training-1", id="the same recipe: nothing is trained"),
        pytest.param({"training": {"search": {"trials": 50}}}, "nsw-price-training-2",
                     id="a recipe that changed while no operator ran"),
    ],
)  # fmt: skip
async def test_an_upgrade_trains_nobody(
    serving: World, spec: dict[str, object], training: str
) -> None:
    """The digest has another form now; every Model would have been trained anew."""
    model = {"kind": "Model", "metadata": {"namespace": NAMESPACE, "name": "nsw-price"}}
    serving.kube.put({**model, "spec": spec, "status": {"recipe": RECIPE_OF_0_1}})

    serving.restart_operator()
    await serving.run()

    status = serving.model()["status"]
    assert status["trainingRun"] == training
    assert status["recipe"] == recipe_digest(ModelSpec.model_validate(serving.model()["spec"]))


async def test_what_changes_nothing_about_the_model_trains_nobody(serving: World) -> None:
    serving.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": {
                "data": {"source": {"credentials": {"name": "rows"}}, "minRows": 100},
                "training": {"search": {"parallelism": 4, "timeout": "1h"}, "retries": 0},
            },
        }
    )

    await serving.run()

    assert serving.model()["status"]["trainingRun"] == "nsw-price-training-1"


@pytest.mark.parametrize("first", [True, False], ids=["the first version", "a later one"])
async def test_what_an_edited_recipe_would_not_train_is_not_shipped(first: bool) -> None:
    world = World()
    world.prometheus.healthy()
    world.kube.put(model_manifest())
    await world.run()
    name = {"namespace": NAMESPACE, "name": "nsw-price"}
    if not first:
        await world.train("nsw-price-training-1", "1.0.0")
        asked = {**name, "annotations": {"fairlead.dev/retrain": "now"}}
        world.kube.put({"kind": "Model", "metadata": asked})
        await world.run()
    before, old = world.weights(), world.model()["status"]["trainingRun"]
    champion = None if first else "1.0.0"

    edit = {"training": {"search": {"seed": 8}}}
    world.kube.put({"kind": "Model", "metadata": name, "spec": edit})
    await world.train(old, "1.1.0", champion=champion)
    gate, weights = dict(world.model()["status"]["gate"]), world.weights()
    new = world.model()["status"]["trainingRun"]
    await world.train(new, "1.2.0", champion=champion)
    await world.pass_time(MINUTE)

    assert weights == before
    assert (gate["reason"], gate["passed"]) == ("RecipeChanged", False)
    assert gate["message"].startswith("the recipe in the spec has changed since 1.1.0")
    assert new != old
    assert "1.2.0" in world.weights()


async def test_a_quiet_model_writes_nothing(serving: World) -> None:
    await serving.run()
    serving.kube.writes.clear()
    serving.restart_operator()

    await serving.pass_time(60 * MINUTE)

    assert serving.kube.writes == []


async def test_a_suspended_model_adds_no_traffic_but_goes_back(serving: World) -> None:
    """A rollback decided while suspended once changed the status and not the route."""
    serving.prometheus.healthy()
    await retrain(serving, "1.0.1")
    serving.kube.put(
        {
            "kind": "Model",
            "metadata": {"namespace": NAMESPACE, "name": "nsw-price"},
            "spec": {"suspend": True},
        }
    )
    await serving.pass_time(3 * MINUTE)
    assert serving.weights() == {"1.0.1": 10, "1.0.0": 90}

    serving.prometheus.success_rate = 0.5
    await serving.pass_time(MINUTE)

    assert serving.weights() == {"1.0.0": 100}


async def test_a_rollout_by_hand_waits_its_turn_and_then_has_its_full_time(serving: World) -> None:
    """Waiting for the turn once counted against the candidate's start."""
    serving.prometheus.healthy()
    serving.prometheus.requests = 0
    await retrain(serving, "1.0.1")
    serving.registry.register(f"{NAMESPACE}.nsw-price", "0.9.0")
    serving.slow.add("0.9.0")
    serving.kube.put(
        {
            "kind": "Rollout",
            "metadata": {"namespace": NAMESPACE, "name": "back"},
            "spec": {"model": "nsw-price", "version": "0.9.0"},
        }
    )
    await serving.pass_time(30 * MINUTE)
    assert serving.kube.objects["Rollout", NAMESPACE, "back"]["status"]["phase"] == "Pending"

    current = serving.model()["status"]["rollout"]
    await serving.kube.annotate("Rollout", NAMESPACE, current, {"fairlead.dev/abort": "Ada"})
    await serving.pass_time(MINUTE)
    waiting = serving.kube.objects["Rollout", NAMESPACE, "back"]["status"]["reason"]
    await serving.pass_time(10 * MINUTE)

    assert waiting == "WaitingForCandidate"
    late = serving.kube.objects["Rollout", NAMESPACE, "back"]["status"]
    assert (late["phase"], late["reason"]) == ("RolledBack", "StartDeadlineExceeded")


async def test_a_model_that_never_trains_has_the_database_for_its_predictions() -> None:
    world = World()
    world.registry.register("energy.nsw-price", "1.0.0")
    log = {"enabled": True, "sample": 0.5}
    world.kube.put(model_manifest(version="1.0.0", serving={"predictionLog": log}))

    await world.run()

    deployment = world.kube.objects["Deployment", NAMESPACE, "nsw-price-1-0-0"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {entry["name"]: entry for entry in container["env"]}
    assert told["FAIRLEAD_PREDICTION_SAMPLE"]["value"] == "0.5"
    assert ("Secret", NAMESPACE, "fairlead-database") in world.kube.objects
    assert not [key for key in world.kube.objects if key[0] == "Job"]


@pytest.mark.parametrize("kind", WATCHED)
async def test_a_watch_that_is_behind_the_others_changes_no_outcome(
    world: World, kind: str
) -> None:
    """No order is promised between kinds: a Job's end may be told before its pod's result."""
    world.prometheus.healthy()
    world.late = {kind}
    await world.train("nsw-price-training-1", "1.0.0")
    await retrain(world, "1.1.0")
    await world.pass_time(timedelta(minutes=10))

    runs = [item for key, item in world.kube.objects.items() if key[0] == "TrainingRun"]
    assert {run["status"]["phase"] for run in runs} == {"Succeeded"}
    assert world.model()["status"]["phase"] == "Serving"
    assert world.model()["status"]["stable"]["version"] == "1.1.0"
    assert world.weights() == {"1.1.0": 100}
