"""``down`` leaves nothing behind.

On a cluster of its own beside the machine's, so it may run before, after and between the tests
that share that one.  What the machine's own cluster does meanwhile is left out of the picture.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import cgroups
from cluster.layout import Layout, layout
from cluster.mounts import mount_points
from cluster.ports import free_port
from cluster.process import ProcessId, identify
from support.spare_cluster import ignore, spare_cluster, spare_layout

pytestmark = pytest.mark.e2e

# What the kernel counts rather than is told.
_COUNTERS = re.compile(
    r"/(random/.*|quota/.*|.*-nr|.*-state|ns_last_pid|.*_count|pty/nr|stat_refresh|.*_peak|seccomp/.*)$"
)
_PANIC = Path("/proc/sys/kernel/panic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a cluster could leave in the kernel, but for that of the machine's own cluster."""

    mounts: frozenset[Path]
    cgroups: frozenset[Path]
    links: frozenset[str]
    settings: frozenset[tuple[str, str]]


def look() -> Machine:
    own = layout(os.environ)
    branches = [path for root in cgroups.hierarchies() for path in root.iterdir() if path.is_dir()]
    return Machine(
        mounts=frozenset(
            point for point in mount_points(below=Path("/")) if not point.is_relative_to(own.state)
        ),
        cgroups=frozenset(path for path in branches if path.name != own.identity),
        links=frozenset(os.listdir("/sys/class/net")),
        settings=frozenset(settings()),
    )


def settings() -> Iterator[tuple[str, str]]:
    for path in Path("/proc/sys").rglob("*"):
        if path.is_file() and not _COUNTERS.search(str(path)):
            try:
                yield str(path), path.read_text()
            except OSError:  # some can only be written
                continue


def network_namespaces() -> dict[int, set[int]]:
    """The processes in each network namespace."""
    found: dict[int, set[int]] = {}
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            found.setdefault(link.stat().st_ino, set()).add(int(link.parts[2]))
        except OSError:  # ended while we looked
            continue
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one cluster was made of while it ran."""

    processes: frozenset[ProcessId]
    namespaces: frozenset[int]


def live(folder: Path) -> Life:
    """Bring a cluster up, use all of it, and take it down."""
    place = spare_layout(folder)
    cluster = spare_cluster(folder)
    try:
        cluster.up(ignore)
        cluster.expose(namespace="kube-system", service="kube-dns", port=53, local_port=free_port())
        life = observe_life(place)
    finally:
        cluster.down(ignore)
    return life


def observe_life(place: Layout) -> Life:
    processes = cgroups.processes(place.identity)
    host = Path("/proc/self/ns/net").stat().st_ino
    namespaces = {inode for inode, pids in network_namespaces().items() if pids & processes} - {
        host
    }
    known = {found for pid in processes if (found := identify(pid)) is not None}
    return Life(processes=frozenset(known), namespaces=frozenset(namespaces))


@pytest.fixture
def odd_setting() -> Iterator[str]:
    """A value the kubelet would change, so that putting it back can be seen."""
    before = _PANIC.read_text()
    _PANIC.write_text("7")
    yield "7"
    _PANIC.write_text(before)


def test_down_leaves_nothing(tmp_path: Path, odd_setting: str) -> None:
    before = look()

    life = live(tmp_path)

    after = look()
    assert len(life.processes) > 8
    assert len(life.namespaces) > 1  # the node's and a pod's
    assert living(life.processes) == set()
    assert life.namespaces.isdisjoint(network_namespaces())
    assert after.settings ^ before.settings == set()
    assert after == before
    assert _PANIC.read_text().strip() == odd_setting
    assert not spare_layout(tmp_path).state.exists()


def living(processes: frozenset[ProcessId]) -> set[ProcessId]:
    return {process for process in processes if identify(process.pid) == process}


def test_down_on_nothing_is_fine(tmp_path: Path) -> None:
    cluster = spare_cluster(tmp_path)

    cluster.down(ignore)
    cluster.down(ignore)

    assert not any(part.running for part in cluster.status())
