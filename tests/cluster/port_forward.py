"""Keep a ``kubectl port-forward`` alive: ``port_forward.py KUBECTL ARGUMENT…``.

kubectl ends a forward whenever its pod goes; a Service has another one a moment later.
Stands alone, because it runs as a daemon.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def main(argv: Sequence[str]) -> None:
    signal.signal(signal.SIGTERM, _end)
    while True:
        _forward(argv)
        time.sleep(0.5)


def _forward(argv: Sequence[str]) -> None:
    with subprocess.Popen(argv) as forward:
        try:
            forward.wait()
        finally:
            forward.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
