"""Loopback ports that lead into the cluster, held open by daemons of their own."""

import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.daemons import Detached
from cluster.errors import ClusterError
from cluster.layout import PACKAGE
from cluster.preflight import require_port
from cluster.wait import wait_until


def keep_exposed(daemons: Detached, *, port: int, argv: Sequence[str]) -> None:
    """Have the daemon with this command line hold the port; replace one that leads elsewhere.

    Raises:
        ClusterError: another program has the port, or the daemon does not open it.
    """
    name = daemon_name(port)
    command = json.dumps(list(argv))
    if daemons.is_running(name) and daemons.noted(name) == command and _is_open(port):
        return
    daemons.stop(name)
    require_port(port, way_out="end the program that uses it, or choose another local port")
    daemons.note(name, command)
    daemons.start(name, argv)
    wait_until(
        lambda: _is_open(port) or not daemons.is_running(name),
        timeout=120,
        otherwise=lambda: f"nothing listens on port {port}; see {daemons.log(name)}",
    )
    if not daemons.is_running(name):
        raise ClusterError(f"the relay for port {port} ended; see {daemons.log(name)}")


def daemon_name(port: int) -> str:
    return f"port-{port}"


def relay(namespace: Path, port: int, target: str) -> Sequence[str]:
    """Return the command that carries a port into the native cluster's network."""
    script = str(PACKAGE / "relay.py")
    return [sys.executable, "-I", script, str(namespace), str(port), target]


def forward(
    daemons: Detached, kubectl: Path, kubeconfig: Path, *, namespace: str, service: str, ports: str
) -> str:
    """Do the same where we cannot reach the network; return the address.

    Args:
        ports: the local one and the Service's, as in ``8080:80``.
    """
    argv = [sys.executable, "-I", str(PACKAGE / "port_forward.py"), str(kubectl)]
    argv += [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"]
    argv += ["port-forward", "--address=127.0.0.1", f"service/{service}", ports]
    port = int(ports.partition(":")[0])
    keep_exposed(daemons, port=port, argv=argv)
    return f"http://127.0.0.1:{port}"


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
