"""Wait for something to become true, with an end."""

import time
from collections.abc import Callable

from cluster.errors import ClusterError


def wait_until(
    check: Callable[[], bool],
    *,
    timeout: float,
    otherwise: Callable[[], str],
    pause: float = 0.05,
) -> None:
    """Repeat the check until it holds.

    Raises:
        ClusterError: with the words of ``otherwise``, when time is up.
    """
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() >= deadline:
            raise ClusterError(otherwise())
        time.sleep(pause)
