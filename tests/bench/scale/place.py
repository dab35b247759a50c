"""A cluster without machines: a real API server and real controllers; KWOK plays nodes and pods.

The API server writes down each request of the operator (its audit log), so requests are
counted where they arrive, whoever in the process sent them.
"""

import contextlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.binaries import binaries
from cluster.control_plane import ControlPlane, control_plane
from cluster.daemons import Bound
from cluster.layout import layout
from fairlead_operator.kube.client import KubeClient
from images.cache import default_cache
from images.catalogue import KWOK
from images.commands import HostRunner
from images.programs import binary_path, ensure_program
from support.backends import Backends, running_backends
from support.kube_desk import admin_client, apply_crds, chart_account
from support.live_operator import Launcher, launching
from support.postgres import running_postgres

NAMESPACE = "fairlead"  # the operator's own
# kopf imports a Kubernetes library where it finds one.  The development environment has one, for
# tests; the operator's image has none, and half of its memory.
_AS_IN_THE_IMAGE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("kubernetes", "kubernetes_asyncio", "pykube")))
runpy.run_module("fairlead_operator", run_name="__main__")
"""
_STAGES = Path(__file__).with_name("stages.yaml")
_NODES = 4
# What makes pods of Deployments and ends what an owner leaves; the rest would only cost.
_CONTROLLERS = ("deployment-controller", "replicaset-controller", "garbage-collector-controller")
_QUICK = ("--kube-api-qps=500", "--kube-api-burst=1000")


@dataclass(kw_only=True)
class Audit:
    """What the operator asked of the API server, as the server wrote it down."""

    file: Path
    _position: int = field(default=0, repr=False)

    def skip(self) -> None:
        """Count from here on."""
        self._position = self.file.stat().st_size

    def count(self) -> Counter[tuple[str, str]]:
        """Requests since the last ``skip``, by verb and resource."""
        with self.file.open("rb") as log:
            log.seek(self._position)
            lines = log.read().splitlines()
        return count_requests(lines)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the operator is measured."""

    plane: ControlPlane
    launcher: Launcher
    backends: Backends
    audit: Audit

    def client(self) -> KubeClient:
        """A client with all rights."""
        return admin_client(self.plane.kubeconfig)


@contextlib.contextmanager
def simulated_cluster() -> Iterator[Place]:
    """Bring everything up; it ends with the block, or with the process if that is killed."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-scale-")))
        audit = Audit(file=folder / "audit.log")
        flags = _audited(folder, audit.file)
        plane = stack.enter_context(control_plane(os.environ, flags=flags))
        daemons = Bound(log=folder / "log")
        for name, argv in _controllers(plane).items():
            daemons.start(name, argv)
            stack.callback(daemons.stop, name)
        apply_crds(plane)
        plane.kubectl("create", "namespace", NAMESPACE)
        nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(n) for n in range(_NODES)]}
        plane.kubectl("apply", "--filename=-", input=json.dumps(nodes))
        # The controller that would take it away is not there.
        plane.kubectl("taint", "nodes", "--all", "node.kubernetes.io/not-ready:NoSchedule-")
        backends = stack.enter_context(running_backends())
        backends.prometheus.healthy()
        postgres = stack.enter_context(running_postgres())
        account = chart_account(plane, namespace=NAMESPACE, watch="", folder=folder)
        launcher = stack.enter_context(
            launching(
                kubeconfig=account,
                backends=backends,
                namespace=NAMESPACE,
                folder=folder,
                program=("-c", _AS_IN_THE_IMAGE),
                database=postgres.uri(postgres.create_database()),
            )
        )
        yield Place(plane=plane, launcher=launcher, backends=backends, audit=audit)


def count_requests(lines: Sequence[bytes]) -> Counter[tuple[str, str]]:
    """Sum up an audit log, a watch when it begins and all else when it ends.  Pure."""
    counted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        event = json.loads(line)
        verb, reference = event["verb"], event.get("objectRef") or {}
        if (event["stage"] == "ResponseStarted") is (verb == "watch"):
            counted[verb, reference.get("resource", "")] += 1
    return counted


def _audited(folder: Path, log: Path) -> Sequence[str]:
    """Flags that have the requests of service accounts written down, and no others."""
    policy = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{NAMESPACE}"]},
            {"level": "None"},
        ],
    }
    (folder / "audit.json").write_text(json.dumps(policy))
    log.touch()
    return [f"--audit-policy-file={folder / 'audit.json'}", f"--audit-log-path={log}"]


def _controllers(plane: ControlPlane) -> dict[str, Sequence[str]]:
    programs = binaries(layout(os.environ).cache)
    kwok = _build_kwok()
    kubeconfig = f"--kubeconfig={plane.kubeconfig}"
    loops = (kubeconfig, "--leader-elect=false", "--secure-port=0", *_QUICK)
    return {
        "kube-controller-manager": [
            *(str(programs["kube-controller-manager"]), *loops),
            f"--controllers={','.join(_CONTROLLERS)}",
            *("--concurrent-deployment-syncs=20", "--concurrent-replicaset-syncs=20"),
        ],
        "kube-scheduler": [str(programs["kube-scheduler"]), *loops],
        "kwok": [
            *(str(kwok), kubeconfig, f"--config={_STAGES}", "--manage-all-nodes=true"),
            *("--node-ip=127.0.0.1", "--node-lease-duration-seconds=0"),
        ],
    }


def _build_kwok() -> Path:
    """Build it unless it is there; then nobody's build is waited for."""
    cache = default_cache()
    program = binary_path(cache, KWOK, "kwok")
    if not program.exists():
        with cache.lock():
            ensure_program(cache, KWOK, HostRunner(log=cache.log))
    return program


def _node(number: int) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"kwok-{number}"}}
