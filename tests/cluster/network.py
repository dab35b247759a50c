"""The network namespace the whole cluster lives in.

It has no way out: its default route ends in a veth pair with both ends inside, so a packet for
an address that no pod has is dropped there.  Deleting it takes bridges, routes and packet
filter rules along.

The namespace is kept by a mount in our own folder.  ``ip netns`` would keep it too, but leaves
a mount of its own behind, and its ``exec`` hides the cgroups.
"""

from collections.abc import Sequence
from pathlib import Path

from cluster.command import Run
from cluster.mounts import mount_points
from cluster.topology import NODE_ADDRESS

_OUTER, _INNER = "node0", "node1"  # both ends are inside


def enter(namespace: Path) -> Sequence[str]:
    """Return the words before a command that make it run in the namespace."""
    return ["nsenter", f"--net={namespace}", "--"]


def exists(namespace: Path) -> bool:
    """Tell whether the namespace is mounted; after a reboot only a plain file is left of it."""
    return namespace in mount_points(below=namespace)


def make_namespace(namespace: Path, run: Run) -> None:
    """Make the namespace, or finish one that was left half made."""
    if not exists(namespace):
        namespace.parent.mkdir(parents=True, exist_ok=True)
        namespace.touch()
        run(["unshare", f"--net={namespace}", "true"])
    inside = enter(namespace)
    if _INNER not in run([*inside, "ip", "-brief", "link"]).stdout:
        run([*inside, "ip", "link", "add", _OUTER, "type", "veth", "peer", "name", _INNER])
    for link in ("lo", _OUTER, _INNER):
        run([*inside, "ip", "link", "set", link, "up"])
    run([*inside, "ip", "address", "replace", f"{NODE_ADDRESS}/32", "dev", _OUTER])
    run([*inside, "ip", "route", "replace", "default", "dev", _OUTER, "src", NODE_ADDRESS])
    _set(namespace, run, "ipv4/ip_forward")
    _translate_bridged(namespace, run)


def _translate_bridged(namespace: Path, run: Run) -> None:
    """Show packets between pods to the packet filter.

    A reply from a Service's pod to its neighbor crosses only the bridge; unseen, it would keep
    the pod's address where the asker expects the Service's.
    """
    if not Path("/proc/sys/net/bridge").exists():
        run(["modprobe", "br_netfilter"])
    _set(namespace, run, "bridge/bridge-nf-call-iptables")


def _set(namespace: Path, run: Run, setting: str) -> None:
    """Switch on a network setting; each namespace has its own, the host's stays as it is."""
    run([*enter(namespace), "tee", f"/proc/sys/net/{setting}"], stdin="1")
