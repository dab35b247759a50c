"""Where images, archives and binaries are kept between runs, and what of it is thrown away."""

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

_KEPT_PER_IMAGE = 2  # the one in use, and the one before it for an upgrade test or a quick revert


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRecord:
    """One finished archive, as written beside it."""

    name: str
    reference: str
    digest: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The folder everything lives in; removing it costs time and nothing else."""

    root: Path

    @property
    def archives(self) -> Path:
        return self.root / "archives"

    @property
    def log(self) -> Path:
        return self.root / "build.log"

    def archive(self, name: str, tag: str) -> Path:
        return self.archives / f"{name}-{tag}.tar"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off every other build: two of them would prune each other's layers."""
        self.archives.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def find(self, name: str, tag: str) -> ArchiveRecord | None:
        """Return the record of a finished archive, and note that it is still in use."""
        record = _record_path(self.archive(name, tag))
        if not record.exists() or not self.archive(name, tag).exists():
            return None
        os.utime(record)
        return ArchiveRecord(**json.loads(record.read_text()))

    def keep(self, partial: Path, archive: Path, record: ArchiveRecord) -> None:
        """Publish an archive: first the bytes, then the record that says they are whole."""
        partial.replace(archive)
        write_atomically(_record_path(archive), json.dumps(dataclasses.asdict(record)))

    def drop_partial_archives(self) -> None:
        """Remove what an interrupted build left; call it under the lock only."""
        for partial in self.archives.glob("*.partial"):
            partial.unlink()

    def prune(self, name: str) -> list[str]:
        """Remove all but the latest archives of one image; return the references removed."""
        records = [path for path in self.archives.glob("*.json") if _read(path).name == name]
        records.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        removed = []
        for path in records[_KEPT_PER_IMAGE:]:
            removed.append(_read(path).reference)
            path.unlink()
            path.with_suffix(".tar").unlink(missing_ok=True)
        return removed


def default_cache() -> Cache:
    """Return the cache of this user."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Cache(root=Path(home) / "fairlead" / "images")


def write_atomically(path: Path, text: str) -> None:
    """Write so that a reader sees the old text or the new, never half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def _record_path(archive: Path) -> Path:
    return archive.with_suffix(".json")


def _read(record: Path) -> ArchiveRecord:
    return ArchiveRecord(**json.loads(record.read_text()))
