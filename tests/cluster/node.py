"""The native node on this machine: its processes, and every trace they leave in the kernel."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster import cgroups, mounts, network, process, sysctls
from cluster.command import Run
from cluster.containerd import shim_sockets
from cluster.daemons import Detached
from cluster.errors import ClusterError
from cluster.files import write_atomically
from cluster.layout import Layout
from cluster.wait import wait_until


class Node:
    """One network namespace, one branch of cgroups, one folder, and daemons in all three."""

    def __init__(self, layout: Layout, run: Run) -> None:
        self._layout = layout
        self._run = run

    @property
    def daemons(self) -> Detached:
        return Detached(
            run=self._layout.run,
            log=self._layout.log,
            cgroups=cgroups.daemon_cgroups(self._layout.identity),
        )

    def forget_what_ended(self) -> None:
        """Clear what an earlier boot, or the loss of the namespace, has made meaningless."""
        mounts.finish_discarding(self._layout.state)
        record = self._layout.run / "boot"
        boot = process.boot_id()
        if self._layout.run.exists() and (not record.exists() or record.read_text() != boot):
            self.end_processes()
            mounts.unmount_all(self._layout.run, self._run)
            mounts.remove_tree(self._layout.run)
        if not network.exists(self._layout.network_namespace):
            self.end_processes()  # of a cluster whose network is gone
        write_atomically(record, boot)

    @property
    def _sysctl_record(self) -> Path:
        return self._layout.run / "sysctls.json"

    def prepare(self) -> None:
        """Make the namespace and the cgroups, and note the settings that will change."""
        sysctls.remember(self._sysctl_record)
        network.make_namespace(self._layout.network_namespace, self._run)
        cgroups.make_cgroups(self._layout.identity)

    def start(self, name: str, argv: Sequence[str]) -> bool:
        """Start a daemon inside the node's network; say whether it was started now."""
        return self.daemons.start(name, self.inside(argv))

    def inside(self, argv: Sequence[str]) -> Sequence[str]:
        return [*network.enter(self._layout.network_namespace), *argv]

    def execute(
        self, argv: Sequence[str], *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the node's network, where pods and Services can be reached."""
        return self._run(self.inside(argv), check=check)

    def end_processes(self) -> None:
        """Kill everything of the cluster.  Nothing is asked: there is nothing to save."""
        sockets = shim_sockets(self._layout.run / "containerd")
        for name in self.daemons.names():
            process.stop(self.daemons.pid_file(name), patience=0.0)
        cgroups.kill_all(self._layout.identity)
        for socket in sockets:
            socket.unlink(missing_ok=True)

    def remove(self) -> None:
        """Undo all of it: processes, mounts, namespaces, cgroups, settings and the folder."""
        self.end_processes()
        mounts.unmount_all(self._layout.state, self._run)
        sysctls.restore(self._sysctl_record)
        cgroups.remove_all(self._layout.identity)
        for path in self._scattered_files():
            path.unlink(missing_ok=True)
        mounts.discard(self._layout.state)

    def _scattered_files(self) -> list[Path]:
        """Return what the kubelet and CNI write to places no setting can move."""
        log_links = [
            link
            for link in Path("/var/log/containers").glob("*.log")
            if link.is_symlink() and link.readlink().is_relative_to(self._layout.log)
        ]
        results = Path("/var/lib/cni/results")
        begin = f"{self._layout.identity}-"
        pods = [path.name.removeprefix(begin).split("-")[0] for path in results.glob(f"{begin}*")]
        return [*log_links, *(path for pod in pods for path in results.glob(f"*-{pod}-*"))]

    def wait_for(
        self, what: str, check: Callable[[], bool], *, timeout: float, needs: Sequence[str]
    ) -> None:
        """Wait for a sign of life, but not for a daemon that has died.

        Raises:
            ClusterError: time is up, or one of the daemons it needs has ended.
        """

        def alive_and_well() -> bool:
            for name in needs:
                if not self.daemons.is_running(name):
                    raise ClusterError(f"{name} ended; see {self.daemons.log(name)}")
            return check()

        log = self.daemons.log(needs[0])
        wait_until(
            alive_and_well,
            timeout=timeout,
            otherwise=lambda: f"{what} after {timeout:.0f} s: see {log}",
        )
