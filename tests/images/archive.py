"""Read what a docker-archive says about itself."""

import json
import tarfile
from pathlib import Path, PurePosixPath


def read_image_id(archive: Path) -> str:
    """Return the id of the one image in the archive, `sha256:…`."""
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        if manifest is None:
            raise ValueError(f"{archive} has no manifest.json")
        (image,) = json.load(manifest)
    return f"sha256:{PurePosixPath(image['Config']).name.removesuffix('.json')}"
