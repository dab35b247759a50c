"""The place in the API of each kind that the operator touches."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from fairlead_contract.mlflow import SECRET as MLFLOW_SECRET
from fairlead_operator.api.group import (
    API_VERSION,
    DATABASE_SECRET,
    GATEWAY_NAME,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    api_version: str
    plural: str

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of the collection, or of one object in it; no namespace means all."""
        root = "/api" if "/" not in self.api_version else "/apis"
        scope = f"/namespaces/{namespace}" if namespace else ""
        tail = f"/{name}" if name else ""
        return f"{root}/{self.api_version}{scope}/{self.plural}{tail}"


RESOURCES: Final = {
    "Model": Resource(api_version=API_VERSION, plural="models"),
    "TrainingRun": Resource(api_version=API_VERSION, plural="trainingruns"),
    "Rollout": Resource(api_version=API_VERSION, plural="rollouts"),
    "AnalysisTemplate": Resource(api_version=API_VERSION, plural="analysistemplates"),
    "Deployment": Resource(api_version="apps/v1", plural="deployments"),
    "HorizontalPodAutoscaler": Resource(
        api_version="autoscaling/v2", plural="horizontalpodautoscalers"
    ),
    "ScaledObject": Resource(api_version="keda.sh/v1alpha1", plural="scaledobjects"),
    "Job": Resource(api_version="batch/v1", plural="jobs"),
    "Pod": Resource(api_version="v1", plural="pods"),
    "Service": Resource(api_version="v1", plural="services"),
    "ConfigMap": Resource(api_version="v1", plural="configmaps"),
    "Secret": Resource(api_version="v1", plural="secrets"),
    "ServiceAccount": Resource(api_version="v1", plural="serviceaccounts"),
    "Event": Resource(api_version="v1", plural="events"),
    "RoleBinding": Resource(api_version="rbac.authorization.k8s.io/v1", plural="rolebindings"),
    "PodDisruptionBudget": Resource(api_version="policy/v1", plural="poddisruptionbudgets"),
    "HTTPRoute": Resource(api_version="gateway.networking.k8s.io/v1", plural="httproutes"),
    "Lease": Resource(api_version="coordination.k8s.io/v1", plural="leases"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Selects objects of a kind, in the API's own syntax; empty means all."""

    labels: str = ""
    fields: str = ""

    def selects(self, body: Mapping[str, Any]) -> bool:
        """Tell whether a watch with this selector tells of the object."""
        meta = body["metadata"]
        labels = {f"{key}={value}" for key, value in (meta.get("labels") or {}).items()}
        return self.may_select(meta["name"]) and all(
            part in labels for part in self.labels.split(",") if part
        )

    def may_select(self, name: str) -> bool:
        """Tell whether a watch with this selector can tell of an object of this name."""
        return self.fields in {"", f"metadata.name={name}"}


_OURS: Final = Selector(labels=f"{LABEL_MANAGED_BY}={MANAGED_BY}")

# The kinds that are watched, so that reading one of their objects costs no request.  Of kinds
# that others use too, only what carries our label; of one we have rights to by name, that name.
WATCHED: Final[Mapping[str, Selector]] = {
    "Model": Selector(),
    "TrainingRun": Selector(),
    "Rollout": Selector(),
    "AnalysisTemplate": Selector(),
    "Deployment": _OURS,
    "HorizontalPodAutoscaler": _OURS,
    "Job": _OURS,
    "Pod": _OURS,
    "ConfigMap": _OURS,
    "Service": _OURS,
    "ServiceAccount": _OURS,
    "PodDisruptionBudget": _OURS,
    "RoleBinding": Selector(fields=f"metadata.name={GATEWAY_NAME}"),
    "Secret": Selector(fields=f"metadata.name={DATABASE_SECRET}"),
}

# A watch that has rights to one name is of that name alone, and kopf has one watch for each kind:
# what has another name gets a round of watches of its own, where we have the right to it.
MLFLOW_SECRETS: Final[Mapping[str, Selector]] = {
    "Secret": Selector(fields=f"metadata.name={MLFLOW_SECRET}")
}

# Kinds that others install.  Watched where they are there when we start, so that their changes
# wake us.
OPTIONAL: Final[Mapping[str, Selector]] = {"HTTPRoute": _OURS, "ScaledObject": _OURS}
# Of these, what is read from the API server even so: who wrote a route, and when, is not stored.
UNSTORED: Final = frozenset({"HTTPRoute"})
