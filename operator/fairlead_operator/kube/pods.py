"""What pods, and who makes them, say of themselves.  Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.text import shorten

# Reasons with which a container is on its way as it should be.
_ON_ITS_WAY: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
_REFUSED: Final = "FailedCreate"  # a Job says it by an Event alone
LONGEST_WORDS: Final = 500  # characters, of one pod
_LIMIT: Final = "spec.training.resources.limits.memory"
_LOST: Final = timedelta(seconds=30)  # after a deleted pod's time


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod answers; one that is leaving gets nothing new."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return find_condition(pod, "Ready").get("status") == "True"


def find_condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of a pod; empty when it says nothing of it."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), {})


def is_working(pod: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a pod runs, or may: one on a node that does not answer no longer counts."""
    until = pod["metadata"].get("deletionTimestamp")
    is_lost = until is not None and now >= datetime.fromisoformat(until) + _LOST
    return not is_lost and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def find_obstacle(
    deployment: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]]
) -> str | None:
    """Say what keeps pods from being there, in the cluster's words; None while nothing does."""
    if deployment is None:
        return None
    words = (read_refusal(deployment), *map(find_hindrance, pods))
    return next((each for each in words if each is not None), None)


def read_refusal(deployment: Mapping[str, Any]) -> str | None:
    """Say why no pod may be made, a quota for example; None where nothing was refused."""
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return shorten(f"a pod is refused: {condition.get('message', '')}", LONGEST_WORDS)
    return None


def find_hindrance(pod: Mapping[str, Any]) -> str | None:
    """Say what keeps a pod from starting, in the cluster's words; None while it names nothing.

    What its status does not name, ``starts`` asks for.
    """
    if pod["metadata"].get("deletionTimestamp"):
        return None
    status = pod.get("status") or {}
    name = pod["metadata"].get("name", "")
    if status.get("phase") == "Failed":
        reason, message = status.get("reason"), status.get("message", "")
        return shorten(f"pod {name} ended: {reason}: {message}", LONGEST_WORDS) if reason else None
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return shorten(f"pod {name} has no node: {condition.get('message', '')}", LONGEST_WORDS)
    for container in (*(status.get("initContainerStatuses") or ()), *containers(pod)):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        ended = (container.get("lastState") or {}).get("terminated")
        if reason == "CrashLoopBackOff" and ended:
            last = ": ".join(read_last_words(ended))
            return shorten(f"pod {name} crashes again and again, last {last}", LONGEST_WORDS)
        if reason not in _ON_ITS_WAY:
            words = f"pod {name} does not start: {reason}: {waiting.get('message', '')}"
            return shorten(words, LONGEST_WORDS)
    return None


def find_refusal(events: Iterable[Mapping[str, Any]]) -> str | None:
    """Return what the cluster said when it last refused to make a pod, unless it made one since."""
    told = [event for event in events if event.get("reason") in {_REFUSED, "SuccessfulCreate"}]
    last = max(told, key=last_seen, default={})
    return str(last.get("message", "")) if last.get("reason") == _REFUSED else None


def last_seen(event: Mapping[str, Any]) -> str:
    """Return the time of the latest occurrence, in one form for all."""
    series = event.get("series") or {}
    seen = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(seen or event["metadata"].get("creationTimestamp") or "")[:19]


def find_killed(pods: Iterable[Mapping[str, Any]]) -> str | None:
    """Say which trainer was ended at its limit of memory or disk; None where none was."""
    words = (_killed(pod) or _evicted(pod) for pod in pods)
    return next((each for each in words if each is not None), None)


def _killed(pod: Mapping[str, Any]) -> str | None:
    for container in containers(pod):
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            if (state.get("terminated") or {}).get("reason") == "OOMKilled":
                return (
                    f"pod {pod['metadata'].get('name', '')} was ended at its memory limit "
                    f"(OOMKilled); raise {_LIMIT} of the Model"
                )
    return None


def _evicted(pod: Mapping[str, Any]) -> str | None:
    status = pod.get("status") or {}
    # A node that needs its room back disrupts a pod; that is no failure of the Job.
    disrupted = find_condition(pod, "DisruptionTarget").get("status") == "True"
    if status.get("reason") != "Evicted" or disrupted:
        return None
    told = str(status.get("message") or "nothing says why").strip(" .")
    words = shorten(f"pod {pod['metadata'].get('name', '')} was evicted: {told}", LONGEST_WORDS)
    if "emptydir" not in told.lower():
        return words
    allowed = "what it may write is twice its memory limit, and 2Gi at least"
    return f"{words}; {allowed}: raise {_LIMIT} of the Model"


def containers(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the states of a pod's containers, without those that only prepare it."""
    return (pod.get("status") or {}).get("containerStatuses") or []


def read_last_words(ended: Mapping[str, Any]) -> tuple[str, str]:
    """Read why a container ended, reason and message: the server's own, else Kubernetes'."""
    text = ended.get("message") or ""
    try:
        document = json.loads(text)
        return str(document["reason"]), str(document["message"])
    except (ValueError, KeyError, TypeError):
        reason = str(ended.get("reason", "Error"))
        return reason, text[-300:] or f"exit code {ended.get('exitCode')}"
