"""Write only the layers of an image that a node does not have yet.

containerd reads and writes every layer of an archive again, even those it has, which takes
seconds for a Python environment that did not change.  It accepts an OCI archive that leaves
them out.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Set
from pathlib import Path

_OCI = "application/vnd.oci.image"
_LAYOUT = {"imageLayoutVersion": "1.0.0"}


def write_increment(archive: Path, target: Path, *, present: Set[str]) -> None:
    """Turn a docker-archive of one image into an OCI archive without the layers `present`.

    `present` holds digests as `ctr content list --quiet` prints them.  The layers left out
    must stay on the node: they do as long as an image there uses them.
    """
    with tarfile.open(archive) as source, tarfile.open(target, "w") as sink:
        (entry,) = json.loads(_read(source, "manifest.json"))
        config = _read(source, entry["Config"])
        digests = json.loads(config)["rootfs"]["diff_ids"]  # uncompressed, so the layers' own
        members = [source.getmember(name) for name in entry["Layers"]]
        layers = [
            _describe("layer.v1.tar", digest, member.size)
            for digest, member in zip(digests, members, strict=True)
        ]
        manifest = _to_json(
            schemaVersion=2,
            mediaType=f"{_OCI}.manifest.v1+json",
            config=_describe("config.v1+json", _digest(config), len(config)),
            layers=layers,
        )
        (reference,) = entry["RepoTags"]
        _write(sink, "oci-layout", json.dumps(_LAYOUT).encode())
        _write(sink, "index.json", _build_index(manifest, reference))
        _write(sink, _blob(_digest(manifest)), manifest)
        _write(sink, _blob(_digest(config)), config)
        missing = {d: m for d, m in zip(digests, members, strict=True) if d not in present}
        for digest, member in missing.items():
            copy = tarfile.TarInfo(_blob(digest))
            copy.size = member.size
            sink.addfile(copy, source.extractfile(member))


def _build_index(manifest: bytes, reference: str) -> bytes:
    names = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference}
    entry = _describe("manifest.v1+json", _digest(manifest), len(manifest))
    return _to_json(schemaVersion=2, manifests=[{**entry, "annotations": names}])


def _describe(kind: str, digest: str, size: int) -> Mapping[str, str | int]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": digest, "size": size}


def _to_json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is not a file")
    return member.read()


def _write(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
