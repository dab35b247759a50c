"""Loopback ports for servers that are told where to listen before they do.

A number from the system (port 0) may be given to any outgoing connection a moment later.  So they
are taken from below those numbers, and none is given twice in a process.
"""

import atexit
import secrets
import socket
from typing import Final

_RANGE: Final = range(20_000, 25_000)  # outgoing connections begin at 32,768
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
