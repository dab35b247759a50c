"""Where things are on disk.

One cluster per machine and user: the state folder does not depend on the clone, so that any
clone finds the cluster another one brought up.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The folders of one cluster.  ``state`` dies with it, ``cache`` outlives it."""

    state: Path
    cache: Path

    @property
    def run(self) -> Path:
        """Return the folder for what holds in this boot only: pids, sockets, mounts."""
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def etcd(self) -> Path:
        return self.state / "etcd"

    @property
    def kubelet(self) -> Path:
        return self.state / "kubelet"

    @property
    def containerd(self) -> Path:
        return self.state / "containerd"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def network_namespace(self) -> Path:
        return self.run / "netns"

    @property
    def identity(self) -> str:
        """Return the name of this cluster for the kernel and CNI; each state folder has its own."""
        return f"fairlead-{hashlib.sha256(str(self.state).encode()).hexdigest()[:8]}"

    @property
    def lock(self) -> Path:
        """Beside the state folder, because ``down`` removes that one while holding the lock."""
        return self.state.with_name(f"{self.state.name}.lock")


def layout(environ: Mapping[str, str], name: str = "cluster") -> Layout:
    """Find this user's folders, by the XDG rules."""
    home = Path(environ.get("HOME", "/root"))
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    cache = Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    return Layout(state=state / "fairlead" / name, cache=cache / "fairlead")
