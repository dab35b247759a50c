"""The native cluster itself, on one of its own beside the machine's."""

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import process
from cluster.command import run
from cluster.errors import ClusterError
from cluster.images import read_archive
from cluster.native import NativeCluster
from cluster.node_files import pause_archive
from cluster.ports import free_port
from cluster.topology import DNS_SERVICE_ADDRESS, NODE_ADDRESS
from cluster.wait import wait_until
from support.spare_cluster import ignore, spare_cluster, spare_layout

pytestmark = pytest.mark.e2e

PODS = "--namespace=kube-system"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spare")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[NativeCluster]:
    spare = spare_cluster(folder)
    try:
        spare.up(ignore)
        yield spare
    finally:
        spare.down(ignore)


@pytest.fixture
def service(cluster: NativeCluster) -> Iterator[str]:
    """A Service before the DNS server's readiness page, the one thing that speaks HTTP here."""
    expose_readiness(cluster)
    yield "readiness"
    cluster.kubectl(PODS, "delete", "service", "readiness", "--ignore-not-found")


def expose_readiness(cluster: NativeCluster) -> None:
    ports = [{"port": 80, "targetPort": 8181}]
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "readiness", "namespace": "kube-system"},
        "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": ports},
    }
    cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))


def pid(folder: Path, name: str) -> int:
    found = process.running(spare_layout(folder).run / f"{name}.pid")
    assert found is not None, f"{name} does not run"
    return found.pid


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return bool(response.read() == b"OK")
    except OSError:
        return False


def wait_for_answer(url: str) -> None:
    wait_until(lambda: answers(url), timeout=120, otherwise=lambda: f"{url} does not answer")


def test_every_component_runs(cluster: NativeCluster) -> None:
    cluster.up(ignore)

    assert [part.name for part in cluster.status() if not part.running] == []


def test_pods_are_measured_for_autoscalers(cluster: NativeCluster) -> None:
    wait_until(
        lambda: "coredns" in cluster.kubectl(PODS, "top", "pods", check=False).stdout,
        timeout=180,
        otherwise=lambda: cluster.kubectl(PODS, "top", "pods", check=False).stderr,
    )


def test_up_on_a_running_cluster_changes_nothing(cluster: NativeCluster) -> None:
    cluster.up(ignore)
    before = cluster.status()

    cluster.up(ignore)

    assert cluster.status() == before


@pytest.mark.parametrize("component", ["etcd", "containerd", "kube-apiserver", "kubelet"])
def test_up_brings_back_what_was_killed(
    component: str, cluster: NativeCluster, folder: Path
) -> None:
    cluster.up(ignore)
    before = pid(folder, component)

    os.kill(before, signal.SIGKILL)
    # A killed process is there until the kernel has taken it apart.
    wait_until(lambda: process.identify(before) is None, timeout=60, otherwise=lambda: "it lives")
    cluster.up(ignore)

    assert pid(folder, component) != before
    assert all(part.running for part in cluster.status())


def test_an_archive_is_imported_once(cluster: NativeCluster, folder: Path) -> None:
    archive = pause_archive(spare_layout(folder))
    lines: list[str] = []

    cluster.load_images([archive], lines.append)

    assert read_archive(archive)
    assert lines == []  # up had imported it


def test_a_service_is_reached_from_the_host(cluster: NativeCluster, service: str) -> None:
    port = free_port()

    url = cluster.expose(namespace="kube-system", service=service, port=80, local_port=port)

    assert url == f"http://127.0.0.1:{port}"
    wait_for_answer(f"{url}/ready")


def test_a_service_that_moved_is_followed(cluster: NativeCluster, service: str) -> None:
    where: dict[str, Any] = {"namespace": "kube-system", "service": service, "port": 80}
    port = free_port()
    cluster.expose(**where, local_port=port)
    cluster.kubectl(PODS, "delete", "service", service)
    expose_readiness(cluster)

    url = cluster.expose(**where, local_port=port)

    wait_for_answer(f"{url}/ready")


def test_a_relay_that_died_is_replaced(cluster: NativeCluster, service: str, folder: Path) -> None:
    where: dict[str, Any] = {"namespace": "kube-system", "service": service, "port": 80}
    port = free_port()
    cluster.expose(**where, local_port=port)
    os.kill(pid(folder, f"port-{port}"), signal.SIGKILL)

    url = cluster.expose(**where, local_port=port)

    wait_for_answer(f"{url}/ready")


def test_a_port_the_service_lacks_is_refused(cluster: NativeCluster, service: str) -> None:
    with pytest.raises(ClusterError, match="has no port 81"):
        cluster.expose(namespace="kube-system", service=service, port=81, local_port=free_port())


def links(cluster: NativeCluster | None) -> list[dict[str, Any]]:
    """The network interfaces of the cluster's network, or of the host's."""
    if cluster is None:
        text = run(["ip", "-json", "-details", "link"]).stdout
    else:
        text = cluster.node_exec(["ip", "-json", "-details", "link"]).stdout
    return list(json.loads(text))


def test_the_network_has_no_way_out(cluster: NativeCluster) -> None:
    """Where nothing else leads, a packet goes into a cable whose other end is in here too."""
    outside = "192.0.2.1"  # an address reserved for examples; it is looked up, nothing is sent

    found = cluster.node_exec(["ip", "-json", "route", "get", outside])

    (route,) = json.loads(found.stdout)
    cable = next(link for link in links(cluster) if link["ifname"] == route["dev"])
    assert cable["link"] == "node1"
    assert "link_netnsid" not in cable  # the peer is in the same namespace


def test_no_cable_leads_to_the_host(cluster: NativeCluster) -> None:
    kinds = {link.get("linkinfo", {}).get("info_kind", "loopback") for link in links(cluster)}
    peers = {link["ifindex"] for link in links(cluster) if "link_index" in link}
    inside = {(link.get("link_index"), link["ifindex"]) for link in links(cluster)}
    on_host = {(link["ifindex"], link.get("link_index")) for link in links(None)}

    assert kinds <= {"loopback", "veth", "bridge"}  # nothing that tunnels
    assert peers
    assert not inside & on_host


def test_the_host_has_no_route_to_pods_or_services(cluster: NativeCluster) -> None:
    devices = {link["ifname"] for link in links(cluster)} - {"lo"}
    for address in (NODE_ADDRESS, DNS_SERVICE_ADDRESS, "10.244.0.2"):
        # A lookup; nothing is sent.
        route = run(["ip", "-json", "route", "get", address], check=False).stdout
        assert not route or json.loads(route)[0]["dev"] not in devices
    routes = run(["ip", "route", "show", "table", "all"]).stdout
    assert not [line for line in routes.splitlines() if line.startswith(("10.244.", "10.96."))]
