"""Reasons why a machine cannot carry the native cluster, found before anything is touched."""

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from cluster.command import Run
from cluster.errors import ClusterError

BUILD_SPACE = 6  # GB: the Go build cache takes 3, the binaries 0.3, modules and images the rest
RUN_SPACE = 1  # GB: an empty cluster
IMAGE_SPACE = 3  # times an archive's size: kept as it is, unpacked, and some to write to

_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")


def require_linux_root(uid: int | None = None, platform: str = sys.platform) -> None:
    """Require Linux and root, which namespaces, mounts and cgroups need."""
    if platform != "linux":
        raise ClusterError("the native cluster needs Linux; start Docker so that kind is used")
    if (os.geteuid() if uid is None else uid) != 0:
        raise ClusterError(
            "the native cluster needs root for namespaces and cgroups; run the command as root "
            "(sudo -E), or start Docker so that kind is used"
        )


def require_space(folder: Path, gigabytes: float) -> None:
    """Look at the file system the folder is, or will be, on."""
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        raise ClusterError(
            f"not enough disk space: {folder} has {free:.1f} GB free, and {gigabytes:.0f} GB are "
            "needed; free some, or point XDG_CACHE_HOME and XDG_STATE_HOME elsewhere"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A connection that lingers after its end does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_port(port: int, *, way_out: str, is_free: Callable[[int], bool] = _is_free) -> None:
    """Fail while it is still clear which port was meant, and why."""
    if not is_free(port):
        raise ClusterError(f"port 127.0.0.1:{port} is in use; {way_out}")


def parse_port(text: str, *, variable: str) -> int:
    """Read a port a user set in the environment."""
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise ClusterError(f"{variable} is {text!r}; set it to a port number")


def require_go(run: Run, go_mod: str) -> None:
    """Check for the Go that the module asks for.

    Raises:
        ClusterError: there is none, or it is older.
    """
    wanted = _required_go(go_mod)
    shown = ".".join(str(part) for part in wanted)
    way_out = f"install Go {shown} or newer and put it on PATH"
    if shutil.which("go") is None:
        raise ClusterError(f"Go is not installed; {way_out}")
    found = run(["go", "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}).stdout
    if _parse_go(found) < wanted:
        raise ClusterError(f"Go is too old ({found.strip()}); {way_out}")


def _required_go(go_mod: str) -> tuple[int, int, int]:
    line = next(line for line in go_mod.splitlines() if line.startswith("go "))
    return _parse_go(line.replace("go ", "go", 1))


def _parse_go(text: str) -> tuple[int, int, int]:
    found = _VERSION.search(text)
    if found is None:
        return (0, 0, 0)
    major, minor, patch = found.groups(default="0")
    return (int(major), int(minor), int(patch))
