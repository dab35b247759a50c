"""etcd and an API server alone, on loopback: enough to test what talks to the API.

Ready in a few seconds and without root.  There is no node, so no pod ever runs, and there are
no controllers, so nothing acts on what is stored: a Deployment makes no pods, an owner's end
does not end what it owns, and a deleted namespace stays in Terminating.

Ports are chosen free at each start, so any number may run beside each other.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cluster import components
from cluster.api import ComponentStatus, Progress
from cluster.api_server import ApiServer
from cluster.binaries import Binaries, binaries, build
from cluster.certificates import CONTROL_PLANE, make_certificates
from cluster.command import run
from cluster.components import Store
from cluster.daemons import Bound, Daemons, Detached
from cluster.errors import ClusterError
from cluster.files import locked, write_atomically
from cluster.kubeconfig import build_kubeconfig, server_port
from cluster.kubectl import Kubectl
from cluster.layout import Layout, layout
from cluster.ports import free_port
from cluster.wait import wait_until

_DAEMONS = ("kube-apiserver", "etcd")  # in the order they are stopped
_ATTEMPTS = 3  # another process may be given the same port before we listen on it


class ControlPlane:
    """One etcd and one API server over it."""

    def __init__(self, layout: Layout, daemons: Daemons, flags: Sequence[str] = ()) -> None:
        self._layout = layout
        self._daemons = daemons
        self._flags = flags  # of the API server, besides its own

    @property
    def kubeconfig(self) -> Path:
        return self._layout.kubeconfig

    def up(self, progress: Progress) -> None:
        """Start both and wait until the API server is ready."""
        programs = build(self._layout.cache, progress)
        self._layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(
            self._layout.lock, waiting=lambda: progress("waiting for another command to finish")
        ):
            if self._is_ready():
                progress("the control plane is up")
                return
            make_certificates(self._layout.pki, CONTROL_PLANE, run)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._start(programs)
                    break
                except ClusterError:
                    if attempt == _ATTEMPTS:
                        raise
        progress(f"the control plane is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, progress: Progress) -> None:
        """End both and remove what they stored."""
        self._stop()
        shutil.rmtree(self._layout.state, ignore_errors=True)
        self._layout.lock.unlink(missing_ok=True)
        progress("removed the control plane")

    def status(self) -> list[ComponentStatus]:
        parts = []
        for name in reversed(_DAEMONS):
            running = self._daemons.is_running(name)
            detail = "runs" if running else "absent"
            parts.append(ComponentStatus(name=name, running=running, detail=detail))
        return parts

    @property
    def kubectl(self) -> Kubectl:
        """kubectl against this control plane."""
        program = binaries(self._layout.cache)["kubectl"]
        return Kubectl(program, self.kubeconfig, self._layout.state, run)

    def _start(self, programs: Binaries) -> None:
        self._stop()  # one without the other is of no use, and the ports change
        port, etcd_port, peer_port = (free_port() for _ in range(3))
        store = Store(data=self._layout.etcd, port=etcd_port, peer_port=peer_port)
        server = f"https://127.0.0.1:{port}"
        admin = build_kubeconfig(server=server, pki=self._layout.pki, user="admin")
        write_atomically(self.kubeconfig, admin)
        # Nothing here has to survive a power cut.
        self._daemons.start("etcd", [*components.etcd(programs, store), "--unsafe-no-fsync"])
        server_command = _api_server(programs, self._layout.pki, store, port)
        self._daemons.start("kube-apiserver", [*server_command, *self._flags])
        wait_until(
            lambda: self._is_ready() or self._ended() is not None,
            timeout=180,
            otherwise=lambda: f"the API server is not ready; see {self._log('kube-apiserver')}",
        )
        if ended := self._ended():
            raise ClusterError(f"{ended} ended; see {self._log(ended)}")

    def _is_ready(self) -> bool:
        if self._ended() is not None or not self.kubeconfig.exists():
            return False
        port = server_port(self.kubeconfig)
        return ApiServer(port, self._layout.pki).is_ready()

    def _ended(self) -> str | None:
        return next((name for name in _DAEMONS if not self._daemons.is_running(name)), None)

    def _log(self, name: str) -> Path:
        return self._daemons.log(name)

    def _stop(self) -> None:
        for name in _DAEMONS:
            self._daemons.stop(name)


def lone_control_plane(environ: Mapping[str, str]) -> ControlPlane:
    """Return the one that is kept running between commands."""
    place = layout(environ, "control-plane")
    return ControlPlane(place, Detached(run=place.run, log=place.log))


@contextmanager
def control_plane(
    environ: Mapping[str, str], *, flags: Sequence[str] = ()
) -> Iterator[ControlPlane]:
    """Run one for a block; it ends with the block, or with the process if that is killed."""
    folder = Path(tempfile.mkdtemp(prefix="fairlead-control-plane-"))
    place = Layout(state=folder / "state", cache=layout(environ).cache)
    plane = ControlPlane(place, Bound(log=place.log), flags)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        undo.callback(plane.down, lambda _: None)
        plane.up(lambda _: None)
        yield plane


def _api_server(programs: Binaries, pki: Path, store: Store, port: int) -> Sequence[str]:
    return [
        *components.api_server(programs, pki, store, address="127.0.0.1", port=port),
        "--authorization-mode=RBAC",
        # Nobody makes the default service account that this plugin wants for each pod.
        "--disable-admission-plugins=ServiceAccount",
        # A loopback address cannot be an endpoint, and no pod would look for it.
        "--endpoint-reconciler-type=none",
    ]
