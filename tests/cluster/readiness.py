"""Is the node as it says?  Pure.

The API server keeps what a node last said.  After a restart that still reads Ready, so only
words spoken since the kubelet started count.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

# A kubelet renews its lease every 10 s; the controller manager gives it up after 40.
_LEASE_SECONDS = 40


def is_node_ready(
    node: Mapping[str, Any], lease: Mapping[str, Any], *, kubelet_started: float, now: float
) -> bool:
    """Judge a Node and its Lease.

    Args:
        kubelet_started: seconds since the epoch, as ``now``.
    """
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            heartbeat = _seconds(condition["lastHeartbeatTime"])
            break
    else:
        return False
    renewed = _seconds(lease["spec"]["renewTime"]) if "spec" in lease else 0.0
    latest = max(heartbeat, renewed)
    # Heartbeats are cut to whole seconds.
    return latest + 1 >= kubelet_started and now - latest < _LEASE_SECONDS


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
