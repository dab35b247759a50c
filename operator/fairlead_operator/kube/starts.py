"""Pods that are slow to start, or to answer, of which their status does not say why: Events do.

A container that waits for its sandbox, a volume, an image or another container is
``ContainerCreating`` all the while, as one is that starts well.
"""

import asyncio
import dataclasses
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.pods import (
    LONGEST_WORDS,
    containers,
    find_condition,
    find_hindrance,
    is_ready,
    last_seen,
)
from fairlead_operator.ports import Kube
from fairlead_operator.text import shorten

_LOGGER = logging.getLogger(__name__)
_STARTS: Final = timedelta(seconds=5)  # from its node to a container that runs; usually a moment
_SILENT: Final = timedelta(seconds=15)  # the same, until it is told though no Event tells why
_ANSWERS: Final = timedelta(seconds=30)  # from a container that runs to one that is ready
_PATIENCE: Final = 2.0  # seconds that a look waits for Events
# The older, the less often Events are asked for: each time is a request.
_OF_AGE: Final = 10
_RARELY: Final = timedelta(minutes=1)
# What the kubelet tells of a start that goes on: a warning from before has been overcome.
_STEPS: Final = frozenset({"Scheduled", "Pulling", "Pulled", "Created", "Started"})
_ENDED: Final = frozenset({"Failed", "Succeeded"})
_NO_NODE: Final = "FailedScheduling"  # a pod without a node says so itself
_ID: Final = re.compile(r"\b[0-9a-f]{32,}\b")  # of a sandbox: another one at each try


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is to say of pods that start."""

    obstacle: str | None = None  # why one is slow; None while none is
    look_again: timedelta | None = None  # None once all of them answer, or say themselves why not


async def look_at_starts(pods: Iterable[Mapping[str, Any]], kube: Kube, *, now: datetime) -> Start:
    """Ask why a pod is slow to start: of the one that has been longest at it.

    One of many costs no more than one of few: they are of one spec.
    """
    ages = [(age, pod) for pod in pods if (age := _waits(pod, now)) is not None]
    if not ages:
        return Start()
    age, pod = max(ages, key=lambda one: one[0])
    allowed = _allowed(pod)
    if age < allowed:
        return Start(look_again=min(allowed - age, allowed))  # a clock may be ahead of ours
    return Start(
        obstacle=explain(pod, await _read_events(pod, kube), age=age),
        look_again=ask_again(age),
    )


def ask_again(age: timedelta) -> timedelta:
    """Return when to ask again of what should have started so long ago.  Pure."""
    return min(max(_STARTS, age / _OF_AGE), _RARELY)


async def _read_events(pod: Mapping[str, Any], kube: Kube) -> Sequence[Mapping[str, Any]]:
    """Read what was told of a pod; nothing where that takes long or is not allowed."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await kube.events(pod)
    except (TransientError, ClusterRefusalError, TimeoutError) as error:
        _LOGGER.debug("events of a pod not read", extra={"error": str(error)})
        return ()


def _waits(pod: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Return how long a pod has been at what it does; None where nothing is to be asked of it."""
    status = pod.get("status") or {}
    over = pod["metadata"].get("deletionTimestamp") or status.get("phase") in _ENDED
    if over or is_ready(pod) or find_hindrance(pod) is not None or _has_crashed(pod):
        return None
    begun = [
        pod["metadata"].get("creationTimestamp"),
        find_condition(pod, "PodScheduled").get("lastTransitionTime"),
        # It may have been ready before.
        find_condition(pod, "Ready").get("lastTransitionTime") if _running(pod) else None,
        *(state.get("startedAt") for state in _running(pod)),
    ]
    return now - max((datetime.fromisoformat(moment) for moment in begun if moment), default=now)


def _has_crashed(pod: Mapping[str, Any]) -> bool:
    """Tell whether a container has ended, and is not begun again yet: that speaks for itself."""
    states = [container.get("state") or {} for container in containers(pod)]
    return any("terminated" in state for state in states) and not _running(pod)


def _allowed(pod: Mapping[str, Any]) -> timedelta:
    return _ANSWERS if _running(pod) else _STARTS


def _running(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return what the containers say that run and are not done or ready yet."""
    states = (
        (one.get("state") or {}).get("running")
        for one in (*_init_containers(pod), *containers(pod))
        if not one.get("ready")
    )
    return [state for state in states if state is not None]


def _init_containers(pod: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (pod.get("status") or {}).get("initContainerStatuses") or []


def explain(
    pod: Mapping[str, Any], events: Iterable[Mapping[str, Any]], *, age: timedelta
) -> str | None:
    """Say why a pod does not start or answer; None while that may be for no reason.  Pure."""
    name = pod["metadata"].get("name", "")
    said = [event for event in events if _counts(event)]
    last = max(said, key=lambda event: (last_seen(event), _warns(event)), default={})
    told = _ID.sub("…", f"{last.get('reason')}: {last.get('message', '')}")
    does_not = "is not ready" if _running(pod) else "does not start"
    if _warns(last):
        return shorten(f"pod {name} {does_not}: {told}", LONGEST_WORDS)
    for one in _init_containers(pod):
        if (one.get("state") or {}).get("running") is not None and not one.get("ready"):
            return (
                f"pod {name} waits for its init container {one.get('name', '')}, which still runs"
            )
    if _running(pod):
        return f"pod {name} runs, and is not ready"
    if last.get("reason") == "Pulling":
        return shorten(f"pod {name} has not started: {told}", LONGEST_WORDS)
    if age < _SILENT:
        return None
    return (
        f"pod {name} has not started since it was given to a node, and no Event says why: look at "
        f"that node; `kubectl describe pod {name}` names it"
    )


def _counts(event: Mapping[str, Any]) -> bool:
    return event.get("reason") in _STEPS or (_warns(event) and event.get("reason") != _NO_NODE)


def _warns(event: Mapping[str, Any]) -> bool:
    return event.get("type") == "Warning"
