"""What the native cluster takes from the distribution: the container runtime and network tools."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster.api import Progress
from cluster.command import Run
from cluster.errors import ClusterError
from images.host import APT_GET
from pace import told

# What a package is wanted for; a program that came another way will do as well.
_PROVIDES: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "nftables": "nft",
    "iproute2": "ip",
    "openssl": "openssl",
    "util-linux": "nsenter",
}
_PLUGINS = "containernetworking-plugins"
_PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_NEEDED_PLUGINS = ("bridge", "host-local", "portmap", "loopback")

# Where Debian and Ubuntu keep system programs; a user's PATH may leave the sbin ones out.
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cni_plugins() -> Path | None:
    """Return the folder that has all plugins the pod network is made of."""
    for folder in _PLUGIN_FOLDERS:
        if all((folder / plugin).exists() for plugin in _NEEDED_PLUGINS):
            return folder
    return None


def missing_packages() -> list[str]:
    missing = [
        package
        for package, program in _PROVIDES.items()
        if shutil.which(program, path=SYSTEM_PATH) is None
    ]
    return missing if cni_plugins() else [*missing, _PLUGINS]


def install_packages(run: Run, progress: Progress) -> None:
    """Install what is missing.

    Raises:
        ClusterError: there is no apt here, or it failed.
    """
    missing = missing_packages()
    if not missing:
        return
    names = " ".join(missing)
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"{names} are not installed, and there is no apt-get; install them by hand"
        )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with told(f"installing {names}, which run the pods", progress, about=30):
        run([*APT_GET, "update"], env=env, timeout=600)
        run([*APT_GET, "install", "-y", "--no-install-recommends", *missing], env=env, timeout=900)
    if still := missing_packages():
        raise ClusterError(f"apt-get did not install {' '.join(still)}; install them by hand")
