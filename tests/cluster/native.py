"""Upstream Kubernetes as processes of this machine, in a network namespace of their own.

``up`` looks at what is there and does what is missing, so it serves alike after a success, an
interruption, a crash and a reboot.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from string import Template

from cluster import process
from cluster.api import ComponentStatus, Progress
from cluster.api_server import ApiServer
from cluster.binaries import Binaries, binaries, build
from cluster.cgroups import hierarchies
from cluster.command import Run
from cluster.components import node_daemons
from cluster.containerd import Containerd
from cluster.errors import ClusterError
from cluster.exposure import daemon_name, keep_exposed, relay
from cluster.files import locked
from cluster.images import missing_archives
from cluster.kubeconfig import server_port
from cluster.kubectl import Kubectl
from cluster.layout import PACKAGE, Layout
from cluster.node import Node
from cluster.node_files import pause_archive, write_node_files
from cluster.packages import cni_plugins, install_packages
from cluster.preflight import (
    IMAGE_SPACE,
    RUN_SPACE,
    parse_port,
    require_linux_root,
    require_port,
    require_space,
)
from cluster.readiness import is_node_ready
from cluster.topology import (
    API_PORT,
    API_SERVICE_ADDRESS,
    DEFAULT_HOST_PORT,
    DNS_SERVICE_ADDRESS,
    HOST_PORT_VARIABLE,
    NODE_ADDRESS,
    NODE_NAME,
    PAUSE_IMAGE,
)
from pace import told

_FIRST = ("etcd", "containerd", "kube-apiserver")
_ADDONS = ("coredns.yaml", "metrics-server.yaml")
_API_NAME = "kubernetes.default.svc.cluster.local"


class NativeCluster:
    """A one-node cluster made of host processes."""

    name = "native"

    def __init__(self, layout: Layout, environ: Mapping[str, str], run: Run) -> None:
        self._layout = layout
        self._environ = environ
        self._run = run
        self._node = Node(layout, run)

    @property
    def kubeconfig(self) -> Path:
        return self._layout.kubeconfig

    @property
    def kubectl_path(self) -> Path:
        return self._programs["kubectl"]

    @property
    def helm_path(self) -> Path:
        return self._programs["helm"]

    @cached_property
    def _programs(self) -> Binaries:
        return binaries(self._layout.cache)

    @cached_property
    def _containerd(self) -> Containerd:
        return Containerd(self._layout.containerd_socket, self._run)

    def up(self, progress: Progress) -> None:
        require_linux_root()
        with self._alone(progress):
            self._prepare(progress)
            self._start(progress)
            self._wait_until_usable(progress)
        progress(f"the cluster is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, progress: Progress) -> None:
        require_linux_root()
        with self._alone(progress), told("removing the cluster", progress, about=20):
            self._node.remove()
        progress(f"removed the cluster; its binaries stay in {self._layout.cache}")

    def status(self) -> list[ComponentStatus]:
        require_linux_root()
        names = [*node_daemons(self._layout, self._programs), daemon_name(self._port)]
        found = {name: self._node.daemons.process(name) for name in names}
        parts = [
            ComponentStatus(
                name=name,
                running=known is not None,
                detail=f"pid {known.pid}" if known else "absent",
            )
            for name, known in found.items()
        ]
        ready = self._is_node_ready()
        detail = "ready" if ready else "not ready"
        return [*parts, ComponentStatus(name="node", running=ready, detail=detail)]

    def load_images(self, archives: Sequence[Path], progress: Progress) -> None:
        if not self._node.daemons.is_running("containerd"):
            raise ClusterError(
                "there is no cluster: containerd is not running; run make cluster-up first"
            )
        with self._alone(progress):
            for archive, references in missing_archives(archives, self._containerd.images()):
                size = archive.stat().st_size / 1e9
                require_space(self._layout.containerd, IMAGE_SPACE * size)
                with told(f"importing {', '.join(references)}", progress, about=15):
                    self._containerd.import_archive(archive)
                progress(f"imported {', '.join(references)}")

    def expose(self, *, namespace: str, service: str, port: int, local_port: int) -> str:
        address = self._service_address(namespace, service, port)
        with self._alone(lambda _: None):
            self._relay(local_port, f"{address}:{port}")
        return f"http://127.0.0.1:{local_port}"

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.kubectl_path, self.kubeconfig, self._layout.state, self._run)

    def node_exec(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command in the node's network, where pods and Services can be reached."""
        return self._node.execute(argv)

    def _prepare(self, progress: Progress) -> None:
        """Have everything that must be there before the first daemon starts."""
        hierarchies()  # fails where pods could not be limited
        install_packages(self._run, progress)
        require_space(self._layout.state, RUN_SPACE)
        build(self._layout.cache, progress)
        port = self._port
        self._node.forget_what_ended()
        if not self._node.daemons.is_running(daemon_name(port)):
            way_out = f"end the program that uses it, or set {HOST_PORT_VARIABLE} to a free port"
            require_port(port, way_out=way_out)
        plugins = cni_plugins()
        if plugins is None:
            raise ClusterError("CNI plugins are missing: install containernetworking-plugins")
        write_node_files(self._layout, self._programs, self._run, plugins=plugins, host_port=port)
        self._node.prepare()
        progress("certificates, configuration, network namespace and cgroups are ready")

    def _start(self, progress: Progress) -> None:
        """Start what does not run, in the order in which they need each other."""
        daemons = node_daemons(self._layout, self._programs)
        started = [name for name in _FIRST if self._node.start(name, daemons[name])]
        self._relay(self._port, f"{NODE_ADDRESS}:{API_PORT}")
        self._node.wait_for(
            "containerd does not answer",
            self._containerd.answers,
            timeout=180,
            needs=["containerd"],
        )
        # Before the kubelet, which could not start a single pod without it.
        for archive, _ in missing_archives(
            [pause_archive(self._layout)], self._containerd.images()
        ):
            self._containerd.import_archive(archive)
        self._node.wait_for(
            "the API server is not ready",
            self._api.is_ready,
            timeout=180,
            needs=["kube-apiserver", "etcd"],
        )
        progress("the API server is ready")
        started += [name for name in daemons if self._node.start(name, daemons[name])]
        progress(f"started {', '.join(started)}" if started else "all daemons were already running")

    def _wait_until_usable(self, progress: Progress) -> None:
        for name in _ADDONS:
            template = Template((PACKAGE / "manifests" / name).read_text())
            manifest = template.substitute(
                BINARIES=self._programs.folder,
                DNS_ADDRESS=DNS_SERVICE_ADDRESS,
                PAUSE_IMAGE=PAUSE_IMAGE,
            )
            self.kubectl("apply", "--filename=-", input=manifest)
        self._node.wait_for(
            "the node is not ready",
            self._is_node_ready,
            timeout=180,
            needs=["kubelet", "containerd", "kube-controller-manager"],
        )
        progress("the node is ready")
        question = [DNS_SERVICE_ADDRESS, _API_NAME, API_SERVICE_ADDRESS, "60"]
        asked = self._node.execute(
            [sys.executable, "-I", str(PACKAGE / "resolve.py"), *question], check=False
        )
        if asked.returncode != 0:
            raise ClusterError(
                f"the cluster's DNS did not resolve {_API_NAME} within 60 s; see "
                "kubectl --namespace kube-system describe pods"
            )
        progress("the cluster's DNS answers")

    @property
    def _port(self) -> int:
        """Return the API server's port on the host: as set, else as it is, else the default."""
        if asked := self._environ.get(HOST_PORT_VARIABLE):
            return parse_port(asked, variable=HOST_PORT_VARIABLE)
        if self.kubeconfig.exists():
            return server_port(self.kubeconfig)
        return DEFAULT_HOST_PORT

    @property
    def _api(self) -> ApiServer:
        return ApiServer(self._port, self._layout.pki)

    def _is_node_ready(self) -> bool:
        kubelet = self._node.daemons.process("kubelet")
        if kubelet is None:
            return False
        lease = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE_NAME}"
        return is_node_ready(
            self._api.get_object(f"/api/v1/nodes/{NODE_NAME}"),
            self._api.get_object(lease),
            kubelet_started=process.started_at(kubelet),
            now=time.time(),
        )

    def _service_address(self, namespace: str, service: str, port: int) -> str:
        found = self.kubectl(f"--namespace={namespace}", "get", "service", service, "--output=json")
        spec = json.loads(found.stdout)["spec"]
        address = str(spec.get("clusterIP", "None"))
        if address == "None":
            raise ClusterError(
                f"Service {namespace}/{service} is headless, so it has no address to expose"
            )
        if port not in (ports := [entry["port"] for entry in spec["ports"]]):
            raise ClusterError(
                f"Service {namespace}/{service} has no port {port}; its ports are {ports}"
            )
        return address

    def _relay(self, port: int, target: str) -> None:
        argv = relay(self._layout.network_namespace, port, target)
        keep_exposed(self._node.daemons, port=port, argv=argv)

    @contextmanager
    def _alone(self, progress: Progress) -> Iterator[None]:
        with locked(
            self._layout.lock,
            waiting=lambda: progress("waiting for another command to finish with this cluster"),
        ):
            yield
