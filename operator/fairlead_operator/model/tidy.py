"""What is left of a namespace's gateway when Models or gateway pods are gone."""

from fairlead_operator.api.group import GATEWAY_NAME
from fairlead_operator.kube.metadata import component_labels
from fairlead_operator.ports import Kube

# What nobody needs without Models, in the order it is removed.
_PARTS = ("PodDisruptionBudget", "Deployment", "RoleBinding", "ConfigMap", "ServiceAccount")


async def tidy_gateway(namespace: str, kube: Kube) -> None:
    """Remove the gateway of a namespace without Models; else the reports of who is gone.

    Raises:
        TransientError: the cluster did not answer.
    """
    models = {model["metadata"]["name"] for model in await kube.list("Model", namespace, {})}
    if not models:
        for kind in _PARTS:
            if await kube.get(kind, namespace, GATEWAY_NAME) is not None:
                await kube.delete(kind, namespace, GATEWAY_NAME)
        return
    reports = await kube.get("ConfigMap", namespace, GATEWAY_NAME)
    pods = await kube.list("Pod", namespace, component_labels("gateway"))
    alive = {pod["metadata"]["name"] for pod in pods}
    gone: dict[str, str | None] = {}
    for key in sorted((reports or {}).get("data") or {}):
        model, _, pod = key.rpartition(".")
        if model not in models or pod not in alive:
            gone[key] = None
    if gone:
        await kube.patch_data(namespace, GATEWAY_NAME, gone)
