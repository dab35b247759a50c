"""Lines that say what is being done and how long it has taken so far."""

import sys
import time

from cluster.api import Progress


def stopwatch() -> Progress:
    """Print each line behind the seconds since now."""
    begin = time.monotonic()

    def report(line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begin:6.1f}s  {line}\n")
        sys.stdout.flush()

    return report
