"""A native cluster beside the machine's own, for tests that break or remove one."""

import os
from pathlib import Path

import pytest

from cluster.choose import choose
from cluster.command import run
from cluster.layout import Layout, layout
from cluster.native import NativeCluster
from cluster.ports import free_port
from cluster.topology import HOST_PORT_VARIABLE


def spare_layout(folder: Path) -> Layout:
    """Folders of its own, so another network, other cgroups and other daemons; shared binaries."""
    return Layout(state=folder / "cluster", cache=layout(os.environ).cache)


def spare_cluster(folder: Path) -> NativeCluster:
    """Return a cluster that is not up yet.  Whoever asks for it takes it down."""
    if choose().name != "native":
        pytest.skip("this machine uses another kind of cluster")
    environ = {**os.environ, HOST_PORT_VARIABLE: str(free_port())}
    return NativeCluster(spare_layout(folder), environ, run)


def ignore(line: str) -> None:
    """Progress nobody looks at."""
