"""What the daemons are told, where getting it wrong costs an afternoon."""

import ipaddress
import json
import re
import tomllib
from pathlib import Path

import pytest

from cluster.binaries import KUBERNETES_VERSION, MODULE, Binaries
from cluster.components import node_daemons
from cluster.configuration import build_configuration, build_containerd, build_kubelet
from cluster.layout import Layout
from cluster.topology import NODE_ADDRESS

LAYOUT = Layout(state=Path("/state"), cache=Path("/cache"))
PLUGINS = Path("/usr/lib/cni")
CRI = "io.containerd.grpc.v1.cri"


def test_containerd_works_without_the_right_to_lower_oom_scores() -> None:
    settings = tomllib.loads(build_containerd(LAYOUT, plugins=PLUGINS))

    assert settings["plugins"][CRI]["restrict_oom_score_adj"] is True


def test_containerd_keeps_to_our_folders() -> None:
    settings = tomllib.loads(build_containerd(LAYOUT, plugins=PLUGINS))

    runc = settings["plugins"][CRI]["containerd"]["runtimes"]["runc"]["options"]
    places = [settings["root"], settings["state"], settings["grpc"]["address"], runc["Root"]]
    assert all(Path(place).is_relative_to(LAYOUT.state) for place in places)


def test_the_kubelet_collects_no_image() -> None:
    assert build_kubelet(LAYOUT)["imageGCHighThresholdPercent"] == 100


def test_the_kubelet_stays_in_the_branch_that_down_removes() -> None:
    settings = build_kubelet(LAYOUT)

    assert settings["cgroupRoot"] == f"/{LAYOUT.identity}"
    assert settings["kubeletCgroups"] == f"/{LAYOUT.identity}/system"


def test_clusters_in_other_folders_are_other_clusters() -> None:
    other = Layout(state=Path("/elsewhere"), cache=LAYOUT.cache)

    assert other.identity != LAYOUT.identity


@pytest.mark.parametrize("name", ["kubelet.json", "proxy.json", "cni/10-fairlead.conflist"])
def test_settings_are_json(name: str) -> None:
    files = build_configuration(LAYOUT, plugins=PLUGINS)

    assert json.loads(files[LAYOUT.etc / name])


def test_daemons_listen_on_loopback_or_the_nodes_address_only() -> None:
    daemons = node_daemons(LAYOUT, Binaries(folder=Path("/bin")))

    words = " ".join(word for argv in daemons.values() for word in argv if "address" in word)
    found = {ipaddress.ip_address(text) for text in re.findall(r"\d+\.\d+\.\d+\.\d+", words)}
    assert found <= {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address(NODE_ADDRESS)}


def test_the_version_is_that_of_the_module() -> None:
    assert f"k8s.io/kubernetes {KUBERNETES_VERSION}\n" in (MODULE / "go.mod").read_text()
