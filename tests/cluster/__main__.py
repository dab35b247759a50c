"""``python -m cluster up|status|down|kubeconfig [--control-plane-only]``."""

import argparse
import os
import sys
from collections.abc import Sequence

from cluster.api import ComponentStatus
from cluster.choose import choose
from cluster.control_plane import lone_control_plane
from cluster.errors import ClusterError
from cluster.progress import stopwatch


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cluster", description="Bring up, show or remove the local cluster."
    )
    parser.add_argument("command", choices=["up", "status", "down", "kubeconfig"])
    parser.add_argument(
        "--control-plane-only",
        action="store_true",
        help="only etcd and the API server; there is no node, so no pod runs",
    )
    options = parser.parse_args(arguments)
    try:
        return _carry_out(options.command, lone=options.control_plane_only)
    except ClusterError as error:
        sys.stderr.write(f"cluster: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("cluster: interrupted; run up again to continue, or down to undo\n")
    return 1


def _carry_out(command: str, *, lone: bool) -> int:
    target = lone_control_plane(os.environ) if lone else choose()
    match command:
        case "up":
            target.up(stopwatch())
        case "down":
            target.down(stopwatch())
        case "status":
            return _show(target.status())
        case "kubeconfig":
            sys.stdout.write(f"{target.kubeconfig}\n")
    return 0


def _show(components: Sequence[ComponentStatus]) -> int:
    for component in components:
        mark = "up  " if component.running else "DOWN"
        sys.stdout.write(f"{mark}  {component.name:<24} {component.detail}\n")
    return 0 if all(component.running for component in components) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
