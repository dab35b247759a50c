"""Versions that KEDA scales: the operator, a real API server, Prometheus, and KEDA itself.

Only pods and the gateway are played; how many requests it counts, the test says.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest

from cluster.control_plane import ControlPlane
from fairlead_operator.api.group import LABEL_VERSION
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.rollout.servers.autoscaler import request_rate
from images.keda import keda_path
from support.backends import Backends
from support.keda import scaling_control_plane
from support.kube_desk import apply_crds
from support.live_operator import Launcher, Stage, quick_policy, until
from support.prometheus_server import COUNT, PrometheusServer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root"),
    pytest.mark.skipif(keda_path() is None, reason="KEDA is not built; run: make keda-tools"),
]

MOST: Final = 4
POLICY: Final = quick_policy(
    steps=[{"weight": 50, "hold": "1s", "pause": True}],
    analysis={"interval": "1s", "checks": [{"name": "fine", "query": "vector(1)", "atLeast": 1}]},
)


@pytest.fixture(name="plane", scope="module")
def _plane(
    tmp_path_factory: pytest.TempPathFactory, prometheus_server: PrometheusServer
) -> Iterator[ControlPlane]:
    """Not the session's: others want a cluster without KEDA."""
    programs, folder = keda_path(), tmp_path_factory.mktemp("keda")
    assert programs is not None
    with scaling_control_plane(
        os.environ, programs, prometheus_url=prometheus_server.url, folder=folder
    ) as plane:
        apply_crds(plane)
        yield plane


def scaled(**changed: Any) -> dict[str, Any]:
    """What serves a Model: KEDA scales it by its requests, ten a second for a pod."""
    target = {"requestsPerSecond": 10}
    return {"autoscaling": {"provider": "keda", "maxReplicas": MOST, "target": target} | changed}


def load(server: PrometheusServer, namespace: str, **counts: str) -> None:
    """What the gateway has counted of each version, named with underscores."""
    lines = []
    for name, count in counts.items():
        version = name.lstrip("v").replace("_", ".")
        labels = f'model_namespace="{namespace}",model="nsw-price",version="{version}"'
        lines.append(f"envoy_cluster_upstream_rq_completed{{{labels}}} {count}\n")
    last = request_rate(namespace=namespace, model="nsw-price", version=version)
    server.show("".join(lines), until=last)


@contextlib.asynccontextmanager
async def counting_pods(stage: Stage) -> AsyncIterator[dict[str, list[int]]]:
    """The numbers of pods each version is asked to have, one after the other."""
    seen: dict[str, list[int]] = {}

    async def look() -> None:
        while True:
            labels = component_labels("server", "nsw-price")
            for found in await stage.kube.list("Deployment", stage.namespace, labels):
                numbers = seen.setdefault(found["metadata"]["labels"][LABEL_VERSION], [])
                if numbers[-1:] != [found["spec"]["replicas"]]:
                    numbers.append(found["spec"]["replicas"])
            await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


async def pin(stage: Stage, backends: Backends, version: str, **spec: Any) -> None:
    backends.registry.register(f"{stage.namespace}.nsw-price", version)
    await stage.apply_model(version=version, **spec)


async def is_ready(stage: Stage, name: str) -> bool:
    """Whether KEDA says that it scales this."""
    status = await stage.status("ScaledObject", name)
    return any(
        (condition["type"], condition["status"]) == ("Ready", "True")
        for condition in status.get("conditions", ())
    )


async def has_pods(stage: Stage, name: str, number: int) -> bool:
    deployment = await stage.get("Deployment", name)
    return bool(deployment["spec"]["replicas"] == number)


async def fewest(stage: Stage, name: str) -> int | None:
    """The floor that the autoscaler under KEDA has."""
    found = await stage.kube.get("HorizontalPodAutoscaler", stage.namespace, f"keda-hpa-{name}")
    return None if found is None else int(found["spec"]["minReplicas"])


async def is_gone(stage: Stage, kind: str, name: str) -> bool:
    return await stage.kube.get(kind, stage.namespace, name) is None


async def scales_no_more(stage: Stage, name: str) -> bool:
    """Whether KEDA has let go: its autoscaler, and the word that asked for it."""
    return await is_gone(stage, "ScaledObject", name) and await fewest(stage, name) is None


async def test_a_candidate_has_its_pods_before_its_weight_and_then_follows_its_load(
    launcher: Launcher, stage: Stage, backends: Backends, prometheus_server: PrometheusServer
) -> None:
    stable, candidate, rollout = "nsw-price-1-0-0", "nsw-price-1-1-0", "nsw-price-rollout-2"
    await launcher.lead("operator-0", FAIRLEAD_PROMETHEUS_URL=prometheus_server.url)
    async with counting_pods(stage) as pods:
        load(prometheus_server, stage.namespace, v1_0_0="0")
        await pin(stage, backends, "1.0.0", serving=scaled(), rollout=POLICY)
        await stage.wait("Model", "nsw-price", phase="Serving")
        await until(lambda: is_ready(stage, stable), "KEDA to scale 1.0.0")
        load(prometheus_server, stage.namespace, v1_0_0=COUNT)
        await until(lambda: has_pods(stage, stable, MOST), "pods for the load")

        stage.room["1.1.0"] = 1
        await pin(stage, backends, "1.1.0")
        said = "1 of 2 pods of 1.1.0 ready for 50 %"
        waiting = await stage.wait("Rollout", rollout, said=said)
        weights, floor = await stage.weights(), await stage.get("ScaledObject", candidate)
        stage.room.clear()
        await stage.wait("Rollout", rollout, observedWeight=50)
        early = (await stage.get("Deployment", candidate))["spec"]["replicas"]

        load(prometheus_server, stage.namespace, v1_0_0=COUNT, v1_1_0="0")
        await until(lambda: is_ready(stage, candidate), "KEDA to scale 1.1.0")
        load(prometheus_server, stage.namespace, v1_0_0=COUNT, v1_1_0=COUNT)
        await until(lambda: has_pods(stage, candidate, MOST), "pods for the candidate's load")
        way_back = await fewest(stage, stable)
        await stage.kube.annotate(
            "Rollout", stage.namespace, rollout, {"fairlead.dev/approve": "Ada: fine"}
        )
        await stage.wait("Model", "nsw-price", phase="Serving")
        await until(lambda: is_gone(stage, "Deployment", stable), "1.0.0 to be removed")
        await until(lambda: scales_no_more(stage, stable), "KEDA to leave it")

    assert waiting["status"]["reason"] == "WaitingForReplicas"
    assert weights["1.1.0"] == 0
    assert floor["spec"]["minReplicaCount"] == 2
    assert early == 2
    assert way_back == MOST, "the stable version could lose the pods of the way back"
    for version, numbers in pods.items():  # an autoscaler may take several steps
        assert numbers == sorted(numbers), f"somebody took pods of {version} away"
    assert await fewest(stage, candidate) == MOST, "the floor outlasts the rollout"


async def test_a_model_moves_from_an_hpa_to_keda_and_to_a_fixed_number(
    launcher: Launcher, stage: Stage, backends: Backends, prometheus_server: PrometheusServer
) -> None:
    name = "nsw-price-1-0-0"
    await launcher.lead("operator-0", FAIRLEAD_PROMETHEUS_URL=prometheus_server.url)
    load(prometheus_server, stage.namespace, v1_0_0="0")
    async with counting_pods(stage) as pods:
        hpa = {"provider": "hpa", "minReplicas": 2, "target": {"cpuUtilization": 70}}
        await pin(stage, backends, "1.0.0", serving=scaled(**hpa))
        await stage.wait("Model", "nsw-price", phase="Serving")
        await stage.wait("HorizontalPodAutoscaler", name)

        await stage.apply_model(serving=scaled(minReplicas=2))
        await until(lambda: is_ready(stage, name), "KEDA to scale it")
        alone = await is_gone(stage, "HorizontalPodAutoscaler", name)
        floor = await fewest(stage, name)

        await stage.apply_model(serving={"replicas": 3})
        await until(lambda: has_pods(stage, name, 3), "three pods")
        await until(lambda: scales_no_more(stage, name), "KEDA to leave it")
        await until(lambda: has_pods(stage, name, 3), "three pods, whatever KEDA did last")

    assert (alone, floor) == (True, 2)
    assert set(pods["1.0.0"]) <= {1, 2, 3}
