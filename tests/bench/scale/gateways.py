"""The gateway agents of all namespaces, as far as the operator sees them.

KWOK makes the gateways' pods ready; here each of them reports a route in force the moment it
is written, as an agent does once its Envoy has acknowledged it.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from bench.scale.follow import following, in_background
from fairlead_operator.api.group import GATEWAY_NAME, LABEL_COMPONENT
from fairlead_operator.kube.client import KubeClient

_GATHERED = 0.02  # seconds in which reports of one namespace go together


class Gateways:
    """Reports of all gateway pods."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._pods: dict[str, set[str]] = {}  # by namespace
        self._reports: dict[str, dict[str, str]] = {}  # by namespace and Model
        self._waiting: dict[str, set[str]] = {}  # Models to report, by namespace
        self._something = asyncio.Event()

    def see_pod(self, pod: dict[str, Any], gone: bool) -> None:
        meta = pod["metadata"]
        pods = self._pods.setdefault(meta["namespace"], set())
        is_new = meta["name"] not in pods
        (pods.discard if gone else pods.add)(meta["name"])
        if is_new and not gone:
            self._report(meta["namespace"], *self._reports.get(meta["namespace"], ()))

    def see_route(self, item: dict[str, Any], gone: bool) -> None:
        namespace = item["metadata"]["namespace"]
        route = json.loads(item["data"]["route.json"])
        weights = {version["version"]: version["weight"] for version in route["versions"]}
        text = json.dumps({"revision": route["revision"], "weights": weights})
        reports = self._reports.setdefault(namespace, {})
        if not gone and reports.get(route["model"]) != text:
            reports[route["model"]] = text
            self._report(namespace, route["model"])

    def _report(self, namespace: str, *models: str) -> None:
        self._waiting.setdefault(namespace, set()).update(models)
        self._something.set()

    async def report(self) -> None:
        """Write what there is to report; never returns."""
        while True:
            await self._something.wait()
            await asyncio.sleep(_GATHERED)
            self._something.clear()
            waiting, self._waiting = self._waiting, {}
            for namespace, models in waiting.items():
                reports = self._reports.get(namespace, {})
                data: dict[str, str | None] = {
                    f"{model}.{pod}": reports[model]
                    for model in models
                    for pod in self._pods.get(namespace, ())
                }
                if data:
                    await self._client.patch_data(namespace, GATEWAY_NAME, data)


@contextlib.asynccontextmanager
async def reporting(client: KubeClient, kubeconfig: Any) -> AsyncIterator[None]:
    """Gateways report as long as the block lasts."""
    gateways = Gateways(client)
    async with (
        following(kubeconfig, "Pod", gateways.see_pod, labels=f"{LABEL_COMPONENT}=gateway"),
        following(kubeconfig, "ConfigMap", gateways.see_route, labels=f"{LABEL_COMPONENT}=route"),
        in_background(gateways.report()),
    ):
        yield
