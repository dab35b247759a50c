"""An increment names every layer of an image and carries those that are missing."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from images.increment import write_increment

REFERENCE = "localhost/fairlead/operator:1"
LAYERS = (b"debian", b"dependencies", b"our code")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A docker-archive of three layers, as buildah writes it."""
    config = json.dumps({"rootfs": {"diff_ids": [digest(layer) for layer in LAYERS]}}).encode()
    names = [f"{digest(layer)[7:]}.tar" for layer in LAYERS]
    manifest = [{"Config": "c.json", "RepoTags": [REFERENCE], "Layers": names}]
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as tar:
        for name, layer in zip(names, LAYERS, strict=True):
            write(tar, name, layer)
        write(tar, "c.json", config)
        write(tar, "manifest.json", json.dumps(manifest).encode())
    return path


def increment(archive: Path, *, present: set[str]) -> dict[str, bytes]:
    target = archive.with_name("increment.tar")
    write_increment(archive, target, present=present)
    with tarfile.open(target) as tar:
        members = {name: tar.extractfile(name) for name in tar.getnames()}
        return {name: member.read() for name, member in members.items() if member}


def blobs(files: dict[str, bytes]) -> set[bytes]:
    return {content for name, content in files.items() if name.startswith("blobs/")}


@pytest.mark.parametrize(
    ("present", "carried"),
    [
        pytest.param((), LAYERS, id="an empty node gets all layers"),
        pytest.param(LAYERS[:2], LAYERS[2:], id="a node with the dependencies gets our code"),
        pytest.param(LAYERS, (), id="a node with all layers gets the image's name"),
    ],
)
def test_only_missing_layers_are_carried(
    archive: Path, present: tuple[bytes, ...], carried: tuple[bytes, ...]
) -> None:
    files = increment(archive, present={digest(layer) for layer in present})

    assert blobs(files) & set(LAYERS) == set(carried)


def test_the_manifest_names_every_layer_in_order(archive: Path) -> None:
    files = increment(archive, present={digest(layer) for layer in LAYERS})

    (entry,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(files[f"blobs/{entry['digest'].replace(':', '/')}"])
    assert [layer["digest"] for layer in manifest["layers"]] == [digest(layer) for layer in LAYERS]
    assert entry["annotations"]["io.containerd.image.name"] == REFERENCE


def test_every_blob_has_the_digest_it_is_stored_under(archive: Path) -> None:
    files = increment(archive, present=set())

    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/{digest(content).replace(':', '/')}"
