"""How many threads this container may keep busy, and how much memory it may take."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/cpu.max")
_MEMORY = Path("/sys/fs/cgroup/memory.max")
_PAGES = Path("/proc/self/statm")


def threads_for(parallelism: int, *, limit: float | None, cores: int) -> int:
    """Return how many threads one worker takes.

    Without a limit the workers may share one node, so each takes its part of the cores.

    Args:
        parallelism: workers that train at the same time.
        limit: CPU limit of the container in cores; None when there is none.
        cores: cores of the node that this process may run on.
    """
    share = cores / parallelism if limit is None else min(limit, cores)
    return max(1, math.ceil(share) if limit is not None else math.floor(share))


def read_cpu_limit(path: Path = _CGROUP) -> float | None:
    """Read the cgroup's CPU limit in cores; None when there is none or it cannot be read."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def read_memory_limit(path: Path = _MEMORY) -> int | None:
    """Read the cgroup's memory limit in bytes; None when there is none or it cannot be read."""
    try:
        limit = path.read_text(encoding="ascii").strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None


def read_memory_used(path: Path = _PAGES) -> int:
    """Read how many bytes of memory this process takes; 0 when it cannot be read."""
    try:
        return int(path.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def count_threads(parallelism: int) -> int:
    """Return how many threads this process should use."""
    return threads_for(parallelism, limit=read_cpu_limit(), cores=len(os.sched_getaffinity(0)) or 1)
