"""Where each kind the operator touches lives in the API."""

import dataclasses
from typing import Final

from fairlead_operator.api.group import API_VERSION


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    api_version: str
    plural: str

    def path(self, namespace: str, name: str = "") -> str:
        """Path of the collection, or of one object in it."""
        root = "/api" if "/" not in self.api_version else "/apis"
        tail = f"/{name}" if name else ""
        return f"{root}/{self.api_version}/namespaces/{namespace}/{self.plural}{tail}"


RESOURCES: Final = {
    "Model": Resource(api_version=API_VERSION, plural="models"),
    "TrainingRun": Resource(api_version=API_VERSION, plural="trainingruns"),
    "Rollout": Resource(api_version=API_VERSION, plural="rollouts"),
    "Deployment": Resource(api_version="apps/v1", plural="deployments"),
    "Job": Resource(api_version="batch/v1", plural="jobs"),
    "Pod": Resource(api_version="v1", plural="pods"),
    "Service": Resource(api_version="v1", plural="services"),
    "ConfigMap": Resource(api_version="v1", plural="configmaps"),
    "Secret": Resource(api_version="v1", plural="secrets"),
    "ServiceAccount": Resource(api_version="v1", plural="serviceaccounts"),
    "Event": Resource(api_version="v1", plural="events"),
    "RoleBinding": Resource(api_version="rbac.authorization.k8s.io/v1", plural="rolebindings"),
    "PodDisruptionBudget": Resource(api_version="policy/v1", plural="poddisruptionbudgets"),
    "Lease": Resource(api_version="coordination.k8s.io/v1", plural="leases"),
}
