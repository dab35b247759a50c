"""The cluster with Fairlead on it, and a namespace of our own with Models that need no training.

A running cluster and release, such as ``make demo`` leaves, are used as they are; what is not
there is brought up and taken down again.
"""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import registry
from cluster.api import Cluster
from cluster.choose import choose
from e2e.story import installation
from e2e.story.good_versions import describe_model
from e2e.story.installation import alone, install, purge_record
from e2e.story.narrator import Narrator
from e2e.story.objects import Object, Objects, status_of
from e2e.story.signed_in import sign_in
from e2e.story.waiting import wait_for
from e2e.story.world import expose_component

NAMESPACE = "bench"
STABLE, CANDIDATE = "1.0.0", "1.1.0"
# Other ports than the story's, which may be in use beside us.
GATEWAY_PORT, WEBHOOK_PORT, MLFLOW_PORT = 28080, 28443, 25000
_SERVING_TIMEOUT = 240
_OURS = f"--namespace={NAMESPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the benchmarks on a cluster happen."""

    cluster: Cluster
    objects: Objects  # of our namespace
    say: Narrator
    mlflow_url: str

    def expose_gateway(self, model: str) -> str:
        """A Model's address on this machine."""
        return self.cluster.expose(
            namespace=NAMESPACE, service=model, port=80, local_port=GATEWAY_PORT
        )

    def expose_webhook(self) -> str:
        """The operator's webhook on this machine."""
        services = self.cluster.kubectl(
            "get", "services", f"--namespace={installation.NAMESPACE}", "--output=json",
            "--selector=app.kubernetes.io/component=operator",
        )  # fmt: skip
        (service,) = json.loads(services.stdout)["items"]
        return self.cluster.expose(
            namespace=installation.NAMESPACE,
            service=service["metadata"]["name"],
            port=8443,
            local_port=WEBHOOK_PORT,
        )

    def webhook_token(self) -> str:
        secret = self.cluster.kubectl(
            "get", "secret", "fairlead-webhook", f"--namespace={installation.NAMESPACE}",
            "--output=json",
        )  # fmt: skip
        return base64.b64decode(json.loads(secret.stdout)["data"]["token"]).decode()

    def serve(
        self, models: Sequence[str], build: Callable[[str], dict[str, Any]] | None = None
    ) -> None:
        """Have these Models, each with its stable version in charge."""
        manifests = [(build or build_model)(name) for name in models]
        document = {"apiVersion": "v1", "kind": "List", "items": manifests}
        self.cluster.kubectl("apply", "--filename=-", input=json.dumps(document))
        wait_for(
            f"{len(models)} Models to serve {STABLE}",
            lambda: [self.objects.model(name) for name in models],
            lambda found: all(is_serving(model) for model in found),
            describe=_describe_models,
            say=self.say,
            timeout=_SERVING_TIMEOUT,
            pause=1.0,
        )

    def remove(self, models: Sequence[str]) -> None:
        """Delete Models and wait until their pods are gone."""
        if not models:
            return
        self.cluster.kubectl("delete", "models", *models, _OURS, "--wait", "--timeout=60s")
        selector = f"--selector=fairlead.dev/model in ({','.join(models)})"
        self.cluster.kubectl("delete", "pods", selector, _OURS, "--grace-period=1", check=False)


@contextlib.contextmanager
def installed(say: Narrator, *values: str) -> Iterator[Place]:
    """Cluster, release and an empty namespace; the namespace is gone afterwards.

    Args:
        values: ``NAME=VALUE`` of the chart, beside the demo's.
    """
    cluster = choose()
    was_up = all(part.running for part in cluster.status())
    with alone():
        install(say, *values)
        try:
            with prepared(cluster, say) as place:
                yield place
        finally:
            if not was_up:
                cluster.down(say)


@contextlib.contextmanager
def prepared(cluster: Cluster, say: Narrator) -> Iterator[Place]:
    """An empty namespace on a cluster that has the release; it is gone afterwards."""
    say.chapter("set-up")
    sign_in(cluster)
    place = Place(
        cluster=cluster,
        objects=Objects(cluster.kubeconfig, NAMESPACE),
        say=say,
        mlflow_url=expose_component(cluster, "mlflow", MLFLOW_PORT),
    )
    _clear(place)
    try:
        _create_namespace(cluster)
        yield place
    finally:
        say.chapter("clean-up")
        _clear(place)


def model_names(count: int) -> Sequence[str]:
    return [f"model-{number}" for number in range(1, count + 1)]


def build_model(name: str) -> dict[str, Any]:
    """A Model that is told its version, so that nothing is trained.  Pure.

    Its rollouts stay at ten percent until something else happens: no hold ends and no
    measurement falls due meanwhile.
    """
    source = {"uri": "https://data.invalid/never-read.csv"}
    hour = "1h"
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "task": "binary-classification",
            "version": STABLE,
            "data": {"source": source, "timestampColumn": "timestamp", "target": "price_up"},
            "serving": {"resources": {"requests": {"cpu": "20m", "memory": "192Mi"}}},
            "rollout": {
                "steps": [{"weight": 10, "hold": hour}],
                "analysis": {
                    "interval": hour,
                    "checks": [{"name": "success", "builtin": "success-rate", "atLeast": 0.99}],
                },
            },
        },
    }


def is_serving(model: Object, version: str = STABLE) -> bool:
    status = status_of(model)
    return (
        status.get("phase") == "Serving"
        and (status.get("stable") or {}).get("version") == version
        and status.get("observedGeneration") == model["metadata"]["generation"]
    )


def _describe_models(models: Sequence[Object]) -> str:
    if len(models) == 1:
        return describe_model(models[0])
    return f"{sum(is_serving(model) for model in models)} of {len(models)} Models serve"


def _create_namespace(cluster: Cluster) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": NAMESPACE, "labels": labels}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))


def _clear(place: Place) -> None:
    """Remove the namespace and our versions in the registry."""
    if place.cluster.kubectl("get", "namespace", NAMESPACE, check=False).returncode == 0:
        place.say(f"removing namespace {NAMESPACE}")
        # Nobody waits for the requests they might still answer.
        place.cluster.kubectl(
            "delete", "pods", "--all", _OURS, "--grace-period=1", "--wait=false", check=False
        )
        place.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout=180s")
    registry.forget(place.mlflow_url, NAMESPACE)
    purge_record(place.cluster, NAMESPACE)
