"""A cluster the user runs and named explicitly.  We use it; we neither make nor remove it."""

from collections.abc import Sequence
from pathlib import Path

from cluster.api import ComponentStatus, Progress
from cluster.binaries import Binaries, binaries, build
from cluster.command import Run
from cluster.daemons import Detached
from cluster.errors import ClusterError
from cluster.exposure import forward
from cluster.kubectl import Kubectl
from cluster.layout import Layout


class ExistingCluster:
    """Whatever the kubeconfig leads to."""

    name = "existing"

    def __init__(self, kubeconfig: str, layout: Layout, run: Run) -> None:
        self._kubeconfig = Path(kubeconfig).expanduser().absolute()
        self._layout = layout
        self._run = run
        self._daemons = Detached(run=layout.run, log=layout.log)
        if not self._kubeconfig.exists():
            raise ClusterError(f"kubeconfig {self._kubeconfig} does not exist; name another")

    @property
    def kubeconfig(self) -> Path:
        return self._kubeconfig

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
        if self.kubectl("get", "--raw=/readyz", check=False).returncode != 0:
            raise ClusterError(
                f"the cluster of kubeconfig {self._kubeconfig} does not answer; start it, or "
                "name another"
            )
        progress(f"the cluster of kubeconfig {self._kubeconfig} answers")

    def down(self, progress: Progress) -> None:
        for name in self._daemons.names():
            self._daemons.stop(name)
        progress(
            f"ended the port-forwards; the cluster of kubeconfig {self._kubeconfig} is unchanged"
        )

    def status(self) -> list[ComponentStatus]:
        ready = self.kubectl("get", "--raw=/readyz", check=False).returncode == 0
        detail = "ready" if ready else "does not answer"
        return [ComponentStatus(name="kube-apiserver", running=ready, detail=detail)]

    def load_images(self, archives: Sequence[Path], progress: Progress) -> None:
        """Say which images the nodes must hold; nothing can be put on somebody else's nodes."""
        for archive in archives:
            progress(f"{archive.name} is not loaded; the cluster must have this image already")

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
