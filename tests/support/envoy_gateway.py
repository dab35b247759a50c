"""Envoy Gateway on a real API server: a process in a room, its proxy the Envoy we ship."""

import contextlib
import dataclasses
import http.client
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import envoy

from cluster.control_plane import ControlPlane
from cluster.kubeconfig import server_port
from cluster.wait import wait_until
from images.envoy_gateway import gateway_crds
from support.kube_desk import wait_established
from support.room import Room, furnished

PARENT = {"name": "models", "namespace": "gateways"}
DOMAIN = "models.example"  # hosts below it are allowed by the Gateway's listener

_PORT = 8888
_SYSTEM = "envoy-gateway-system"  # its namespace, by default
_CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
_ADDRESSES = ("192.0.2.1", "192.0.2.2", "192.0.2.3")  # for documentation: nobody's
_ENVOY_VERSION = "1.40.0"  # only a name: the proxy is what lies in the folder of this name
_CONFIGURATION = {
    "apiVersion": "gateway.envoyproxy.io/v1alpha1",
    "kind": "EnvoyGateway",
    "gateway": {"controllerName": _CONTROLLER},
    "provider": {
        "type": "Custom",
        "custom": {
            "resource": {
                "type": "Kubernetes",
                "kubernetes": {
                    "leaderElection": {"disable": True},
                    "topologyInjector": {"disable": True},
                },
            },
            "infrastructure": {
                "type": "Host",
                "host": {
                    "configHome": "/eg/config",
                    "dataHome": "/eg/data",
                    "stateHome": "/eg/state",
                    "runtimeDir": "/eg/run",
                },
            },
        },
    },
}
_OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": "process", "namespace": _SYSTEM},
        "spec": {"provider": {"type": "Host", "host": {"envoyVersion": _ENVOY_VERSION}}},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "envoy"},
        "spec": {
            "controllerName": _CONTROLLER,
            "parametersRef": {
                "group": "gateway.envoyproxy.io",
                "kind": "EnvoyProxy",
                "name": "process",
                "namespace": _SYSTEM,
            },
        },
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": PARENT,
        "spec": {
            "gatewayClassName": "envoy",
            "listeners": [
                {
                    "name": "http",
                    "protocol": "HTTP",
                    "port": _PORT,
                    "hostname": f"*.{DOMAIN}",
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ],
        },
    },
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a client got."""

    status: int
    version: str  # who answered; empty when it was the proxy itself
    cookie: str  # what it is asked to bring again


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterGateway:
    """The Gateway ``PARENT``, and model servers that its proxy can reach."""

    room: Room
    plane: ControlPlane
    log: Path

    def connect(self) -> http.client.HTTPConnection:
        """Open a client's connection to the proxy."""
        connection = http.client.HTTPConnection("proxy")
        connection.sock = self.room.connection("127.0.0.1", _PORT)
        return connection

    @contextlib.contextmanager
    def serve(self, namespace: str, *versions: str, model: str = "nsw-price") -> Iterator["Served"]:
        """Servers of these versions, and the endpoints their Services would have."""
        with contextlib.ExitStack() as stack:
            served = Served()
            for address, version in zip(_ADDRESSES, versions, strict=False):
                stack.enter_context(served.listen(self.room, address, version))
                service = f"{model}-{version.replace('.', '-')}"
                self.plane.kubectl(
                    *("apply", "--filename=-"),
                    input=json.dumps(_endpoints(namespace, service, address)),
                )
            yield served


class Served:
    """Headers of the requests that reached the servers of each version, by port."""

    def __init__(self) -> None:
        self.live: dict[str, list[Message]] = {}
        self.copies: dict[str, list[Message]] = {}

    @contextlib.contextmanager
    def listen(self, room: Room, address: str, version: str) -> Iterator[None]:
        live, copies = self.live.setdefault(version, []), self.copies.setdefault(version, [])
        with (
            self._listen(room, (address, 3000), version, live),
            self._listen(room, (address, 3001), version, copies),
        ):
            yield

    @contextlib.contextmanager
    def _listen(
        self, room: Room, place: tuple[str, int], version: str, requests: list[Message]
    ) -> Iterator[None]:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                requests.append(self.headers)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.send_header("x-fairlead-version", version)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        server = http.server.ThreadingHTTPServer(place, Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = room.listener(*place)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def ask(
    connection: http.client.HTTPConnection, host: str, headers: dict[str, str] | None = None
) -> Answer:
    """Send one request."""
    connection.request("GET", "/predict", headers={"host": host, **(headers or {})})
    response = connection.getresponse()
    response.read()
    return Answer(
        status=response.status,
        version=response.headers.get("x-fairlead-version", ""),
        cookie=response.headers.get("set-cookie", ""),
    )


@contextlib.contextmanager
def cluster_gateway(plane: ControlPlane, program: Path, folder: Path) -> Iterator[ClusterGateway]:
    """Install the CRDs, start Envoy Gateway, and wait until its proxy listens."""
    home = folder / "eg"
    certificates = _prepare(plane, program, home)
    folders = {
        "/eg": home,
        "/certs": certificates / "envoy-gateway",
        "/program": program.parent,
        f"/eg/data/envoy-versions/{_ENVOY_VERSION}/bin": Path(envoy.__file__).parent / "_bin",
    }
    log = folder / "envoy-gateway.log"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "KUBECONFIG": "/eg/kubeconfig",
        "ENVOY_GATEWAY_NAMESPACE": _SYSTEM,
    }
    words = ["/program/envoy-gateway", "server", "--config-path", "/eg/configuration.json"]
    with (
        furnished(folder / "room", addresses=_ADDRESSES, folders=folders) as room,
        room.window(server_port(plane.kubeconfig)),
        log.open("wb") as output,
    ):
        process = subprocess.Popen(room.command(words, environment), stdout=output, stderr=output)
        gateway = ClusterGateway(room=room, plane=plane, log=log)
        try:
            wait_until(
                lambda: room.listens("127.0.0.1", _PORT),
                timeout=180,
                otherwise=lambda: f"Envoy Gateway has no proxy:\n{log.read_text()[-4000:]}",
            )
            yield gateway
        finally:
            process.kill()
            process.wait()


def _prepare(plane: ControlPlane, program: Path, home: Path) -> Path:
    """Make all that Envoy Gateway finds when it starts; return its certificates' folder."""
    home.mkdir(parents=True)
    (home / "configuration.json").write_text(json.dumps(_CONFIGURATION))
    (home / "kubeconfig").write_text(plane.kubeconfig.read_text())
    make = [program, "certgen", "--local", f"--config-home={home / 'config'}"]
    subprocess.run(make, check=True, capture_output=True)
    certificates = home / "config" / "certs"
    apply = ("apply", "--server-side", "--filename=-")
    plane.kubectl(*apply, input="\n---\n".join(gateway_crds()))
    wait_established(plane)
    for namespace in (_SYSTEM, PARENT["namespace"]):
        plane.kubectl("create", "namespace", namespace)
    for secret in ("envoy", "envoy-oidc-hmac"):
        content = f"--from-file={certificates / secret}"
        plane.kubectl("create", "secret", "generic", secret, f"--namespace={_SYSTEM}", content)
    plane.kubectl(*apply, input=json.dumps({"apiVersion": "v1", "kind": "List", "items": _OBJECTS}))
    return certificates


def _endpoints(namespace: str, service: str, address: str) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-0",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": "http", "port": 3000, "protocol": "TCP"},
            {"name": "shadow", "port": 3001, "protocol": "TCP"},
        ],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
    }
