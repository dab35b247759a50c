"""What the operator's integration tests share: CRDs, namespaces, and servers that are real."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cluster.control_plane import ControlPlane
from fairlead_operator.kube.client import KubeClient
from support.backends import Backends, running_backends
from support.kube_desk import admin_client, apply_crds, create_namespace
from support.live_operator import Launcher, Stage, launching
from support.prometheus_server import prometheus_server

__all__ = ["prometheus_server"]  # fixtures


@pytest.fixture(name="plane", scope="session")
def _plane(control_plane: ControlPlane) -> ControlPlane:
    """An API server that knows our kinds."""
    apply_crds(control_plane)
    return control_plane


@pytest.fixture(name="namespace")
def _namespace(plane: ControlPlane) -> str:
    return create_namespace(plane, "energy")


@pytest.fixture(name="kube")
async def _kube(plane: ControlPlane) -> AsyncIterator[KubeClient]:
    async with admin_client(plane.kubeconfig) as client:
        yield client


@pytest.fixture(name="backends")
def _backends() -> Iterator[Backends]:
    with running_backends() as backends:
        backends.prometheus.healthy()
        yield backends


@pytest.fixture(name="launcher")
def _launcher(
    plane: ControlPlane, backends: Backends, namespace: str, tmp_path: Path
) -> Iterator[Launcher]:
    with launching(
        kubeconfig=plane.kubeconfig,
        backends=backends,
        namespace=namespace,
        folder=tmp_path,
        watch=namespace,
    ) as launcher:
        yield launcher
    print(launcher.logs())  # shown with a test that fails


@pytest.fixture(name="stage")
async def _stage(kube: KubeClient, namespace: str) -> AsyncIterator[Stage]:
    async with Stage(kube, namespace).playing() as stage:
        yield stage
