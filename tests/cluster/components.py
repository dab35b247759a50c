"""The command line of each daemon.  Pure: paths and ports in, argument vectors out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.binaries import Binaries
from cluster.layout import Layout
from cluster.topology import (
    API_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    NODE_ADDRESS,
    NODE_NAME,
    SERVICE_RANGE,
)

Argv = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where an etcd keeps its data and listens, on loopback."""

    data: Path
    port: int
    peer_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def node_store(layout: Layout) -> Store:
    return Store(data=layout.etcd, port=ETCD_PORT, peer_port=ETCD_PEER_PORT)


def etcd(programs: Binaries, store: Store) -> Argv:
    peer = f"http://127.0.0.1:{store.peer_port}"
    return [
        str(programs["etcd"]),
        "--name=fairlead",
        f"--data-dir={store.data}",
        f"--listen-client-urls={store.url}",
        f"--advertise-client-urls={store.url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=fairlead={peer}",
        "--auto-compaction-retention=1",
    ]


def api_server(programs: Binaries, pki: Path, store: Store, *, address: str, port: int) -> Argv:
    """Return the flags that the full cluster and the lone control plane share."""
    return [
        str(programs["kube-apiserver"]),
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--etcd-servers={store.url}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged=true",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
    ]


def node_daemons(layout: Layout, programs: Binaries) -> Mapping[str, Argv]:
    """Return everything that runs inside the node's network, in the order it is started."""
    return {
        "etcd": etcd(programs, node_store(layout)),
        "containerd": ["containerd", f"--config={layout.etc / 'containerd.toml'}"],
        "kube-apiserver": _node_api_server(layout, programs),
        "kube-controller-manager": _controller_manager(layout, programs),
        "kube-scheduler": _scheduler(layout, programs),
        "kubelet": _kubelet(layout, programs),
        "kube-proxy": [str(programs["kube-proxy"]), f"--config={layout.etc / 'proxy.json'}"],
    }


def _node_api_server(layout: Layout, programs: Binaries) -> Argv:
    pki = layout.pki
    return [
        *api_server(programs, pki, node_store(layout), address=NODE_ADDRESS, port=API_PORT),
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        *aggregation(pki),
    ]


def aggregation(pki: Path) -> Argv:
    """Return the flags with which servers of other APIs trust an API server."""
    return [
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki / 'front-proxy-client.crt'}",
        f"--proxy-client-key-file={pki / 'front-proxy-client.key'}",
    ]


def _controller_manager(layout: Layout, programs: Binaries) -> Argv:
    return [
        str(programs["kube-controller-manager"]),
        *_as_user(layout, "controller-manager"),
        f"--cluster-signing-cert-file={layout.pki / 'ca.crt'}",
        f"--cluster-signing-key-file={layout.pki / 'ca.key'}",
        f"--root-ca-file={layout.pki / 'ca.crt'}",
        f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
        "--use-service-account-credentials=true",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        # At the default rate the controllers take five seconds to start.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _scheduler(layout: Layout, programs: Binaries) -> Argv:
    return [str(programs["kube-scheduler"]), *_as_user(layout, "scheduler")]


def _as_user(layout: Layout, user: str) -> Argv:
    """Return what the two control loops share; there is one of each, so no election."""
    kubeconfig = layout.etc / f"{user}.kubeconfig"
    return [
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
    ]


def _kubelet(layout: Layout, programs: Binaries) -> Argv:
    return [
        str(programs["kubelet"]),
        f"--config={layout.etc / 'kubelet.json'}",
        f"--kubeconfig={layout.etc / 'kubelet.kubeconfig'}",
        f"--root-dir={layout.kubelet}",
        f"--cert-dir={layout.kubelet / 'pki'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={NODE_ADDRESS}",
        f"--containerd={layout.containerd_socket}",
    ]
