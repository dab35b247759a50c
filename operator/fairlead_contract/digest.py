"""The digest that names the bytes of a model, as docs/contracts.md defines it."""

import hashlib
from pathlib import Path
from typing import Final

# MLflow writes it beside the files when they are downloaded, so it is no part of the model.
_DOWNLOAD_MARK: Final = "registered_model_meta"


def digest_directory(directory: Path) -> str:
    """Compute the digest of all files below a model directory."""
    whole = hashlib.sha256()
    files = {
        path.relative_to(directory).as_posix(): path
        for path in directory.rglob("*")
        if path.is_file()
    }
    for name in sorted(files.keys() - {_DOWNLOAD_MARK}):
        with files[name].open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{content}\n".encode())
    return f"sha256:{whole.hexdigest()}"
