"""What a version's Deployment and pods say about it.  Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fairlead_operator.rollout.decision.capacity import asked_replicas, ready_replicas
from fairlead_operator.rollout.decision.states import Health

# The server ends with this code when another try cannot help (docs/contracts.md).
_EXIT_PERMANENT: Final = 3
_CRASHES: Final = 3
_IMAGE_TROUBLE: Final = frozenset(
    {"ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"}
)


def read_health(
    deployment: Mapping[str, Any] | None,
    pods: Sequence[Mapping[str, Any]],
    *,
    needed: int | None = None,
) -> tuple[Health, str]:
    """Tell the health of a version, and a sentence for people.

    ``needed`` pods are enough where an autoscaler may ask for more at any moment; None
    asks for all, none of them on its way.
    """
    if deployment is None:
        return Health.UNKNOWN, "its Deployment is not created yet"
    status = deployment.get("status") or {}
    wanted = asked_replicas(deployment) if needed is None else needed
    available = ready_replicas(deployment)
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    settled = needed is not None or not status.get("unavailableReplicas")
    if current and available >= wanted and settled:
        return Health.READY, f"{available} of {wanted} pods ready"
    for pod in pods:
        failure = _failure(pod)
        if failure is not None:
            return Health.FAILED, failure
    return Health.STARTING, f"{available} of {wanted} pods ready"


def _failure(pod: Mapping[str, Any]) -> str | None:
    """Say why this pod will never be ready; None while it may."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        if waiting.get("reason") in _IMAGE_TROUBLE:
            return f"{waiting['reason']}: {waiting.get('message', '')}"[:500]
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
        if container.get("ready") or not ended:
            continue
        reason, message = _last_words(ended)
        if ended.get("exitCode") == _EXIT_PERMANENT:
            return f"{reason}: {message}"[:500]
        if reason != "RegistryUnavailable" and container.get("restartCount", 0) >= _CRASHES:
            return f"crashed {container['restartCount']} times, last {reason}: {message}"[:500]
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
