"""Notices that a Secret of the operator was given another value.

The kubelet renews the files of a mounted Secret, and never a variable of a running process.  So the
process ends when a file has changed: the kubelet starts it again with the new values, and what it
had begun goes on, as after every restart.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_EVERY: Final = 5.0  # seconds


def read_secrets(directory: Path) -> dict[str, bytes]:
    """Read the files of the mounted Secrets, without the links and folders of the kubelet."""
    contents: dict[str, bytes] = {}
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.name.startswith("."):
            continue
        if path.is_file():
            contents[path.name] = path.read_bytes()
        else:
            below = read_secrets(path)
            contents |= {f"{path.name}/{name}": value for name, value in below.items()}
    return contents


def changed(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> list[str]:
    """Name what has another value; what is first filled in, or is missing, is no change."""
    return [name for name, value in now.items() if value and before.get(name, value) != value]


async def wait_for_rotation(directory: Path, *, every: float = _EVERY) -> list[str]:
    """Return what has changed, once something has."""
    before: dict[str, bytes] = {}
    while True:
        with contextlib.suppress(OSError):  # the kubelet is just replacing them
            now = read_secrets(directory)
            if names := changed(before, now):
                return names
            before = {**before, **now}
        await asyncio.sleep(every)
