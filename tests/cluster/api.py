"""What every cluster can do, whichever kind it is: the words the tests and the demo use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster.kubectl import Kubectl

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One part of a cluster as it is now."""

    name: str
    running: bool
    detail: str  # a pid, a version, or what is wrong


class Cluster(Protocol):
    """A Kubernetes to test on.  Every method may be repeated; none assumes an earlier call."""

    @property
    def name(self) -> str:
        """Which kind of cluster this is: native, kind or existing."""

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig; it exists once the cluster is up."""

    @property
    def kubectl_path(self) -> Path:
        """Return the path of a kubectl of the cluster's version."""

    @property
    def helm_path(self) -> Path:
        """Return the path of a helm that works with ``KUBECONFIG`` set to ``kubeconfig``."""

    def up(self, progress: Progress) -> None:
        """Bring the cluster up until a pod could run and find its names."""

    def down(self, progress: Progress) -> None:
        """Remove everything that ``up``, ``load_images`` and ``expose`` made, but for caches."""

    def status(self) -> list[ComponentStatus]:
        """Look at each component; an absent cluster is a list of parts that do not run."""

    def load_images(self, archives: Sequence[Path], progress: Progress) -> None:
        """Put image archives (docker or OCI tar) on the node, but for those already there."""

    def expose(self, *, namespace: str, service: str, port: int, local_port: int) -> str:
        """Make a Service port reachable on 127.0.0.1 until ``down``; return the base URL."""

    @property
    def kubectl(self) -> Kubectl:
        """kubectl against this cluster: ``cluster.kubectl("get", "pods")``."""
