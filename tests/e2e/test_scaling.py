"""Pods that follow the load, on the real cluster: a promotion while they are added loses nobody."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e import beside
from e2e.beside import FIRST, SECOND
from e2e.story import energy
from e2e.story.answers import failed, of_version, refused
from e2e.story.following import describe_rollout, expect_phase, has_ended
from e2e.story.objects import Object, status_of
from e2e.story.tell import Told
from e2e.story.traffic import Traffic
from e2e.story.waiting import wait_for

pytestmark = pytest.mark.e2e

MODEL = "scaled"
MOST = 4
LOCAL_PORT = 18081
# A pod may use 8 millicores, and idles at 3; one request takes 0.6 to 4 milliseconds of one,
# by the machine and by who else uses it.
SERVING = {
    "requestTimeout": "10s",
    "resources": {"requests": {"cpu": "16m"}},
    "autoscaling": {"minReplicas": 1, "maxReplicas": MOST, "target": {"cpuUtilization": 50}},
}
RATE = 30.0  # requests a second
POLICY = {
    "steps": [{"weight": 25, "hold": "10s"}, {"weight": 50, "hold": "10s"}],
    "analysis": {
        "interval": "2s",
        "checks": [
            {"name": "success-rate", "builtin": "success-rate", "atLeast": 0.99, "window": "15s"}
        ],
    },
    "guard": {"duration": "20s"},
    "startDeadline": "3m",
}


@pytest.fixture(name="scaled")
def _scaled(told: Told, tmp_path: Path) -> Iterator[Traffic]:
    """A Model that serves its first version, scaled by its load, and a generator for it."""
    beside.register_versions(told, MODEL)
    beside.apply_model(told, MODEL, serving=SERVING, rollout=POLICY)
    traffic = Traffic(tmp_path)
    yield traffic
    traffic.stop()
    beside.delete_model(told, MODEL)


def get(told: Told, kind: str, version: str) -> Object:
    """An object named after a version; empty when there is none."""
    found = told.world.cluster.kubectl(
        "get", kind, f"{MODEL}-{version.replace('.', '-')}", f"--namespace={energy.NAMESPACE}",
        "--ignore-not-found", "--output=json",
    ).stdout  # fmt: skip
    return dict(json.loads(found)) if found else {}


def asked(deployment: Object) -> int:
    return int(deployment["spec"]["replicas"]) if deployment else 0


def ready(deployment: Object) -> int:
    return int(status_of(deployment).get("availableReplicas", 0)) if deployment else 0


def wait_for_pods(told: Told, version: str, least: int, *, timeout: float = 300) -> None:
    wait_for(
        f"{least} pods of {version}",
        lambda: get(told, "deployment", version),
        lambda deployment: ready(deployment) >= least,
        describe=lambda deployment: (
            f"{version}: {ready(deployment)} of {asked(deployment)} pods ready"
        ),
        say=told.world.say,
        timeout=timeout,
    )


def start(told: Told, traffic: Traffic, rate: float) -> None:
    url = beside.expose(told, MODEL, local_port=LOCAL_PORT)
    host = f"{MODEL}.{energy.NAMESPACE}"
    traffic.start(url=url, host=host, rate=rate, first=energy.ALL_ROWS, count=2000)


def test_a_promotion_while_pods_are_added_loses_no_request(told: Told, scaled: Traffic) -> None:
    wait_for_pods(told, FIRST, 1)
    asked_at = time.monotonic()
    # The load comes while there is one pod, and the promotion while pods are being added.
    start(told, scaled, RATE)
    wait_for_pods(told, FIRST, 2)
    told.world.say(f"two pods {time.monotonic() - asked_at:.0f} s after the load came")
    told.world.cluster.kubectl(
        "patch", "model", MODEL, f"--namespace={energy.NAMESPACE}", "--type=merge",
        f"--patch={json.dumps({'spec': {'version': SECOND}})}",
    )  # fmt: skip
    weights: dict[int, tuple[int, int, int]] = {}  # weight → pods ready, pods of stable, capacity

    def look() -> Object:
        # Pods are read after the weight: fewer of them than it needs would be seen.
        rollout = told.world.objects.rollout_to(SECOND, model=MODEL)
        status = status_of(rollout)
        if status.get("observedWeight") and not has_ended(rollout):
            pods = ready(get(told, "deployment", SECOND)), asked(get(told, "deployment", FIRST))
            weights.setdefault(status["observedWeight"], (*pods, status["capacity"]))
        return rollout

    end = wait_for(
        f"the Rollout to {SECOND} to end",
        look,
        lambda rollout: bool(rollout) and has_ended(rollout),
        describe=describe_rollout,
        say=told.world.say,
        timeout=420,
        aside=scaled.describe,
    )
    expect_phase(end, "Succeeded")
    answers = scaled.stop()

    assert failed(answers) == []
    assert refused(answers) == []
    assert of_version(answers, FIRST)
    assert of_version(answers, SECOND)
    assert set(weights) == {25, 50, 100}
    for weight, (candidate, stable, capacity) in weights.items():
        assert candidate >= min(MOST, -(-capacity * weight // 100))
        assert stable >= capacity >= 2
    assert get(told, "deployment", FIRST) == {}
    assert get(told, "horizontalpodautoscaler", FIRST) == {}
    assert get(told, "horizontalpodautoscaler", SECOND)["spec"]["maxReplicas"] == MOST
