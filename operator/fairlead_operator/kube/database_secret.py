"""The Secret that trainers and model servers read their database from.  Pure."""

from typing import Any

from fairlead_operator.api.group import (
    DATABASE_SECRET,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    MANAGED_BY,
)
from fairlead_operator.kube.security import secret_variable


def build_database_secret(namespace: str, url: str) -> dict[str, Any]:
    """Build the Secret with the database's address, for the pods of one namespace."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": DATABASE_SECRET,
            "namespace": namespace,
            "labels": {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: "trainer"},
        },
        "type": "Opaque",
        "stringData": {"url": url},
    }


def database_variable() -> dict[str, Any]:
    """Build the environment variable that holds the address."""
    return secret_variable("FAIRLEAD_DATABASE_URL", DATABASE_SECRET, "url")
