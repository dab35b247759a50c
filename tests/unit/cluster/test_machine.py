"""The traces in the kernel: settings, mounts and cgroups, on tables made of files."""

from pathlib import Path

import pytest

from cluster.cgroups import hierarchies
from cluster.errors import ClusterError
from cluster.mounts import mount_points
from cluster.sysctls import remember, restore


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    root = tmp_path / "sys"
    (root / "kernel").mkdir(parents=True)
    (root / "kernel/panic").write_text("1\n")
    return root


def test_settings_are_put_back(settings: Path, tmp_path: Path) -> None:
    remember(tmp_path / "record", settings)
    (settings / "kernel/panic").write_text("10\n")

    restore(tmp_path / "record", settings)

    assert (settings / "kernel/panic").read_text().strip() == "1"


def test_a_second_look_does_not_replace_the_first(settings: Path, tmp_path: Path) -> None:
    """An ``up`` after an interrupted one sees settings that were changed already."""
    remember(tmp_path / "record", settings)
    (settings / "kernel/panic").write_text("10\n")
    remember(tmp_path / "record", settings)

    restore(tmp_path / "record", settings)

    assert (settings / "kernel/panic").read_text().strip() == "1"


def test_mounts_are_undone_from_the_deepest(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    points = ["/", "/state", "/state/a", "/state/a/b\\040c", "/stately"]
    table.write_text("".join(f"1 1 0:1 / {point} rw - ext4 x rw\n" for point in points))

    found = mount_points(below=Path("/state"), table=table)

    assert found == [Path("/state/a/b c"), Path("/state/a"), Path("/state")]


def test_version_one_has_a_tree_per_controller(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n"
        "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
        "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n"
    )

    assert [root.name for root in hierarchies(table)] == ["cpu,cpuacct", "memory", "pids"]


def test_version_two_has_one_tree(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    table = tmp_path / "mounts"
    table.write_text(f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")

    assert hierarchies(table) == [tmp_path]


def test_missing_controllers_are_named(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")

    with pytest.raises(ClusterError, match="missing: memory, pids"):
        hierarchies(table)
