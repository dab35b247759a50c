"""The mounts below our folder."""

import re
import shutil
from pathlib import Path

from cluster.command import Run
from cluster.errors import ClusterError

_OCTAL = re.compile(r"\\(\d{3})")


def mount_points(*, below: Path, table: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """Return all mounts at or below a folder, deepest first: the order to undo them in."""
    points = [
        Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), line.split()[4]))
        for line in table.read_text().splitlines()
    ]
    ours = [point for point in points if point.is_relative_to(below)]
    return sorted(ours, key=lambda point: len(point.parts), reverse=True)


def unmount_all(folder: Path, run: Run) -> None:
    for point in mount_points(below=folder):
        run(["umount", "--lazy", point], check=False)  # a lower one may have taken it along


def discard(folder: Path) -> None:
    """Remove a folder as a whole: whoever comes after a kill finds all of it or nothing."""
    finish_discarding(folder)
    _require_unmounted(folder)
    if folder.exists():
        folder.replace(_doomed(folder))
        finish_discarding(folder)


def finish_discarding(folder: Path) -> None:
    """Delete what a killed ``discard`` left."""
    remove_tree(_doomed(folder))


def _doomed(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.discarded")


def remove_tree(folder: Path) -> None:
    """Delete a folder, but never through a mount into somebody else's files.

    Raises:
        ClusterError: something is still mounted below it.
    """
    _require_unmounted(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _require_unmounted(folder: Path) -> None:
    if left := mount_points(below=folder):
        raise ClusterError(f"{left[0]} is still mounted; unmount it, then run down again")
