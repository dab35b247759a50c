"""Everything a chapter of the story has to hand."""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
FAIRLEAD = Path(sys.executable).with_name("fairlead")
_COMMAND_TIMEOUT = 180


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

    def fairlead(self, *arguments: str) -> str:
        """Do it with our own command, and show what it answers.

        Raises:
            StoryError: it failed or refused.
        """
        words = [*arguments, f"--namespace={energy.NAMESPACE}"]
        self.say.command(shlex.join(["fairlead", *words]))
        done = subprocess.run(
            [FAIRLEAD, *words, f"--kubeconfig={self.cluster.kubeconfig}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_COMMAND_TIMEOUT,
        )
        if done.returncode != 0:
            raise StoryError(f"fairlead {arguments[0]} failed: {done.stderr.strip()}")
        self.say.block(done.stdout)
        return done.stdout

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
