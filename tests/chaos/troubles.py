"""What is done to a part of the system in the middle of a rollout, and undone again."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.installed import NAMESPACE, Place
from chaos import processes
from e2e.story import installation
from e2e.story.errors import StoryError

How = Literal["killed", "frozen", "deleted"]
Moment = Literal["starting", "first step", "second step", "guard"]

_RELEASE = installation.NAMESPACE
_COMPONENT = "app.kubernetes.io/component="


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something that can be taken away."""

    name: str
    namespace: str = ""  # empty: a daemon of the node
    selector: str = ""  # of its pods
    container: str = ""  # empty: all of them


PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Part(name="operator", namespace=_RELEASE, selector=f"{_COMPONENT}operator"),
        Part(name="prometheus", namespace=_RELEASE, selector=f"{_COMPONENT}prometheus"),
        Part(name="alertmanager", namespace=_RELEASE, selector=f"{_COMPONENT}alertmanager"),
        Part(name="mlflow", namespace=_RELEASE, selector=f"{_COMPONENT}mlflow"),
        Part(name="postgresql", namespace=_RELEASE, selector=f"{_COMPONENT}postgresql"),
        Part(
            name="gateway agent",
            namespace=NAMESPACE,
            selector="fairlead.dev/component=gateway",
            container="agent",
        ),
        Part(name="gateway", namespace=NAMESPACE, selector="fairlead.dev/component=gateway"),
        Part(name="stable", namespace=NAMESPACE, selector="fairlead.dev/version=1.0.0"),
        Part(name="candidate", namespace=NAMESPACE, selector="fairlead.dev/version=1.1.0"),
        Part(name="kube-apiserver"),
        Part(name="etcd"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One fault of one life."""

    part: str
    how: How
    moment: Moment
    delay: float = 0.0  # seconds into the moment
    seconds: float = 0.0  # how long it stays frozen

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.how == "frozen" else ""
        return f"{self.part} {self.how}{lasting}, {self.moment} + {self.delay:.1f} s"


def inflict(trouble: Trouble, place: Place) -> None:
    """Do it, and undo it; returns when the part may work again."""
    part = PARTS[trouble.part]
    match trouble.how:
        case "deleted":
            _delete_pod(part, place)
        case "killed":
            processes.kill(_pids(part, place))
        case "frozen":
            with frozen(trouble.part, place):
                time.sleep(trouble.seconds)  # the fault is its length


@contextlib.contextmanager
def frozen(part: str, place: Place) -> Iterator[None]:
    """A part holds its connections and answers nothing for the length of the block."""
    pids = _pids(PARTS[part], place)
    processes.freeze(pids)
    try:
        yield
    finally:
        processes.thaw(pids)


def _pids(part: Part, place: Place) -> Sequence[int]:
    if not part.namespace:
        return [_daemon(part.name, place)]
    found = [pid for name in _containers(part, place) for pid in processes.of_container(name)]
    if not found:
        raise StoryError(f"expected processes of {part.name} on this machine; found none")
    return found


def _daemon(name: str, place: Place) -> int:
    """A part of the control plane, by what the local cluster says of it."""
    for component in place.cluster.status():
        if component.name == name and component.detail.startswith("pid "):
            return int(component.detail.removeprefix("pid "))
    raise StoryError(f"expected {name} to run on this machine, as the local cluster has it")


def _containers(part: Part, place: Place) -> Sequence[str]:
    pods = _pods(part, place)
    states = [state for pod in pods for state in pod["status"].get("containerStatuses", [])]
    return [
        state["containerID"]
        for state in states
        if state.get("containerID") and part.container in {"", state["name"]}
    ]


def _delete_pod(part: Part, place: Place) -> None:
    """One pod of it, as a drained node would."""
    name = _pods(part, place)[0]["metadata"]["name"]
    place.cluster.kubectl("delete", "pod", name, f"--namespace={part.namespace}", "--wait=false")


def _pods(part: Part, place: Place) -> Sequence[Mapping[str, Any]]:
    found = place.cluster.kubectl(
        "get", "pods", f"--namespace={part.namespace}", f"--selector={part.selector}",
        "--field-selector=status.phase=Running", "--output=json",
    )  # fmt: skip
    pods = [
        pod
        for pod in json.loads(found.stdout)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    ]
    if not pods:
        raise StoryError(f"expected a running pod of {part.name}; found none")
    return pods
