"""A Model behind a Gateway of the cluster: the operator, a real API server, Envoy Gateway, Envoy.

Only pods are played: a Deployment is ready at once, and a small server answers in its place.
"""

import asyncio
import collections
import contextlib
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from cluster.control_plane import ControlPlane, control_plane
from fairlead_contract.http import cookie_value
from fairlead_operator.api.gateway import GatewaySpec
from fairlead_operator.kube.client import KubeClient
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.rollout.traffic.http_route import build_http_routes
from fairlead_operator.rollout.traffic.route import build_route
from images.envoy_gateway import envoy_gateway_path
from support.backends import Backends, running_backends
from support.envoy_gateway import DOMAIN, PARENT, Answer, ClusterGateway, ask, cluster_gateway
from support.kube_desk import apply_crds, create_namespace
from support.live_operator import Operator, Stage, launching, quick_policy, until

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root"),
]


@pytest.fixture(name="plane", scope="module")
def _plane() -> Iterator[ControlPlane]:
    """Not the session's: others want a cluster without the Gateway API."""
    with control_plane(os.environ) as plane:
        apply_crds(plane)
        yield plane


@pytest.fixture(name="gateway", scope="module")
def _gateway(
    plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterGateway]:
    program = envoy_gateway_path()
    if program is None:
        pytest.fail("Envoy Gateway is not built; run: make gateway-tools")
    with cluster_gateway(plane, program, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(name="backends", scope="module")
def _backends() -> Iterator[Backends]:
    with running_backends() as backends:
        backends.prometheus.healthy()
        yield backends


@pytest.fixture(name="operator", scope="module")
def _operator(
    plane: ControlPlane,
    gateway: ClusterGateway,  # whose kinds it finds when it starts
    backends: Backends,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """One for all tests, which keep apart by namespaces of their own."""
    with launching(
        kubeconfig=plane.kubeconfig,
        backends=backends,
        namespace=create_namespace(plane, "fairlead"),
        folder=tmp_path_factory.mktemp("operator"),
    ) as launcher:
        yield asyncio.run(launcher.lead("operator-0"))
    print(launcher.logs())


def host(namespace: str) -> str:
    return f"{namespace}.{DOMAIN}"


def behind_gateway(namespace: str, **changed: Any) -> dict[str, Any]:
    return {
        "gateway": {
            "kind": "GatewayAPI",
            "parentRefs": [PARENT],
            "hostnames": [host(namespace)],
            **changed,
        }
    }


def preview_host(namespace: str) -> str:
    return f"{namespace}-preview.{DOMAIN}"


def ask_many(
    gateway: ClusterGateway, namespace: str, number: int, *, at: str | None = None, **headers: str
) -> collections.Counter[tuple[int, str]]:
    connection = gateway.connect()
    with contextlib.closing(connection):
        answers = [ask(connection, at or host(namespace), headers) for _ in range(number)]
    return collections.Counter((answer.status, answer.version) for answer in answers)


@contextlib.contextmanager
def asking(gateway: ClusterGateway, namespace: str) -> Iterator[list[Answer]]:
    """A client that never stops; what it got."""
    over, answers = threading.Event(), list[Answer]()

    def client() -> None:
        with contextlib.closing(gateway.connect()) as connection:
            while not over.wait(0.005):
                answers.append(ask(connection, host(namespace)))

    thread = threading.Thread(target=client)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


async def pin_first(stage: Stage, backends: Backends, **spec: Any) -> None:
    """A Model that serves a version others registered; nothing is trained."""
    backends.registry.register(f"{stage.namespace}.nsw-price", "1.0.0")
    await stage.apply_model(version="1.0.0", **spec)


async def serve_first_version(
    stage: Stage, backends: Backends, gateway: ClusterGateway, **spec: Any
) -> None:
    await pin_first(stage, backends, **{"serving": behind_gateway(stage.namespace)} | spec)
    await stage.wait("Model", "nsw-price", phase="Serving")
    await until(
        lambda: _answers(gateway, stage.namespace, "1.0.0"), "1.0.0 to answer", log=gateway.log
    )


async def _is_gone(stage: Stage, deployment: str) -> bool:
    return await stage.kube.get("Deployment", stage.namespace, deployment) is None


async def _answers(gateway: ClusterGateway, namespace: str, version: str, *, of: int = 5) -> bool:
    return ask_many(gateway, namespace, of) == {(200, version): of}


async def _is_met(gateway: ClusterGateway, namespace: str, version: str) -> bool:
    return (200, version) in ask_many(gateway, namespace, 20)


async def test_requests_are_split_by_weight_and_a_rollback_takes_the_candidate_to_zero(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    namespace = stage.namespace
    with gateway.serve(namespace, "1.0.0", "1.1.0"):
        serving = behind_gateway(namespace) | {"forceVersionSecret": {"name": "who-may-choose"}}
        await serve_first_version(stage, backends, gateway, serving=serving)
        with asking(gateway, namespace) as answers:
            backends.registry.register(f"{namespace}.nsw-price", "1.1.0")
            policy = quick_policy(steps=[{"weight": 25, "hold": "1h"}])
            await stage.apply_model(version="1.1.0", rollout=policy)
            await stage.wait("Rollout", "nsw-price-rollout-2", observedWeight=25)
            await until(lambda: _is_met(gateway, namespace, "1.1.0"), "1.1.0 to answer")
            split = ask_many(gateway, namespace, 800)
            forced = ask_many(gateway, namespace, 40, **{"x-fairlead-version": "1.1.0"})

            status, _ = await operator.post_alert(
                model_namespace=namespace, model="nsw-price", version="1.1.0"
            )
            await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")
            await until(lambda: _answers(gateway, namespace, "1.0.0", of=50), "1.0.0 alone")
            after = ask_many(gateway, namespace, 400)
            await until(lambda: _is_gone(stage, "nsw-price-1-1-0"), "the servers of 1.1.0 to go")

    # Five standard deviations around a quarter of 800.
    assert 139 <= split[200, "1.1.0"] <= 261
    assert split[200, "1.0.0"] + split[200, "1.1.0"] == 800
    assert forced == {(200, "1.1.0"): 40}
    assert status == 200
    assert after == {(200, "1.0.0"): 400}
    assert {answer.status for answer in answers} == {200}


async def test_a_candidate_that_stays_good_takes_all_traffic_without_a_failed_request(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    namespace = stage.namespace
    with gateway.serve(namespace, "1.0.0", "1.1.0"):
        await serve_first_version(stage, backends, gateway)
        with asking(gateway, namespace) as answers:
            backends.registry.register(f"{namespace}.nsw-price", "1.1.0")
            await stage.apply_model(version="1.1.0")
            await stage.wait("Rollout", "nsw-price-rollout-2", phase="Succeeded")
            await until(lambda: _answers(gateway, namespace, "1.1.0", of=20), "1.1.0 alone")
            after = ask_many(gateway, namespace, 100)

    assert after == {(200, "1.1.0"): 100}
    assert {answer.status for answer in answers} == {200}


async def test_a_preview_has_hosts_of_its_own_until_the_switch(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    namespace = stage.namespace
    at = preview_host(namespace)
    serving = behind_gateway(namespace, previewHostnames=[at])

    async def answers(expected: tuple[int, str]) -> bool:
        return ask_many(gateway, namespace, 5, at=at) == {expected: 5}

    with gateway.serve(namespace, "1.0.0", "1.1.0") as served:
        await serve_first_version(stage, backends, gateway, serving=serving)
        backends.registry.register(f"{namespace}.nsw-price", "1.1.0")
        policy = quick_policy(
            steps=None, strategy="blueGreen", blueGreen={"hold": "1s", "pause": True, "mirror": 100}
        )
        await stage.apply_model(version="1.1.0", rollout=policy)
        await until(lambda: answers((200, "1.1.0")), "the preview to answer", log=gateway.log)
        await stage.wait("Rollout", "nsw-price-rollout-2", phase="Paused")
        served.live["1.1.0"].clear()
        live = ask_many(gateway, namespace, 100)
        await until(lambda: _has(served.copies["1.1.0"], 100), "the copies", log=gateway.log)
        early = len(served.live["1.1.0"])

        await stage.kube.annotate(
            "Rollout", namespace, "nsw-price-rollout-2", {"fairlead.dev/approve": "Ada: tried it"}
        )
        await stage.wait("Rollout", "nsw-price-rollout-2", phase="Succeeded")
        await until(lambda: answers((404, "")), "the preview to end", log=gateway.log)
        await until(lambda: _answers(gateway, namespace, "1.1.0"), "1.1.0 to answer")
        after = ask_many(gateway, namespace, 20)

    assert live == {(200, "1.0.0"): 100}
    assert early == 0, "a live request reached the preview"
    assert after == {(200, "1.1.0"): 20}


async def test_a_preview_that_no_listener_takes_is_told_and_not_switched_to(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    namespace = stage.namespace
    serving = behind_gateway(namespace, previewHostnames=["preview.elsewhere.example"])
    with gateway.serve(namespace, "1.0.0", "1.1.0"):
        await serve_first_version(stage, backends, gateway, serving=serving)
        backends.registry.register(f"{namespace}.nsw-price", "1.1.0")
        policy = quick_policy(steps=None, strategy="blueGreen", blueGreen={"hold": "1s"})
        await stage.apply_model(version="1.1.0", rollout=policy)

        async def told() -> bool:
            status = await stage.status("Rollout", "nsw-price-rollout-2")
            message = status.get("message", "")
            return status.get("reason") == "WaitingForGateway" and (
                "preview: Gateway gateways/models does not carry the route" in message
            )

        await until(told, "the refusal to be shown", log=gateway.log)
        await stage.kube.annotate(
            "Rollout", namespace, "nsw-price-rollout-2", {"fairlead.dev/abort": "Ada: no host"}
        )
        await stage.wait("Rollout", "nsw-price-rollout-2", phase="RolledBack")

    assert await stage.kube.get("HTTPRoute", namespace, "nsw-price-preview") is None


async def test_a_host_that_no_listener_takes_is_told(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    elsewhere = behind_gateway(stage.namespace, hostnames=["nsw-price.elsewhere.example"])
    await pin_first(stage, backends, serving=elsewhere)

    async def refused() -> bool:
        status = await stage.status("Rollout", "nsw-price-rollout-1")
        conditions = {c["type"]: c for c in status.get("conditions", [])}
        routed = conditions.get("Routed", {})
        return routed.get("reason") == "RouteRefused" and "NoMatching" in routed["message"]

    await until(refused, "the refusal to be shown", log=gateway.log)


async def test_a_serving_model_moves_behind_the_gateway_and_back(
    operator: Operator, stage: Stage, backends: Backends, gateway: ClusterGateway
) -> None:
    with gateway.serve(stage.namespace, "1.0.0"):
        await pin_first(stage, backends)
        await stage.wait("Model", "nsw-price", gateway="BuiltIn")

        await stage.apply_model(serving=behind_gateway(stage.namespace))
        await stage.wait("Model", "nsw-price", gateway="GatewayAPI")

        await until(lambda: _answers(gateway, stage.namespace, "1.0.0"), "1.0.0 to answer")
        assert await stage.kube.get("Service", stage.namespace, "nsw-price") is None

        await stage.apply_model(serving={})
        await stage.wait("Model", "nsw-price", gateway="BuiltIn")

    assert await stage.weights() == {"1.0.0": 100}
    assert await stage.kube.get("HTTPRoute", stage.namespace, "nsw-price-route") is None


# -- what a rollout does not need yet, or only in some strategies: the rendered object alone


async def route(kube: KubeClient, namespace: str, *versions: tuple[str, int], **more: Any) -> None:
    """Apply a route between versions, with their Services."""
    owner = Owner(kind="Model", namespace=namespace, name="nsw-price", uid="none")
    document = build_route(versions, owner=owner, timeout=timedelta(seconds=10))
    spec = GatewaySpec.model_validate(behind_gateway(namespace)["gateway"])
    (manifest,) = build_http_routes({**document, **more}, owner=owner, gateway=spec)
    for entry in document["versions"]:
        await kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": entry["service"], "namespace": namespace},
                "spec": {
                    "ports": [
                        {"name": "http", "port": 80, "targetPort": "http"},
                        {"name": "shadow", "port": 81, "targetPort": "shadow"},
                    ]
                },
            }
        )
    await kube.apply(manifest)


async def test_a_share_of_the_requests_is_mirrored(
    kube: KubeClient, namespace: str, gateway: ClusterGateway
) -> None:
    with gateway.serve(namespace, "1.0.0", "1.1.0") as served:
        mirror = {"version": "1.1.0", "percent": 50}
        await route(kube, namespace, ("1.1.0", 0), ("1.0.0", 100), mirror=mirror)
        await until(lambda: _answers(gateway, namespace, "1.0.0"), "a route", log=gateway.log)
        served.copies["1.1.0"].clear()

        found = ask_many(gateway, namespace, 400, **{"x-fairlead-shadow": "true"})
        await until(lambda: _has(served.copies["1.1.0"], 150), "the last copies")

    assert found == {(200, "1.0.0"): 400}
    assert 150 <= len(served.copies["1.1.0"]) <= 250
    assert served.live["1.1.0"] == []
    assert not any("x-fairlead-shadow" in request for request in served.live["1.0.0"])
    asked = {request["x-request-id"] for request in served.live["1.0.0"]}
    assert {request["x-request-id"] for request in served.copies["1.1.0"]} <= asked


async def _has(requests: list[Any], number: int) -> bool:
    return len(requests) >= number


async def test_a_user_stays_with_the_version_of_the_cookie(
    kube: KubeClient, namespace: str, gateway: ClusterGateway
) -> None:
    sticky = {"by": "cookie", "maxAgeSeconds": 3600, "id": "u1"}
    named = {v: f"fairlead-nsw-price={cookie_value(v, 'u1')}" for v in ("1.0.0", "1.1.0")}
    with gateway.serve(namespace, "1.0.0", "1.1.0"):
        await route(kube, namespace, ("1.1.0", 50), ("1.0.0", 50), sticky=sticky)

        async def routed() -> bool:
            return {(200, "1.0.0"), (200, "1.1.0")} == set(ask_many(gateway, namespace, 20))

        await until(routed, "a route", log=gateway.log)
        with contextlib.closing(gateway.connect()) as connection:
            first = [ask(connection, host(namespace)) for _ in range(40)]
        cookies = {answer.version: answer.cookie.partition(";")[0] for answer in first}
        again = {
            version: ask_many(gateway, namespace, 40, cookie=f"a=b; {cookie}; c=d")
            for version, cookie in cookies.items()
        }

        await route(kube, namespace, ("1.1.0", 0), ("1.0.0", 100), sticky=sticky)
        gone = named["1.1.0"]

        async def left() -> bool:
            return ask_many(gateway, namespace, 20, cookie=gone) == {(200, "1.0.0"): 20}

        await until(left, "its users to leave 1.1.0", log=gateway.log)

    assert cookies == named
    assert again == {version: {(200, version): 40} for version in cookies}


async def test_what_is_applied_again_changes_nothing(
    kube: KubeClient, namespace: str, gateway: ClusterGateway
) -> None:
    del gateway  # its CRDs
    for _ in range(2):
        await route(kube, namespace, ("1.1.0", 10), ("1.0.0", 90))
    first = await kube.get("HTTPRoute", namespace, "nsw-price-route")
    await route(kube, namespace, ("1.1.0", 10), ("1.0.0", 90))
    second = await kube.get("HTTPRoute", namespace, "nsw-price-route")

    assert first is not None
    assert second is not None
    assert first["metadata"]["generation"] == second["metadata"]["generation"] == 1
