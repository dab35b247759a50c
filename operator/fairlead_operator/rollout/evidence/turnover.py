"""Which pods of a version came in place of others, while it had traffic.  Pure.

A pod that is taken away takes along the requests that were under way in it: those fail, and
nothing tells them from what a bad version answers.  A container that ends by itself stays in its
pod, so that a version that crashes finds no excuse here.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

# After the last new pod was made: requests of the old one have ended, and Prometheus has seen it.
SETTLING: Final = timedelta(seconds=30)
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def settles_at(
    pods: Sequence[Mapping[str, Any]], *, since: datetime, had: int, least: int, now: datetime
) -> datetime | None:
    """Return from when on a version's answers tell of it again; None where no pod was replaced.

    Args:
        pods: all of the version, also those that are leaving.
        since: when the present step began, with pods that were ready.
        had: pods that it had then, at least.
        least: pods that it must have; with fewer, new ones are to come.
    """
    left = [pod for pod in pods if _stays(pod)]
    # Moments of the API server are in whole seconds, and no pod is ready in the one it is made in.
    began = since.replace(microsecond=0)
    new = [moment for moment in map(_made_at, left) if moment >= began]
    if len(left) - len(new) >= had:
        return None
    last = now if len(left) < least else max(new, default=None)
    return last + SETTLING if last is not None else None


def _stays(pod: Mapping[str, Any]) -> bool:
    ended = (pod.get("status") or {}).get("phase") in _ENDED
    return not ended and not pod["metadata"].get("deletionTimestamp")


def _made_at(pod: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
