"""Why pods do not start, of which their status does not say it."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.starts import Start, explain, look_at_starts
from support.fakes import START, Clock, FakeKube
from support.world import NAMESPACE

SECOND = timedelta(seconds=1)
CREATING = {"waiting": {"reason": "ContainerCreating"}}
PREPARED = {"waiting": {"reason": "PodInitializing"}}
RUNNING = {"running": {"startedAt": START.isoformat()}}
ENDED = {"terminated": {"exitCode": 1}}
SANDBOX = 'memory limit too low? sandbox "%s"'


def pod(
    state: dict[str, Any] = CREATING,
    *,
    init: dict[str, Any] | None = None,
    phase: str = "Pending",
    ready: str = "False",
    placed: bool = True,
    **meta: str,
) -> dict[str, Any]:
    """Build a pod that was placed on a node at the start of time."""
    moment = START.isoformat()
    before = (START - 60 * SECOND).isoformat()
    node = {"status": "True", "lastTransitionTime": moment} if placed else {"status": "False"}
    begins = [{"name": "mesh", "ready": False, "state": init}] if init else []
    return {
        "metadata": {"name": "p", "namespace": NAMESPACE, "uid": "1", "creationTimestamp": before}
        | meta,
        "status": {
            "phase": phase,
            "conditions": [{"type": "PodScheduled", **node}, {"type": "Ready", "status": ready}],
            "containerStatuses": [{"ready": ready == "True", "state": state}],
            "initContainerStatuses": begins,
        },
    }


def event(reason: str, message: str = "", *, at: int = 0, kind: str = "Warning") -> dict[str, Any]:
    moment = (START + at * SECOND).isoformat()
    return {"type": kind, "reason": reason, "message": message, "metadata": {},
            "lastTimestamp": moment}  # fmt: skip


def step(reason: str, message: str = "", *, at: int = 0) -> dict[str, Any]:
    return event(reason, message, at=at, kind="Normal")


NO_SECRET = event("FailedMount", 'secret "late" not found', at=1)
SILENCE = "pod p has not started since it was given to a node, and no Event says why"


@pytest.mark.parametrize(
    ("seen", "events", "words"),
    [
        pytest.param(
            pod(), [event("FailedCreatePodSandBox", SANDBOX % ("ab12" * 16))],
            f"pod p does not start: FailedCreatePodSandBox: {SANDBOX % '…'}",
            id="a memory limit that its sandbox does not fit in, without the try's own id",
        ),
        pytest.param(
            pod(), [step("Scheduled"), NO_SECRET],
            'pod p does not start: FailedMount: secret "late" not found',
            id="a Secret, a ConfigMap or a claim that is late",
        ),
        pytest.param(
            pod(PREPARED, init=CREATING), [NO_SECRET],
            'pod p does not start: FailedMount: secret "late" not found',
            id="the same, with an init container",
        ),
        pytest.param(
            pod(), [NO_SECRET, step("SandboxChanged", at=2)],
            'pod p does not start: FailedMount: secret "late" not found',
            id="what only tells of another try overcomes nothing",
        ),
        pytest.param(
            pod(), [NO_SECRET, step("Pulling", "Pulling image", at=1)],
            'pod p does not start: FailedMount: secret "late" not found',
            id="within one second, the warning counts",
        ),
        pytest.param(
            pod(), [NO_SECRET, step("Pulling", 'Pulling image "a:1"', at=2)],
            'pod p has not started: Pulling: Pulling image "a:1"',
            id="a pull that hangs, after a trouble that is over",
        ),
        pytest.param(
            pod(PREPARED, init=RUNNING), [step("Started")],
            "pod p waits for its init container mesh, which still runs",
            id="an init container that does not end",
        ),
        pytest.param(
            pod(PREPARED, init=RUNNING), [event("Unhealthy", "no", at=1)],
            "pod p is not ready: Unhealthy: no", id="an init container in trouble",
        ),
        pytest.param(
            pod(RUNNING, phase="Running"), [step("Started"), event("Unhealthy", "HTTP 503", at=3)],
            "pod p is not ready: Unhealthy: HTTP 503", id="a probe that fails",
        ),
        pytest.param(
            pod(RUNNING, phase="Running"), [step("Started")], "pod p runs, and is not ready",
            id="it runs, and nobody says more",
        ),
        pytest.param(
            pod(), [event("FailedScheduling", "no node", at=-9), step("Scheduled")], SILENCE,
            id="that it had no node is over",
        ),
        pytest.param(pod(), [], SILENCE, id="a node that does nothing"),
    ],
)  # fmt: skip
def test_why_a_pod_is_slow(seen: dict[str, Any], events: list[dict[str, Any]], words: str) -> None:
    told = explain(seen, events, age=15 * SECOND)

    assert told is not None
    assert told.startswith(words)


def test_silence_alone_is_told_a_little_later() -> None:
    """A busy node may need some seconds, and tells nothing of them."""
    assert explain(pod(), [step("Scheduled")], age=14 * SECOND) is None


def cluster(*events: dict[str, Any]) -> FakeKube:
    kube = FakeKube(Clock())
    for number, told in enumerate(events):
        meta = {"namespace": NAMESPACE, "name": f"e{number}"}
        kube.put({"kind": "Event", **told, "metadata": meta, "involvedObject": {"uid": "1"}})
    return kube


@pytest.mark.parametrize(
    ("age", "again"),
    [
        pytest.param(5, 5, id="at first every five seconds"),
        pytest.param(300, 30, id="less often the older it is"),
        pytest.param(7200, 60, id="each minute at last"),
    ],
)
async def test_events_are_asked_for_less_and_less_often(age: int, again: int) -> None:
    start = await look_at_starts([pod()], cluster(NO_SECRET), now=START + age * SECOND)

    assert start.obstacle is not None
    assert start.look_again == again * SECOND


@pytest.mark.parametrize(
    ("seen", "age", "start"),
    [
        pytest.param(pod(), 2, Start(look_again=3 * SECOND), id="it was placed just now"),
        pytest.param(pod(), -3600, Start(look_again=5 * SECOND), id="its clock is ahead of ours"),
        pytest.param(pod(RUNNING, phase="Running"), 12, Start(look_again=18 * SECOND),
                     id="it runs, and loads its model"),
        pytest.param(pod(PREPARED, init=RUNNING), 12, Start(look_again=18 * SECOND),
                     id="its init container runs"),
        pytest.param(pod(RUNNING, ready="True"), 90, Start(), id="it answers"),
        pytest.param(pod(deletionTimestamp="now"), 90, Start(), id="it leaves"),
        pytest.param(pod(phase="Failed"), 90, Start(), id="it has failed"),
        pytest.param(pod(phase="Succeeded"), 90, Start(), id="it is done"),
        pytest.param(pod(placed=False), 90, Start(), id="it has no node, and says why"),
        pytest.param(pod({"waiting": {"reason": "ErrImagePull"}}), 90, Start(),
                     id="it says itself why it does not start"),
        pytest.param(pod(ENDED, phase="Running"), 90, Start(), id="it has crashed"),
    ],
)  # fmt: skip
async def test_nobody_is_asked_of_a_pod_that_is_not_slow(
    seen: dict[str, Any], age: int, start: Start
) -> None:
    kube = cluster()
    kube.fail_next = [AssertionError("a list of Events is costly")]

    assert await look_at_starts([seen], kube, now=START + age * SECOND) == start


async def test_one_of_many_is_asked_of_the_one_that_waits_longest() -> None:
    late = pod() | {"metadata": {"name": "q", "creationTimestamp": START.isoformat()}}
    late["status"] = late["status"] | {"conditions": []}
    late["metadata"]["creationTimestamp"] = (START + 9 * SECOND).isoformat()

    start = await look_at_starts([late, pod()], cluster(NO_SECRET), now=START + 20 * SECOND)

    assert start.obstacle is not None
    assert "pod p" in start.obstacle


@pytest.mark.parametrize(
    "error", [TransientError("no answer"), ClusterRefusalError("403"), TimeoutError()]
)
async def test_where_events_cannot_be_read_the_pod_is_named(error: Exception) -> None:
    kube = cluster()
    kube.fail_next = [error]

    start = await look_at_starts([pod()], kube, now=START + 20 * SECOND)

    assert start.obstacle is not None
    assert start.obstacle.startswith(SILENCE)
