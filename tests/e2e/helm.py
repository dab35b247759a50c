"""``python -m e2e.helm …``: the Helm of the local cluster, built first if it is not there."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.binaries import binaries, build
from cluster.errors import ClusterError
from cluster.layout import layout


def find_helm() -> Path:
    """Return the program; building it takes minutes the first time.

    Raises:
        ClusterError: it cannot be built.
    """
    cache = layout(os.environ).cache
    build(cache, lambda line: print(line, file=sys.stderr, flush=True))
    return binaries(cache)["helm"]


def main(arguments: Sequence[str]) -> int:
    try:
        helm = find_helm()
    except ClusterError as error:
        print(f"helm: {error}", file=sys.stderr)
        return 1
    return subprocess.run([helm, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
