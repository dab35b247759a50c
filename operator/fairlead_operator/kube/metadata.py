"""Names, labels and owners of what the operator creates.  Pure; the only builder of names."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.group import (
    API_VERSION,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    LABEL_VERSION,
    MANAGED_BY,
)

CLUSTER_DOMAIN: Final = "cluster.local"  # unless the cluster was set up with another
SHADOW_PORT: Final = 81  # of a version's Service: what comes there is a copy of a request

_LONGEST: Final = 63


def child_name(*parts: str) -> str:
    """Join the parts with dashes; end a name that is too long in a digest of the whole."""
    whole = "-".join(parts).replace(".", "-").lower()
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: _LONGEST - 9].rstrip('-')}-{digest}"


def version_name(model: str, version: str) -> str:
    """Name the Deployment and Service of one version."""
    return child_name(model, version)


def preview_name(model: str) -> str:
    """Name the address of a candidate before it is live."""
    return child_name(model, "preview")


def component_labels(component: str, model: str = "", version: str = "") -> dict[str, str]:
    """Return the labels of everything the operator creates."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: component}
    if model:
        labels[LABEL_MODEL] = model
    if version:
        labels[LABEL_VERSION] = version
    return labels


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The object that owns what we build; Kubernetes deletes the children with it."""

    kind: str
    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Owner":
        meta = body["metadata"]
        return cls(
            kind=body["kind"], namespace=meta["namespace"], name=meta["name"], uid=meta["uid"]
        )

    def metadata(self, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Build the metadata of a child."""
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": dict(labels),
            "ownerReferences": [self.reference()],
        }

    def reference(self) -> dict[str, Any]:
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
