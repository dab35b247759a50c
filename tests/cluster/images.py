"""Image archives: what is in one, and the one image the cluster itself needs."""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ClusterError
from cluster.topology import PAUSE_IMAGE

# Written by containerd and by buildah, each under its own name.
_REFERENCE_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A named image; two are the same when their configuration, which lists the layers, is."""

    reference: str
    config: str  # sha256:…


def read_archive(path: Path) -> list[Image]:
    """List the images in a ``docker save`` or OCI archive.

    Raises:
        ClusterError: it is no such archive, or names no image.
    """
    try:
        with tarfile.open(path) as archive:
            names = set(archive.getnames())
            images = _docker(archive) if "manifest.json" in names else _oci(archive)
    except (OSError, tarfile.TarError, KeyError, ValueError) as error:
        raise ClusterError(f"{path} is not an image archive: {error}") from error
    if not images:
        raise ClusterError(
            f"{path} does not name its image; save the image by name and tag, not by ID"
        )
    return images


def is_held(wanted: Image, held: Mapping[str, str]) -> bool:
    """Tell whether a node with these references and configurations has this image.

    Runtimes put their default registry before a short name, so the end of a reference counts.
    """
    return any(
        config == wanted.config
        and (reference == wanted.reference or reference.endswith(f"/{wanted.reference}"))
        for reference, config in held.items()
    )


def _docker(archive: tarfile.TarFile) -> list[Image]:
    return [
        Image(reference=tag, config=_digest(_read(archive, entry["Config"])))
        for entry in json.loads(_read(archive, "manifest.json"))
        for tag in entry.get("RepoTags") or []
    ]


def _oci(archive: tarfile.TarFile) -> list[Image]:
    images = []
    for entry in json.loads(_read(archive, "index.json"))["manifests"]:
        annotations = entry.get("annotations", {})
        names = [annotations[key] for key in _REFERENCE_ANNOTATIONS if key in annotations]
        if names:
            images.append(Image(reference=names[0], config=_config(archive, entry["digest"])))
    return images


def _config(archive: tarfile.TarFile, digest: str) -> str:
    """Follow a manifest, or the first of an index, to its configuration."""
    document = json.loads(_read(archive, f"blobs/{digest.replace(':', '/')}"))
    if "config" in document:
        return str(document["config"]["digest"])
    return _config(archive, document["manifests"][0]["digest"])


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return member.read()


def build_pause_archive(program: Path, target: Path) -> None:
    """Pack the program that holds a pod's namespaces open as an image of one file."""
    layer = _tar({"pause": program.read_bytes()}, mode=0o755)
    machine = platform.machine()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": [PAUSE_IMAGE], "Layers": ["layer.tar"]}]
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "config.json": config,
        "layer.tar": layer,
    }
    target.write_bytes(_tar(files, mode=0o644))


def _tar(files: Mapping[str, bytes], *, mode: int) -> bytes:
    """Build a tar whose bytes depend on nothing but its files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def missing_archives(
    archives: Sequence[Path], held: Mapping[str, str]
) -> list[tuple[Path, list[str]]]:
    """Return the archives with an image the node does not hold, and the references in each."""
    missing = []
    for path in archives:
        images = read_archive(path)
        if not all(is_held(image, held) for image in images):
            missing.append((path, [image.reference for image in images]))
    return missing
