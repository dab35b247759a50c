"""The processes behind a container, found on the node and signalled by their ids.

Only the local cluster runs its containers on this machine; elsewhere nothing is found.
"""

import os
import signal
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

_PROC = Path("/proc")
_PAUSE = 0.02
_GONE = 10.0


def of_container(container_id: str) -> Sequence[int]:
    """Return the IDs of the processes in a container.

    Args:
        container_id: as a pod's status has it, ``containerd://…``.
    """
    name = container_id.rpartition("/")[2]
    return [pid for pid in _all() if name and name in _read(pid, "cgroup")]


def freeze(pids: Iterable[int]) -> None:
    """Stop them where they are: they hold their connections and answer nothing."""
    _signal(pids, signal.SIGSTOP)


def thaw(pids: Iterable[int]) -> None:
    _signal(pids, signal.SIGCONT)


def kill(pids: Sequence[int]) -> None:
    """End them at once, and return when they are gone.

    Raises:
        TimeoutError: one is still there.
    """
    born = {pid: _born(pid) for pid in pids}
    _signal(pids, signal.SIGKILL)
    begin = time.monotonic()
    while any(_born(pid) == moment for pid, moment in born.items() if moment):
        if time.monotonic() - begin > _GONE:
            raise TimeoutError(f"still there after SIGKILL: {pids}")
        time.sleep(_PAUSE)


def _all() -> Iterable[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _read(pid: int, name: str) -> str:
    try:
        return (_PROC / str(pid) / name).read_text()
    except OSError:
        return ""  # it ended meanwhile


def _born(pid: int) -> str:
    """Return when the process began; empty when it is gone or waits to be reaped."""
    state, *rest = _read(pid, "stat").rpartition(") ")[2].split() or [""]
    return "" if state in {"", "Z", "X"} else rest[18]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
