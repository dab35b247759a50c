"""What Deployment and pods say of a version."""

import json
from typing import Any

import pytest

from fairlead_operator.rollout.decision.states import Health
from fairlead_operator.rollout.servers.health import read_health


def deployment(available: int = 0, *, observed: int = 2, **status: int) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": observed, "availableReplicas": available, **status},
    }


def pod(
    *,
    state: dict[str, Any] | None = None,
    last: dict[str, Any] | None = None,
    restarts: int = 0,
    ready: bool = False,
    leaving: bool = False,
    name: str = "server",
) -> dict[str, Any]:
    container = {
        "name": name,
        "ready": ready,
        "restartCount": restarts,
        "state": state or {},
        "lastState": last or {},
    }
    meta = {"name": "p"} | ({"deletionTimestamp": "now"} if leaving else {})
    return {"metadata": meta, "status": {"containerStatuses": [container]}}


def ended(code: int, message: str = "", reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "message": message, "reason": reason}}


def crash_loop() -> dict[str, Any]:
    return {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}


MISMATCH = json.dumps({"reason": "DigestMismatch", "message": "another digest"})
AWAY = json.dumps({"reason": "RegistryUnavailable", "message": "connection refused"})


@pytest.mark.parametrize(
    ("seen", "health"),
    [
        pytest.param(None, Health.UNKNOWN, id="not created"),
        pytest.param(deployment(2), Health.READY, id="all available"),
        pytest.param(deployment(1), Health.STARTING, id="one of two"),
        pytest.param(deployment(2, observed=1), Health.STARTING, id="of an older generation"),
        pytest.param(deployment(2, unavailableReplicas=1), Health.STARTING, id="one is replaced"),
        pytest.param({"metadata": {}, "spec": {}}, Health.STARTING, id="no status yet"),
    ],
)
def test_a_deployment_alone(seen: dict[str, Any] | None, health: Health) -> None:
    assert read_health(seen, [])[0] is health


@pytest.mark.parametrize(
    ("needed", "wished", "health", "message"),
    [
        pytest.param(None, 2, Health.READY, "2 of 2 pods ready", id="as many as there are"),
        pytest.param(None, 3, Health.STARTING, "2 of 3 pods ready", id="more, not told yet"),
        pytest.param(None, 1, Health.READY, "2 of 2 pods ready", id="fewer, not told yet"),
        pytest.param(1, 3, Health.READY, "2 of 1 pods ready", id="an autoscaler decides"),
    ],
)
def test_pods_that_the_spec_asks_for_count_before_the_deployment_is_told(
    needed: int | None, wished: int, health: Health, message: str
) -> None:
    assert read_health(deployment(2), [], needed=needed, wished=wished) == (health, message)


@pytest.mark.parametrize(
    ("seen", "message"),
    [
        pytest.param(pod(state=ended(3, MISMATCH)), "DigestMismatch: another digest",
                     id="it cannot start, and says why"),
        pytest.param(pod(last=ended(3, MISMATCH), restarts=1), "DigestMismatch: another digest",
                     id="it said so before its restart"),
        pytest.param(pod(state=ended(3)), "Error: exit code 3", id="it says nothing"),
        pytest.param(pod(state=crash_loop(), last=ended(1, "Traceback"), restarts=3),
                     "crashed 3 times, last Error: Traceback", id="it crashes again and again"),
        pytest.param(pod(state=crash_loop(), last=ended(137, reason="OOMKilled"), restarts=4),
                     "crashed 4 times, last OOMKilled: exit code 137", id="out of memory"),
    ],
)  # fmt: skip
def test_a_pod_that_will_never_be_ready(seen: dict[str, Any], message: str) -> None:
    assert read_health(deployment(), [pod(), seen]) == (Health.FAILED, message)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(pod(), id="it only just started"),
        pytest.param({"metadata": {"name": "p"}}, id="it has no status"),
        pytest.param(
            pod(state=crash_loop(), last=ended(1, "x"), restarts=2), id="two crashes may pass"
        ),
        pytest.param(
            pod(state={"running": {}}, last=ended(137), restarts=3),
            id="crashes of long ago, as the kubelet does not wait",
        ),
        pytest.param(
            pod(state=crash_loop(), last=ended(255, reason="Unknown"), restarts=3),
            id="its node was restarted again and again",
        ),
        pytest.param(
            pod(state=crash_loop(), last=ended(1, AWAY), restarts=9), id="the registry is away"
        ),
        pytest.param(pod(state=ended(3, MISMATCH), leaving=True), id="it is leaving"),
        pytest.param(pod(last=ended(3, MISMATCH), restarts=9, ready=True), id="it recovered"),
        pytest.param(pod(state={"waiting": {"reason": "ContainerCreating"}}), id="it is created"),
        pytest.param(
            pod(state=crash_loop(), last=ended(1, "no certificate"), restarts=9, name="proxy"),
            id="a container that was put beside it crashes",
        ),
        pytest.param(pod(state=ended(3, MISMATCH), name="proxy"), id="one beside it ends so"),
    ],
)
def test_a_pod_that_may_still_be_ready(seen: dict[str, Any]) -> None:
    assert read_health(deployment(), [seen])[0] is Health.STARTING


def test_a_version_that_is_ready_is_not_judged_by_a_pod_of_before() -> None:
    assert read_health(deployment(2), [pod(state=ended(3, MISMATCH))])[0] is Health.READY


def waiting(reason: str, message: str) -> dict[str, Any]:
    return pod(state={"waiting": {"reason": reason, "message": message}})


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param(
            waiting("ImagePullBackOff", "not found"),
            "pod p does not start: ImagePullBackOff: not found",
            id="no image",
        ),
        pytest.param(
            waiting("ErrImagePull", "429"),
            "pod p does not start: ErrImagePull: 429",
            id="a registry that is busy",
        ),
        pytest.param(
            waiting("InvalidImageName", "a b"),
            "pod p does not start: InvalidImageName: a b",
            id="no image name",
        ),
        pytest.param(
            waiting("CreateContainerConfigError", 'secret "s" not found'),
            'pod p does not start: CreateContainerConfigError: secret "s" not found',
            id="a Secret that comes late",
        ),
        pytest.param(
            waiting("CreateContainerError", "context deadline exceeded"),
            "pod p does not start: CreateContainerError: context deadline exceeded",
            id="a runtime in trouble",
        ),
        pytest.param(
            {
                "metadata": {"name": "p"},
                "status": {
                    "initContainerStatuses": [
                        {"state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
                    ]
                },
            },
            "pod p does not start: ErrImagePull: no",
            id="an injected init container",
        ),
        pytest.param(
            {
                "metadata": {"name": "p"},
                "status": {
                    "phase": "Pending",
                    "conditions": [
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "message": "0/3 nodes are available: 3 Insufficient cpu.",
                        }
                    ],
                },
            },
            "pod p has no node: 0/3 nodes are available: 3 Insufficient cpu.",
            id="a full cluster",
        ),
        pytest.param(
            {
                "metadata": {"name": "p"},
                "status": {
                    "phase": "Failed",
                    "reason": "Evicted",
                    "message": "The node was low on resource: memory.",
                },
            },
            "pod p ended: Evicted: The node was low on resource: memory.",
            id="evicted",
        ),
    ],
)
def test_what_the_cluster_lacks_is_told_and_speaks_against_nobody(
    seen: dict[str, Any], words: str
) -> None:
    assert read_health(deployment(1), [pod(), seen]) == (
        Health.STARTING,
        f"1 of 2 pods ready; {words}",
    )


def test_a_pod_that_the_api_server_refuses_is_told() -> None:
    refused = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": 'pods "m-1-0-0-x" is forbidden: exceeded quota: small',
    }
    seen = deployment()
    seen["status"]["conditions"] = [{"type": "Available", "status": "False"}, refused]

    assert read_health(seen, []) == (
        Health.STARTING,
        f"0 of 2 pods ready; a pod is refused: {refused['message']}",
    )


def test_a_surge_pod_that_cannot_start_is_told_though_enough_are_ready() -> None:
    seen = deployment(2, unavailableReplicas=1)

    health, message = read_health(seen, [pod(ready=True), waiting("ErrImagePull", "no such tag")])

    assert health is Health.STARTING
    ready = "2 of 2 pods ready, and those that take their place are not yet"
    assert message == f"{ready}; pod p does not start: ErrImagePull: no such tag"


@pytest.mark.parametrize(
    ("seen", "ready"),
    [
        pytest.param(deployment(1), "1 of 2 pods ready", id="one is missing"),
        pytest.param(
            deployment(2, unavailableReplicas=1),
            "2 of 2 pods ready, and those that take their place are not yet",
            id="of the changed spec, none is",
        ),
        pytest.param(
            deployment(3, observed=1),
            "2 of 2 pods ready, and those that take their place are not yet",
            id="the change is not taken up yet",
        ),
    ],
)
def test_pods_that_are_not_there_are_never_counted_as_ready(
    seen: dict[str, Any], ready: str
) -> None:
    """A candidate was not ready with 1 of 1 pods ready."""
    assert read_health(seen, [], slow="pod p is slow") == (
        Health.STARTING,
        f"{ready}; pod p is slow",
    )


def test_what_a_pod_says_itself_goes_before_its_events() -> None:
    _, message = read_health(deployment(1), [waiting("ErrImagePull", "no")], slow="pod p is slow")

    assert message == "1 of 2 pods ready; pod p does not start: ErrImagePull: no"
