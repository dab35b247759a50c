"""The files a native node needs before anything of it can start."""

from pathlib import Path

from cluster.binaries import Binaries
from cluster.certificates import FULL, make_certificates
from cluster.command import Run
from cluster.configuration import build_configuration
from cluster.files import write_atomically
from cluster.images import build_pause_archive
from cluster.kubeconfig import build_kubeconfig
from cluster.layout import Layout
from cluster.topology import API_PORT, NODE_ADDRESS

_USERS = ("controller-manager", "scheduler", "proxy", "kubelet")


def write_node_files(
    layout: Layout, programs: Binaries, run: Run, *, plugins: Path, host_port: int
) -> None:
    """Write them all; the certificates only once, since the data in etcd is tied to them."""
    layout.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in (layout.run, layout.log / "pods", layout.etc):
        folder.mkdir(parents=True, exist_ok=True)
    layout.etcd.mkdir(exist_ok=True, mode=0o700)
    make_certificates(layout.pki, FULL, run)
    for user in _USERS:
        server = f"https://{NODE_ADDRESS}:{API_PORT}"
        content = build_kubeconfig(server=server, pki=layout.pki, user=user)
        write_atomically(layout.etc / f"{user}.kubeconfig", content)
    server = f"https://127.0.0.1:{host_port}"
    admin = build_kubeconfig(server=server, pki=layout.pki, user="admin")
    write_atomically(layout.kubeconfig, admin)
    for path, content in build_configuration(layout, plugins=plugins).items():
        write_atomically(path, content)
    build_pause_archive(programs["pause"], pause_archive(layout))


def pause_archive(layout: Layout) -> Path:
    return layout.etc / "pause.tar"
