"""Everything a chapter of the story has to hand."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.api import Cluster
from e2e.story import energy, installation
from e2e.story.errors import StoryError
from e2e.story.narrator import Narrator
from e2e.story.objects import Objects
from e2e.story.traffic import Traffic

GATEWAY_PORT = 18080
MLFLOW_PORT = 15000
PROMETHEUS_PORT = 19090


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The cluster the story plays on, and the traffic from its second chapter on."""

    cluster: Cluster
    images: Mapping[str, str]  # name → reference, of those built here
    objects: Objects
    traffic: Traffic
    say: Narrator
    mlflow_url: str
    prometheus_url: str

    def kubectl(self, *arguments: str) -> str:
        """Do what a person would do, and show it."""
        words = [f"--namespace={energy.NAMESPACE}", *arguments]
        self.say.command(shlex.join(["kubectl", *words]))
        return self.cluster.kubectl(*words).stdout

    def patch_model(self, spec: Mapping[str, Any]) -> None:
        patch = json.dumps({"spec": spec})
        self.kubectl("patch", "model", energy.MODEL, "--type=merge", f"--patch={patch}")

    def expose_gateway(self) -> str:
        """Return the Model's address on this machine."""
        return self.cluster.expose(
            namespace=energy.NAMESPACE, service=energy.MODEL, port=80, local_port=GATEWAY_PORT
        )


def find_service(cluster: Cluster, component: str) -> tuple[str, int]:
    """Return name and port of the chart's Service of a component.

    Raises:
        StoryError: the chart has none.
    """
    found = cluster.kubectl(
        "get", "services", f"--namespace={installation.NAMESPACE}", "--output=json"
    )
    services: Sequence[Mapping[str, Any]] = json.loads(found.stdout)["items"]
    for service in services:
        labels = service["metadata"].get("labels") or {}
        if labels.get("app.kubernetes.io/component") == component:
            return service["metadata"]["name"], service["spec"]["ports"][0]["port"]
    raise StoryError(f"the chart has no Service for component {component}")


def expose_component(cluster: Cluster, component: str, local_port: int) -> str:
    name, port = find_service(cluster, component)
    return cluster.expose(
        namespace=installation.NAMESPACE, service=name, port=port, local_port=local_port
    )
