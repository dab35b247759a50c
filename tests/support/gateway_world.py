"""What stands around a gateway in tests: routes and endpoints written as the operator does."""

import dataclasses
import json
from typing import Any

from fairlead_contract.cluster import GATEWAY, LABEL_COMPONENT, PROXY
from fairlead_serving.gateway.settings import Settings
from support.fake_api import FakeApi
from support.gateway import (
    MODEL,
    NAMESPACE,
    POD,
    endpoint_slice,
    eventually,
    is_ready,
    route_config_map,
    route_document,
    service_of,
)

OLD, NEW = "1.0.0", "1.1.0"
READY = {"ready": True, "serving": True, "terminating": False}


def reports_config_map() -> dict[str, Any]:
    """Build what the operator makes for the agents to report in."""
    labels = {LABEL_COMPONENT: PROXY}
    return {"metadata": {"name": GATEWAY, "namespace": NAMESPACE, "labels": labels}, "data": {}}


@dataclasses.dataclass(slots=True, kw_only=True)
class World:
    """Everything around the agent."""

    api: FakeApi
    settings: Settings
    servers: dict[str, int]  # port by version

    async def route(self, weights: dict[str, int], *, model: str = MODEL, **changes: Any) -> str:
        """Write a route as the operator does, with forcing on; returns its revision."""
        document = route_document(weights, model=model, **{"forcing": True, **changes})
        await self.api.apply("configmaps", route_config_map(document, model=model))
        revision: str = document["revision"]
        return revision

    async def pods(self, version: str, *conditions: dict[str, bool], model: str = MODEL) -> None:
        """Write the endpoints of a version."""
        service = service_of(model, version)
        port = self.servers[version]
        await self.api.apply("endpointslices", endpoint_slice(service, port, *conditions))

    def applied(self, model: str = MODEL) -> dict[str, Any]:
        """Return what this pod reports of a Model; empty without a report."""
        data = self.api.read("configmaps", NAMESPACE, GATEWAY).get("data", {})
        report: dict[str, Any] = json.loads(data.get(f"{model}.{POD}", "{}"))
        return report

    async def until_applied(self, revision: str, model: str = MODEL) -> dict[str, Any]:
        async def is_applied() -> bool:
            return self.applied(model).get("revision") == revision

        await eventually(is_applied)
        return self.applied(model)

    async def until_ready(self) -> None:
        await eventually(lambda: is_ready(self.settings.ports.metrics, "/ready"))
