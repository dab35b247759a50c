"""KEDA on a real API server: its two programs in a room, and the controllers that they need."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.binaries import binaries
from cluster.certificates import FRONT_PROXY, Certificate, make_certificates
from cluster.command import run
from cluster.components import aggregation
from cluster.control_plane import ControlPlane, control_plane
from cluster.daemons import Bound
from cluster.kubeconfig import server_port
from cluster.layout import layout
from cluster.ports import free_port
from cluster.wait import wait_until
from images.keda import keda_crds
from support.kube_desk import wait_established
from support.room import Room, furnished

_NAMESPACE = "keda"  # its own
_METRICS_PORT = 9666  # of its operator, in the room
_CERTIFICATE = Certificate(
    name="tls", subject="/CN=keda", usage="serverAuth,clientAuth", names=("DNS:localhost",)
)
# The horizontal pod autoscaler that KEDA instructs, and what ends one whose owner has ended.
_CONTROLLERS = ("horizontal-pod-autoscaler-controller", "garbage-collector-controller")
_QUICK = (
    "--horizontal-pod-autoscaler-sync-period=1s",
    "--horizontal-pod-autoscaler-downscale-stabilization=1s",
)


@contextlib.contextmanager
def scaling_control_plane(
    environ: Mapping[str, str], programs: Path, *, prometheus_url: str, folder: Path
) -> Iterator[ControlPlane]:
    """Run a control plane that scales by what KEDA reads from this Prometheus."""
    make_certificates(folder / "pki", (FRONT_PROXY, _CERTIFICATE), run)
    with (
        control_plane(environ, flags=aggregation(folder / "pki")) as plane,
        _keda(plane, programs, prometheus_url=prometheus_url, folder=folder),
        _controllers(environ, plane, folder),
    ):
        yield plane


@contextlib.contextmanager
def _controllers(environ: Mapping[str, str], plane: ControlPlane, folder: Path) -> Iterator[None]:
    """After the CRDs are there: later ones are found only every half minute."""
    daemons = Bound(log=folder / "log")
    program = binaries(layout(environ).cache)["kube-controller-manager"]
    command = [
        *(str(program), f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false"),
        *("--secure-port=0", *_QUICK, f"--controllers={','.join(_CONTROLLERS)}"),
    ]
    daemons.start("kube-controller-manager", command)
    try:
        yield
    finally:
        daemons.stop("kube-controller-manager")


@contextlib.contextmanager
def _keda(
    plane: ControlPlane, programs: Path, *, prometheus_url: str, folder: Path
) -> Iterator[None]:
    """Install the CRDs, start both programs, and wait until the API server has their metrics."""
    apply = ("apply", "--server-side", "--filename")
    plane.kubectl(*apply, str(keda_crds()))
    wait_established(plane)
    plane.kubectl("create", "namespace", _NAMESPACE)
    home = folder / "home"
    home.mkdir()
    (home / "kubeconfig").write_text(plane.kubeconfig.read_text())
    port = free_port()
    folders = {"/keda": home, "/certs": folder / "pki", "/programs": programs}
    with (
        furnished(folder / "room", addresses=(), folders=folders) as room,
        room.window(server_port(plane.kubeconfig)),
        room.window(urlsplit(prometheus_url).port or 0),
        _running(room, "operator", _OPERATOR, folder),
        _running(room, "adapter", [*_ADAPTER, f"--secure-port={port}"], folder),
        room.door(port),
    ):
        items = {"apiVersion": "v1", "kind": "List", "items": _external_metrics(port)}
        plane.kubectl(*apply, "-", input=json.dumps(items))
        wait = ("wait", "--for=condition=Available", "--timeout=1s", "apiservice", _API)
        wait_until(
            lambda: (
                room.listens("127.0.0.1", _METRICS_PORT)
                and plane.kubectl(*wait, check=False).returncode == 0
            ),
            timeout=180,
            otherwise=lambda: f"the API server has no metrics of KEDA's:\n{_logs(folder)}",
        )
        yield


_OPERATOR = [
    *("--zap-log-level=info", "--enable-prometheus-metrics=false"),
    *("--health-probe-bind-address=0", "--cert-dir=/certs"),
    f"--metrics-service-bind-address=127.0.0.1:{_METRICS_PORT}",
]
_ADAPTER = [
    *("--lister-kubeconfig=/keda/kubeconfig", "--authentication-kubeconfig=/keda/kubeconfig"),
    *("--authorization-kubeconfig=/keda/kubeconfig", "--bind-address=127.0.0.1"),
    *("--tls-cert-file=/certs/tls.crt", "--tls-private-key-file=/certs/tls.key"),
    *("--cert-dir=/certs", f"--metrics-service-address=localhost:{_METRICS_PORT}"),
]
_API = "v1beta1.external.metrics.k8s.io"


@contextlib.contextmanager
def _running(room: Room, program: str, flags: Sequence[str], folder: Path) -> Iterator[None]:
    environment = {
        "KUBECONFIG": "/keda/kubeconfig",
        "POD_NAMESPACE": _NAMESPACE,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": _NAMESPACE,
        "WATCH_NAMESPACE": "",
    }
    command = room.command([f"/programs/{program}", *flags], environment)
    with (folder / f"{program}.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _logs(folder: Path) -> str:
    return "\n".join(log.read_text()[-3000:] for log in sorted(folder.glob("*.log")))


def _external_metrics(port: int) -> list[dict[str, Any]]:
    """Tell the API server where the adapter is; a loopback address cannot be an endpoint."""
    service = {"name": "keda-metrics-apiserver", "namespace": _NAMESPACE}
    group, version = "external.metrics.k8s.io", "v1beta1"
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": service,
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": _API},
            "spec": {
                "service": {**service, "port": port},
                "group": group,
                "version": version,
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]
