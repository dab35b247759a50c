"""The Secret that trainers and model servers read their database from.  Pure."""

from typing import Any, Final

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


_VOLUME: Final = "database"
_MOUNT: Final = "/var/run/fairlead/database"


def database_file() -> dict[str, Any]:
    """Build the variable that says in which file the address is, as it is now."""
    return {"name": "FAIRLEAD_DATABASE_URL_FILE", "value": f"{_MOUNT}/url"}


def database_volume() -> tuple[dict[str, Any], dict[str, Any]]:
    """Build the volume that holds that file, and its mount."""
    # Optional: a record that is not there yet keeps no server from starting.
    volume = {"name": _VOLUME, "secret": {"secretName": DATABASE_SECRET, "optional": True}}
    return volume, {"name": _VOLUME, "mountPath": _MOUNT, "readOnly": True}


def database_variable() -> dict[str, Any]:
    """Build the environment variable that holds the address."""
    return secret_variable("FAIRLEAD_DATABASE_URL", DATABASE_SECRET, "url")
