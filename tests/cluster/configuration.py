"""The configuration files of the node's daemons.  Pure: a layout in, contents out.

The settings that are not defaults each answer something seen on a real machine; the comments
say what.  Kubernetes reads JSON as YAML.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.layout import Layout
from cluster.topology import (
    DNS_SERVICE_ADDRESS,
    NODE_ADDRESS,
    NODE_NAME,
    PAUSE_IMAGE,
    POD_RANGE,
)

# Left out because each looks for devices or services that are not the cluster's business.
_CONTAINERD_PLUGINS_OFF = [
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.tracing",
]


def build_configuration(layout: Layout, *, plugins: Path) -> Mapping[Path, str]:
    """Build every file the daemons are started with, by its path."""
    return {
        layout.etc / "containerd.toml": build_containerd(layout, plugins=plugins),
        layout.etc / "cni" / "10-fairlead.conflist": json.dumps(build_pod_network(layout)),
        layout.etc / "resolv.conf": "nameserver 127.0.0.1\n",  # no pod asks the outside
        layout.etc / "kubelet.json": json.dumps(build_kubelet(layout), indent=2),
        layout.etc / "proxy.json": json.dumps(build_proxy(layout), indent=2),
    }


def build_containerd(layout: Layout, *, plugins: Path) -> str:
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower the score and dies
    # with nothing but "can't get final child's PID from pipe: EOF".
    return f"""\
version = 2
root = "{layout.containerd}"
state = "{layout.run / "containerd"}"
disabled_plugins = {json.dumps(_CONTAINERD_PLUGINS_OFF)}

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{layout.run / "runc"}"
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{layout.etc / "cni"}"
"""


def build_pod_network(layout: Layout) -> Mapping[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "isDefaultGateway": True,
        "ipMasq": False,  # there is no outside to hide pods from
        "hairpinMode": True,  # a pod may be its own Service's endpoint
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.run / "addresses"),
            "ranges": [[{"subnet": POD_RANGE}]],
        },
    }
    return {
        "cniVersion": "0.4.0",
        "name": layout.identity,
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def build_kubelet(layout: Layout) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1",
        "readOnlyPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-serving.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",  # there may be no systemd
        "cgroupRoot": f"/{layout.identity}",
        "kubeletCgroups": f"/{layout.identity}/system",
        "failCgroupV1": False,  # the default refuses hybrid machines from 1.35 on
        "failSwapOn": False,
        "clusterDNS": [DNS_SERVICE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.etc / "resolv.conf"),
        "volumePluginDir": str(layout.kubelet / "plugins"),
        "podLogsDir": str(layout.log / "pods"),
        "maxOpenFiles": 20000,
        "enforceNodeAllocatable": ["pods"],
        # Images cannot be pulled again, so none may be collected.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
    }


def build_proxy(layout: Layout) -> Mapping[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_RANGE,
        "hostnameOverride": NODE_NAME,
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{NODE_ADDRESS}/32"],
        "clientConnection": {"kubeconfig": str(layout.etc / "proxy.kubeconfig")},
        # Zero means leave alone: the connection table's size is the whole machine's.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }
