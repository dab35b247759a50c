"""Loopback ports for servers that are told where to listen before they do.

A number from the system (port 0) may be given to any outgoing connection a moment later.  So they
are taken from below those numbers, and none is given twice in a process, nor by two processes that
share the tests of one run.
"""

import atexit
import os
import secrets
import socket
from collections.abc import Mapping
from typing import Final


def own_range(environment: Mapping[str, str]) -> range:
    """Return the ports that are this process's to give."""
    number = int(environment.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return range(20_000 + number, 25_000, count)  # outgoing connections begin at 32,768


_RANGE: Final = own_range(os.environ)
_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """Choose a port that nobody listens on and that nobody else is given."""
    while True:
        port = secrets.choice(_RANGE)
        if port not in _GIVEN and _is_free(port):
            _GIVEN.add(port)
            return port


def refusing_port() -> int:
    """Return a port that refuses connections as long as this process lives, and is nobody else's.

    It is bound, and never listened on.
    """
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    atexit.register(held.close)
    return int(held.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
