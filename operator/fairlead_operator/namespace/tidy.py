"""Cleans up a namespace's gateway once Models or gateway pods are gone."""

from collections.abc import Mapping
from typing import Any

from fairlead_contract.cluster import PROXY
from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.kube.owned import remove_owned
from fairlead_operator.ports import Kube

# What nobody needs without Models, in the order it is removed.
_PARTS = ("PodDisruptionBudget", "Deployment", "RoleBinding", "ConfigMap", "ServiceAccount")


async def tidy_gateway(namespace: str, kube: Kube) -> None:
    """Remove a gateway that no Model needs, else the reports of pods and Models that are gone.

    Raises:
        TransientError: the cluster did not answer.
    """
    models = await _at_gateway(namespace, kube)
    if not models:
        meta = {
            "name": GATEWAY_NAME,
            "namespace": namespace,
            "labels": component_labels(PROXY),
        }
        for kind in _PARTS:
            await remove_owned({"kind": kind, "metadata": meta}, kube)
        return
    reports = await kube.get("ConfigMap", namespace, GATEWAY_NAME)
    pods = await kube.list("Pod", namespace, component_labels(PROXY))
    alive = {pod["metadata"]["name"] for pod in pods}
    gone: dict[str, str | None] = {}
    for key in sorted((reports or {}).get("data") or {}):
        model, _, pod = key.rpartition(".")
        if model not in models or pod not in alive:
            gone[key] = None
    if gone:
        await kube.patch_data(namespace, GATEWAY_NAME, gone)


async def _at_gateway(namespace: str, kube: Kube) -> set[str]:
    """Return the Models that want the gateway, or whose traffic nobody else has taken over yet."""
    addresses = await kube.list("Service", namespace, component_labels("address"))
    left = {service["metadata"]["name"] for service in addresses}
    models = await kube.list("Model", namespace, {})
    return {
        model["metadata"]["name"]
        for model in models
        if _is_built_in(model) or model["metadata"]["name"] in left
    }


def _is_built_in(model: Mapping[str, Any]) -> bool:
    gateway = (model["spec"].get("serving") or {}).get("gateway") or {}
    return bool(gateway.get("kind", "BuiltIn") == "BuiltIn")
