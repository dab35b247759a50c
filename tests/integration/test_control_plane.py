"""The lone API server that other integration tests stand on."""

import json
import os
from pathlib import Path

import pytest

from cluster import control_plane as planes
from cluster.control_plane import ControlPlane
from cluster.errors import ClusterError

pytestmark = pytest.mark.integration


def processes_naming(folder: Path) -> list[str]:
    """The command lines of living processes that mention a folder; zombies have none."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_text().replace("\0", " ")
        except OSError:
            continue
        if str(folder) in line:
            lines.append(line)
    return lines


def test_it_stores_objects(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "stores-objects")

    found = control_plane.kubectl("get", "namespace", "stores-objects", "--output=json")

    assert json.loads(found.stdout)["metadata"]["name"] == "stores-objects"


def test_a_pod_is_accepted_though_none_runs(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "accepts-pods")

    done = control_plane.kubectl("--namespace=accepts-pods", "run", "pod", "--image=x")

    assert "created" in done.stdout


def test_a_refusal_is_an_error(control_plane: ControlPlane) -> None:
    with pytest.raises(ClusterError, match="NotFound"):
        control_plane.kubectl("get", "namespace", "absent")


def test_another_runs_beside_it_and_ends_with_its_block(control_plane: ControlPlane) -> None:
    with planes.control_plane(os.environ) as other:
        folder = other.kubeconfig.parent
        assert other.kubeconfig.read_text() != control_plane.kubeconfig.read_text()
        assert processes_naming(folder)

    assert not processes_naming(folder)
    assert not folder.exists()


def test_it_ends_when_the_block_fails() -> None:
    folders: list[Path] = []

    with pytest.raises(ZeroDivisionError):
        fail_with_a_control_plane(folders)

    assert not processes_naming(folders[0])
    assert not folders[0].exists()


def fail_with_a_control_plane(folders: list[Path]) -> None:
    with planes.control_plane(os.environ) as plane:
        folders.append(plane.kubeconfig.parent)
        raise ZeroDivisionError
