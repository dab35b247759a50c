"""kind: the same Kubernetes in a Docker container.

Chosen where Docker answers.  Not run by this project's own checks, which have no Docker: what
is tested is which commands it gives.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from cluster.api import ComponentStatus, Progress
from cluster.binaries import Binaries, binaries, build
from cluster.command import Run
from cluster.daemons import Detached
from cluster.exposure import forward
from cluster.images import missing_archives
from cluster.kubectl import Kubectl
from cluster.layout import Layout
from cluster.mounts import remove_tree
from pace import told

_CLUSTER = "fairlead"
_NODE = f"{_CLUSTER}-control-plane"


class KindCluster:
    """A one-node kind cluster of a fixed name."""

    name = "kind"

    def __init__(self, layout: Layout, run: Run) -> None:
        self._layout = layout
        self._run = run
        self._daemons = Detached(run=layout.run, log=layout.log)

    @property
    def kubeconfig(self) -> Path:
        return self._layout.kubeconfig

    @property
    def kubectl_path(self) -> Path:
        return self._programs["kubectl"]

    @property
    def helm_path(self) -> Path:
        return self._programs["helm"]

    @property
    def _programs(self) -> Binaries:
        return binaries(self._layout.cache)

    def up(self, progress: Progress) -> None:
        build(self._layout.cache, progress)
        self._layout.state.mkdir(parents=True, exist_ok=True)
        if not self._exists():
            progress("creating the kind cluster")
            self._kind("create", "cluster", "--wait=180s", f"--kubeconfig={self.kubeconfig}")
        elif not self._node_runs():  # Docker or the machine was restarted
            self._run(["docker", "start", _NODE])
        self._kind("export", "kubeconfig", f"--kubeconfig={self.kubeconfig}")
        self.kubectl("wait", "node", "--all", "--for=condition=Ready", "--timeout=180s")
        self.kubectl(
            "--namespace=kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            "--timeout=180s",
        )
        progress(f"the cluster is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, progress: Progress) -> None:
        with told("removing the kind cluster", progress, about=20):
            for name in self._daemons.names():
                self._daemons.stop(name)
            self._kind("delete", "cluster", f"--kubeconfig={self.kubeconfig}")
            remove_tree(self._layout.state)
        progress("removed the kind cluster")

    def status(self) -> list[ComponentStatus]:
        runs = self._exists() and self._node_runs()
        node = ComponentStatus(name=_NODE, running=runs, detail="runs" if runs else "absent")
        ready = runs and self.kubectl("get", "--raw=/readyz", check=False).returncode == 0
        detail = "ready" if ready else "does not answer"
        return [node, ComponentStatus(name="kube-apiserver", running=ready, detail=detail)]

    def load_images(self, archives: Sequence[Path], progress: Progress) -> None:
        for archive, references in missing_archives(archives, self._held_images()):
            with told(f"importing {', '.join(references)}", progress, about=15):
                self._kind("load", "image-archive", str(archive))
            progress(f"imported {', '.join(references)}")

    def expose(self, *, namespace: str, service: str, port: int, local_port: int) -> str:
        return forward(
            self._daemons,
            self.kubectl_path,
            self.kubeconfig,
            namespace=namespace,
            service=service,
            ports=f"{local_port}:{port}",
        )

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.kubectl_path, self.kubeconfig, self._layout.state, self._run)

    def _kind(self, *args: str) -> None:
        self._run([self._programs["kind"], *args, f"--name={_CLUSTER}"])

    def _exists(self) -> bool:
        found = self._run([self._programs["kind"], "get", "clusters"])
        return _CLUSTER in found.stdout.split()

    def _node_runs(self) -> bool:
        argv = ["docker", "inspect", "--format={{.State.Running}}", _NODE]
        return self._run(argv, check=False).stdout.strip() == "true"

    def _held_images(self) -> dict[str, str]:
        """Return each reference on the node with its image ID, the configuration's digest."""
        listing = self._run(["docker", "exec", _NODE, "crictl", "images", "--output=json"])
        return {
            reference: image["id"]
            for image in json.loads(listing.stdout)["images"]
            for reference in image.get("repoTags") or []
        }
