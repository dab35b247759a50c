"""The commands given to kind and Docker.  Neither runs here."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from cluster.binaries import binaries
from cluster.images import read_archive
from cluster.kind import KindCluster
from cluster.layout import Layout
from support.commands import FakeRun

RUNNING = {"kind get clusters": "fairlead\n", "docker inspect": "true\n"}


def ignore(line: str) -> None:
    """Progress nobody looks at."""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(state=tmp_path / "kind", cache=tmp_path / "cache")
    binaries(layout.cache).folder.mkdir(parents=True)  # so nothing is built
    layout.state.mkdir()
    layout.kubeconfig.touch()
    return layout


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "operator.tar"
    manifest = [{"Config": "c.json", "RepoTags": ["localhost/fairlead/operator:dev"]}]
    with tarfile.open(path, "w") as tar:
        for name, content in (("manifest.json", json.dumps(manifest).encode()), ("c.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_an_absent_cluster_is_created(layout: Layout) -> None:
    run = FakeRun({"kind get clusters": "other\n"})

    KindCluster(layout, run).up(ignore)

    created = f"kind create cluster --wait=180s --kubeconfig={layout.kubeconfig} --name=fairlead"
    assert created in run.asked


def test_a_running_cluster_is_left_alone(layout: Layout) -> None:
    run = FakeRun(RUNNING)

    KindCluster(layout, run).up(ignore)

    assert not [line for line in run.asked if line.startswith(("kind create", "docker start"))]


def test_a_cluster_that_stopped_with_docker_is_started(layout: Layout) -> None:
    run = FakeRun(RUNNING | {"docker inspect": "false\n"})

    KindCluster(layout, run).up(ignore)

    assert "docker start fairlead-control-plane" in run.asked


def test_an_archive_is_loaded(layout: Layout, archive: Path) -> None:
    run = FakeRun({"docker exec": '{"images": []}'})

    KindCluster(layout, run).load_images([archive], ignore)

    assert run.asked[-1] == f"kind load image-archive {archive} --name=fairlead"


def test_an_image_the_node_holds_is_not_loaded_again(layout: Layout, archive: Path) -> None:
    (image,) = read_archive(archive)
    held = {"images": [{"id": image.config, "repoTags": [image.reference]}]}
    run = FakeRun({"docker exec": json.dumps(held)})

    KindCluster(layout, run).load_images([archive], ignore)

    assert not [line for line in run.asked if line.startswith("kind load")]


def test_down_removes_the_cluster_and_its_folder(layout: Layout) -> None:
    run = FakeRun(RUNNING)

    KindCluster(layout, run).down(ignore)

    assert [line for line in run.asked if line.startswith("kind delete cluster")]
    assert not layout.state.exists()


def test_the_status_of_an_absent_cluster_is_down(layout: Layout) -> None:
    run = FakeRun({"kind get clusters": ""})

    assert not any(part.running for part in KindCluster(layout, run).status())
