"""What a version's Deployment and pods say about it.  Pure.

Only what the version's own server did speaks against it: it said that another try cannot help, or
it crashed again and again.  An image that cannot be pulled, a Secret that is not there yet or a
node without room is doubt with a deadline, and told in the cluster's words.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_operator.rollout.decision.capacity import asked_replicas, ready_replicas
from fairlead_operator.rollout.decision.states import Health

# The server ends with this code when another try cannot help (docs/contracts.md).
_EXIT_PERMANENT: Final = 3
_CRASHES: Final = 3
# Reasons with which a container is on its way as it should be.
_ON_ITS_WAY: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
_LONGEST_WORDS: Final = 500  # characters, of one pod


def read_health(
    deployment: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    *,
    needed: int | None = None,
    wished: int = 0,
) -> tuple[Health, str]:
    """Tell the health of a version, and a sentence for people.

    Args:
        needed: pods that are enough where an autoscaler may ask for more at any moment; None
            asks for all, none of them on its way.
        wished: pods that the spec asks for now; the Deployment may not have been told yet.
    """
    if deployment is None:
        return Health.UNKNOWN, "its Deployment is not created yet"
    status = deployment.get("status") or {}
    wanted = max(asked_replicas(deployment), wished) if needed is None else needed
    available = ready_replicas(deployment)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    settled = needed is not None or not status.get("unavailableReplicas")
    if current and available >= wanted and settled:
        return Health.READY, f"{available} of {wanted} pods ready"
    for pod in pods:
        failure = _failure(pod)
        if failure is not None:
            return Health.FAILED, failure
    ready = f"{available} of {wanted} pods ready"
    obstacles = [words for words in (_refusal(deployment), *map(_obstacle, pods)) if words]
    return Health.STARTING, "; ".join([ready, *obstacles[:1]])


def _refusal(deployment: Mapping[str, Any]) -> str | None:
    """Say why no pod may be made, a quota for example; None where nothing was refused."""
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"a pod is refused: {condition.get('message', '')}"[:_LONGEST_WORDS]
    return None


def _obstacle(pod: Mapping[str, Any]) -> str | None:
    """Say what keeps a pod from starting, in the cluster's words; None while nothing does."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    status = pod.get("status") or {}
    name = pod["metadata"].get("name", "")
    if status.get("phase") == "Failed":
        words = f"pod {name} ended: {status.get('reason', '')}: {status.get('message', '')}"
        return words[:_LONGEST_WORDS]
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"pod {name} has no node: {condition.get('message', '')}"[:_LONGEST_WORDS]
    containers = [*(status.get("initContainerStatuses") or []), *_containers(pod)]
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason not in _ON_ITS_WAY:
            words = f"pod {name} does not start: {reason}: {waiting.get('message', '')}"
            return words[:_LONGEST_WORDS]
    return None


def _containers(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (pod.get("status") or {}).get("containerStatuses") or []


def _failure(pod: Mapping[str, Any]) -> str | None:
    """Say why this version's pods will never be ready, by what one did; None while they may."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    for container in _containers(pod):
        ended = (container.get("state") or {}).get("terminated") or (
            container.get("lastState") or {}
        ).get("terminated")
        if container.get("ready") or not ended:
            continue
        reason, message = _last_words(ended)
        if ended.get("exitCode") == _EXIT_PERMANENT:
            return f"{reason}: {message}"[:_LONGEST_WORDS]
        if reason != "RegistryUnavailable" and container.get("restartCount", 0) >= _CRASHES:
            return f"crashed {container['restartCount']} times, last {reason}: {message}"[
                :_LONGEST_WORDS
            ]
    return None


def _last_words(ended: Mapping[str, Any]) -> tuple[str, str]:
    """Read why a container ended, reason and message: the server's own, else Kubernetes'."""
    text = ended.get("message") or ""
    try:
        document = json.loads(text)
        return str(document["reason"]), str(document["message"])
    except (ValueError, KeyError, TypeError):
        reason = str(ended.get("reason", "Error"))
        return reason, text[-300:] or f"exit code {ended.get('exitCode')}"
