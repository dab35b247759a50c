"""Name an image by what goes into it, so that nothing unchanged is ever built again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

_TAG_LENGTH = 12
_IGNORED_FOLDERS = frozenset({"__pycache__"})  # as in .dockerignore


def fingerprint(*, root: Path, files: Iterable[Path], facts: Iterable[str]) -> str:
    """Return the image's tag.

    `files` may be folders, taken whole; `facts` are inputs that are no file, such as the
    base image's id. Times and owners do not count, since they differ between checkouts.
    """
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f"fact {len(fact)} {fact}\n".encode())
    for path in sorted(_expand(files)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        executable = bool(path.stat().st_mode & 0o100)
        digest.update(f"file {path.relative_to(root)} {executable} {content}\n".encode())
    return digest.hexdigest()[:_TAG_LENGTH]


def _expand(files: Iterable[Path]) -> Iterable[Path]:
    for path in files:
        if not path.is_dir():
            yield path
            continue
        for inner in path.rglob("*"):
            if inner.is_file() and not _IGNORED_FOLDERS.intersection(inner.parts):
                yield inner
