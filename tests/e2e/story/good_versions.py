"""Chapters 1 to 3: a first version is trained, served, and replaced by a better one."""

import dataclasses
import json
import re
import urllib.parse
import urllib.request
from typing import Any

from e2e.story import energy
from e2e.story.errors import expect
from e2e.story.following import Followed, follow_rollout, follow_training
from e2e.story.measured import result_of
from e2e.story.objects import Object, name_of, status_of
from e2e.story.rows import EXAMPLE, read_rows
from e2e.story.signed_in import headers
from e2e.story.waiting import wait_for
from e2e.story.world import World

LEAST_TRIALS = 20
WEIGHTS = ("10", "50", "100")
# The half-hours after those both versions learn from.
LIVE_ROWS = 8000
RATE = 30.0
_WAIT = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """The second version's way into charge."""

    training: Followed
    rollout: Followed
    gate: Object


def train_first(world: World) -> Followed:
    """Play chapter 1: apply one manifest, and get a version."""
    world.say.chapter(
        f"1. One manifest, and a model is trained on the first {energy.FIRST_ROWS:,} half-hours"
    )
    energy.set_up_database(world.cluster, world.images.get("postgres"))
    energy.load_rows(world.cluster, first=0, count=energy.FIRST_ROWS)
    world.say.command("kubectl apply -f examples/nsw-price/model.yaml")
    world.cluster.kubectl("apply", f"--filename={EXAMPLE / 'model.yaml'}")
    training = follow_training(world, next_training(world, after=""))
    _expect_search(training)
    version = result_of(training.end)["version"]
    expect(version == "1.0.0", "the first version to be 1.0.0", version)
    _expect_tracked(world, training.end)
    return training


def serve_first(world: World) -> None:
    """Play chapter 2: call the Model's one address; from now on there is traffic."""
    world.say.chapter("2. The model is served at one stable address")
    wait_until_serving(world, "1.0.0")
    url = world.expose_gateway()
    row, *_ = read_rows(first=energy.ALL_ROWS, count=1)
    answer = energy.ask(url, row)
    predictions = answer["predictions"]
    expect(answer["version"] == "1.0.0", "an answer of version 1.0.0", answer)
    expect(
        len(predictions) == 1 and 0 <= predictions[0] <= 1, "one probability for one row", answer
    )
    world.say(f"POST {url}/predict, Host: {energy.HOST} → {json.dumps(answer)}")
    world.traffic.start(
        url=url, host=energy.HOST, rate=RATE, first=energy.ALL_ROWS, count=LIVE_ROWS
    )
    world.say(f"the load generator sends {RATE:g} real rows per second from here to the end")


def train_second(world: World) -> Followed:
    """Play chapter 3, first half: add rows, and ask for a retraining.

    The version that comes of it is to wait for a person after its first step.
    """
    world.say.chapter(
        f"3. {energy.ALL_ROWS - energy.FIRST_ROWS:,} more half-hours arrive, and a better version"
    )
    count = energy.ALL_ROWS - energy.FIRST_ROWS
    energy.load_rows(world.cluster, first=energy.FIRST_ROWS, count=count)
    first, *others = energy.read_policy()["steps"]
    world.patch_model({"rollout": {"steps": [first | {"pause": True}, *others]}})
    before = str(status_of(world.objects.model(energy.MODEL))["trainingRun"])
    world.fairlead("retrain", energy.MODEL, f"--why=more rows, after {before}")
    training = follow_training(world, next_training(world, after=before))
    _expect_search(training)
    return training


def promote_second(world: World, training: Followed) -> Promotion:
    """Play chapter 3, second half: pass the gate, the canary and a person, and take over."""
    version = result_of(training.end)["version"]
    rollout = follow_rollout(world, version, "Succeeded", approve="its answers look right")
    gate: Object = status_of(world.objects.model(energy.MODEL))["gate"]
    world.say(f"the gate's verdict was: {gate['message']}")
    expect(gate["version"] == version and gate["passed"], f"{version} to pass the gate", gate)
    missing = [weight for weight in WEIGHTS if weight not in rollout.seen]
    expect(not missing, f"the weights {', '.join(WEIGHTS)}", rollout.seen)
    wait_until_serving(world, version)
    world.fairlead("status", energy.MODEL)
    world.patch_model({"rollout": {"steps": energy.read_policy()["steps"]}})
    return Promotion(training=training, rollout=rollout, gate=gate)


def next_training(world: World, *, after: str) -> str:
    """Return the name of the training the Model starts after another."""
    model = wait_for(
        "the Model to start a TrainingRun",
        lambda: world.objects.model(energy.MODEL),
        lambda model: status_of(model).get("trainingRun", "") not in {"", after},
        describe=describe_model,
        say=world.say,
        timeout=_WAIT,
    )
    return str(status_of(model)["trainingRun"])


def wait_until_serving(world: World, version: str) -> Object:
    """Wait until a version is in charge and nothing else is asked for."""

    def is_serving(model: Object) -> bool:
        status = status_of(model)
        return (
            status.get("phase") == "Serving"
            and (status.get("stable") or {}).get("version") == version
            and status.get("observedGeneration") == model["metadata"]["generation"]
        )

    return wait_for(
        f"the Model to serve {version}",
        lambda: world.objects.model(energy.MODEL),
        is_serving,
        describe=describe_model,
        say=world.say,
        timeout=_WAIT,
        aside=world.traffic.describe,
    )


def describe_model(model: Object) -> str:
    """Describe in a line: phase and stable version."""
    status = status_of(model)
    if not status:
        return "model: no status yet"
    stable = (status.get("stable") or {}).get("version", "none")
    return f"model {name_of(model)}: {status.get('phase')}, stable version: {stable}"


def _expect_search(training: Followed) -> None:
    trials = result_of(training.end)["trials"]
    expect(trials["finished"] >= LEAST_TRIALS, f"{LEAST_TRIALS} trials or more", trials)
    counted = [line for line in training.seen if re.search(r"trial \d+/\d+", line)]
    expect(bool(counted), "progress such as 'trial 17/40' while it runs", training.seen)


def _expect_tracked(world: World, run: Object) -> None:
    """Expect MLflow to have the run with its hyperparameters, and the version with its digest."""
    result = result_of(run)
    query = urllib.parse.urlencode({"run_id": result["mlflowRunId"]})
    files = _mlflow(world, f"artifacts/list?{query}").get("files", [])
    paths = [file["path"] for file in files]
    expect("best_hyperparameters.json" in paths, "best_hyperparameters.json in MLflow", paths)
    query = urllib.parse.urlencode(
        {"name": energy.REGISTERED_MODEL, "version": result["registryVersion"]}
    )
    found = _mlflow(world, f"model-versions/get?{query}")["model_version"]
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    expect(tags.get("fairlead.digest") == result["digest"], "the digest as a tag", tags)


def _mlflow(world: World, path: str) -> dict[str, Any]:
    url = f"{world.mlflow_url}/api/2.0/mlflow/{path}"
    with urllib.request.urlopen(
        urllib.request.Request(url, headers=dict(headers())), timeout=60
    ) as answer:
        return dict(json.load(answer))
