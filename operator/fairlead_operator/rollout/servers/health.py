"""What a version's Deployment and pods say about it.  Pure.

Only what the version's own server did speaks against it: it said that another try cannot help, or
it crashed again and again.  An image that cannot be pulled, a Secret that is not there yet, a node
without room or a container that another put beside it is doubt with a deadline, and told in the
cluster's words.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_contract.cluster import SERVER
from fairlead_operator.kube.pods import LONGEST_WORDS, containers, find_obstacle, read_last_words
from fairlead_operator.rollout.decision.capacity import asked_replicas, ready_replicas
from fairlead_operator.rollout.decision.states import Health
from fairlead_operator.text import shorten

# The server ends with this code when another try cannot help (docs/contracts.md).
_EXIT_PERMANENT: Final = 3
# The kubelet's own, for a container that was gone when it looked: its node went down.
_EXIT_UNKNOWN: Final = 255
_CRASHES: Final = 3


def read_health(
    deployment: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    *,
    needed: int | None = None,
    wished: int = 0,
    slow: str | None = None,
) -> tuple[Health, str]:
    """Tell the health of a version, and a sentence for people.

    Args:
        needed: pods that are enough where an autoscaler may ask for more at any moment; None
            asks for all, none of them on its way.
        wished: pods that the spec asks for now; the Deployment may not have been told yet.
        slow: why a pod is slow to start, where its status does not say it.
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
    ready = f"{min(available, wanted)} of {wanted} pods ready"
    if available >= wanted:
        ready += ", and those that take their place are not yet"
    obstacle = find_obstacle(deployment, pods) or slow
    return Health.STARTING, ready if obstacle is None else f"{ready}; {obstacle}"


def _failure(pod: Mapping[str, Any]) -> str | None:
    """Say why this version's pods will never be ready, by what one did; None while they may."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    for container in containers(pod):
        if container.get("name") != SERVER:
            continue
        state = container.get("state") or {}
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
        if container.get("ready") or not ended:
            continue
        reason, message = read_last_words(ended)
        if ended.get("exitCode") == _EXIT_PERMANENT:
            return shorten(f"{reason}: {message}", LONGEST_WORDS)
        # The count is of the pod's whole life, in which nodes are restarted too.  The kubelet waits
        # only after crashes of late, and forgets them when a container has run for ten minutes.
        crashes = (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
        if not crashes or ended.get("exitCode") == _EXIT_UNKNOWN:
            continue
        if reason != "RegistryUnavailable" and container.get("restartCount", 0) >= _CRASHES:
            said = f"crashed {container['restartCount']} times, last {reason}: {message}"
            return shorten(said, LONGEST_WORDS)
    return None
