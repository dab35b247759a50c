"""What is done to a part of the system in the middle of a rollout, and undone again."""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.installed import NAMESPACE, Place
from chaos import processes
from chaos.ways import Moment
from cluster.native import NativeCluster
from cluster.topology import API_PORT, NODE_NAME
from e2e.story import installation
from e2e.story.errors import StoryError
from e2e.story.refusing import refusing

# killed: SIGKILL; a daemon of the node is away for a while, a container starts again by itself.
# frozen: it holds its connections and answers nothing.  slow: the same by turns, each second.
# cut: each connection to it is broken, again and again.  removed: a pod is drained, and there is
# room for another one only after a while; emptied: all its pods are.  refusing: every write of a
# Deployment of the Models' namespace is refused, as by an admission webhook that is down.
How = Literal["killed", "frozen", "slow", "cut", "removed", "emptied", "refusing"]

_RELEASE = installation.NAMESPACE
_STOPPED = 0.8  # of each second
_NODE_GRACE = 40.0  # seconds until a silent node's pods may count as not ready; 50 by default
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
        Part(name="kube-apiserver"),
        Part(name="etcd"),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One fault of one life."""

    part: str
    how: How
    moment: Moment = "first step"
    delay: float = 0.0  # seconds into the moment
    seconds: float = 0.0  # how long it lasts

    @property
    def what(self) -> str:
        return f"{self.part} {self.how}"

    @property
    def silences_nodes(self) -> bool:
        """Tell whether it silences a node for longer than Kubernetes waits for it."""
        return self.part in {"kube-apiserver", "etcd"} and self.seconds > _NODE_GRACE

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.what}{lasting}, {self.moment} + {self.delay:.1f} s"


def inflict(trouble: Trouble, place: Place, versions: Mapping[str, str] | None = None) -> None:
    """Do it, and undo it; returns when the part may work again.

    Args:
        versions: which are ``stable`` and ``candidate``, whose pods are parts too.
    """
    part = PARTS.get(trouble.part) or _servers(trouble.part, (versions or {})[trouble.part])
    match trouble.how:
        case "killed":
            processes.kill(_pids(part, place))
            if part.name == "kube-apiserver":
                # Elsewhere it ends by itself, since it cannot renew its Lease; here it has none.
                processes.kill([_daemon("kube-controller-manager", place)])
            if not part.namespace:
                time.sleep(trouble.seconds)  # the fault is its length, here and below
                place.cluster.up(lambda _: None)
        case "frozen":
            with frozen(trouble.part, place):
                time.sleep(trouble.seconds)
        case "slow":
            _make_slow(_pids(part, place), trouble.seconds)
        case "cut":
            _cut(place, trouble.seconds)
        case "removed":
            _remove_pods(_pods(part, place)[:1], place, trouble.seconds)
        case "emptied":
            _remove_pods(_pods(part, place), place, trouble.seconds)
        case "refusing":
            with refusing_servers(place):
                time.sleep(trouble.seconds)


@contextlib.contextmanager
def refusing_servers(place: Place) -> Iterator[None]:
    """Have the API server refuse every write of a Deployment of the Models for the block."""
    with refusing(
        place.cluster,
        name="fairlead-chaos",
        namespace=NAMESPACE,
        unless="false",
        sentence="nothing may change here today",
        resources={},
        say=lambda _: None,
    ):
        yield


@contextlib.contextmanager
def frozen(part: str, place: Place) -> Iterator[None]:
    """Freeze a part for the block: it holds its connections and answers nothing."""
    pids = _pids(PARTS[part], place)
    processes.freeze(pids)
    try:
        yield
    finally:
        processes.thaw(pids)


def _servers(name: str, version: str) -> Part:
    return Part(name=name, namespace=NAMESPACE, selector=f"fairlead.dev/version={version}")


def _make_slow(pids: Sequence[int], seconds: float) -> None:
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            processes.freeze(pids)
            time.sleep(_STOPPED)
            processes.thaw(pids)
            time.sleep(1 - _STOPPED)
    finally:
        processes.thaw(pids)


def _cut(place: Place, seconds: float) -> None:
    """Break every connection to the API server, each second anew: watches, and answers under way.

    Raises:
        StoryError: it is not the local cluster's.
    """
    if not isinstance(place.cluster, NativeCluster):
        raise StoryError("connections can be cut on the local cluster only")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        place.cluster.node_exec(["ss", "--kill", "--tcp", "--no-header", f"sport = :{API_PORT}"])
        time.sleep(1)


def _pids(part: Part, place: Place) -> Sequence[int]:
    if not part.namespace:
        return [_daemon(part.name, place)]
    found = [pid for name in _containers(part, place) for pid in processes.of_container(name)]
    if not found:
        raise StoryError(f"expected processes of {part.name} on this machine; found none")
    return found


def _daemon(name: str, place: Place) -> int:
    """Return a part of the control plane, by what the local cluster says of it."""
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


def _remove_pods(pods: Sequence[Mapping[str, Any]], place: Place, seconds: float) -> None:
    kubectl = place.cluster.kubectl
    names = [pod["metadata"]["name"] for pod in pods]
    namespace = pods[0]["metadata"]["namespace"]
    kubectl("cordon", NODE_NAME)
    try:
        kubectl("delete", "pods", *names, f"--namespace={namespace}", "--wait=false")
        time.sleep(seconds)
    finally:
        kubectl("uncordon", NODE_NAME)


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
