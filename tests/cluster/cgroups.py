"""The cluster's branch of the cgroup tree.

Everything the cluster runs sits below one cgroup, daemons and pods alike.  That makes "ours"
exact: what ``down`` ends is what is in there, whoever started it, and nothing else.

Handles version 1 (one tree per controller), version 2 (one tree) and the hybrid of both.
"""

import os
import signal
import time
from pathlib import Path

from cluster.errors import ClusterError
from cluster.process import send

_NEEDED = {"cpu", "memory", "pids"}
_LIMITED_BY_PODS = _NEEDED | {"cpuset", "hugetlb", "io"}


def hierarchies(mounts: Path = Path("/proc/self/mounts")) -> list[Path]:
    """Return the root of each cgroup tree.

    Raises:
        ClusterError: pods could not be limited here.
    """
    found: dict[Path, set[str]] = {}
    for line in mounts.read_text().splitlines():
        _, point, kind, options = line.split()[:4]
        if kind == "cgroup":
            found[Path(point)] = set(options.split(","))
        elif kind == "cgroup2":
            found[Path(point)] = _controllers(Path(point))
    if missing := _NEEDED - set().union(*found.values()):
        raise ClusterError(
            f"cgroup controllers are missing: {', '.join(sorted(missing))}; mount them below "
            "/sys/fs/cgroup, or run where they are mounted"
        )
    return sorted(found)


def _controllers(root: Path) -> set[str]:
    listed = root / "cgroup.controllers"
    return set(listed.read_text().split()) if listed.exists() else set()


def daemon_cgroups(branch: str) -> list[Path]:
    """Return the daemons' cgroup in each tree; the kubelet puts those of pods beside it."""
    return [root / branch / "system" for root in hierarchies()]


def make_cgroups(branch: str) -> None:
    for cgroup in daemon_cgroups(branch):
        parent, root = cgroup.parent, cgroup.parent.parent
        for folder in (parent, cgroup):
            folder.mkdir(exist_ok=True)
            _inherit_cpuset(folder)
        _enable_controllers(root)
        _enable_controllers(parent)


def _inherit_cpuset(folder: Path) -> None:
    """Version 1: a new cpuset is empty, and no process may enter an empty one."""
    if not (folder / "cgroup.clone_children").exists():
        return
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def _enable_controllers(folder: Path) -> None:
    """Version 2: controllers reach a child only when its parent passes them on."""
    switch = folder / "cgroup.subtree_control"
    if not switch.exists():
        return
    active = set(switch.read_text().split())
    for controller in sorted((_controllers(folder) & _LIMITED_BY_PODS) - active):
        try:
            switch.write_text(f"+{controller}")
        except OSError:  # the kubelet will name what it misses, and why
            continue


def processes(branch: str) -> set[int]:
    """Return the pids of everything that runs in the cluster, pods included."""
    return {
        int(pid)
        for tree in _trees(branch)
        for listing in tree.rglob("cgroup.procs")
        for pid in _read(listing).split()
        if pid != "0"  # a process of another pid namespace
    }


def kill_all(branch: str, *, patience: float = 10.0) -> None:
    """End whatever is left in the cluster's cgroups.

    Raises:
        ClusterError: something cannot be killed, such as a process stuck in the kernel.
    """
    deadline = time.monotonic() + patience
    while left := processes(branch):
        if time.monotonic() > deadline:
            raise ClusterError(
                f"processes {sorted(left)} do not end; look at them with ps, then run down again"
            )
        for pid in left:
            send(pid, signal.SIGKILL)
        time.sleep(0.05)


def remove_all(branch: str) -> None:
    """Remove the cgroups, leaves first."""
    for tree in _trees(branch):
        for folder, _, _ in os.walk(tree, topdown=False):
            Path(folder).rmdir()


def _trees(branch: str) -> list[Path]:
    return [tree for root in hierarchies() if (tree := root / branch).exists()]


def _read(listing: Path) -> str:
    try:
        return listing.read_text()
    except OSError:  # the cgroup ended while we looked
        return ""
