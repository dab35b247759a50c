"""Which pods of a version came in place of others, while it had traffic.  Pure.

A pod that is taken away takes along the requests that were under way in it: those fail, and
nothing tells them from what a bad version answers.  A container that ends by itself stays in its
pod, and a pod that outgrew its own limit of disk is not taken away: a version that brings itself
down finds no excuse here.  Nor does one for which an autoscaler adds pods.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.kube.pods import containers, find_condition

# After the last new pod was made: requests of the old one have ended, and Prometheus has seen it.
SETTLING: Final = timedelta(seconds=30)
# As far as clocks may be apart.  What was made later than that, was made before ours was set back.
_APART: Final = timedelta(minutes=1)
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def settles_at(
    pods: Sequence[Mapping[str, Any]], *, since: datetime, had: int, least: int, now: datetime
) -> datetime | None:
    """Return from when on a version's answers tell of it again; None where no pod was replaced.

    Args:
        pods: all of the version, also those that are leaving.
        since: when the present step began, with pods that were ready.
        had: pods that it had then.
        least: pods that it must have; with fewer, new ones are to come.
    """
    left = [pod for pod in pods if _stays(pod)]
    # Moments of the API server are in whole seconds, and no pod is ready in the one it is made in.
    began = since.replace(microsecond=0)
    new = [moment for moment in map(_made_at, left) if began <= moment <= now + _APART]
    if len(left) - len(new) >= had:
        return None
    last = now if len(left) < least else max(new, default=None)
    return min(last, now) + SETTLING if last is not None else None


def count_pods(pods: Iterable[Mapping[str, Any]]) -> int:
    """Count those that nobody takes away."""
    return sum(map(_stays, pods))


def _stays(pod: Mapping[str, Any]) -> bool:
    """Tell whether nobody took the pod away: neither a person, a drain nor the loss of its node."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or _is_lost(pod):
        return False
    return status.get("phase") not in _ENDED or _ended_itself(pod)


def _is_lost(pod: Mapping[str, Any]) -> bool:
    """Tell whether its node is silent: then the cluster says that it is not ready, and not it."""
    ready = find_condition(pod, "Ready")
    own = containers(pod)
    return (
        ready.get("status") == "False"
        and bool(own)
        and all(container.get("ready") for container in own)
    )


def _ended_itself(pod: Mapping[str, Any]) -> bool:
    """Tell whether it was evicted for what it wrote itself; a node that needs room says so."""
    evicted = (pod.get("status") or {}).get("reason") == "Evicted"
    return evicted and find_condition(pod, "DisruptionTarget").get("status") != "True"


def _made_at(pod: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
