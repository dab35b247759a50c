"""Image archives."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.images import Image, build_pause_archive, is_held, read_archive
from cluster.topology import PAUSE_IMAGE

CONFIG = b'{"os": "linux"}'
DIGEST = f"sha256:{hashlib.sha256(CONFIG).hexdigest()}"


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def docker_archive(path: Path, *tags: str) -> Path:
    manifest = [{"Config": "c.json", "RepoTags": list(tags), "Layers": []}]
    return pack(path, {"manifest.json": json.dumps(manifest).encode(), "c.json": CONFIG})


def oci_archive(path: Path, annotation: str) -> Path:
    manifest = json.dumps({"config": {"digest": DIGEST}}).encode()
    digest = hashlib.sha256(manifest).hexdigest()
    entry = {"digest": f"sha256:{digest}", "annotations": {annotation: "localhost/a:1"}}
    index = json.dumps({"manifests": [entry]}).encode()
    return pack(path, {"index.json": index, f"blobs/sha256/{digest}": manifest})


def test_a_docker_archive_names_its_images(tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "a.tar", "localhost/a:1", "localhost/a:2")

    assert read_archive(path) == [
        Image(reference="localhost/a:1", config=DIGEST),
        Image(reference="localhost/a:2", config=DIGEST),
    ]


@pytest.mark.parametrize(
    "annotation", ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
)
def test_an_oci_archive_names_its_image(annotation: str, tmp_path: Path) -> None:
    path = oci_archive(tmp_path / "a.tar", annotation)

    assert read_archive(path) == [Image(reference="localhost/a:1", config=DIGEST)]


def test_an_archive_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="does not name its image"):
        read_archive(docker_archive(tmp_path / "a.tar"))


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_text("hello")

    with pytest.raises(ClusterError, match="not an image archive"):
        read_archive(tmp_path / "a.tar")


@pytest.mark.parametrize(
    ("held", "answer"),
    [
        pytest.param({"localhost/a:1": DIGEST}, True, id="the same"),
        pytest.param({"registry.example/localhost/a:1": DIGEST}, True, id="behind a registry"),
        pytest.param({"localhost/a:1": "sha256:0"}, False, id="the tag has moved on"),
        pytest.param({"localhost/b:1": DIGEST}, False, id="under another name"),
        pytest.param({}, False, id="nothing there"),
    ],
)
def test_is_held(held: dict[str, str], answer: bool) -> None:
    assert is_held(Image(reference="localhost/a:1", config=DIGEST), held) is answer


def test_the_pause_archive_is_the_same_each_time(tmp_path: Path) -> None:
    (tmp_path / "pause").write_bytes(b"program")

    build_pause_archive(tmp_path / "pause", tmp_path / "one.tar")
    build_pause_archive(tmp_path / "pause", tmp_path / "two.tar")

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert [image.reference for image in read_archive(tmp_path / "one.tar")] == [PAUSE_IMAGE]
